"""Measure, with codes, how many candidates must get an exact distance for a wanted recall.

A wanted recall can be had by reading more postings or by reranking more of what they hold. A
neighbour is found when its posting is read and its place among the candidates is within the
depth; so of many thresholds, for each k and recall, the cheapest pair of threshold and depth is
kept, by the time that its reads and estimates take.
"""

from math import inf

import numpy as np
from numpy.typing import NDArray

from longspan.indexer.planning.portions import DEPTHS
from longspan.indexer.stages.trials import (
    KILOBYTE,
    NOWHERE,
    READ,
    QuerySample,
    Searching,
    Trial,
    quantile,
)
from longspan.indexer.store.calibration import RECALLS, Setting

WANTED = 0.99  # the recall that more candidates are tried for
GAIN = 0.001  # of all neighbours, that must be among the last half for more to be tried


def settings_of(searching: Searching, hits: NDArray[np.float32]) -> list[list[Setting]]:
    """Return the cheapest settings for each k and recall, with their depths.

    hits  (nq, k)  promise of the first posting that holds each neighbour; -inf for none
    """
    return [
        [
            Setting(
                trial.threshold,
                searching.ranked_for(trial.threshold),
                depth,
                float(searching.postings_for(trial.threshold).mean()),
                float(trial.fresh[depth - 1]),
            )
            for trial, depth in row
        ]
        for row in choose(searching, searching.thresholds(hits), searching.asked)
    ]


def choose(
    searching: Searching, thresholds: list[float], asked: QuerySample
) -> list[list[tuple[Trial, int]]]:
    """Return the cheapest trial and depth for each k and recall.

    Few candidates are tried at first, more where a recall that people ask for is not reached and
    neighbours were still found among the last half of them.
    """
    tried = 0
    for wanted in DEPTHS:
        depth = min(max(wanted, 2 * max(asked.ks)), searching.n)
        if depth < 2 * tried:
            break
        trials = searching.trials(thresholds, depth)
        found = [cheapest(trials, *each) for each in zip(asked.ks, asked.columns, strict=True)]
        tried, places = depth, trials[-1].places
        late = float(((depth // 2 <= places) & (places < depth)).mean())
        is_reached = all(row[RECALLS.index(WANTED)] for row in found)
        if is_reached or depth == searching.n or late < GAIN:
            break
    return [[one or (trials[-1], tried) for one in row] for row in found]


def cheapest(trials: list[Trial], k: int, columns: int) -> list[tuple[Trial, int] | None]:
    """Return the cheapest trial and depth that reach each recall; None when none does.

    columns  how many of the known neighbours stand for k

    A standard error of the mean recall above it, as longspan.indexer.stages.calibrate has it.
    """
    best: list[tuple[Trial, int] | None] = [None] * len(RECALLS)
    least = [inf] * len(RECALLS)
    for trial in trials:
        near = trial.places[:, :columns]
        ordered = np.sort(near, axis=None)
        for number, recall in enumerate(RECALLS):
            shares = (near <= quantile(ordered, recall)).mean(axis=1)
            error = float(shares.std()) / np.sqrt(len(shares))
            place = quantile(ordered, min(recall + error, 1.0))
            if place == NOWHERE:
                break  # nor is a higher one reached
            depth = max(place + 1, k)
            cost = trial.cost + trial.fresh[depth - 1] * (READ + 4 * KILOBYTE)
            if cost < least[number]:
                least[number], best[number] = cost, (trial, depth)
    return best
