"""Try thresholds on the calibration queries: what each costs, and where it finds the neighbours.

The queries are searched as users' will be, with the widest threshold and more candidates than they
will get, and what narrower searches would have found is counted from it. With both codes in memory
a neighbour must pass the first ones before the second are looked at: what the tier of the first
ones has found, among so many more candidates, says whether it does.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from math import ceil, inf
from typing import Any

import numpy as np
from numpy.typing import NDArray

from longspan.cext import prune
from longspan.cext.codes_tier import WIDER
from longspan.cext.search import SearchPlan
from longspan.indexer.planning.portions import ASKED, DEPTHS
from longspan.indexer.running.workers import Workers
from longspan.indexer.store.heads import Heads, beams
from longspan.indexer.store.opened import Parts

Places = NDArray[np.int64]

FIT_K = 10  # the law is fitted to the hits at this k; it hardly depends on k

# Shares of the neighbours in the postings that are read. With resident codes one search has all
# narrower ones in it; from disk each is a search of its own, for what is read is scored exactly.
# Fewer of these are tried, and where there are tens of thousands of candidates.
TRIED = (
    0.5, 0.6, 0.7, 0.75, 0.8, 0.84, 0.87, 0.88, 0.9, 0.91, 0.92, 0.93, 0.94, 0.95, 0.96, 0.965,
    0.97, 0.975, 0.98, 0.985, 0.99, 0.995, 0.9995,
)  # fmt: skip
FAR = (0.99,)  # ... of the farthest that are known
SEARCHED = (0.5, 0.7, 0.85, 0.91, 0.935, 0.96, 0.975, 0.99, 0.996, 0.9995)
# Microseconds of a read and of each KB of it on the disk of docs/measurements.md,
READ, KILOBYTE = 11.4, 0.49
# ... and of a resident code, and of ranking a head, on a fast core: reads are what is scarce.
CODE, RANK = 0.01, 0.2
RANKED_FOR = 0.97  # of the queries: ranking heads for the neediest few costs all the others
SHARED = 0.75  # pages that a candidate costs: some lie together
READS = 15_000  # postings that a trial from disk reads, of 714 queries 20,
FEWEST = 100  # ... or more, of so many queries
NOWHERE = np.iinfo(np.int64).max


@dataclass(frozen=True, slots=True)
class QuerySample:
    """The calibration queries as the index sees them.

    queries  (nq, dim)  in the type of the postings' kernels
    truth    (nq, k)    rows of the index
    own      (nq,)      a query's own row, which is no neighbour; NOWHERE when it has none
    ks       numbers of neighbours that are asked for
    step     1, or those neighbours are known whose number it divides
    """

    queries: NDArray[Any]
    truth: Places
    own: Places
    ks: list[int]
    step: int = 1

    @property
    def columns(self) -> list[int]:
        """How many of the known neighbours are asked for by each of ks."""
        return [k // self.step for k in self.ks]

    @property
    def fit_k(self) -> int:
        """How many neighbours the thresholds are taken from."""
        return FIT_K if self.ks[0] < FIT_K else self.columns[-1]


@dataclass(frozen=True, slots=True)
class Trial:
    """One threshold: what it costs, and where it finds the neighbours.

    places  (nq, k)  of each neighbour among the candidates, from 0; NOWHERE when it is not
    fresh   (depth,) mean number of pages to read for 1, 2, ... candidates
    """

    threshold: float
    cost: float
    places: Places
    fresh: NDArray[np.float64]


class Searching:
    """The calibration queries, and their m nearest heads, on one tier of an index.

    before  the same on the tier of first codes, for the one of both
    """

    def __init__(
        self,
        parts: Parts,
        tier: int,
        law: NDArray[np.float32],
        m: int,
        asked: QuerySample,
        pool: Workers,
        before: "Searching | None" = None,
    ) -> None:
        self.parts, self.tier, self.asked, self.pool = parts, tier, asked, pool
        self.searcher = parts.searcher(parts.postings(parts.codes(tier)), law)
        self.wider = WIDER if tier == 1 else 1
        self.m, self.before = m, before
        self._passed: dict[int, Places] = {}
        self.heads, self.promise = nearest(parts.heads, asked.queries, m, pool)
        prune.promises(self.promise, law, self.promise)
        self._promised: dict[float, NDArray[np.int64]] = {}
        self.n, self.first = parts.n, np.cumsum(parts.primary, dtype=np.int64) - parts.primary

    def postings_for(self, threshold: float) -> NDArray[np.int64]:
        """Return how many postings each query reads, when as many heads are ranked as needed."""
        counts: NDArray[np.int64] = self.promised(threshold).clip(1, self.ranked_for(threshold))
        return counts

    def ranked_for(self, threshold: float) -> int:
        """Return how many heads to rank: as many as nearly all queries' postings."""
        most = int(np.quantile(self.promised(threshold), RANKED_FOR))
        return min(max(8, most), self.m)

    def promised(self, threshold: float) -> NDArray[np.int64]:
        """Return how many postings promise the threshold, for each query."""
        if threshold not in self._promised:
            self._promised[threshold] = np.count_nonzero(self.promise >= threshold, axis=1)
        return self._promised[threshold]

    def thresholds(self, hits: NDArray[np.float32]) -> list[float]:
        """Return the thresholds by which some shares of the neighbours are read, falling.

        hits  (nq, k)  promise of the first posting that holds each neighbour; -inf for none
        """
        tried = TRIED if self.tier and self.asked.step == 1 else SEARCHED
        shares = {self.asked.fit_k: tried, hits.shape[1]: FAR}
        found = set()
        for k, each in shares.items():
            falling = np.sort(hits[:, :k], axis=None)[::-1]
            found |= {quantile(falling[np.isfinite(falling)], share) for share in each}
        return sorted(found, reverse=True)

    def trials(self, thresholds: list[float], depth: int) -> list[Trial]:
        """Return a trial of each falling threshold, of so many candidates."""
        if self.tier:
            return self.searched(thresholds, depth)
        return [trial for x in thresholds for trial in self.searched([x], depth, READS)]

    def searched(self, thresholds: list[float], depth: int, reads: float = inf) -> list[Trial]:
        """Return a trial of each threshold, all of them from a search by the last.

        reads  postings that the search may read; it has fewer queries then, but FEWEST
        """
        counts = np.stack([self.postings_for(x) for x in thresholds], axis=1)
        costs = [self.cost(count) for count in counts.T]
        most = max(FEWEST, int(min(reads / counts[:, -1].mean(), len(counts))))
        which = np.arange(0, len(counts), -(-len(counts) // most))
        m = self.ranked_for(thresholds[-1])
        plan = partial(SearchPlan, beams(self.parts.heads.levels, m), m, thresholds[-1])
        step = max(1, ASKED * DEPTHS[0] // depth)
        parts = [which[at : at + step] for at in range(0, len(which), step)]
        places, fresh = [], np.zeros((len(thresholds), depth))
        each = self.pool.each(lambda part: self.unit(part, counts[part], plan, depth), parts)
        for some, pages in each:
            places.append(some)
            fresh += SHARED * pages / len(which)
        found = np.concatenate(places, axis=1)
        if self.tier == 1:
            self._passed[depth] = (found // WIDER).clip(0, depth).astype(np.int32)
        if self.before is not None:
            found = np.maximum(found, self.before.passed(thresholds, depth))
        found[found >= depth] = NOWHERE
        return [Trial(*one) for one in zip(thresholds, costs, found, fresh, strict=True)]

    def unit(
        self, part: Places, counts: Places, plan: Callable[[int, bool], SearchPlan], depth: int
    ) -> tuple[Places, NDArray[np.float64]]:
        """Return where some queries' neighbours are, (trials, q, k), and the sums of their pages.

        part    which of the queries
        counts  (q, trials)  postings that each of them reads
        plan    of a depth
        """
        batch = self.parts.batch(self.asked.queries[part])
        truth, own = self.asked.truth[part], self.asked.own[part]
        places = np.empty((counts.shape[1], *truth.shape), np.int64)
        pages = np.zeros((counts.shape[1], depth))
        rows = np.empty((len(counts), min(self.wider * depth, self.n)), np.uint32)
        self.parts.has_read(self.searcher.candidates(batch, plan(rows.shape[1], True), rows))
        for query, candidates in enumerate(rows):
            found = candidates[(candidates < self.n) & (candidates != own[query])]
            ranks = self.ranks_of(self.heads[part][query], found)
            probed = ranks < counts[query][:, None]
            places[:, query] = self.places_of(truth[query], found, probed)
            pages += self.pages_of(probed, depth)
        return places, pages

    def passed(self, thresholds: list[float], depth: int) -> Places:
        """Return the depths that neighbours need to pass the first codes, (trials, nq, k).

        At the most `depth`, which none does that is not found.
        """
        if depth not in self._passed:
            self.searched(thresholds, depth)
        return self._passed[depth]

    def ranks_of(self, heads: NDArray[np.uint32], rows: NDArray[np.uint32]) -> NDArray[np.int32]:
        """Return the rank of each row's own head among a query's; as many as there are for none."""
        rank_of = np.full(len(self.first), len(heads), np.int32)
        known = heads < len(rank_of)
        rank_of[heads[known]] = np.flatnonzero(known)
        return rank_of[np.searchsorted(self.first, rows, side="right") - 1]

    def places_of(
        self, truth: Places, rows: NDArray[np.uint32], probed: NDArray[np.bool_]
    ) -> Places:
        """Return the places that neighbours have among the candidates of each trial, (trials, k).

        rows    candidates of the widest, best first
        probed  (trials, rows)  whether the posting of each is read: the codes of others are not
                seen
        """
        places = np.full((len(probed), len(truth)), NOWHERE)
        order = np.argsort(truth)
        at = order[np.minimum(np.searchsorted(truth, rows, sorter=order), len(truth) - 1)]
        place = np.flatnonzero(truth[at] == rows)
        if self.tier == 0:  # it was no wider one
            places[:, at[place]] = place
            return places
        before = np.cumsum(probed, axis=1, dtype=np.int32)[:, place].astype(np.int64) - 1
        places[:, at[place]] = np.where(probed[:, place], before, NOWHERE)
        return places

    def pages_of(self, probed: NDArray[np.bool_], depth: int) -> NDArray[np.float64]:
        """Return the pages of 1, 2, ... candidates of each trial, as if none lay together."""
        if self.tier:
            return np.arange(1.0, depth + 1)
        pages = np.zeros((len(probed), depth))  # none where the posting is read anyway
        pages[:, : probed.shape[1]] = ~probed[:, :depth]
        return np.cumsum(pages, axis=1)

    def cost(self, counts: NDArray[np.int64]) -> float:
        """Return the microseconds that reading the postings, or scoring their codes, takes."""
        if self.tier:
            return float(counts.mean() * self.parts.primary.mean() * CODE + counts.max() * RANK)
        kilobytes = 4 * float(self.parts.records["pages"].mean())
        return float(counts.mean() * (READ + KILOBYTE * kilobytes))


def nearest(
    heads: Heads, queries: NDArray[Any], m: int, pool: Workers
) -> tuple[NDArray[np.uint32], NDArray[np.float32]]:
    """Return the m nearest heads of each query and their squared distances."""
    starts = range(0, len(queries), ASKED)
    found = np.empty((len(queries), m), np.uint32)
    dist = np.empty((len(queries), m), np.float32)
    each = pool.each(lambda at: heads.nearest(queries[at : at + ASKED], m), starts)
    for at, (near, how_far, _) in zip(starts, each, strict=True):
        found[at : at + ASKED], dist[at : at + ASKED] = near, how_far
    return found, dist


def quantile(ordered: NDArray[Any], share: float) -> Any:
    """Return the quantile of an ordered list: the value at a share of its length."""
    return ordered[min(ceil(share * len(ordered)), len(ordered)) - 1].item()
