"""Measure, at build time, what to read for a wanted recall.

For each calibration query the nearest heads are found as a search finds them (more of them, with
the wider beam that goes with that: measured here, a search finds up to .002 less), and for each of
its true neighbours the first posting that holds it is looked up in the copies: nothing is read. A
law for the promise of a posting is fitted to where those first hits fall (Poisson regression), and
the threshold for a recall is the quantile of the promises at the first hits: a share r of all true
neighbours lies in postings that promise at least that.

Why a margin: a mean over finitely many queries is uncertain by its standard error; aiming that
much higher keeps a target from being missed by chance.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from longspan.cext import prune
from longspan.indexer.progress import Progress
from longspan.indexer.reader import Vectors
from longspan.indexer.store.calibration import RECALLS, Calibration
from longspan.indexer.store.heads import Heads
from longspan.indexer.tree import NOBODY, Copies
from longspan.indexer.truth import exact

Ranks = NDArray[np.int64]

KS = (1, 10, 100)
FIT_K = 10  # the law is fitted to the hits at this k; it hardly depends on k
RANKED = 256  # heads ranked at first; doubled until all but 0.1 % of the neighbours are found
FOUND = 0.999
MOST_RANKED = 4096
MOST_QUERIES = 10_000  # of a file: with MOST_RANKED this bounds the stage's memory to 320 MB
AFFORDABLE = 1.25  # heads ranked beyond what the neediest calibration query reads


@dataclass(frozen=True, slots=True)
class Sample:
    """Calibration queries and their true neighbours.

    queries  (nq, dim)
    truth    (nq, k)    rows of the input; -1 where there are fewer
    source   whose they are, for the manifest
    """

    queries: NDArray[Any]
    truth: NDArray[np.int64]
    source: str


def sample_base(
    vectors: Vectors, metric: str, count: int, seed: int, threads: int, progress: Progress
) -> Sample:
    """Return vectors of the base as queries; none is its own neighbour, unless it is alone."""
    count = min(count, vectors.n)
    rows = np.sort(np.random.default_rng(seed).choice(vectors.n, count, replace=False))
    queries = vectors.take(rows)
    wanted = min(max(KS) + 1, vectors.n)
    found, _ = exact(vectors, queries, wanted, metric, threads, progress)
    # Push the query itself behind the rest, then drop the last column.
    order = np.argsort(found == rows[:, None], axis=1, kind="stable")
    truth = np.take_along_axis(found, order, axis=1)[:, : max(1, wanted - 1)]
    return Sample(queries, truth, "base")


def sample_queries(
    vectors: Vectors, given: Vectors, metric: str, threads: int, progress: Progress
) -> Sample:
    """Return the vectors of a file as queries."""
    rows = np.linspace(0, given.n - 1, min(given.n, MOST_QUERIES)).astype(np.int64)
    queries = given.take(rows)
    truth, _ = exact(vectors, queries, min(max(KS), vectors.n), metric, threads, progress)
    return Sample(queries, truth, given.path.name)


def calibrate(heads: Heads, copies: Copies, sample: Sample, progress: Progress) -> Calibration:
    """Return the calibration of an index from its heads and where each vector is stored."""
    with progress.stage("calibrate", len(sample.queries), "queries") as advance:
        dist, ranks = first_hits(heads, copies, sample)
        law = fit_law(dist, ranks[:, :FIT_K])
        promise = dist  # in place: the largest array of the stage
        prune.promises(dist, law, promise)
        ks = [k for k in KS if k <= ranks.shape[1]] or [ranks.shape[1]]
        tables = [thresholds(promise, ranks[:, :k]) for k in ks]
        advance(len(sample.queries))
    return Calibration(
        queries=len(sample.queries),
        source=sample.source,
        law=[float(x) for x in law],
        ks=ks,
        recalls=list(RECALLS),
        threshold=[[float(x) for x in table] for table in tables],
        ranked=[[needed(promise, x) for x in table] for table in tables],
        postings=[[float((promise >= x).sum(axis=1).clip(1).mean()) for x in t] for t in tables],
    )


def first_hits(heads: Heads, copies: Copies, sample: Sample) -> tuple[NDArray[np.float32], Ranks]:
    """Return distances to the ranked heads (nq, m), and each neighbour's first rank (nq, k).

    The rank is m where no ranked posting holds the neighbour.
    """
    total, m = heads.levels[-1], min(RANKED, heads.levels[-1])
    while True:
        found, dist, _ = heads.nearest(sample.queries, m)
        ranks = np.full(sample.truth.shape, m, np.int64)
        rank_of = np.full(total + 1, m, np.int64)
        for query, (near, rows) in enumerate(zip(found, sample.truth, strict=True)):
            known = near != NOBODY
            rank_of[near[known]] = np.flatnonzero(known)
            held = np.minimum(copies.heads[rows], np.uint32(total))
            ranks[query] = rank_of[held].min(axis=1)
            rank_of[near[known]] = m
        if m >= min(total, MOST_RANKED) or (ranks < m).mean() >= FOUND:
            return dist, ranks
        m = min(2 * m, total, MOST_RANKED)


def fit_law(dist: NDArray[np.float32], ranks: Ranks) -> NDArray[np.float32]:
    """Return the exponents of the law, by Poisson regression of new hits on its terms.

    Newton's steps with a weak pull to zero, which keeps them finite when a term is constant.
    """
    dist = np.ascontiguousarray(dist[:, :RANKED])
    nq, m = dist.shape
    terms = np.empty((nq, m, 3), np.float32)
    prune.features(dist, terms)
    terms = np.concatenate([terms, np.ones((nq, m, 1), np.float32)], axis=2, dtype=np.float64)
    hits = np.zeros((nq, m))
    query, column = np.nonzero(ranks < m)
    np.add.at(hits, (query, ranks[query, column]), 1)
    known = np.isfinite(dist)
    x, y = terms[known], hits[known]
    weights = np.array([-1.0, 0.0, 0.0, 0.0])
    for _ in range(20):
        mean = np.exp(np.clip(x @ weights, -30, 10))
        gradient = x.T @ (y - mean) - weights
        step = np.linalg.solve((x * mean[:, None]).T @ x + np.eye(4), gradient)
        weights += np.clip(step, -2, 2)
    law = weights[:3].astype(np.float32)
    law[:2] = np.minimum(law[:2], [-0.05, 0.0])  # it must fall with the rank
    return law


def thresholds(promise: NDArray[np.float32], ranks: Ranks) -> NDArray[np.float64]:
    """Return the threshold for each of RECALLS, a standard error of the mean recall above it."""
    padded = np.concatenate([promise, np.full((len(promise), 1), -1e30, np.float32)], axis=1)
    at_hit = np.sort(np.take_along_axis(padded, ranks, axis=1), axis=1)[:, ::-1]
    everything = np.sort(at_hit, axis=None)[::-1]
    lowest = float(promise[np.isfinite(promise)].min()) - 1
    chosen = []
    for recall in RECALLS:
        first = quantile(everything, recall)
        error = (at_hit >= first).mean(axis=1).std() / np.sqrt(len(at_hit))
        chosen.append(max(quantile(everything, min(recall + error, 1.0)), lowest))
    return np.array(chosen)


def quantile(falling: NDArray[np.float32], share: float) -> float:
    """Return the value that a share of a falling list is at or above."""
    return float(falling[min(int(np.ceil(share * len(falling))), len(falling)) - 1])


def needed(promise: NDArray[np.float32], threshold: float) -> int:
    """Return how many heads to rank so that no calibration query's postings are cut off."""
    most = int((promise >= threshold).sum(axis=1).max())
    return min(max(8, int(AFFORDABLE * most)), int(promise.shape[1]))
