"""A search: the order of its stages, on one screen."""

from dataclasses import asdict, dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from longspan.cext import prune
from longspan.indexer.errors import BadQuery

if TYPE_CHECKING:
    from longspan.service.index import Index

MAX_K = 1000

HeadIds = NDArray[np.uint32]


@dataclass(frozen=True, slots=True)
class SearchParams:
    """Settings that take the place of the calibrated ones.

    probes  read exactly this many postings
    beam    nodes of the lowest level of the head tree to expand
    exact   read every posting
    BadQuery when a number is below 1.
    """

    probes: int | None = None
    beam: int | None = None
    exact: bool = False

    def __post_init__(self) -> None:
        for name, value in (("probes", self.probes), ("beam", self.beam)):
            if value is not None and value < 1:
                raise BadQuery(f"{name} is {value}, must be at least 1")


@dataclass(slots=True)
class SearchStats:
    """What a search cost, summed over its queries; milliseconds of wall time."""

    queries: int
    recall_target: float
    heads_scored: int
    postings_read: int
    postings_pruned: int
    vectors_scored: int
    bytes_read: int
    head_ms: float
    scan_ms: float
    total_ms: float

    def as_dict(self) -> dict[str, Any]:
        """Return the figures by name."""
        return asdict(self)


class Answer(NamedTuple):
    """What a search found.

    ids        (nq, k) int64, nearest first; -1 where there are fewer
    distances  (nq, k) float32, smaller is nearer; inf where there are fewer
    stats      when asked for
    """

    ids: NDArray[np.int64]
    distances: NDArray[np.float32]
    stats: SearchStats | None


class Choice(NamedTuple):
    """The postings that each query reads: the first counts[i] of probes[i]."""

    probes: HeadIds
    counts: NDArray[np.uint32]
    scored: int


def search(
    index: "Index", queries: NDArray[Any], k: int, recall: float, params: SearchParams
) -> Answer:
    """Return the k nearest vectors of checked queries (nq, dim)."""
    start = perf_counter()
    dist = np.empty((len(queries), k), np.float32)
    rows = np.empty((len(queries), k), np.uint32)
    asked, inverses = queries.view(np.uint8), index.inverse_norms(queries)
    if params.exact or recall >= 1:
        choice, ranked = None, start
        postings, scored, read = index.postings.scan_every(asked, inverses, dist, rows)
    else:
        choice, ranked = choose(index, queries, k, recall, params), perf_counter()
        postings, scored, read = index.postings.scan(
            asked, inverses, choice.probes, choice.counts, dist, rows
        )
    ids = index.ids_of(rows)
    done = perf_counter()
    stats = SearchStats(
        queries=len(queries),
        recall_target=recall,
        heads_scored=choice.scored if choice else 0,
        postings_read=postings,
        postings_pruned=choice.probes.size - postings if choice else 0,
        vectors_scored=scored,
        bytes_read=read,
        head_ms=(ranked - start) * 1e3,
        scan_ms=(done - ranked) * 1e3,
        total_ms=(done - start) * 1e3,
    )
    return Answer(ids, dist, stats)


def choose(
    index: "Index", queries: NDArray[Any], k: int, recall: float, params: SearchParams
) -> Choice:
    """Return the nearest postings of each query, and how many of them it reads."""
    heads = index.manifest.heads
    if params.probes is not None:
        m = min(params.probes, heads)
        probes, dist, scored = index.heads.nearest(queries, m, params.beam)
        return Choice(probes, np.isfinite(dist).sum(axis=1, dtype=np.uint32), scored)
    plan = index.plan(k, recall)
    counts = np.empty(len(queries), np.uint32)
    m, spent = min(plan.ranked, heads), 0
    while True:
        probes, dist, scored = index.heads.nearest(queries, m, params.beam)
        spent += scored
        least = prune.choose(dist, index.law, plan.threshold, counts)
        # Each posting has at least `fewest` vectors that no other has as its primary ones.
        enough = least * index.fewest >= k or holds_enough(index, probes, counts, k)
        if enough or m == heads or params.beam is not None:
            return Choice(probes, counts, spent)
        m = min(2 * m, heads)


def holds_enough(index: "Index", probes: HeadIds, counts: NDArray[np.uint32], k: int) -> bool:
    """Raise counts until each query reads k different vectors; return whether the probes do.

    A low recall or a large k may be content with less, but an answer is never short of k for it.
    """
    known = probes < len(index.primary)
    held = np.where(known, index.primary[np.where(known, probes, 0)], 0).cumsum(axis=1)
    short = (held < k).sum(axis=1)
    found = known.sum(axis=1)  # a narrow beam finds less than was asked for
    np.maximum(counts, np.minimum(short + 1, found), out=counts, casting="unsafe")
    return bool((short < found).all())


def check_k(k: int) -> None:
    """Raise BadQuery unless k is one that a search may ask for."""
    if not 1 <= k <= MAX_K:
        raise BadQuery(f"k is {k}, must be in [1, {MAX_K}]")
