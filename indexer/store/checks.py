"""Checksums of the pages of an index: damage is an error for the search that reads it.

What is too large to be read when an index is opened (postings, ids, codes) has a checksum for every
4,096 bytes, a thousandth of it, in one file that is. A search compares each page that it reads
(longspan.cext.pages), and the codes are compared as they are taken into memory.
"""

import hashlib
from collections.abc import Callable, Iterator
from itertools import accumulate
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from longspan.cext.pages import CHECKED, checksums
from longspan.indexer.errors import DamagedIndex
from longspan.indexer.store.arrays import map_array, writing_rows
from longspan.indexer.store.codec import FIRST, SECOND
from longspan.indexer.store.layout import IDS, shard_name
from longspan.indexer.store.manifest import record

CHECKS = "checks.npy"
PAGE = CHECKED  # bytes that have a checksum together
SUM = 4  # bytes of a checksum
ALIGNED = 16  # pages: each file's begin at a multiple, as postings are mapped
STEP = 256 * PAGE  # bytes that are read at a time
COMPARED = 4096 * PAGE  # and that are compared: a server's other threads want the GIL in between

Sums = NDArray[np.uint32]


def checked(directory: Path, shards: int) -> list[Path]:
    """Return the files whose pages have checksums, in the order of these."""
    postings = [directory / shard_name(shard) for shard in range(shards)]
    others = [directory / name for name in (IDS, FIRST, SECOND)]
    return [*postings, *(path for path in others if path.exists())]


def pages(path: Path) -> int:
    """Return how many pages a file has, the last of which may be cut off."""
    return -(-path.stat().st_size // PAGE)


def places(paths: list[Path]) -> list[int]:
    """Return where the checksums of each file begin; last, where they end."""
    return [*accumulate((-(-pages(path) // ALIGNED) * ALIGNED for path in paths), initial=0)]


def write_checks(file: IO[bytes], directory: Path, shards: int) -> dict[str, dict[str, Any]]:
    """Write the checksums of an index's pages, zeros where a file has ended.

    Returns what the manifest says of the files that have some: each is read once for both.
    """
    paths, records = checked(directory, shards), {}
    starts = places(paths)
    with writing_rows(file, np.uint32, (starts[-1],)) as write:
        for path, start, end in zip(paths, starts, starts[1:], strict=False):
            whole = hashlib.sha256()
            for sums in sums_of(path, whole.update):
                write(sums)
            write(np.zeros(end - start - pages(path), np.uint32))
            records[path.name] = record(path, whole.hexdigest())
    return records


def sums_of(path: Path, told: Callable[[memoryview], object] | None = None) -> Iterator[Sums]:
    """Yield the checksums of a file's pages, some at a time; told is given the bytes of each."""
    room = np.empty(STEP, np.uint8)
    with path.open("rb") as file:
        while size := file.readinto(room.data):
            if told:
                told(room[:size].data)
            yield compute(room[:size])


def compute(data: NDArray[np.uint8]) -> Sums:
    """Return the checksum of every page of some bytes."""
    sums = np.empty(-(-len(data) // PAGE), np.uint32)
    checksums(data, sums)
    return sums


class PageSums:
    """The checksums of an index's pages; None of an index that was published without them."""

    def __init__(self, directory: Path, shards: int) -> None:
        self._sums = None
        self._path, paths = directory / CHECKS, checked(directory, shards)
        starts = places(paths)
        self._start, self._postings = dict(zip(paths, starts, strict=False)), starts[shards]
        if self._path.exists():
            self._sums = map_array(self._path, np.uint32)
            if len(self._sums) != starts[-1]:
                raise DamagedIndex(f"{self._path}: {len(self._sums)} of {starts[-1]} checksums")

    @property
    def postings(self) -> Sums | None:
        """Those of all files of postings, as these are mapped."""
        return None if self._sums is None else self._sums[: self._postings]

    def of(self, name: str) -> Sums | None:
        """Return those of one file."""
        if self._sums is None:
            return None
        path = self._path.with_name(name)
        start = self._start[path]
        return self._sums[start : start + pages(path)]

    def compare(self, name: str, data: NDArray[np.uint8], before_each: Callable[[], None]) -> None:
        """Raise DamagedIndex unless the bytes of a file have their checksums.

        before_each  called before each 16 MiB; what it raises ends the comparing
        """
        wanted = self.of(name)
        if wanted is None:
            return
        for at in range(0, len(data), COMPARED):
            before_each()
            found = compute(data[at : at + COMPARED])
            wrong = np.flatnonzero(found != wanted[at // PAGE :][: len(found)])
            if len(wrong):
                raise DamagedIndex(
                    f"{self._path.with_name(name)}: the page at byte {at + wrong[0] * PAGE:,} has "
                    "not its checksum; try `longspan verify`"
                )

    def agree(self, path: Path) -> bool:
        """Return whether a file, read from the disk, has its checksums."""
        wanted, at = self.of(path.name), 0
        if wanted is None:
            return True
        for found in sums_of(path):
            if not np.array_equal(found, wanted[at : at + len(found)]):
                return False
            at += len(found)
        return True
