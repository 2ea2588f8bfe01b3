"""Pieces of a file, all asked for before the first is read: one wait for the disk, not one each.

They are read with pread, not mapped: a page fault holds the GIL for as long as the disk takes,
pread gives it away. Both use the page cache, which all processes share.
"""

import os
from pathlib import Path
from typing import Any
from weakref import finalize

from numpy.typing import NDArray


def read(handle: int, offsets: NDArray[Any], sizes: NDArray[Any]) -> list[bytes]:
    """Return pieces of an open file, in their order; one that the file ends in is shorter.

    offsets, sizes  (n,) of integers, sizes above 0
    """
    pieces = list(zip(offsets.tolist(), sizes.tolist(), strict=True))
    for offset, size in sorted(pieces):
        os.posix_fadvise(handle, offset, size, os.POSIX_FADV_WILLNEED)
    return [os.pread(handle, size, offset) for offset, size in pieces]


class Pieces:
    """A file that is read in pieces, by many threads; closed when nobody holds it any more."""

    def __init__(self, path: Path) -> None:
        self._handle = os.open(path, os.O_RDONLY)
        self.size = os.fstat(self._handle).st_size
        finalize(self, os.close, self._handle)
        os.posix_fadvise(self._handle, 0, 0, os.POSIX_FADV_RANDOM)  # nothing besides the pieces

    def read(self, offsets: NDArray[Any], sizes: NDArray[Any]) -> list[bytes]:
        """Return pieces, as `read` does."""
        return read(self._handle, offsets, sizes)
