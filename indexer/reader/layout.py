"""What a format says of a file: where its rows lie, or how to read them one after the other."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from longspan.indexer.store.space import DTYPES

NAMES = {dtype: name for name, dtype in DTYPES.items()}
WANTED = "float32, float16, uint8 or int8, little-endian"


def not_taken(dtype: np.dtype[Any]) -> str:
    """Return what is wrong with a type of values, and what its owner may do about it."""
    remedy = "; cast it: array.astype(np.float32)" if dtype.kind in "biuf" else ""
    return f"{dtype!r}, wanted {WANTED}{remedy}"


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the rows lie: row i begins at offset + i * stride, its values `lead` bytes later."""

    dtype: np.dtype[Any]
    n: int
    dim: int
    offset: int = 0
    lead: int = 0

    @property
    def stride(self) -> int:
        """Bytes from one row to the next."""
        return self.lead + self.dim * self.dtype.itemsize

    @property
    def end(self) -> int:
        """Bytes from the beginning of the file to the end of the last row."""
        return self.offset + self.n * self.stride

    @property
    def shape(self) -> str:
        """The rows in words."""
        return f"{self.n} x {self.dim} {NAMES[self.dtype]}"


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of an open file: they lie in it, or `chunks` gives what must be copied first.

    layout    of the file, or of the copy
    chunks()  yields the rows in order, (some, dim) in C order, a few MB at a time
    """

    layout: Layout
    chunks: Callable[[], Iterator[NDArray[Any]]] | None = None
