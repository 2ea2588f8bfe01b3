"""The rows of one file, or of several one after the other, as if they were one array."""

import hashlib
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import accumulate
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from longspan.indexer.errors import BadFile
from longspan.indexer.reader.address import Address
from longspan.indexer.reader.checked import Checked
from longspan.indexer.reader.layout import NAMES

GATHERED = 1024  # rows: the kernel maps the 16 pages around each, 64 MiB of all of them


class Source(Protocol):
    """Vectors that can be read by row: a file's (`Vectors`), or an index's (`Stored`)."""

    @property
    def path(self) -> Any:
        """What names the source in errors."""

    n: int
    dim: int
    dtype: np.dtype[Any]
    dtype_name: str

    def rows(self, start: int, stop: int) -> NDArray[Any]:
        """Return rows start to stop, (stop - start, dim)."""

    def take(self, rows: NDArray[np.int64]) -> NDArray[Any]:
        """Return the vectors of ascending rows, (len(rows), dim)."""

    def release(self, start: int, stop: int) -> None:
        """Give the memory of rows start to stop back."""


class Vectors:
    """An open input of `n` vectors of `dim` values; made by `open_vectors`.

    Reading is thread-safe. The pages read are the kernel's to take back, but count as resident
    until it does: a reader of all rows calls `release` behind itself. What `rows` and `take` say
    against a row names its file, and counts from the first row of that.

    copied  whether some are in a copy without a name, which no other process can open
    stamp   by which it shows that a file was written to since; nothing of the vectors themselves
    """

    def __init__(
        self, path: Address, parts: Sequence[Checked], copied: bool, stamp: str = ""
    ) -> None:
        layout = parts[0].layout
        self.path, self.copied, self.stamp = path, copied, stamp
        self.dim, self.dtype = layout.dim, layout.dtype
        self.dtype_name = NAMES[layout.dtype]
        self._parts = parts
        self._starts = [0, *accumulate(part.layout.n for part in parts)]
        self.n = self._starts[-1]

    def rows(self, start: int, stop: int) -> NDArray[Any]:
        """Return rows start to stop, (stop - start, dim), read-only; a view where that can be.

        BadFile names the row that is not finite or has another dim.
        """
        found = [part.rows(first, last) for part, first, last in self._spans(start, stop)]
        return found[0] if len(found) == 1 else np.concatenate([self._none(0), *found])

    def take(self, rows: NDArray[np.int64]) -> NDArray[Any]:
        """Return the numbered rows, (len(rows), dim); ascending numbers read the files in order."""
        if len(self._parts) == 1:
            return self._parts[0].take(rows)
        found = self._none(len(rows))
        part_of = np.searchsorted(self._starts, rows, side="right") - 1
        order = np.argsort(part_of, kind="stable")
        for places in np.split(order, np.flatnonzero(np.diff(part_of[order])) + 1):
            if len(places):
                part = int(part_of[places[0]])
                found[places] = self._parts[part].take(rows[places] - self._starts[part])
        return found

    def gather(self, rows: NDArray[np.int64]) -> NDArray[Any]:
        """Return what `take` does of rows that lie apart, and leave no page of theirs resident."""
        found, order = self._none(len(rows)), np.argsort(rows)
        for start in range(0, len(rows), GATHERED):
            some = order[start : start + GATHERED]
            found[some] = self.take(rows[some])
            self.release(0, self.n)
        return found

    def release(self, start: int, stop: int) -> None:
        """Give the pages of rows start to stop back to the kernel; they can be read again."""
        for part, first, last in self._spans(start, stop):
            part.release(first, last)

    def refuse_changed(self) -> None:
        """Raise BadFile when a file is not what it was when this was opened."""
        for part in self._parts:
            part.refuse_changed()
        if self._digest() != self._sampled:  # a write through a map may leave no other trace
            raise BadFile(f"{self.path}: was changed while it was read")

    def fingerprint(self) -> dict[str, Any]:
        """Return what tells this input from another: name, shape, size, digest of a sample.

        The sample is 16 blocks of 64 KiB of each file, as they were at the first call.
        """
        return {
            "name": self.path.name,
            "n": self.n,
            "dim": self.dim,
            "dtype": self.dtype_name,
            "bytes": sum(part.bytes for part in self._parts),
            "sample_sha256": self._sampled,
        }

    @cached_property
    def _sampled(self) -> str:
        return self._digest()

    def _digest(self) -> str:
        digest = hashlib.sha256()
        for part in self._parts:
            for block in part.sample():
                digest.update(block)
        return digest.hexdigest()

    def _spans(self, start: int, stop: int) -> Iterator[tuple[Checked, int, int]]:
        """Yield each part that holds some of the rows, and which, counted within it."""
        stop = min(stop, self.n)
        number = bisect_right(self._starts, start) - 1
        while start < stop:
            first, end = self._starts[number], self._starts[number + 1]
            yield self._parts[number], start - first, min(stop, end) - first
            start, number = end, number + 1

    def _none(self, count: int) -> NDArray[Any]:
        return np.empty((count, self.dim), self.dtype)
