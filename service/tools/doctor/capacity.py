"""What index a machine carries: how many vectors fit, and how many queries a second it answers.

Every figure is projected. Sizes are those of a build with default dials whose postings are full. A
query takes the time of its reads, on the disk as measured, and then that of its work, shared by the
cores; both are forecast at recall@10 .95 for a million vectors. For the machine of
docs/measurements.md, two threads, cold, this gives from 18 % less to 13 % more than was measured
there, but for text with first codes 70 % more.
"""

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass

from longspan.indexer.bounds import MOST_ROWS
from longspan.indexer.config import BuildConfig
from longspan.indexer.planning import footprint
from longspan.indexer.planning.shape import Shape as Planned
from longspan.indexer.planning.shape import kind_of, shape_of
from longspan.indexer.store.layout import shard_name
from longspan.indexer.store.manifest import Manifest
from longspan.indexer.store.postings import PAGE
from longspan.indexer.store.space import HeadSpace
from longspan.indexer.store.tiers import NAMES, tiers
from longspan.service.tools.doctor.disk import Disk
from longspan.service.tools.forecast import Query, expected


@dataclass(frozen=True, slots=True)
class Shape:
    """Vectors of one kind. With cosine heads are f16, with l2 of the vectors' type."""

    dim: int
    dtype: str
    metric: str

    @property
    def name(self) -> str:
        """Such as 768 f16."""
        return f"{self.dim} {self.dtype}"

    @property
    def queries(self) -> list[Query]:
        """What a query takes at each tier, of a million of them."""
        return expected(self.planned(1_000_000), RECALL)

    def planned(self, n: int) -> Planned:
        """Return what a build of n such vectors, were they many, would make."""
        kind, _ = kind_of("auto", MOST_ROWS, self.dim)
        space = HeadSpace(self.metric, self.dtype, self.dim)
        return shape_of(n, space, BuildConfig(codec=kind))

    def resident(self, n: int) -> tuple[int, ...]:
        """Return the bytes of memory that n vectors take at each tier."""
        return footprint.serving(self.planned(n))

    def on_disk(self, n: int) -> int:
        """Return the bytes of an index of n vectors whose postings are all full."""
        shape = self.planned(n)
        return footprint.index(shape, shape.config.max_copies)


@dataclass(frozen=True, slots=True)
class Carried:
    """What a machine carries of one shape.

    by_memory  most vectors with heads alone in memory, with first codes, and with both
    by_disk    most vectors that there is room for
    rates      queries a second of a cold index with each; none when no disk was measured
    """

    shape: str
    by_memory: tuple[int, ...]
    by_disk: int
    rates: tuple[float, ...]


USUAL = (Shape(128, "u8", "l2"), Shape(768, "f16", "cosine"), Shape(768, "f32", "cosine"))
RECALL = 0.95


def rate(query: Query, disk: Disk, cores: int) -> float:
    """Return the queries a second that a cold index answers."""
    return 1e6 / (query.reading(disk.read, disk.kilobyte) + query.core / cores)


def carried(shape: Shape, memory: int, room: int, disk: Disk | None, cores: int) -> Carried:
    """Return how many vectors of a shape the memory and the disk have room for, and how fast."""
    every = range(len(NAMES))

    def by_memory(tier: int) -> int:
        return most(lambda n: shape.resident(n)[tier], memory)

    return Carried(
        shape.name,
        tuple(map(by_memory, every)),
        most(shape.on_disk, room),
        tuple(rate(query, disk, cores) for query in shape.queries) if disk else (),
    )


def most(size_of: Callable[[int], int], limit: int) -> int:
    """Return the most vectors whose size is within a limit, by a size that grows with them."""
    return bisect_right(range(1, MOST_ROWS + 1), limit, key=size_of)


def rates(manifest: Manifest, disk: Disk, cores: int) -> list[float]:
    """Return the queries a second of a cold index, by what its own calibration reads."""
    shape = Shape(manifest.dim, manifest.dtype, manifest.metric)
    shards = map(shard_name, range(len(manifest.shards)))
    posting = sum(manifest.files[name]["bytes"] for name in shards) / manifest.heads / 1024
    found = []
    for query, tier in zip(shape.queries, tiers(manifest), strict=False):
        kilobytes = tier.postings * posting + tier.pages * PAGE / 1024
        read = Query(tier.postings, tier.pages, kilobytes, query.core)
        found.append(rate(read, disk, cores))
    return found
