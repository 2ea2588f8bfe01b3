"""The calibration: what to read for a wanted recall, as measured when the index was built.

One law ranks the postings of a query (longspan.cext.prune); for each calibrated k and recall the
table holds the threshold on it, how many heads must be ranked, and what a query then reads.
"""

from bisect import bisect_left
from dataclasses import asdict, dataclass
from math import log
from typing import Any, Self

RECALLS = (
    0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.875, 0.9, 0.92, 0.94, 0.95, 0.96, 0.97, 0.98, 0.985, 0.99,
    0.995, 0.999,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Plan:
    """What one search will do: rank this many heads, read postings that promise the threshold."""

    ranked: int
    threshold: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """The table.

    queries, source        how many queries it was measured with, and whose
    law                    exponents of rank, distance and crowding (longspan.cext.prune)
    ks, recalls            its axes, ascending
    threshold, ranked      (len(ks), len(recalls))
    postings               the same shape: mean postings read, for people and `info`
    """

    queries: int
    source: str
    law: list[float]
    ks: list[int]
    recalls: list[float]
    threshold: list[list[float]]
    ranked: list[list[int]]
    postings: list[list[float]]

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """Return the calibration that as_dict() gave."""
        return cls(**data)

    def as_dict(self) -> dict[str, Any]:
        """Return JSON types."""
        return asdict(self)

    def plan(self, k: int, recall: float) -> Plan:
        """Return the settings for k and recall, between the calibrated ones.

        Linear in log k and in recall; beyond the last k the slope of the last two goes on, and a
        recall above the last calibrated one takes its settings.
        """
        low, part = place([log(known) for known in self.ks], log(k))
        rows = (low, min(low + 1, len(self.ks) - 1))
        threshold = [between(self.recalls, self.threshold[row], recall) for row in rows]
        ranked = [
            between(self.recalls, [float(x) for x in self.ranked[row]], recall) for row in rows
        ]
        part = min(part, 4.0)
        return Plan(
            ranked=max(1, round(ranked[0] + part * (ranked[1] - ranked[0]))),
            threshold=threshold[0] + part * (threshold[1] - threshold[0]),
        )


def place(axis: list[float], at: float) -> tuple[int, float]:
    """Return the interval of an ascending axis that holds `at`, and how far into it, from 0."""
    if len(axis) == 1 or at <= axis[0]:
        return 0, 0.0
    low = min(bisect_left(axis, at), len(axis) - 1) - 1
    return low, (at - axis[low]) / (axis[low + 1] - axis[low])


def between(axis: list[float], values: list[float], at: float) -> float:
    """Return the value at a point of the axis; the ends hold beyond them."""
    low, part = place(axis, min(at, axis[-1]))
    return values[low] + part * (values[min(low + 1, len(values) - 1)] - values[low])
