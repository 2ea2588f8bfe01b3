"""What a query will read, and how many there are a second: projected from those that were measured.

What was measured is docs/measurements.md's: a million SIFT and 49,152 text vectors, recall@10. An
index of others reads like the one of them that is coded alike; bytes go by the length of a vector,
work by its dimensions. Reads grow with the vectors as docs/scaling.md has it.
"""

from dataclasses import asdict, dataclass
from math import log
from typing import Any

import numpy as np

from longspan.indexer.planning import footprint
from longspan.indexer.planning.plan import Plan
from longspan.indexer.planning.shape import MANY_DIMS, Shape
from longspan.indexer.store.postings import PAGE
from longspan.indexer.store.tiers import NAMES
from longspan.service.tools.stated import Stated

RECALLS = (0.9, 0.95, 0.99)
MOST = 0.999  # recall that anything is said of: beyond, all may have to be read
# Exponents of reads and of work in the number of vectors, by tier (docs/scaling.md).
READS, WORK = (0.25, 0.13, 0.115), (0.34, 0.21, 0.20)


@dataclass(frozen=True, slots=True)
class Query:
    """What one takes.

    postings   read whole
    pages      read besides, for candidates by code
    kilobytes  of all of these
    core       microseconds of a core
    """

    postings: float
    pages: float
    kilobytes: float
    core: float

    @property
    def reads(self) -> float:
        """How often it reads."""
        return self.postings + self.pages

    def reading(self, read: float, kilobyte: float) -> float:
        """Return the microseconds that the disk takes: for each read, and for each KB."""
        return self.reads * read + self.kilobytes * kilobyte


@dataclass(frozen=True, slots=True)
class Seen:
    """What was measured of one tier.

    postings, pages  at each of RECALLS
    core             microseconds at a recall of .95, all in the page cache
    """

    postings: tuple[float, float, float]
    pages: tuple[float, float, float]
    core: float


NONE = (0.0, 0.0, 0.0)
SIFT_N, SIFT_DIM = 1_000_000, 128
TEXT_N, TEXT_DIM = 49_152, 384
SIFT_RAW = (Seen((18, 31, 88), NONE, 200),)
SIFT = (
    Seen((17, 24, 87), (7, 17, 6), 334),
    Seen(NONE, (22, 31, 61), 357),
    Seen(NONE, (16, 20, 30), 291),
)
TEXT_RAW = (Seen((28, 58, 196), NONE, 1042),)
# Text with both codes was not timed; it is given the work of the first.
TEXT = (
    Seen((58, 96, 429), (2, 3, 0), 1199),
    Seen(NONE, (18, 25, 48), 1046),
    Seen(NONE, (13, 15, 19), 1046),
)


@dataclass(frozen=True, slots=True)
class Served:
    """What a server of a planned index takes and gives at one tier.

    bytes  of memory
    warm   queries a second when all is in the page cache; cold: when nothing is, None when the
           disk is not known
    """

    resident: str
    bytes: int
    query: Query
    warm: float
    cold: float | None

    def as_dict(self) -> dict[str, Any]:
        """Return JSON types."""
        return asdict(self)


def served(plan: Plan, recall: float, where: Stated) -> list[Served]:
    """Return what a server of a planned index takes and gives, at each tier."""
    found = []
    for name, size, query in zip(NAMES, plan.resident, expected(plan.shape, recall), strict=False):
        core = query.core / where.speed / where.vcpus
        cold = 1e6 / (query.reading(*where.read) + core) if where.read else None
        found.append(Served(name, size, query, 1e6 / core, cold))
    return found


def expected(shape: Shape, recall: float) -> list[Query]:
    """Return what a query of an index takes at each tier, for a recall@10 below 1."""
    coded, many = bool(shape.form.groups), shape.space.dim >= MANY_DIMS
    if many:
        n, dim, seen = TEXT_N, TEXT_DIM, TEXT if coded else TEXT_RAW
    else:
        n, dim, seen = SIFT_N, SIFT_DIM, SIFT if coded else SIFT_RAW
    times, wider = shape.n / n, shape.space.dim / dim
    posting = footprint.posting(shape, footprint.copies(shape)) / 1024
    page = max(1.0, shape.form.row_bytes / PAGE) * PAGE / 1024
    found = []
    for one, reads, work in zip(seen, READS, WORK, strict=False):
        postings, pages = (at(values, recall) for values in (one.postings, one.pages))
        more = (postings + pages) / (one.postings[1] + one.pages[1])
        postings, pages = postings * times**reads, pages * times**reads
        kilobytes = postings * posting + pages * page
        core = one.core * wider * more * times**work
        found.append(Query(postings, pages, kilobytes, core))
    return found


def at(values: tuple[float, float, float], recall: float) -> float:
    """Return what was measured at RECALLS for a recall between or beyond them.

    A tenth of the misses costs about as much more wherever one is.
    """
    misses = [-log(1 - known) for known in RECALLS]
    wanted = -log(1 - min(recall, MOST))
    if wanted <= misses[-1]:
        return float(np.interp(wanted, misses, values))
    steepness = (values[-1] - values[-2]) / (misses[-1] - misses[-2])
    return max(0.0, values[-1] + steepness * (wanted - misses[-1]))
