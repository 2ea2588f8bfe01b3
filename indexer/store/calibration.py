"""The calibration: what to read for a wanted recall, as measured when the index was built.

A tier says what is resident (longspan.cext.coded; raw postings have tier 0 alone). In each tier one
law ranks the postings of a query (longspan.cext.prune), and a table holds for each calibrated k
and recall the law's threshold, how many heads to rank, and how many candidates by code get an
exact distance.
"""

from bisect import bisect_left, bisect_right
from dataclasses import asdict, dataclass, field
from math import ceil, log
from typing import Any, NamedTuple, Self

from longspan.indexer.store.nearness import Nearness

RECALLS = (
    0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.875, 0.9, 0.92, 0.94, 0.95, 0.96, 0.97, 0.98, 0.985, 0.99,
    0.995, 0.999,
)  # fmt: skip

TARGETS = (0.9, 0.95, 0.99)  # the recalls that are measured
ALLOWED = 0.005  # of recall, that what was measured may lack
ROUNDING = 1e-6  # of a depth that was divided
READ_ALL = -3.4028234663852886e38  # a threshold that every posting promises: the least float32


class Setting(NamedTuple):
    """What is done for one k and recall, and what it takes: a place of each list of a Table."""

    threshold: float
    ranked: int
    depth: int
    postings: float
    pages: float


@dataclass(frozen=True, slots=True)
class Measured:
    """What queries that chose nothing got, searched as a user searches.

    k, target  what was asked for
    recall     of k neighbours: the mean over the queries, or what nine in ten of them got
    error      its standard error
    tenth      recall of the tenth of the queries that fared worst
    """

    k: int
    target: float
    recall: float
    error: float
    tenth: float

    @property
    def is_short(self) -> bool:
        """Whether less was found than was asked for, by more than chance explains."""
        return self.lacks(self.target)

    def lacks(self, recall: float) -> bool:
        """Return whether less was found than a recall, by more than chance explains."""
        return self.recall + self.error < min(recall, self.target) - ALLOWED


@dataclass(frozen=True, slots=True)
class Plan:
    """What one search will do: rank heads, read postings that promise enough, rerank candidates."""

    ranked: int
    threshold: float
    depth: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """The plans of one tier; all but the law are (len(ks), len(recalls)).

    law                exponents of rank, distance and crowding (longspan.cext.prune)
    threshold, ranked  see Plan
    depth              see Plan; 0 with raw postings
    postings, pages    mean postings read (or, of resident codes, scanned), and mean pages read
                       for candidates: for people and `info`
    measured           (len(ks), len(targets)) recall of fresh queries that were searched so, by
                       distance; `error` is the standard error of it, `tenth` the recall of the
                       tenth of the queries that fared worst. Empty where nobody measured, once
    """

    law: list[float]
    threshold: list[list[float]]
    ranked: list[list[int]]
    depth: list[list[int]]
    postings: list[list[float]]
    pages: list[list[float]]
    measured: list[list[float]] = field(default_factory=list)
    error: list[list[float]] = field(default_factory=list)
    tenth: list[list[float]] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """The tables of an index.

    queries, source  how many queries they were measured with, and whose
    ks, recalls      the axes, ascending
    tiers            a table for each tier
    targets          the recalls that were measured with other queries, ascending
    nearness         of the queries; of none in an older index
    """

    queries: int
    source: str
    ks: list[int]
    recalls: list[float]
    tiers: list[Table]
    targets: list[float] = field(default_factory=list)
    nearness: Nearness = field(default_factory=Nearness)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """Return the calibration that as_dict() gave."""
        tiers = [Table(**table) for table in data["tiers"]]
        return cls(**{**data, "tiers": tiers, "nearness": Nearness(**data.get("nearness", {}))})

    def as_dict(self) -> dict[str, Any]:
        """Return JSON types."""
        return asdict(self)

    def measured(self, tier: int) -> list["Measured"]:
        """Return what was measured of a tier, for each k and target; nothing in an older index."""
        table = self.tiers[tier]
        rows = zip(self.ks, table.measured, table.error, table.tenth, strict=False)
        return [
            Measured(k, target, *(round(value, 4) for value in one))
            for k, *row in rows
            for target, *one in zip(self.targets, *row, strict=True)
        ]

    def limit(self, tier: int, k: int, recall: float) -> float | None:
        """Return the recall that was measured, where that is less than is asked for; else None.

        By the next target, and of the calibrated k's around k by the one with less.
        """
        low, high = bisect_right(self.ks, k), bisect_left(self.ks, k)
        around = {self.ks[max(low - 1, 0)], self.ks[min(high, len(self.ks) - 1)]}
        targets = [target for target in self.targets if target >= recall] or self.targets[-1:]
        lacking = [
            one.recall
            for one in self.measured(tier)
            if one.k in around and one.target == targets[0] and one.lacks(recall)
        ]
        return min(lacking, default=None)

    def plan(self, tier: int, k: int, recall: float) -> Plan:
        """Return the settings for k and recall, between the calibrated ones.

        Linear in log k; beyond the last k the slope of the last two goes on. Raw postings are
        linear in recall; with codes two settings work together, so the next calibrated recall is
        taken. A recall above the last one takes its settings.
        """
        table = self.tiers[tier]
        ranked, threshold = (
            mean(*self._ends(table, values, k, recall))
            for values in (table.ranked, table.threshold)
        )
        return Plan(max(1, round(ranked)), threshold, self._depth(table, k, recall))

    def _depth(self, table: Table, k: int, recall: float) -> int:
        """Return the candidates for k: no more to a neighbour than at the k's around it.

        Nor more than on the line between those, in log k, which of three neighbours is less.
        """
        if not is_coded(table):
            return 0
        depths, part = self._ends(table, table.depth, k, recall)
        around = zip(depths, self._rows(k)[0], strict=True)
        most = max(depth * k / self.ks[row] for depth, row in around)
        if part <= 1:
            most = min(most, mean(depths, part))
        return max(k, ceil(most - ROUNDING))

    def reads(self, tier: int, k: int, recall: float) -> tuple[float, float]:
        """Return the mean postings and pages that the plan for k and recall reads."""
        table = self.tiers[tier]
        postings, pages = (
            mean(*self._ends(table, values, k, recall)) for values in (table.postings, table.pages)
        )
        return postings, pages

    def _rows(self, k: int) -> tuple[tuple[int, int], float]:
        """Return the rows of the calibrated k's around k, and how far it is from the first."""
        low, part = place([log(known) for known in self.ks], log(k))
        return (low, min(low + 1, len(self.ks) - 1)), min(part, 4.0)

    def _ends(
        self, table: Table, values: list[list[Any]], k: int, recall: float
    ) -> tuple[tuple[float, float], float]:
        """Return the values at those k's for a recall, and how far k is from the first."""
        if is_coded(table):
            recall = self.recalls[min(bisect_left(self.recalls, recall), len(self.recalls) - 1)]
        rows, part = self._rows(k)
        first, last = (between(self.recalls, values[row], recall) for row in rows)
        return (first, last), part


def mean(ends: tuple[float, float], part: float) -> float:
    """Return the value so far from the first of two ends."""
    return (1 - part) * ends[0] + part * ends[1]


def is_coded(table: Table) -> bool:
    """Return whether searches by a table rank candidates by code."""
    return table.depth[0][0] > 0


def place(axis: list[float], at: float) -> tuple[int, float]:
    """Return the interval of an ascending axis that holds `at`, and how far into it, from 0."""
    if len(axis) == 1 or at <= axis[0]:
        return 0, 0.0
    low = min(bisect_left(axis, at), len(axis) - 1) - 1
    return low, (at - axis[low]) / (axis[low + 1] - axis[low])


def between(axis: list[float], values: list[Any], at: float) -> float:
    """Return the value at a point of the axis; beyond its ends, that of the end."""
    low, part = place(axis, min(at, axis[-1]))
    return float((1 - part) * values[low] + part * values[min(low + 1, len(values) - 1)])
