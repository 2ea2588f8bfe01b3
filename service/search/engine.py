"""A search: the order of its stages, on one screen."""

from collections.abc import Iterator
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from longspan.service.search.answer import Found, SearchStats
from longspan.service.search.opened import Effort, Opened, effort_of
from longspan.service.search.request import SearchRequest

NEARLY_ALL = 0.9
SCRATCH = 16 << 20  # bytes that the queries of one native call and their ranked heads may take


class Cost(NamedTuple):
    """What a search took: counts over its queries, and seconds."""

    heads: int = 0
    postings: int = 0
    vectors: int = 0
    codes: int = 0
    bytes: int = 0
    pages: int = 0
    head_seconds: float = 0.0
    scan_seconds: float = 0.0
    ranked: int = 0

    def plus(self, other: "Cost") -> "Cost":
        """Return the cost of both."""
        sums: list[Any] = [mine + more for mine, more in zip(self, other, strict=True)]
        return Cost(*sums)


class Slots(NamedTuple):
    """Where hits go: (nq, k) each, as in `Found`."""

    distances: NDArray[np.float32]
    ids: NDArray[np.int64]
    rows: NDArray[np.uint32]

    @classmethod
    def empty(cls, nq: int, k: int) -> "Slots":
        """Return room for the hits of so many queries."""
        return cls(
            np.empty((nq, k), np.float32), np.empty((nq, k), np.int64), np.empty((nq, k), np.uint32)
        )

    def part(self, of: slice) -> "Slots":
        """Return those of some queries."""
        return Slots(self.distances[of], self.ids[of], self.rows[of])


def search(opened: Opened, queries: NDArray[Any], request: SearchRequest, recall: float) -> Found:
    """Return the k nearest vectors of checked queries (nq, dim).

    recall  what is aimed for when the request names nothing else
    """
    start = perf_counter()
    slots = Slots.empty(len(queries), request.k)
    cost = Cost()
    effort = effort_of(opened, request, recall)
    if effort is None:
        if len(queries):
            cost = search_every(opened, queries, slots)
    else:
        for part in slices(queries, effort.ranked):
            done = search_some(opened, queries[part], effort, slots.part(part))
            cost = done if len(queries) == part.stop - part.start else cost.plus(done)
    if is_calibrated(request, recall) and len(queries):
        opened.watch.note(opened.parts.space.scale_free(slots.distances[:, 0], queries))
    if request.max_distance is not None:
        far = slots.distances > np.float32(request.max_distance)
        slots.ids[far], slots.distances[far] = -1, np.inf
    stats = stats_of(cost, len(queries), recall, perf_counter() - start)
    limit = effort and effort.limit
    return Found(slots.ids, slots.distances, slots.rows, stats, recall_limit=limit)


def is_calibrated(request: SearchRequest, recall: float) -> bool:
    """Return whether a search finds nearly all of the nearest vectors: nothing narrows it."""
    narrowed = (request.probes, request.beam, request.depth) != (None, None, None)
    return recall >= NEARLY_ALL and not narrowed


def work_of(opened: Opened, request: SearchRequest, recall: float) -> float:
    """Return about how many vectors a search looks at for a query: those of the ranked postings."""
    n, heads = opened.manifest.n, opened.manifest.heads
    effort = effort_of(opened, request, recall)
    return n if effort is None else effort.ranked * n / heads


def slices(queries: NDArray[Any], ranked: int) -> Iterator[slice]:
    """Give the parts of a batch whose queries and ranked heads fit SCRATCH: one query at least."""
    nq, dim = queries.shape
    step = max(1, SCRATCH // (8 * ranked + 12 * dim))
    for start in range(0, nq, step):
        yield slice(start, min(start + step, nq))


def search_every(opened: Opened, queries: NDArray[Any], slots: Slots) -> Cost:
    """Fill the slots from every posting."""
    start = perf_counter()
    opened.files.check()
    inverses = opened.parts.inverses(queries)
    postings, vectors, read = opened.postings.scan_every(
        queries.view(np.uint8), inverses, slots.distances, slots.rows
    )
    opened.parts.ids.look_up(slots.rows, slots.ids)
    return Cost(postings=postings, vectors=vectors, bytes=read, scan_seconds=perf_counter() - start)


def search_some(opened: Opened, queries: NDArray[Any], effort: Effort, slots: Slots) -> Cost:
    """Fill the slots from the postings that are worth reading."""
    batch, levels = opened.parts.batch(queries), opened.heads.levels
    m, plan = effort.ranked, effort.plan
    while True:
        cost = opened.searcher.search(batch, plan, *slots)
        if cost is not None:
            return Cost(*cost, ranked=len(queries) * m)
        m = min(2 * m, levels[-1])  # too few vectors among the postings that were ranked
        plan = effort.ranking(levels, m)


def stats_of(cost: Cost, queries: int, recall: float, seconds: float) -> SearchStats:
    """Return what a search cost, as who asked for it reads it."""
    return SearchStats(
        queries=queries,
        recall_target=recall,
        heads_scored=cost.heads,
        postings_read=cost.postings,
        postings_pruned=cost.ranked - cost.postings if cost.ranked else 0,
        vectors_scored=cost.vectors,
        codes_scored=cost.codes,
        bytes_read=cost.bytes,
        pages_read=cost.pages,
        head_ms=cost.head_seconds * 1e3,
        scan_ms=cost.scan_seconds * 1e3,
        total_ms=seconds * 1e3,
    )
