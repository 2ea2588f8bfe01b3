"""The rows of one file, memory-mapped, checked as they are read."""

import mmap
from collections.abc import Iterator
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from longspan.indexer.errors import BadFile
from longspan.indexer.reader.address import Address
from longspan.indexer.reader.layout import Layout

CHECKED_AT_ONCE = 1 << 20  # values; the mask of the finite ones stays in cache
FAR_APART = 1 << 16  # bytes between two rows, from where reading ahead costs more than it saves
SAMPLES, SAMPLE_BYTES = 16, 1 << 16  # of the fingerprint: 1 MiB a file, however large it is


class Mapped:
    """A file of `n` rows of `dim` values; made by `mapped`.

    Reading is thread-safe. The pages read are the kernel's to take back, but count as resident
    until it does: a reader of a whole file calls `release` behind itself.

    The file is mapped twice: once as usual, for reading in order, and once without reading ahead,
    which may be 8 MB a row when rows are taken from here and there.
    """

    def __init__(self, address: Address, layout: Layout, maps: tuple[mmap.mmap, mmap.mmap]) -> None:
        self.address, self.layout = address, layout
        self.bytes = len(maps[0])
        self._maps = maps
        self._table, self._scattered = (self._rows_of(mapped) for mapped in maps)
        maps[1].madvise(mmap.MADV_RANDOM)

    def rows(self, start: int, stop: int) -> NDArray[Any]:
        """Return rows start to stop, (stop - start, dim), read-only; a view where that can be.

        BadFile names the row that is not finite or has another dim.
        """
        return self._checked(self._table[start:stop], range(start, stop))

    def take(self, rows: NDArray[np.int64]) -> NDArray[Any]:
        """Return the numbered rows, (len(rows), dim); ascending numbers read the file in order."""
        if len(rows) == 0:
            return np.empty((0, self.layout.dim), self.layout.dtype)
        apart = self.layout.stride * int(rows[-1] - rows[0]) // len(rows)
        table = self._scattered if apart > FAR_APART else self._table
        return self._checked(table[rows], rows)

    def release(self, start: int, stop: int) -> None:
        """Give the pages of rows start to stop back to the kernel; they can be read again."""
        page, layout = mmap.PAGESIZE, self.layout
        begin = -(-(layout.offset + start * layout.stride) // page) * page
        end = (layout.offset + stop * layout.stride) // page * page
        if begin < end:
            for mapped in self._maps:
                mapped.madvise(mmap.MADV_DONTNEED, begin, end - begin)

    def sample(self) -> Iterator[bytes]:
        """Yield 16 blocks of 64 KiB at equal distances, first and last bytes among them."""
        blocks = np.linspace(0, max(0, self.bytes - SAMPLE_BYTES), SAMPLES).astype(np.int64)
        for at in blocks.tolist():
            yield self._maps[1][at : at + SAMPLE_BYTES]

    def _rows_of(self, mapped: mmap.mmap) -> NDArray[np.uint8]:
        layout = self.layout
        values = np.frombuffer(mapped, np.uint8, layout.n * layout.stride, layout.offset)
        return values.reshape(layout.n, layout.stride)

    def _checked(self, table: NDArray[np.uint8], rows: Any) -> NDArray[Any]:
        lead = self.layout.lead
        if lead:
            self._check_dims(table[:, :lead].view("<i4")[:, 0], rows)
        values = np.require(table[:, lead:].view(self.layout.dtype), requirements=["C", "A"])
        if self.layout.dtype.kind == "f":
            self._check_finite(values, rows)
        return values

    def _check_dims(self, dims: NDArray[Any], rows: Any) -> None:
        wrong = np.flatnonzero(dims != self.layout.dim)
        if len(wrong):
            found = f"row {rows[wrong[0]]} has {dims[wrong[0]]} dims"
            raise BadFile(f"{self.address}: {found}, wanted {self.layout.dim} as in row 0")

    def _check_finite(self, values: NDArray[Any], rows: Any) -> None:
        step = max(1, CHECKED_AT_ONCE // self.layout.dim)
        for start in range(0, len(values), step):
            finite = np.isfinite(values[start : start + step])
            if not finite.all():
                row, column = np.argwhere(~finite)[0]
                found = values[start + row, column]
                raise BadFile(
                    f"{self.address}: row {rows[start + row]} has {found} in dimension {column}, "
                    "wanted finite numbers"
                )


def mapped(address: Address, layout: Layout, file: BinaryIO) -> Mapped:
    """Map the rows of an open file, which may then be closed. BadFile when it is too short."""
    maps = tuple(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) for _ in range(2))
    if len(maps[0]) < layout.end:
        raise BadFile(
            f"{address}: truncated: {len(maps[0])} bytes, wanted {layout.end} for {layout.shape}"
        )
    return Mapped(address, layout, (maps[0], maps[1]))
