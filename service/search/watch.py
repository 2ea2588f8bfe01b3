"""Whether live queries are of the kind that an index was calibrated with.

The recall that is asked for holds for queries like those of the calibration. Nobody knows the
recall of live ones, but how far their nearest vectors are is known of both: it costs a search in
a list of twenty.
"""

import logging
from bisect import bisect_left
from itertools import accumulate
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from longspan.indexer.store.nearness import Nearness

LOOKED = 500  # queries between two looks, and before the first
KEPT = 20_000  # queries, when their number is halved: what came long ago counts ever less
FARTHER = 0.2  # of the queries, beyond a distance more than in the calibration

_log = logging.getLogger(__name__)


class Kind(NamedTuple):
    """What is known of the live queries.

    queries     so many are known
    farther     the share of them that is farther from the vectors than the calibration's queries
    is_another  whether that are so many that the recall may be another than is asked for
    """

    queries: int
    farther: float
    is_another: bool


class Watch:
    """Notes how far queries are from their nearest vectors; warns once when that is farther.

    Threads may note at once: what two of them count together may be counted once.
    """

    def __init__(self, path: Path, nearness: Nearness) -> None:
        self._path, self._edges, self._shares = path, nearness.edges, nearness.shares
        self._counts = [0] * (len(nearness.edges) + 1)
        self._due, self._warned = LOOKED, False

    def note(self, distances: NDArray[np.floating[Any]]) -> None:
        """Note the distance of each query's nearest vector, scale-free as HeadSpace has it."""
        if not self._edges:
            return
        if len(distances) == 1:
            self._counts[bisect_left(self._edges, distances.item())] += 1
        else:
            within = np.searchsorted(self._edges, distances)
            more = np.bincount(within, minlength=len(self._counts)).tolist()
            self._counts = [count + new for count, new in zip(self._counts, more, strict=True)]
        self._due -= len(distances)
        if self._due <= 0:
            self._look()

    @property
    def kind(self) -> Kind:
        """What is known of the queries so far."""
        total = sum(self._counts)
        within = accumulate(self._counts[:-1])
        lacking = [
            share - count / max(1, total) for share, count in zip(self._shares, within, strict=True)
        ]
        farther = max(0.0, *lacking) if lacking and total else 0.0
        return Kind(total, farther, total >= LOOKED and farther >= FARTHER)

    def _look(self) -> None:
        self._due = LOOKED
        kind = self.kind
        if kind.is_another and not self._warned:
            self._warned = True
            _log.warning(
                "%s: %.0f %% of the last %d queries lie farther from its vectors than those it was "
                "calibrated with: they may get another recall than they ask for; `longspan "
                "calibrate %s NEW --queries FILE` with such queries mends that",
                self._path,
                100 * kind.farther,
                kind.queries,
                self._path,
            )
        if kind.queries > KEPT:
            self._counts = [count // 2 for count in self._counts]
