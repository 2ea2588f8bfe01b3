"""The journal of a build: which units are done, so that a killed build can go on.

Its first line says what is built, and every other one names a unit whose files are on the disk:

    {"longspan": "0.1.0", "input": {...}, ...}
    ["cluster", 17]

A line is written when its unit's files are safe, behind those that are there, which are never
written again. What a kill or a power cut has left behind the last whole line counts for nothing,
and is cut off.
"""

import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from longspan.indexer.errors import CannotResume, DamagedBuild
from longspan.indexer.running.job import flush
from longspan.indexer.store.whole import naming, write_at

NAME = "journal.jsonl"
STAMP = "stamp"  # in the first line: when the input was last written
READ = "read"  # the unit with which all of the input is read: it may change then


class Journal:
    """The units done so far, in a file that each new one is added to.

    handle  of the file; end: its whole lines'
    """

    def __init__(self, path: Path, handle: int, end: int, done: set[tuple[str, int]]) -> None:
        self._path, self._handle, self._end, self._done = path, handle, end, done

    def left(self, stage: str, units: Iterable[int]) -> list[int]:
        """Return the units of a stage that are not done."""
        return [unit for unit in units if (stage, unit) not in self._done]

    def note(self, units: list[tuple[str, int]]) -> None:
        """Note units, each of a stage, whose files are on the disk."""
        self._add(*units)
        self._done.update(units)

    def _add(self, *lines: Any) -> None:
        data = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
        try:
            with naming(self._path):
                write_at(self._handle, self._end, data)
                os.fsync(self._handle)
        except OSError:
            os.ftruncate(self._handle, self._end)  # so that no part of a line is left
            raise
        self._end += len(data)


@contextmanager
def opened(directory: Path, building: dict[str, Any]) -> Iterator[Journal]:
    """Give the journal of a build: that of one that was cut off, or a new one."""
    path = directory / NAME
    lines, end = whole_lines(path)
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        os.ftruncate(handle, end)
        journal = Journal(path, handle, end, {(stage, unit) for stage, unit in lines[1:]})
        if not lines:
            journal._add(building)
            flush(directory)
            flush(directory.parent)
        yield journal
    finally:
        os.close(handle)


def begun(directory: Path) -> dict[str, Any] | None:
    """Return what the build that was cut off in a directory is of; None when none was.

    DamagedBuild when that cannot be told.
    """
    lines, _ = whole_lines(directory / NAME)
    return lines[0] if lines else None


def has_work(directory: Path) -> bool:
    """Return whether something of a build that was cut off is kept in a directory."""
    try:
        return len(whole_lines(directory / NAME)[0]) > 1
    except DamagedBuild:
        return True


def check_same(directory: Path, building: dict[str, Any], stamp: str) -> None:
    """Raise CannotResume unless the build that was cut off was of the same.

    stamp  of the input, which must not have been written to before all of it was read
    """
    (first, *units), _ = whole_lines(directory / NAME)
    before = first.pop(STAMP, stamp)
    wrong = differences(first, json.loads(json.dumps(building)))
    if before != stamp and [READ, 0] not in units:
        wrong.append("input was written to before all of it was read")
    if wrong:
        raise CannotResume(f"{directory}: another build was begun there: {'; '.join(wrong)}")


def whole_lines(path: Path) -> tuple[list[Any], int]:
    """Return the lines of a journal up to the first that is not whole, and where they end.

    None when there is no file. DamagedBuild when not even the first is, but others are.
    """
    content = path.read_bytes() if path.exists() else b""
    lines: list[Any] = []
    end = 0
    for line in content.split(b"\n")[:-1]:
        value = parsed(line)
        if not (is_unit(value) if lines else isinstance(value, dict)):
            break
        lines.append(value)
        end += len(line) + 1
    if content and not lines and (b"\n" in content or content[:1] != b"{"):
        raise DamagedBuild(f"{path}: its first line is damaged, no build can go on (--restart)")
    return lines, end


def parsed(line: bytes) -> Any:
    """Return the value of a line of JSON; None when it is none."""
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def is_unit(value: Any) -> bool:
    """Return whether a line's value names a unit."""
    return isinstance(value, list) and [type(part) for part in value] == [str, int]


def differences(begun: dict[str, Any], wanted: dict[str, Any], where: str = "") -> list[str]:
    """Return how two builds differ, each value by its name."""
    found = []
    for name in sorted(begun.keys() | wanted.keys()):
        one, other = begun.get(name), wanted.get(name)
        if isinstance(one, dict) and isinstance(other, dict):
            found += differences(one, other, f"{where}{name}.")
        elif one != other:
            found.append(f"{where}{name} was {one}, now {other}")
    return found
