"""What a query reads and how many are answered a second, forecast from those that were measured.

`measured` has a million SIFT and 49,152 text vectors, recall@10. An index of other vectors reads
like the one of these two that is coded alike. Bytes are proportional to the length of a vector,
work to its dimensions; both grow with the number of vectors as docs/scaling.md has it.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import log
from typing import Any

import numpy as np

from longspan.indexer.planning import footprint
from longspan.indexer.planning.plan import Plan
from longspan.indexer.planning.shape import MANY_DIMS, Shape
from longspan.indexer.store.postings import PAGE
from longspan.indexer.store.tiers import NAMES
from longspan.service.tools.measured import RECALLS, Tier, measured
from longspan.service.tools.stated import Stated

MOST = 0.999  # recall that anything is said of: beyond, all may have to be read


@dataclass(frozen=True, slots=True)
class Query:
    """What one query takes.

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
    known = measured()
    like = known.sets["text" if shape.space.dim >= MANY_DIMS else "sift"]
    seen = like.coded if shape.form.groups else like.raw
    times, wider = shape.n / like.n, shape.space.dim / like.dim
    posting = footprint.posting(shape, footprint.copies(shape)) / 1024
    page = max(1.0, shape.form.row_bytes / PAGE) * PAGE / 1024
    found = []
    for one, core, reads, work in zip(
        seen, cores(seen), known.growth["reads"], known.growth["work"], strict=False
    ):
        postings, pages = (at_recall(values, recall) for values in (one.postings, one.pages))
        more = (postings + pages) / (one.postings[1] + one.pages[1])
        postings, pages = postings * times**reads, pages * times**reads
        kilobytes = postings * posting + pages * page
        core *= wider * more * times**work
        found.append(Query(postings, pages, kilobytes, core))
    return found


def cores(tiers: Sequence[Tier]) -> list[float]:
    """Return the microseconds of a core that a query takes at each tier, at a recall of .95.

    A tier that was not timed is given those of the one before.
    """
    found: list[float] = []
    for tier in tiers:
        found.append(1e6 / tier.warm["qps"][0] if tier.warm else found[-1])
    return found


def at_recall(values: tuple[float, ...], recall: float) -> float:
    """Return what was measured at RECALLS for a recall between or beyond them.

    A tenth of the misses costs about as much more wherever one is.
    """
    misses = [-log(1 - known) for known in RECALLS]
    wanted = -log(1 - min(recall, MOST))
    if wanted <= misses[-1]:
        return float(np.interp(wanted, misses, values))
    steepness = (values[-1] - values[-2]) / (misses[-1] - misses[-2])
    return max(0.0, values[-1] + steepness * (wanted - misses[-1]))
