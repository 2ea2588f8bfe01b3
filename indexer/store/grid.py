"""The grid that heads and nodes lie on: a byte a dimension, whatever the input's type.

Why: of a walk nearly all is distances of nodes. Those of bytes take a third of the time of half
precision ones (384 dimensions, AVX2), and a half or a quarter of the memory. A head is what it is
rounded to: vectors are coded against that, so nothing is lost but a better place for it.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Bytes = NDArray[np.int8]

HALF = 127  # steps from the middle to either side
AT_ONCE = 1 << 22  # values that are looked at together


@dataclass(frozen=True, slots=True)
class Grid:
    """Where bytes lie: offsets + steps * byte, (width,) float32 each."""

    offsets: Floats
    steps: Floats

    @classmethod
    def of_integers(cls, dtype: str, width: int) -> "Grid":
        """Return the grid on which whole numbers of a type, u8 or i8, lie."""
        middle = 128 if dtype == "u8" else 0
        return cls(np.full(width, middle, np.float32), np.ones(width, np.float32))

    @classmethod
    def spanning(cls, nodes: Iterable[Floats]) -> "Grid":
        """Return the finest grid that all nodes, given in pieces (n, width), lie within."""
        ends = [np.stack([some.min(axis=0), some.max(axis=0)]) for some in nodes]
        low, high = np.min(ends, axis=0)[0], np.max(ends, axis=0)[1]
        offsets: Floats = low / 2 + high / 2
        return cls(offsets, np.maximum(high - offsets, offsets - low) / np.float32(HALF))

    @property
    def error(self) -> float:
        """How far a node lies from where it is rounded to, typically: root of the mean square."""
        return float(np.sqrt(np.square(self.steps, dtype=np.float64).sum() / 12))

    def round(self, nodes: NDArray[Any]) -> Bytes:
        """Return the nearest bytes of nodes (n, width)."""
        beside = nodes - self.offsets
        steps = np.where(self.steps > 0, self.steps, 1)
        np.clip(np.rint(np.divide(beside, steps, out=beside), out=beside), -HALF - 1, HALF, beside)
        return beside.astype(np.int8)

    def values(self, nodes: Bytes) -> Floats:
        """Return where bytes (n, width) lie."""
        values: Floats = nodes * self.steps
        values += self.offsets
        return values

    def scalars(self, nodes: Bytes) -> Floats:
        """Return what distances to nodes want beside their bytes, (2, n).

        The squared length of steps * byte, and the sum of the bytes.
        """
        found = np.empty((2, len(nodes)), np.float32)
        for at, some in zip(starts(nodes), slices(nodes), strict=True):
            beside = some * self.steps
            here = slice(at, at + len(some))
            found[0, here] = np.einsum("ij,ij->i", beside, beside, dtype=np.float64)
            found[1, here] = some.sum(axis=1, dtype=np.int64)
        return found


def starts(nodes: NDArray[Any]) -> range:
    """Return where the slices of nodes (n, width) begin."""
    return range(0, len(nodes), max(1, AT_ONCE // nodes.shape[1]))


def slices(nodes: NDArray[Any]) -> Iterator[NDArray[Any]]:
    """Give nodes (n, width) in slices that fit memory."""
    every = starts(nodes)
    for start in every:
        yield nodes[start : start + every.step]
