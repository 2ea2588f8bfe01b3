"""The rows of one file, checked as they are read, in whatever way that is."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from longspan.indexer.errors import BadFile
from longspan.indexer.reader.address import Address
from longspan.indexer.reader.layout import Layout

CHECKED_AT_ONCE = 1 << 20  # values; the mask of the finite ones stays in cache
SAMPLES, SAMPLE_BYTES = 16, 1 << 16  # of the fingerprint: 1 MiB a file, however large it is

Table = NDArray[np.uint8]  # (rows, stride)


class Checked(ABC):
    """A file of `n` rows of `dim` values. Reading is thread-safe.

    bytes  its size
    """

    def __init__(self, address: Address, layout: Layout, size: int) -> None:
        self.address, self.layout, self.bytes = address, layout, size

    def rows(self, start: int, stop: int) -> NDArray[Any]:
        """Return rows start to stop, (stop - start, dim), read-only; a view where that can be.

        BadFile names the row that is not finite or has another dim.
        """
        return self._checked(self._span(start, stop), range(start, stop))

    def take(self, rows: NDArray[np.int64]) -> NDArray[Any]:
        """Return the numbered rows, (len(rows), dim); ascending numbers read the file in order."""
        if len(rows) == 0:
            return np.empty((0, self.layout.dim), self.layout.dtype)
        return self._checked(self._picked(rows), rows)

    def sample(self) -> Iterator[bytes]:
        """Yield 16 blocks of 64 KiB at equal distances, first and last bytes among them."""
        blocks = np.linspace(0, max(0, self.bytes - SAMPLE_BYTES), SAMPLES).astype(np.int64)
        for at in blocks.tolist():
            yield self._bytes(at, min(SAMPLE_BYTES, self.bytes))

    @abstractmethod
    def refuse_changed(self) -> None:
        """Raise BadFile when the file was written to, or replaced, since it was opened."""

    @abstractmethod
    def release(self, start: int, stop: int) -> None:
        """Give the pages of rows start to stop back to the kernel; they can be read again."""

    @abstractmethod
    def _bytes(self, offset: int, size: int) -> bytes:
        """Return bytes of the file."""

    @abstractmethod
    def _span(self, start: int, stop: int) -> Table:
        """Return the bytes of rows start to stop."""

    @abstractmethod
    def _picked(self, rows: NDArray[np.int64]) -> Table:
        """Return the bytes of the numbered rows."""

    def _checked(self, table: Table, rows: Any) -> NDArray[Any]:
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
