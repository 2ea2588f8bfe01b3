"""Pieces of a file, all asked for before the first is read: one wait for the disk, not one each.

They are read with pread, not mapped: a file that has become shorter is then an error, and no
signal that ends the process. Both use the page cache, which all processes share.
"""

import os
from pathlib import Path
from typing import Any
from weakref import finalize

import numpy as np
from numpy.typing import NDArray

from longspan.cext import pieces


def gather(handle: int, offsets: NDArray[Any], sizes: NDArray[Any]) -> NDArray[np.uint8]:
    """Return pieces of an open file, one behind the other; zeros where the file ends.

    offsets, sizes  (n,) of integers
    """
    lengths = np.ascontiguousarray(sizes, np.int64)
    out = np.empty(int(lengths.sum()), np.uint8)
    pieces.read(handle, np.ascontiguousarray(offsets, np.int64), lengths, out)
    return out


def read(handle: int, offsets: NDArray[Any], sizes: NDArray[Any]) -> list[bytes]:
    """Return pieces as `gather` does, each by itself."""
    whole, ends = gather(handle, offsets, sizes).data, np.cumsum(sizes, dtype=np.int64)
    return [
        bytes(whole[end - size : end])
        for end, size in zip(ends.tolist(), sizes.tolist(), strict=True)
    ]


class Pieces:
    """A file that is read in pieces, by many threads; closed when nobody holds it any more."""

    def __init__(self, path: Path) -> None:
        self._handle = os.open(path, os.O_RDONLY)
        self.size = os.fstat(self._handle).st_size
        finalize(self, os.close, self._handle)
        os.posix_fadvise(self._handle, 0, 0, os.POSIX_FADV_RANDOM)  # nothing besides the pieces

    def gather(self, offsets: NDArray[Any], sizes: NDArray[Any]) -> NDArray[np.uint8]:
        """Return pieces, as `gather` does."""
        return gather(self._handle, offsets, sizes)

    def read(self, offsets: NDArray[Any], sizes: NDArray[Any]) -> list[bytes]:
        """Return pieces, as `read` does."""
        return read(self._handle, offsets, sizes)
