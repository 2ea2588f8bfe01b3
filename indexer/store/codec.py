"""A codec: how the difference of a vector and its head becomes a few bytes, and what they mean.

A code has a byte for every 8 dimensions, which names one of 256 points of that group's book; a
second tier of as many bytes refines the first. Two kinds differ in the books alone:

    pq      points trained on the data, group by group; the second tier on what the first left over
            (residual product quantization, Jégou et al. 2011, https://doi.org/10.1109/TPAMI.2010.57)
    rabitq  the 256 corners of a cube after a random rotation, so a bit a dimension, and a second
            one (RaBitQ, https://arxiv.org/abs/2405.12497); nothing is trained

`longspan.cext.coded` has the estimate that both share.
"""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from longspan.cext import codes as native
from longspan.indexer.store.whole import naming

Floats = NDArray[np.float32]

FILES = CODEC, FIRST, SECOND = "codec.npz", "codes-1.npy", "codes-2.npy"
GROUP, POINTS, SCALARS = native.GROUP, native.POINTS, native.SCALARS
TIERS = len(SCALARS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Meaning:
    """The codec's numbers in the manifest.

    kind                    pq or rabitq
    reason                  why this one, for people
    scale_low, scale_step   the scale byte b means exp(scale_low + scale_step * b), 0 means 0
    unit                    of the addends
    ratio                   scale of the second tier over that of the first
    """

    kind: str
    reason: str
    scale_low: float
    scale_step: float
    unit: float
    ratio: float

    def as_dict(self) -> dict[str, Any]:
        """Return JSON types."""
        return asdict(self)

    @property
    def scales(self) -> Floats:
        """What each scale byte means, (256,)."""
        logs = self.scale_low + self.scale_step * np.arange(POINTS)
        scales: Floats = np.exp(logs).astype(np.float32)
        scales[0] = 0
        return scales


@dataclass(frozen=True, slots=True)
class Codec:
    """An opened codec.

    meaning  its numbers
    centre   (dim,)  subtracted from heads and queries: small numbers lose fewer digits
    signs    (rounds, groups * 8)  of the rotation; no rounds, no rotation
    books    (2, groups or 1, 8, 256)  the points, dimension by dimension; 1: one for all groups
    """

    meaning: Meaning
    centre: Floats
    signs: Floats
    books: Floats

    @property
    def groups(self) -> int:
        """Bytes of a code."""
        return -(-len(self.centre) // GROUP)

    def turn(self, lifted: NDArray[Any]) -> Floats:
        """Return points of the head space (n, width) as the books take them, (n, groups * 8).

        The dimension that inner product adds is left out: queries have 0 there.
        """
        turned, dim = np.zeros((len(lifted), self.groups * GROUP), np.float32), len(self.centre)
        np.subtract(lifted[:, :dim], self.centre, out=turned[:, :dim], dtype=np.float32)
        if len(self.signs):
            native.rotate(turned, self.signs)
        return turned

    def save(self, directory: Path) -> None:
        """Write the arrays; the meaning goes into the manifest."""
        path = directory / CODEC
        with naming(path):
            np.savez(path, centre=self.centre, signs=self.signs, books=self.books)

    @classmethod
    def load(cls, directory: Path, meaning: dict[str, Any]) -> "Codec":
        """Return the codec of an index."""
        with np.load(directory / CODEC, allow_pickle=False) as arrays:
            return cls(Meaning(**meaning), arrays["centre"], arrays["signs"], arrays["books"])
