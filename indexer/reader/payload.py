"""The user's own objects, one a vector: read, checked, and brought into the order of the rows.

A pass before anything is built checks every line and notes where it begins, 8 bytes a vector in
memory however large the file. When the rows are numbered the lines are read once more, in the order
of the rows, a thousand asked for at once: of a file that is larger than memory that is a page or
two from anywhere for each vector. Measured here with 200,000 objects of 400 bytes: 2.5 us each to
check, 15 to 25 to store.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import orjson
from numpy.typing import NDArray

from longspan.indexer.errors import BadFile, no_access
from longspan.indexer.reader import payload_parquet as parquet
from longspan.indexer.reader.stamp import Stamp, refuse_changed, stamp_of, unchanged
from longspan.indexer.running.progress import Advance, Progress
from longspan.indexer.store import payload as store
from longspan.indexer.store import wave
from longspan.indexer.store.postings import PAGE

AT_ONCE = 1024  # lines read together, 64 MiB when all are as long as they may be
PER_ROW = 44  # bytes of memory a vector: where its line begins, and while it is placed its size
SPACE = b" \t\r\n"  # of JSON, between its tokens


@dataclass(frozen=True, slots=True)
class Objects:
    """A file of checked lines, each a JSON object.

    path    that the user gave
    lines   what is read
    stamp   by which a change of it is noticed
    starts  (n + 1,)  where each line begins, and the last one ends
    """

    path: Path
    lines: BinaryIO
    stamp: Stamp
    starts: NDArray[np.int64]

    @property
    def disk(self) -> int:
        """An upper bound of the bytes that they take in an index."""
        n = len(self.starts) - 1
        return store.most_pages(np.diff(self.starts)) * PAGE * 51 // 50 + n * store.PLACE.itemsize

    def save(self, directory: Path, order: NDArray[np.int64], progress: Progress) -> None:
        """Write the payload of an index.

        order  (n,)  the line of each row
        BadFile when the file is no longer what was checked.
        """
        pages = store.most_pages(np.diff(self.starts))
        with progress.stage("payload", len(order), "objects") as advance:
            store.save(directory, self.in_order(order, advance), len(order), pages)

    def in_order(self, order: NDArray[np.int64], advance: Advance) -> Iterator[bytes]:
        """Yield the objects of the lines that order names, as they are stored."""
        for first in range(0, len(order), AT_ONCE):
            part = order[first : first + AT_ONCE]
            starts = self.starts[part]
            found = wave.read(self.lines.fileno(), starts, self.starts[part + 1] - starts)
            refuse_changed(self.path, self.lines.fileno(), self.stamp)
            yield from map(compact, found)
            advance(len(part))


@contextmanager
def opened(given: str | Path | None, n: int, index: Path) -> Iterator[Objects | None]:
    """Give the checked objects of n vectors, or None when no file is given.

    given  JSON lines, one a vector, in the order of the vectors; or `file.parquet`, or
           `file.parquet::title,url` for some of its columns, which become the objects' fields
    index  beside which a copy of parquet as lines may lie, in a file without a name
    BadFile unless there are n objects of at most 64 KiB; it names the line.
    """
    if given is None:
        yield None
        return
    name, several, columns = str(given).partition("::")
    if not name:
        raise BadFile(f"payload is {str(given)!r}, wanted the name of a file")
    path = Path(name)
    is_parquet = path.suffix.lower() == ".parquet"
    if several and not is_parquet:
        raise BadFile(f"{path}: ::{columns} names columns, which only .parquet has")
    if not path.is_file():
        found = "not a regular file" if path.exists() else "no such file"
        raise BadFile(f"{path}: {found}, wanted JSON lines or .parquet")
    names = columns.split(",") if several else None
    with copied(path, names, n, index) if is_parquet else open_lines(path) as lines:
        stamp = stamp_of(lines.fileno())
        yield Objects(path, lines, stamp, check(path, lines, n, "row" if is_parquet else "line"))


def copied(path: Path, names: list[str] | None, n: int, index: Path) -> BinaryIO:
    """Return the rows of a parquet file as lines; BadFile when it changes meanwhile."""
    with open_lines(path) as given, unchanged(path, given):
        return parquet.as_lines(path, names, n, index)


def open_lines(path: Path) -> BinaryIO:
    """Return a file for reading; BadFile when that cannot be."""
    try:
        return path.open("rb")
    except OSError as exc:
        refused = BadFile(f"{path}: cannot be read: {exc.strerror or exc}")
        raise no_access(exc, path) or refused from exc


def check(path: Path, lines: BinaryIO, n: int, unit: str) -> NDArray[np.int64]:
    """Return where each of n lines begins, and the last one ends, (n + 1,).

    BadFile names the first that is missing, too many, too long or no JSON object; unit says what
    a line is in the user's file.
    """
    starts = np.zeros(n + 1, np.int64)
    end = 0
    for row in range(n):
        line = lines.readline(store.MOST_BYTES + 2)  # with its end, \n or \r\n
        if not line:
            raise BadFile(f"{path}: {row} {unit}s, wanted {n}, one for each vector")
        problem = problem_of(line)
        if problem:
            raise BadFile(f"{path}: {unit} {row + 1} {problem}")
        end += len(line)
        starts[row + 1] = end
    if lines.read(1):
        raise BadFile(f"{path}: has a {unit} {n + 1}, wanted {n}, one for each vector")
    return starts


def problem_of(line: bytes) -> str:
    """Return why a line is no object that is taken, or nothing."""
    if len(line.rstrip(b"\r\n")) > store.MOST_BYTES:
        return f"is longer than {store.MOST_BYTES:,} bytes"
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError as exc:
        return f"is no JSON: {exc.msg}, at character {exc.colno}"
    return "" if isinstance(value, dict) else f"is {line.strip()[:40]!r}, wanted a JSON object"


def compact(line: bytes) -> bytes:
    """Return an object without the white space between its tokens.

    Where orjson would write anything else another way, such as a number of more than 64 bits, the
    object stays as it came.
    """
    stored = orjson.dumps(orjson.loads(line))
    same = stored.translate(None, SPACE) == line.translate(None, SPACE)
    return stored if same else line.strip(SPACE)
