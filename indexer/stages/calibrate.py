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

from collections.abc import Callable
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from longspan.cext import prune
from longspan.indexer.config import MEAN
from longspan.indexer.planning.portions import MOST_RANKED, RANKED
from longspan.indexer.running.progress import Progress
from longspan.indexer.running.workers import Workers
from longspan.indexer.stages import depths, judge
from longspan.indexer.stages.samples import Sample, Samples
from longspan.indexer.stages.tree import NOBODY
from longspan.indexer.stages.trials import FIT_K, NOWHERE, QuerySample, Searching, nearest, quantile
from longspan.indexer.store.calibration import RECALLS, TARGETS, Calibration, Setting, Table
from longspan.indexer.store.codec import TIERS
from longspan.indexer.store.heads import Heads
from longspan.indexer.store.nearness import Nearness
from longspan.indexer.store.opened import Parts

Ranks = NDArray[np.int64]
HeadIds = NDArray[np.uint32]
Floats = NDArray[np.float32]

FOUND = (
    0.999  # of the neighbours: the ranked heads, RANKED at first, are doubled until they hold it
)
AFFORDABLE = 1.25  # heads ranked beyond what the neediest calibration query reads


def calibrate(
    parts: Parts,
    samples: Samples,
    holders_of: Callable[[NDArray[np.int64]], HeadIds],
    pool: Workers,
    progress: Progress,
    recall_of: str = MEAN,
) -> Calibration:
    """Return the calibration of an index from its parts.

    holders_of  gives the heads that rows are stored under, (..., copies), the nearest first
    recall_of   who is to have a recall, as BuildConfig has it
    """
    tiers = 1 if parts.codec is None else 1 + TIERS
    groups = samples.groups
    holders = [holders_of(sample.truth) for sample, _ in groups]
    asked = [query_sample(parts, *group) for group in groups]
    searching: list[Searching] = []
    tables: list[Table] = []
    with progress.stage("calibrate", tiers * len(samples.usual.queries), "queries") as advance:
        for tier in range(tiers):
            if tier < 2:  # both resident tiers look among the codes of primary entries
                held = holders if tier == 0 else [each[..., :1] for each in holders]
                law, promised = promises_of(parts.heads, groups, held, pool)
            found = [
                settings_of(*each, asks.columns) for each, asks in zip(promised, asked, strict=True)
            ]
            if parts.codec is not None:
                before = searching if tier == 2 else [None] * len(groups)
                searching = []  # another tier's are of no more use, and large
                for options, asks, first in zip(found, asked, before, strict=True):
                    most = most_ranked(options)
                    searching.append(Searching(parts, tier, law, most, asks, pool, first))
                found = [
                    depths.settings_of(one, at_hits(*each))
                    for one, each in zip(searching, promised, strict=True)
                ]
            rows = list(chain.from_iterable(found))
            asking = judge.Asking(parts, tier, law, pool, recall_of)
            if tier == 0:
                samples = judge.looked_up(asking, rows, samples)
            tables.append(judge.judged(asking, rows, samples))
            advance(len(samples.usual.queries))
    return Calibration(
        queries=len(samples.usual.queries),
        source=samples.source,
        ks=samples.ks,
        recalls=list(RECALLS),
        tiers=tables,
        targets=list(TARGETS),
        nearness=nearness_of(parts, samples),
    )


def nearness_of(parts: Parts, samples: Samples) -> Nearness:
    """Return the nearness of all queries whose neighbours are known."""
    each = [
        parts.space.scale_free(sample.distances[:, 0], sample.queries)
        for sample in (samples.usual, samples.fresh)
    ]
    return Nearness.of(np.concatenate(each))


def query_sample(parts: Parts, sample: Sample, ks: list[int]) -> QuerySample:
    """Return a sample as the trials take it."""
    queries = np.ascontiguousarray(sample.queries, parts.query_dtype)
    truth, own = (np.where(rows < 0, NOWHERE, rows) for rows in (sample.truth, sample.own))
    return QuerySample(queries, truth, own, ks, sample.step)


def most_ranked(options: list[list[Setting]]) -> int:
    """Return how many heads the widest of some settings ranks."""
    return max(one.ranked for row in options for one in row)


def promises_of(
    heads: Heads, groups: list[tuple[Sample, list[int]]], holders: list[HeadIds], pool: Workers
) -> tuple[Floats, list[tuple[Floats, Ranks]]]:
    """Return the law, and for each group the promises of its ranked heads, and the first hits.

    The law is fitted to the first group, which has the most queries.
    """
    law, promised = np.zeros(3, np.float32), []
    for number, ((sample, _), held) in enumerate(zip(groups, holders, strict=True)):
        dist, ranks = first_hits(heads, held, sample, pool)
        if number == 0:
            law = fit_law(dist, ranks[:, :FIT_K])
        prune.promises(dist, law, dist)  # in place: the largest array of the stage
        promised.append((dist, ranks))
    return law, promised


def settings_of(promise: Floats, ranks: Ranks, columns: list[int]) -> list[list[Setting]]:
    """Return the settings by which the neighbours are in the postings that are read.

    columns  how many of those that are known are wanted
    """
    return [
        [
            Setting(float(x), needed(promise, x), 0, read(promise, x), 0.0)
            for x in thresholds(promise, ranks[:, :count])
        ]
        for count in columns
    ]


def read(promise: Floats, threshold: float) -> float:
    """Return the mean number of postings that promise the threshold."""
    return float((promise >= threshold).sum(axis=1).clip(1).mean())


def first_hits(
    heads: Heads, holders: HeadIds, sample: Sample, pool: Workers
) -> tuple[Floats, Ranks]:
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


def fit_law(dist: Floats, ranks: Ranks) -> Floats:
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


def thresholds(promise: Floats, ranks: Ranks) -> NDArray[np.float64]:
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


def at_hits(promise: Floats, ranks: Ranks) -> Floats:
    """Return the promise of the first posting that holds each neighbour; -inf for none."""
    none = np.full((len(promise), 1), -np.inf, np.float32)
    return np.take_along_axis(np.concatenate([promise, none], axis=1), ranks, axis=1)


def needed(promise: Floats, threshold: float) -> int:
    """Return how many heads to rank so that no calibration query's postings are cut off."""
    most = int((promise >= threshold).sum(axis=1).max())
    return min(max(8, int(AFFORDABLE * most)), int(promise.shape[1]))
