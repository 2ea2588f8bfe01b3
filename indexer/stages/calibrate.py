"""Measure, at build time, what to read for a wanted recall.

For each calibration query the nearest heads are found as a search finds them (more of them, with
the wider beam that goes with that: measured here, a search finds up to .002 less), and for each of
its true neighbours the first posting that holds it is looked up: nothing is read. A
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
from longspan.indexer.planning.portions import MOST_RANKED, RANKED
from longspan.indexer.reader import Vectors
from longspan.indexer.running.job import Job
from longspan.indexer.running.progress import Progress
from longspan.indexer.running.workers import Workers
from longspan.indexer.stages import depths
from longspan.indexer.stages.depths import nearest, quantile
from longspan.indexer.stages.tree import NOBODY
from longspan.indexer.stages.work_files import TRUTH
from longspan.indexer.store.calibration import RECALLS, Calibration, Table
from longspan.indexer.store.codec import TIERS
from longspan.indexer.store.heads import Heads
from longspan.indexer.store.opened import Parts
from longspan.indexer.tools.truth import exact

Ranks = NDArray[np.int64]
HeadIds = NDArray[np.uint32]

KS = (1, 10, 100)
FIT_K = 10  # the law is fitted to the hits at this k; it hardly depends on k
FOUND = (
    0.999  # of the neighbours: the ranked heads, RANKED at first, are doubled until they hold it
)
MOST_QUERIES = 10_000  # of a file: with MOST_RANKED this bounds the stage's memory to 320 MB
AFFORDABLE = 1.25  # heads ranked beyond what the neediest calibration query reads


@dataclass(frozen=True, slots=True)
class Sample:
    """Calibration queries and their true neighbours.

    queries  (nq, dim)
    truth    (nq, k)    slots; -1 where there are fewer
    own      (nq,)      slots that the queries themselves are; -1 for none
    source   whose they are, for the manifest
    """

    queries: NDArray[Any]
    truth: NDArray[np.int64]
    own: NDArray[np.int64]
    source: str


def write_truth(job: Job, given: Vectors | None, threads: int, progress: Progress) -> None:
    """Write the calibration queries, given or drawn from the vectors, and their true neighbours."""
    vectors, metric = job.staged, job.space.metric
    if given is not None:
        sample = sample_queries(vectors, given, metric, threads, progress)
    else:
        count, seed = job.config.calibration, job.config.seed
        sample = sample_base(vectors, metric, count, seed, threads, progress)
    job.save_all(
        TRUTH,
        queries=sample.queries,
        truth=sample.truth,
        own=sample.own,
        source=np.array(sample.source),
    )


def read_truth(job: Job) -> Sample:
    """Return what write_truth has written."""
    arrays = job.load_all(TRUTH)
    return Sample(arrays["queries"], arrays["truth"], arrays["own"], str(arrays["source"]))


def sample_base(
    vectors: Vectors, metric: str, count: int, seed: int, threads: int, progress: Progress
) -> Sample:
    """Return staged vectors as queries; none is its own neighbour, unless it is alone."""
    count = min(count, vectors.n)
    rows = np.sort(np.random.default_rng(seed).choice(vectors.n, count, replace=False))
    queries = vectors.gather(rows)
    wanted = min(max(KS) + 1, vectors.n)
    found, _ = exact(vectors, queries, wanted, metric, threads, progress)
    # Push the query itself behind the rest, then drop the last column.
    order = np.argsort(found == rows[:, None], axis=1, kind="stable")
    truth = np.take_along_axis(found, order, axis=1)[:, : max(1, wanted - 1)]
    return Sample(queries, truth, rows, "base")


def sample_queries(
    vectors: Vectors, given: Vectors, metric: str, threads: int, progress: Progress
) -> Sample:
    """Return the vectors of a file as queries."""
    rows = np.linspace(0, given.n - 1, min(given.n, MOST_QUERIES)).astype(np.int64)
    queries = given.take(rows)
    truth, _ = exact(vectors, queries, min(max(KS), vectors.n), metric, threads, progress)
    return Sample(queries, truth, np.full(len(queries), -1), given.path.name)


def calibrate(
    parts: Parts,
    sample: Sample,
    holders: HeadIds,
    number: NDArray[np.uint32],
    pool: Workers,
    progress: Progress,
) -> Calibration:
    """Return the calibration of an index from its parts.

    holders  (nq, k, copies) the heads that each true neighbour is stored under, its nearest first
    number   (n,) the row of each slot
    """
    tiers = 1 if parts.codec is None else 1 + TIERS
    tables, ks, asked = [], ks_of(sample), query_sample(parts, number, sample)
    with progress.stage("calibrate", tiers * len(sample.queries), "queries") as advance:
        for tier in range(tiers):
            if tier < 2:  # both resident tiers look among the codes of primary entries
                held = holders if tier == 0 else holders[:, :, :1]
                law, promise, ranks = promised(parts.heads, held, sample, pool)
                base = as_table(law, promise, ranks, ks)
            table = base
            if parts.codec is not None:
                table = depths.with_depths(
                    parts, tier, base, ks, asked, at_hits(promise, ranks), pool
                )
            tables.append(table)
            advance(len(sample.queries))
    return Calibration(
        queries=len(sample.queries),
        source=sample.source,
        ks=ks,
        recalls=list(RECALLS),
        tiers=tables,
    )


def query_sample(parts: Parts, number: NDArray[np.uint32], sample: Sample) -> depths.QuerySample:
    """Return the sample as the index sees it: by its own row numbers."""
    queries = np.ascontiguousarray(sample.queries, parts.query_dtype)
    both = sample.truth, sample.own
    truth, own = (np.where(at < 0, depths.NOWHERE, number[at]) for at in both)
    return depths.QuerySample(queries, truth, own)


def ks_of(sample: Sample) -> list[int]:
    """Return the numbers of neighbours to calibrate for."""
    known = sample.truth.shape[1]
    return [k for k in KS if k <= known] or [known]


def promised(
    heads: Heads, holders: HeadIds, sample: Sample, pool: Workers
) -> tuple[NDArray[np.float32], NDArray[np.float32], Ranks]:
    """Return the law, the promises of each query's ranked heads, and the first hits."""
    dist, ranks = first_hits(heads, holders, sample, pool)
    law = fit_law(dist, ranks[:, :FIT_K])
    prune.promises(dist, law, dist)  # in place: the largest array of the stage
    return law, dist, ranks


def as_table(
    law: NDArray[np.float32], promise: NDArray[np.float32], ranks: Ranks, ks: list[int]
) -> Table:
    """Return the table by which the neighbours are in the postings that are read."""
    rows = [thresholds(promise, ranks[:, :k]) for k in ks]
    return Table(
        law=[float(x) for x in law],
        threshold=[[float(x) for x in row] for row in rows],
        ranked=[[needed(promise, x) for x in row] for row in rows],
        depth=[[0 for _ in row] for row in rows],
        postings=[[read(promise, x) for x in row] for row in rows],
        pages=[[0.0 for _ in row] for row in rows],
    )


def read(promise: NDArray[np.float32], threshold: float) -> float:
    """Return the mean number of postings that promise the threshold."""
    return float((promise >= threshold).sum(axis=1).clip(1).mean())


def first_hits(
    heads: Heads, holders: HeadIds, sample: Sample, pool: Workers
) -> tuple[NDArray[np.float32], Ranks]:
    """Return distances to the ranked heads (nq, m), and each neighbour's first rank (nq, k).

    holders  (nq, k, copies) the heads that each neighbour counts as stored under

    The rank is m where no ranked posting holds the neighbour.
    """
    total, m = heads.levels[-1], min(RANKED, heads.levels[-1])
    while True:
        found, dist = nearest(heads, sample.queries, m, pool)
        ranks = np.full(sample.truth.shape, m, np.int64)
        rank_of = np.full(total + 1, m, np.int32)
        for query, (near, held) in enumerate(zip(found, holders, strict=True)):
            known = near != NOBODY
            rank_of[near[known]] = np.flatnonzero(known)
            ranks[query] = rank_of[np.minimum(held, np.uint32(total))].min(axis=1)
            rank_of[near[known]] = m
        if m >= min(total, MOST_RANKED) or (ranks < m).mean() >= FOUND:
            return dist, ranks
        del found, dist
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
    at_hit = np.sort(at_hits(promise, ranks), axis=1)[:, ::-1]
    everything = np.sort(at_hit, axis=None)[::-1]
    lowest = float(promise[np.isfinite(promise)].min()) - 1
    chosen = []
    for recall in RECALLS:
        first = quantile(everything, recall)
        error = (at_hit >= first).mean(axis=1).std() / np.sqrt(len(at_hit))
        chosen.append(max(quantile(everything, min(recall + error, 1.0)), lowest))
    return np.array(chosen)


def at_hits(promise: NDArray[np.float32], ranks: Ranks) -> NDArray[np.float32]:
    """Return the promise of the first posting that holds each neighbour; -inf for none."""
    none = np.full((len(promise), 1), -np.inf, np.float32)
    return np.take_along_axis(np.concatenate([promise, none], axis=1), ranks, axis=1)


def needed(promise: NDArray[np.float32], threshold: float) -> int:
    """Return how many heads to rank so that no calibration query's postings are cut off."""
    most = int((promise >= threshold).sum(axis=1).max())
    return min(max(8, int(AFFORDABLE * most)), int(promise.shape[1]))
