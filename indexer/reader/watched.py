"""The rows of a file of somebody else's, who may write to it while it is read.

Why not mapped: where such a file is cut off, a process that reads the map of what is gone ends
without a word. And after each read the file must still be as it was opened: what is returned is of
one state of it.
"""

import os
from itertools import pairwise
from typing import BinaryIO
from weakref import finalize

import numpy as np
from numpy.typing import NDArray

from longspan.indexer.errors import BadFile
from longspan.indexer.reader.address import Address
from longspan.indexer.reader.checked import Checked, Table
from longspan.indexer.reader.layout import Layout
from longspan.indexer.reader.optional import refusing
from longspan.indexer.reader.stamp import Stamp, refuse_changed, stamp_of
from longspan.indexer.store.whole import read_at, read_into

NEAR = 1 << 14  # bytes between two rows, up to where those between them are read too
SPAN = 8 << 20  # bytes that are read at once when rows are taken


class Watched(Checked):
    """A file that is read as it is asked for; made by `watched`.

    stamp  that it has as long as nobody writes to it
    """

    def __init__(self, address: Address, layout: Layout, handle: int, stamp: Stamp) -> None:
        super().__init__(address, layout, stamp[0])
        self._handle, self.stamp = handle, stamp
        finalize(self, os.close, handle)

    def refuse_changed(self) -> None:
        """Raise BadFile when the file was written to, or replaced, since it was opened."""
        refuse_changed(self.address, self._handle, self.stamp)
        path, opened = self.address.path, os.fstat(self._handle)
        if self.address.remote or not path.exists():
            return  # what was opened is still to be had
        if not os.path.samestat(path.stat(), opened):
            raise BadFile(f"{self.address}: was replaced while it was read")

    def release(self, start: int, stop: int) -> None:
        """Do nothing: no page of the file is this process's."""

    def _bytes(self, offset: int, size: int) -> bytes:
        with refusing(self.address, OSError):
            found = read_at(self._handle, offset, size)
        refuse_changed(self.address, self._handle, self.stamp)
        return found

    def _span(self, start: int, stop: int) -> Table:
        stride, stop = self.layout.stride, min(stop, self.layout.n)
        found = np.empty((max(0, stop - start), stride), np.uint8)
        with refusing(self.address, OSError):
            read_into(self._handle, self.layout.offset + start * stride, found)
        refuse_changed(self.address, self._handle, self.stamp)  # and so all of it was there
        return found

    def _picked(self, rows: NDArray[np.int64]) -> Table:
        order = np.argsort(rows, kind="stable")
        ordered, stride = rows[order], self.layout.stride
        apart = (np.diff(ordered) * stride > NEAR) | (np.diff(ordered * stride // SPAN) > 0)
        found = np.empty((len(rows), stride), np.uint8)
        for first, last in pairwise([0, *(np.flatnonzero(apart) + 1).tolist(), len(rows)]):
            some, start = ordered[first:last], int(ordered[first])
            found[order[first:last]] = self._span(start, int(some[-1]) + 1)[some - start]
        return found


def watched(address: Address, layout: Layout, file: BinaryIO, stamp: Stamp) -> Watched:
    """Return the rows of an open file, which may then be closed. BadFile when it is too short."""
    size, _ = stamp_of(file.fileno())
    if size < layout.end:
        raise BadFile(f"{address}: truncated: {size} bytes, wanted {layout.end} for {layout.shape}")
    return Watched(address, layout, os.dup(file.fileno()), stamp)
