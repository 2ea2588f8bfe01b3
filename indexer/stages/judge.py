"""Search as a user does, with what was chosen, by queries that chose nothing, and judge it.

What a recall takes is counted from wider searches, and its quantiles are of the queries that chose
it. So each target is tried as it will be used: settings that do not reach it give way to those of
a higher recall until it is reached. What was measured last is kept with the settings: an index
says what it gives, and where that is less than was asked for.
"""

from dataclasses import dataclass, replace
from functools import cache, cached_property
from math import ceil, log
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from longspan.cext.search import Searcher, SearchPlan
from longspan.indexer.config import MEAN
from longspan.indexer.planning.portions import ASKED
from longspan.indexer.running.workers import Workers
from longspan.indexer.stages.samples import HITS, Sample, Samples
from longspan.indexer.store.calibration import ALLOWED, READ_ALL, RECALLS, TARGETS, Setting, Table
from longspan.indexer.store.heads import beams
from longspan.indexer.store.opened import Parts
from longspan.indexer.tools.truth import recall

JUDGES = 300  # queries that a target is judged by, or all there are, and HITS neighbours
SURE = 0.996  # of the nearest vectors: found by a search that looks those of more queries up
WIDER = (2, 4)  # times as much as the last setting, where that is not enough
SMALL = 64 << 20  # bytes of vectors that a search may score all of, where nothing less will do


@dataclass(frozen=True, slots=True)
class Judgement:
    """The recall of some settings: its mean over queries, its standard error, its worst tenth.

    Or, in place of the mean, the recall that nine queries in ten have, and its standard error.
    """

    recall: float
    error: float
    tenth: float

    @classmethod
    def of(cls, shares: NDArray[np.float64], recall_of: str) -> Self:
        """Return the judgement of what each query found, (nq,), in the mean or by nine in ten."""
        nq, ordered = len(shares), np.sort(shares)
        tenth = float(ordered[: max(1, nq // 10)].mean())
        if recall_of == MEAN:
            return cls(float(shares.mean()), float(shares.std() / np.sqrt(nq)), tenth)
        # The quantile's own error: how far the ranks go that it may as well have had.
        spread = ceil(np.sqrt(0.1 * 0.9 * nq))
        low, middle, high = (
            ordered[min(max(nq // 10 + step, 0), nq - 1)] for step in (-spread, 0, spread)
        )
        return cls(float(middle), float(high - low) / 2, tenth)

    def reaches(self, target: float, k: int) -> bool:
        """Whether a recall is measured, or so nearly that chance explains it.

        Of one neighbour chance would explain too much: what chose its settings knew little, too.
        """
        return self.recall + (min(self.error, ALLOWED) if k > 1 else 0.0) >= target


@dataclass(frozen=True)
class Asking:
    """One tier of an index, as it is searched, and whom the recall is asked of."""

    parts: Parts
    tier: int
    law: NDArray[np.float32]
    pool: Workers
    recall_of: str = MEAN

    def judge(self, setting: Setting, k: int, sample: Sample) -> Judgement:
        """Return what a setting gives the queries of a sample."""
        if setting.depth >= self.parts.n:  # every vector is scored exactly
            return Judgement(1.0, 0.0, 1.0)
        true = np.repeat(sample.distances, sample.step, axis=1)
        shares = recall(self.distances(setting, k, sample), true, k)
        return Judgement.of(shares, self.recall_of)

    @cached_property
    def searcher(self) -> Searcher:
        """The search on the tier, opened once for all that is judged."""
        return self.parts.searcher(self.parts.postings(self.parts.codes(self.tier)), self.law)

    def distances(self, setting: Setting, k: int, sample: Sample) -> NDArray[np.float32]:
        """Return the k least distances that searches find, without each query's own row."""
        queries = np.ascontiguousarray(sample.queries, self.parts.query_dtype)
        m = setting.ranked
        beam = beams(self.parts.heads.levels, m)
        plan = SearchPlan(beam, m, setting.threshold, setting.depth, True)

        step = min(ASKED, ceil(len(queries) / self.pool.threads))

        def unit(start: int) -> NDArray[np.float32]:
            part = slice(start, start + step)
            shape = len(queries[part]), k + 1
            distances, rows = np.empty(shape, np.float32), np.empty(shape, np.uint32)
            batch = self.parts.batch(queries[part])
            ids = np.empty(shape, np.int64)
            self.parts.has_read(self.searcher.search(batch, plan, distances, ids, rows))
            distances[rows == sample.own[part, None]] = np.inf
            return np.sort(distances, axis=1)[:, :k]

        return np.concatenate(list(self.pool.each(unit, range(0, len(queries), step))))


def judged(asking: Asking, rows: list[list[Setting]], samples: Samples) -> Table:
    """Return the table of a tier, its settings raised where they do not give what they promise.

    rows  settings for each k and recall
    """
    tried = [
        raised(asking, row, k, queries_for(k, samples))
        for k, row in zip(samples.ks, rows, strict=True)
    ]
    settings = [row for row, _ in tried]
    measured = [row for _, row in tried]
    columns: dict[str, Any] = {
        name: [[getattr(one, name) for one in row] for row in settings] for name in Setting._fields
    }
    return Table(
        law=[float(x) for x in asking.law],
        measured=[[one.recall for one in row] for row in measured],
        error=[[one.error for one in row] for row in measured],
        tenth=[[one.tenth for one in row] for row in measured],
        **columns,
    )


def queries_for(k: int, samples: Samples) -> Sample:
    """Return the queries that judge k: fewer where each has many neighbours."""
    sample = samples.more if k <= samples.more.known else samples.fresh
    for many in samples.many:
        sample = many if k > sample.known else sample
    step = max(1, len(sample.own) // max(JUDGES, HITS // k))
    return sample.some(slice(None, None, step))


def looked_up(asking: Asking, rows: list[list[Setting]], samples: Samples) -> Samples:
    """Return the samples with more queries that judge: whose nearest vectors were not known.

    They are what a wide search finds, if that finds the nearest of the others. A scan of all
    vectors would be ten times as dear.

    rows  settings for each k and recall
    """
    more, fresh = samples.more, samples.fresh
    widest = rows[0][-1]
    wanted = min(len(more.own), HITS - len(fresh.own))
    if wanted <= 0:
        return samples
    more = more.some(slice(None, None, len(more.own) // wanted))
    for setting in [widest, *wider(asking.parts, widest)]:
        if replace(asking, recall_of=MEAN).judge(setting, 1, fresh).recall >= SURE:
            found = asking.distances(setting, 1, more)
            return replace(samples, more=fresh.and_nearest(more, found))
    return samples


def raised(
    asking: Asking, row: list[Setting], k: int, sample: Sample
) -> tuple[list[Setting], list[Judgement]]:
    """Return the settings of each recall for k, and what was measured of each of TARGETS.

    Between two targets a recall is raised by as many steps as the higher one.
    """
    options = [*row, *wider(asking.parts, row[-1])]
    judge = cache(lambda option: asking.judge(option, k, sample))
    chosen: list[int] = []
    found, at = [], 0
    for target in TARGETS:
        at = max(at, RECALLS.index(target))
        while not judge(options[at]).reaches(target, k) and at < len(options) - 1:
            at += 1
        steps = at - RECALLS.index(target)
        upto = RECALLS.index(target) + 1 if target < TARGETS[-1] else len(RECALLS)
        chosen += [min(each + steps, len(options) - 1) for each in range(len(chosen), upto)]
        found.append(judge(options[at]))
    chosen = np.maximum.accumulate(chosen).tolist()
    return [options[each] for each in chosen], found


def wider(parts: Parts, last: Setting) -> list[Setting]:
    """Return what finds more than the last setting; at the end everything, where that is little."""
    n, heads = parts.n, len(parts.primary)
    options = [
        last._replace(
            threshold=last.threshold - log(factor),
            ranked=min(factor * last.ranked, heads),
            depth=min(factor * last.depth, n - 1),
            postings=factor * last.postings,
            pages=factor * last.pages,
        )
        for factor in WIDER
    ]
    if parts.codec is not None and n * parts.space.dim * parts.query_dtype.itemsize <= SMALL:
        options.append(Setting(READ_ALL, heads, n, float(heads), 0.0))
    return options
