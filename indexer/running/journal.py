"""The journal of a build: which units are done, so that a killed build can go on.

Its first line says what is built, and every other one names a unit whose files are on the disk:

    {"longspan": "0.1.0", "input": {...}, ...}
    ["cluster", 17]

A line is written when its unit's files are safe; one that a kill has cut off counts for nothing.
"""

import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from longspan.indexer.errors import CannotResume

NAME = "journal.jsonl"


class Journal:
    """The units done so far, in a file that each new one is added to."""

    def __init__(self, path: Path, done: set[tuple[str, int]]) -> None:
        self._file = path.open("ab", buffering=0)
        self._done = done

    @classmethod
    def begin(cls, directory: Path, building: dict[str, Any]) -> Self:
        """Return a new journal."""
        journal = cls(directory / NAME, set())
        journal._add(building)
        return journal

    @classmethod
    def go_on(cls, directory: Path) -> Self:
        """Return the journal of a build that was cut off."""
        path = directory / NAME
        lines = whole_lines(path)
        path.write_bytes(b"".join(json.dumps(line).encode() + b"\n" for line in lines))
        return cls(path, {(stage, unit) for stage, unit in lines[1:]})

    def left(self, stage: str, units: Iterable[int]) -> list[int]:
        """Return the units of a stage that are not done."""
        return [unit for unit in units if (stage, unit) not in self._done]

    def note(self, units: list[tuple[str, int]]) -> None:
        """Note units, each of a stage, whose files are on the disk."""
        self._add(*units)
        self._done.update(units)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _add(self, *lines: Any) -> None:
        self._file.write(b"".join(json.dumps(line).encode() + b"\n" for line in lines))
        os.fsync(self._file.fileno())


@contextmanager
def opened(directory: Path, building: dict[str, Any], resume: bool) -> Iterator[Journal]:
    """Give the journal of a build: a new one, or that of a build that was cut off."""
    journal = Journal.go_on(directory) if resume else Journal.begin(directory, building)
    try:
        yield journal
    finally:
        journal.close()


def can_go_on(directory: Path) -> bool:
    """Return whether a directory holds the journal of a build that was cut off."""
    return len(whole_lines(directory / NAME)) > 0


def check_same(directory: Path, building: dict[str, Any]) -> None:
    """Raise CannotResume unless the build that was cut off was of the same."""
    begun = whole_lines(directory / NAME)[0]
    wrong = differences(begun, json.loads(json.dumps(building)))
    if wrong:
        raise CannotResume(f"{directory}: another build was begun there: {'; '.join(wrong)}")


def whole_lines(path: Path) -> list[Any]:
    """Return the lines of a journal, without one that was cut off; none when there is no file."""
    if not path.exists():
        return []
    *whole, _ = path.read_bytes().split(b"\n")
    return [json.loads(line) for line in whole]


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
