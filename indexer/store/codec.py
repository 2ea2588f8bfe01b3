"""A codec: how the difference of a vector and its head becomes a few bytes, and what they mean.

A code has a byte for every 8 dimensions: two nibbles, each of which names one of the 16 points of
its book. The sum of its points is what it stands for. A second tier of as many bytes refines the
first. Two kinds differ in the books alone:

    pq      points trained on the data, four books for every 16 dimensions, and the second tier on
            what the first left over: product quantization (Jégou et al. 2011,
            https://doi.org/10.1109/TPAMI.2010.57) whose parts are coded by sums of points
            (Babenko and Lempitsky 2014, https://doi.org/10.1109/CVPR.2014.124)
    rabitq  the 16 corners of a cube for every 4 dimensions after a random rotation, so a bit a
            dimension, and a second one (RaBitQ, https://arxiv.org/abs/2405.12497); none is trained

`longspan.cext.coded` has the estimate that both share.
"""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from longspan.cext import codes as native
from longspan.cext import posting
from longspan.indexer.store.whole import naming

Floats = NDArray[np.float32]

FILES = CODEC, FIRST, SECOND = "codec.npz", "codes-1.npy", "codes-2.npy"
GROUP, POINTS, SCALARS = native.GROUP, native.POINTS, native.SCALARS
SCALES = native.SCALES
WIDTH = 2 * GROUP  # turned vectors are padded to a multiple of it: kernels take groups by two
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
        logs = self.scale_low + self.scale_step * np.arange(SCALES)
        scales: Floats = np.exp(logs).astype(np.float32)
        scales[0] = 0
        return scales


@dataclass(frozen=True, slots=True)
class Codec:
    """An opened codec.

    meaning  its numbers
    centre   (dim,)  subtracted from heads and queries: small numbers lose fewer digits
    signs    (rounds, groups * 8)  of the rotation; no rounds, no rotation
    books    (2, 2 groups or 1, span, 16)  the points, dimension by dimension; 1: one for all. Those
             of every span / 4 nibbles cover the same dimensions
    """

    meaning: Meaning
    centre: Floats
    signs: Floats
    books: Floats

    @property
    def groups(self) -> int:
        """Bytes of a code."""
        return groups_for(len(self.centre))

    def turn(self, lifted: NDArray[Any]) -> Floats:
        """Return points of the head space (n, width) as the books take them, (n, groups * 8).

        The dimension that inner product adds is left out: queries have 0 there.
        """
        turned = np.empty((len(lifted), self.groups * GROUP), np.float32)
        points = np.ascontiguousarray(lifted, np.float32)
        native.turn(points, self.centre, self.signs, turned)
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


def groups_for(dim: int) -> int:
    """Return the bytes of a code of vectors of dim elements."""
    return -(-dim // WIDTH) * (WIDTH // GROUP)


def records_of(
    tiles: NDArray[np.uint8], starts: NDArray[np.int64], rows: NDArray[Any]
) -> NDArray[np.uint8]:
    """Return the first records of some rows, (len(rows), groups + 3).

    tiles   (n, groups + 3)  those of all, as they are stored
    starts  (h,)             the first row of each posting
    """
    rows = rows.astype(np.int64)
    owners = np.searchsorted(starts, rows, side="right") - 1
    after = np.minimum(owners + 1, len(starts) - 1)
    ends = np.where(owners < after, starts[after], len(tiles))
    records = np.empty((len(rows), tiles.shape[1]), np.uint8)
    first = starts[owners].astype(np.int64)
    posting.untile(tiles, first, ends.astype(np.int64) - first, rows, records)
    return records
