"""Measure, with codes, how many candidates must get an exact distance for a wanted recall.

A wanted recall can be had by reading more postings or by reranking more of what they hold. The
calibration queries are searched as users' will be, and the places of their true neighbours among
the candidates noted. A neighbour is found when its posting is read and its place is within the
depth; so of many thresholds, for each k and recall, the cheapest pair of threshold and depth is
kept, by the time that its reads and estimates take.
"""

from dataclasses import dataclass, replace
from math import ceil
from typing import Any

import numpy as np
from numpy.typing import NDArray

from longspan.cext import prune
from longspan.cext.search import SearchPlan
from longspan.indexer.planning.portions import ASKED, MOST_DEPTH
from longspan.indexer.running.workers import Workers
from longspan.indexer.store.calibration import RECALLS, Table
from longspan.indexer.store.heads import Heads, beams
from longspan.indexer.store.opened import Parts

Places = NDArray[np.int64]

# Shares of the neighbours in the postings that are read. With resident codes one search has all
# narrower ones in it; from disk each is a search of its own, for what is read is scored exactly.
TRIED = (
    0.5, 0.6, 0.7, 0.75, 0.8, 0.84, 0.87, 0.88, 0.9, 0.91, 0.92, 0.93, 0.94, 0.95, 0.96, 0.965,
    0.97, 0.975, 0.98, 0.985, 0.99, 0.995, 0.9995,
)  # fmt: skip
SEARCHED = (0.5, 0.7, 0.85, 0.91, 0.935, 0.96, 0.975, 0.99, 0.996, 0.9995)
# Microseconds of a read and of each KB of it on the disk of docs/measurements.md,
READ, KILOBYTE = 11.4, 0.49
# ... and of a resident code, and of ranking a head, on a fast core: reads are what is scarce.
CODE, RANK = 0.01, 0.2
RANKED_FOR = 0.97  # of the queries: ranking heads for the neediest few costs all the others
SHARED = 0.75  # pages that a candidate costs: some lie together
NOWHERE = np.iinfo(np.int64).max


@dataclass(frozen=True, slots=True)
class QuerySample:
    """The calibration queries as the index sees them.

    queries  (nq, dim)  in the type of the postings' kernels
    truth    (nq, k)    rows of the index
    own      (nq,)      a query's own row, which is no neighbour; NOWHERE when it has none
    """

    queries: NDArray[Any]
    truth: Places
    own: Places

    @property
    def fit_k(self) -> int:
        """How many neighbours the thresholds are taken from."""
        return min(10, int(self.truth.shape[1]))


@dataclass(frozen=True, slots=True)
class Found:
    """The candidates of one search, best first, a query's own row left out.

    ranks   (nq, MOST_DEPTH)  of each candidate's own head; the number ranked when it is none
    places  (nq, k)           of the true neighbours among them; MOST_DEPTH where they are not
    """

    ranks: NDArray[np.int32]
    places: Places


@dataclass(frozen=True, slots=True)
class Trial:
    """One threshold: what it costs, and where it finds the neighbours.

    places  (nq, k)  of each neighbour among the candidates, from 0; NOWHERE when it is not
    fresh   (MOST_DEPTH,) mean number of pages to read for 1, 2, ... candidates
    """

    threshold: float
    cost: float
    places: Places
    fresh: NDArray[np.float64]


def with_depths(
    parts: Parts,
    tier: int,
    table: Table,
    ks: list[int],
    asked: QuerySample,
    hits: NDArray[np.float32],
    pool: Workers,
) -> Table:
    """Return the table with the cheapest pairs of threshold and depth.

    table  as for raw postings: its law, and enough heads for any threshold
    hits   (nq, k)  promise of the first posting that holds each neighbour; -inf for none
    """
    searching = Searching(parts, tier, table, asked, pool)
    trials = searching.trials(hits)
    chosen = [[cheapest(trials, k, recall) for recall in RECALLS] for k in ks]
    thresholds = [[trial.threshold for trial, _ in row] for row in chosen]
    return replace(
        table,
        threshold=thresholds,
        depth=[[depth for _, depth in row] for row in chosen],
        ranked=[[searching.ranked_for(x) for x in row] for row in thresholds],
        postings=[[float(searching.postings_for(x).mean()) for x in row] for row in thresholds],
        pages=[[float(trial.fresh[depth - 1]) for trial, depth in row] for row in chosen],
    )


class Searching:
    """The calibration queries, and their nearest heads, on one tier of an index."""

    def __init__(
        self, parts: Parts, tier: int, table: Table, asked: QuerySample, pool: Workers
    ) -> None:
        self.parts, self.tier, self.asked, self.pool = parts, tier, asked, pool
        self.searcher = parts.searcher(parts.postings(parts.codes(tier)), table.law)
        self.m = max(max(row) for row in table.ranked)
        self.heads, self.promise = nearest(parts.heads, asked.queries, self.m, pool)
        prune.promises(self.promise, np.array(table.law, np.float32), self.promise)
        last = np.cumsum(parts.primary, dtype=np.int64)
        self.n, self.first = int(last[-1]), last - parts.primary

    def owners(self, rows: NDArray[np.uint32]) -> Places:
        """Return the head of each row's own posting."""
        found: Places = np.searchsorted(self.first, rows, side="right") - 1
        return found

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
        promised: NDArray[np.int64] = (self.promise >= threshold).sum(axis=1)
        return promised

    def trials(self, hits: NDArray[np.float32]) -> list[Trial]:
        """Return a trial of each threshold by which a share of the neighbours is read."""
        falling = np.sort(hits[:, : self.asked.fit_k], axis=None)[::-1]
        known = falling[np.isfinite(falling)]
        if self.tier == 0:
            searched = sorted({quantile(known, share) for share in SEARCHED}, reverse=True)
            return [self.trial(x, self.found(x), hits) for x in searched]
        tried = sorted({quantile(known, share) for share in TRIED}, reverse=True)
        widest = self.found(tried[-1])
        return [self.trial(x, widest, hits) for x in tried]

    def found(self, threshold: float) -> Found:
        """Return what a search by a threshold finds."""
        ranks = np.full((len(self.heads), MOST_DEPTH), self.m, np.int32)
        places = np.full(self.asked.truth.shape, MOST_DEPTH)
        rank_of = np.full(len(self.parts.primary), self.m, np.int32)
        for query, rows in enumerate(self.candidates(threshold)):
            near = self.heads[query][self.heads[query] < len(rank_of)]
            rank_of[near] = np.arange(len(near))
            rows = rows[(rows < self.n) & (rows != self.asked.own[query])]
            ranks[query, : len(rows)] = rank_of[self.owners(rows)]
            truth = self.asked.truth[query]
            _, place, neighbour = np.intersect1d(rows, truth, return_indices=True)
            places[query, neighbour] = place
            rank_of[near] = self.m
        return Found(ranks, places)

    def candidates(self, threshold: float) -> NDArray[np.uint32]:
        """Return the candidates of each query by estimate, (nq, MOST_DEPTH)."""
        m = self.ranked_for(threshold)
        plan = SearchPlan(beams(self.parts.heads.levels, m), m, threshold, MOST_DEPTH, True)
        mapped, _ = self.parts.mapped

        def unit(start: int) -> NDArray[np.uint32]:
            queries = self.asked.queries[start : start + ASKED]
            rows = np.empty((len(queries), MOST_DEPTH), np.uint32)
            self.searcher.candidates(self.parts.batch(queries), plan, rows)
            mapped.release(0, len(mapped))
            return rows

        starts = range(0, len(self.asked.queries), ASKED)
        return np.concatenate(list(self.pool.each(unit, starts)))

    def trial(self, threshold: float, found: Found, hits: NDArray[np.float32]) -> Trial:
        """Return what a threshold costs and finds, from a search that reads no less."""
        counts = self.postings_for(threshold)
        probed = found.ranks < counts[:, None]
        before: Places = np.cumsum(probed, axis=1) - probed
        if self.tier:  # codes of postings that are not probed are not seen
            pages = SHARED * np.arange(1.0, MOST_DEPTH + 1)
        else:  # a candidate costs a page unless its posting is read anyway
            before = np.broadcast_to(np.arange(MOST_DEPTH), probed.shape)
            pages = SHARED * (~probed).cumsum(axis=1).mean(axis=0)
        place: Places = np.take_along_axis(before, np.minimum(found.places, MOST_DEPTH - 1), axis=1)
        there = (hits >= threshold) & (found.places < MOST_DEPTH)
        return Trial(threshold, self.cost(counts), np.where(there, place, NOWHERE), pages)

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


def cheapest(trials: list[Trial], k: int, recall: float) -> tuple[Trial, int]:
    """Return the cheapest trial and depth that reach a recall, or the best there is.

    A standard error of the mean recall above it, as longspan.indexer.stages.calibrate has it.
    """
    best: tuple[float, Trial, int] | None = None
    for trial in trials:
        places = np.sort(trial.places[:, :k], axis=None)
        shares = (trial.places[:, :k] <= quantile(places, recall)).mean(axis=1)
        error = float(shares.std()) / np.sqrt(len(shares))
        place = quantile(places, min(recall + error, 1.0))
        if place == NOWHERE:
            continue
        depth = max(place + 1, k)
        cost = trial.cost + trial.fresh[depth - 1] * (READ + 4 * KILOBYTE)
        if best is None or cost < best[0]:
            best = (cost, trial, depth)
    return best[1:] if best else (trials[-1], MOST_DEPTH)


def quantile(ordered: NDArray[Any], share: float) -> Any:
    """Return the quantile of an ordered list: the value at a share of its length."""
    return ordered[min(ceil(share * len(ordered)), len(ordered)) - 1].item()
