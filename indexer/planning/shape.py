"""What a build makes of its vectors, known before any of them is looked at: codec, dials, parts."""

from dataclasses import dataclass
from math import ceil, log

from longspan.indexer.config import BuildConfig
from longspan.indexer.planning import dials, portions
from longspan.indexer.planning.dials import Dials
from longspan.indexer.planning.form import Form, form_of
from longspan.indexer.store.space import DTYPES, UNEVEN, HeadSpace

MANY_DIMS = 256  # from here on rabitq
FEW_VECTORS, FEW_DIMS = 5000, 16  # below either, codes are not worth their training
FAN = 32  # children a node aims for: a scan of 32 x 128 bytes is long enough to stream
PART = 32 << 20  # values of the vectors of a part, on average at most: 128 MiB of floats,
PART_ROWS = 1 << 18  # ... and vectors: 200 bytes of each say where it and its copies are stored


@dataclass(frozen=True)
class Shape:
    """What a build of n vectors makes, and in how many parts.

    kind    of the codec, and the reason for it
    parts   clusters of the top level, the units of most stages
    """

    n: int
    space: HeadSpace
    config: BuildConfig
    form: Form
    dials: Dials
    kind: str
    reason: str
    parts: int

    @property
    def chunk(self) -> int:
        """Vectors of a unit of the input."""
        rows = min(portions.CHUNK // self.form.row_bytes, portions.CHUNK_ROWS)
        return min(max(rows, 1), self.n)

    @property
    def levels(self) -> int:
        """Levels of the head tree: the parts are one, and the heads; as many below as these need.

        So a tree of more parts than a level's fan is no deeper than its nodes have children for.
        """
        below = log(max(self.dials.heads / self.parts, 1)) / log(FAN)
        return 1 + max(1, round(below))

    @property
    def fan(self) -> float:
        """Children of a node below the top, on average."""
        return float(max(1.0, self.dials.heads / self.parts) ** (1 / (self.levels - 1)))

    @property
    def together(self) -> int:
        """Vectors of a group, those under a node of heads, that are compared at once."""
        return min(portions.TOGETHER, portions.GROUPS * ceil(self.n / self.dials.heads * self.fan))

    @property
    def inner(self) -> int:
        """Nodes of the head tree above the heads."""
        return ceil(sum(self.parts * self.fan**level for level in range(self.levels - 1)))


def shape_of(n: int, space: HeadSpace, config: BuildConfig) -> Shape:
    """Return what a build with these dials makes; BadConfig when a posting holds no vector."""
    kind, reason = kind_of(config.codec, n, space.dim, space.unevenness)
    form = form_of(space.dim, DTYPES[space.dtype].itemsize, space.metric, kind)
    chosen = dials.choose(n, form, config)
    parts = parts_of(n, space.width, chosen.heads)
    return Shape(n, space, config, form, chosen, kind, reason, parts)


def kind_of(codec: str, n: int, dim: int, unevenness: float = 0.0) -> tuple[str, str]:
    """Return the kind of codec for n vectors of some dim, and why, when asked for "auto".

    unevenness  of their norms, as HeadSpace has it
    """
    if codec != "auto":
        return codec, "as asked"
    if n < FEW_VECTORS or dim < FEW_DIMS:
        return "raw", f"{n:,} vectors of {dim} dims are too few for codes"
    if dim >= MANY_DIMS:
        return "rabitq", f"{dim} dims, from {MANY_DIMS} on a bit each is best"
    if unevenness >= UNEVEN:
        return "rabitq", "norms are uneven: trained points would serve the longest vectors alone"
    return "pq", f"{dim} dims, below {MANY_DIMS} trained points are best"


def levels_of(heads: int) -> int:
    """Return how many levels a tree of so many heads has when every node has as many children."""
    return max(2, round(log(max(heads, 2)) / log(FAN)))


def parts_of(n: int, width: int, heads: int) -> int:
    """Return how many parts to make: a level's fan, and more when parts would be too large."""
    fan = ceil(heads ** (1.0 / levels_of(heads)))
    return int(min(max(fan, ceil(n * width / PART), ceil(n / PART_ROWS)), n))
