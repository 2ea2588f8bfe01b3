"""The rows of a file that nobody writes to, memory-mapped."""

import mmap
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from longspan.cext import pieces
from longspan.indexer.errors import BadFile
from longspan.indexer.reader.address import Address
from longspan.indexer.reader.checked import Checked, Table
from longspan.indexer.reader.layout import Layout

FAR_APART = 1 << 16  # bytes between two rows, from where reading ahead costs more than it saves


class Mapped(Checked):
    """A mapped file; made by `mapped`.

    The pages read are the kernel's to take back, but count as resident until it does: a reader of
    a whole file calls `release` behind itself.

    The file is mapped twice: once as usual, for reading in order, and once without reading ahead,
    which may be 8 MB a row when rows are taken from here and there; those are asked for in waves.
    """

    def __init__(self, address: Address, layout: Layout, maps: tuple[mmap.mmap, mmap.mmap]) -> None:
        super().__init__(address, layout, len(maps[0]))
        self._maps = maps
        self._table = self._table_of(maps[0])
        maps[1].madvise(mmap.MADV_RANDOM)

    def refuse_changed(self) -> None:
        """Do nothing: nobody writes to the file."""

    def release(self, start: int, stop: int) -> None:
        """Give the pages of rows start to stop back to the kernel; they can be read again."""
        page, layout = mmap.PAGESIZE, self.layout
        begin = -(-(layout.offset + start * layout.stride) // page) * page
        end = (layout.offset + stop * layout.stride) // page * page
        if begin < end:
            for mapped in self._maps:
                mapped.madvise(mmap.MADV_DONTNEED, begin, end - begin)

    def _bytes(self, offset: int, size: int) -> bytes:
        return self._maps[1][offset : offset + size]

    def _span(self, start: int, stop: int) -> Table:
        return self._table[start:stop]

    def _picked(self, rows: NDArray[np.int64]) -> Table:
        apart = self.layout.stride * int(rows[-1] - rows[0]) // len(rows)
        if apart <= FAR_APART:
            near: Table = self._table[rows]
            return near
        picked = np.empty((len(rows), self.layout.stride), np.uint8)
        pieces.take(self._maps[1], self.layout.offset, np.ascontiguousarray(rows), picked)
        return picked

    def _table_of(self, mapped: mmap.mmap) -> Table:
        layout = self.layout
        values = np.frombuffer(mapped, np.uint8, layout.n * layout.stride, layout.offset)
        return values.reshape(layout.n, layout.stride)


def mapped(address: Address, layout: Layout, file: BinaryIO) -> Mapped:
    """Map the rows of an open file, which may then be closed. BadFile when it is too short."""
    maps = tuple(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) for _ in range(2))
    if len(maps[0]) < layout.end:
        raise BadFile(
            f"{address}: truncated: {len(maps[0])} bytes, wanted {layout.end} for {layout.shape}"
        )
    return Mapped(address, layout, (maps[0], maps[1]))
