"""A search: the order of its stages, on one screen."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from longspan.indexer.store.calibration import Plan
from longspan.indexer.store.heads import beams
from longspan.service.search.request import SearchParams

if TYPE_CHECKING:
    from longspan.service.search.index import Index

READ_ALL = float(np.finfo(np.float32).min)  # a threshold that every posting promises


@dataclass(slots=True)
class SearchStats:
    """What a search cost, summed over its queries; milliseconds of wall time."""

    queries: int
    recall_target: float
    heads_scored: int
    postings_read: int
    postings_pruned: int
    vectors_scored: int
    codes_scored: int
    bytes_read: int
    pages_read: int
    head_ms: float
    scan_ms: float
    total_ms: float

    def as_dict(self) -> dict[str, Any]:
        """Return the figures by name."""
        return asdict(self)


class Found(NamedTuple):
    """What a search found.

    ids        (nq, k) int64, nearest first; -1 where there are fewer
    distances  (nq, k) float32, smaller is nearer; inf where there are fewer
    rows       (nq, k) uint32, where the index has them; means nothing where there are fewer
    stats      what it cost
    payload    the JSON object of each hit, query by query, when it was read
    """

    ids: NDArray[np.int64]
    distances: NDArray[np.float32]
    rows: NDArray[np.uint32]
    stats: SearchStats | None
    payload: list[list[bytes]] | None = None

    def each(self) -> "Iterator[Found]":
        """Give what was found for each query, without what all of them cost and have."""
        for ids, distances, rows in zip(self.ids, self.distances, self.rows, strict=True):
            yield Found(ids[None], distances[None], rows[None], None)


class ThreeColumns(NamedTuple):
    """What `ids, distances, stats = index.search(...)` takes apart."""

    ids: NDArray[np.int64]
    distances: NDArray[np.float32]
    stats: SearchStats | None


class Answer(ThreeColumns):
    """What a search found, for who asked.

    ids        (nq, k) int64, nearest first; -1 where there are fewer
    distances  (nq, k) float32, smaller is nearer; inf where there are fewer
    stats      when asked for
    payload    when asked for: k objects a query, None where there are fewer. An attribute and no
               fourth column, so that three names go on taking an answer apart
    """

    payload: list[list[dict[str, Any] | None]] | None = None


class Cost(NamedTuple):
    """What a search took: counts over all its queries, and seconds."""

    heads: int
    postings: int
    vectors: int
    codes: int
    bytes: int
    pages: int
    head_seconds: float
    scan_seconds: float
    ranked: int = 0


NOTHING = Cost(0, 0, 0, 0, 0, 0, 0.0, 0.0)


def search(
    index: "Index", queries: NDArray[Any], k: int, recall: float, params: SearchParams
) -> Found:
    """Return the k nearest vectors of checked queries (nq, dim)."""
    start = perf_counter()
    dist = np.empty((len(queries), k), np.float32)
    ids = np.empty((len(queries), k), np.int64)
    rows = np.empty((len(queries), k), np.uint32)
    inverses = index.parts.inverses(queries)
    if len(queries) == 0:
        cost = NOTHING
    elif params.exact or recall >= 1:
        cost = search_every(index, queries.view(np.uint8), inverses, dist, ids, rows)
    else:
        cost = search_some(index, queries, inverses, recall, params, dist, ids, rows)
    stats = SearchStats(
        queries=len(queries),
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
        total_ms=(perf_counter() - start) * 1e3,
    )
    return Found(ids, dist, rows, stats)


def search_every(
    index: "Index",
    queries: NDArray[np.uint8],
    inverses: NDArray[np.float32],
    dist: NDArray[np.float32],
    ids: NDArray[np.int64],
    rows: NDArray[np.uint32],
) -> Cost:
    """Fill dist, ids and rows from every posting."""
    start = perf_counter()
    postings, vectors, read = index.postings.scan_every(queries, inverses, dist, rows)
    index.parts.ids.look_up(rows, ids)
    return Cost(0, postings, vectors, 0, read, 0, 0.0, perf_counter() - start)


def search_some(
    index: "Index",
    queries: NDArray[Any],
    inverses: NDArray[np.float32],
    recall: float,
    params: SearchParams,
    dist: NDArray[np.float32],
    ids: NDArray[np.int64],
    rows: NDArray[np.uint32],
) -> Cost:
    """Fill dist, ids and rows from the postings that are worth reading."""
    heads = index.manifest.heads
    lifted, turned = index.heads.lift(queries), index.parts.turn(queries)
    plan = index.plan(dist.shape[1], recall)
    depth = min(params.depth or plan.depth, index.n)
    if params.probes is not None:
        plan = Plan(params.probes, READ_ALL)
    m = min(plan.ranked, heads)
    while True:
        beam = beams(index.heads.levels, m, params.beam)
        settle = params.probes is not None or params.beam is not None or m == heads
        cost = index.searcher.search(
            queries.view(np.uint8), lifted, inverses, beam, m, plan.threshold, settle,
            *turned, depth, dist, ids, rows,
        )  # fmt: skip
        if cost is not None:
            return Cost(*cost, ranked=len(queries) * m)
        m = min(2 * m, heads)  # too few vectors among the postings that were ranked
