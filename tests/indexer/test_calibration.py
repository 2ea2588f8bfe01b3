"""What is done between the calibrated numbers of neighbours."""

from math import log

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longspan.indexer.store.calibration import Calibration, Table

KS = [1, 10, 100, 1000]


def calibration(depths: list[int]) -> Calibration:
    """Return a calibration of one tier with codes, of depths for KS."""
    rows = [[float(depth)] for depth in depths]
    table = Table(
        law=[-1.0, 0.0, 0.0],
        threshold=[[-log(k)] for k in KS],
        ranked=[[10 * k] for k in KS],
        depth=[[depth] for depth in depths],
        postings=rows,
        pages=rows,
    )
    return Calibration(queries=1, source="x", ks=KS, recalls=[0.9], tiers=[table])


DEPTHS = st.lists(st.floats(1, 6), min_size=4, max_size=4).map(
    lambda factors: sorted(round(k * factor) for k, factor in zip(KS, factors, strict=True))
)


@given(depths=DEPTHS, k=st.integers(1, 1000))
def test_between_the_calibrated_numbers_no_more_candidates_are_taken_to_a_neighbour(
    depths: list[int], k: int
) -> None:
    depth = calibration(depths).plan(0, k, 0.9).depth
    if k in KS:
        assert depth == depths[KS.index(k)]
        return
    low = sum(known < k for known in KS) - 1
    around = slice(low, low + 2)
    ratio = max(one / known for one, known in zip(depths[around], KS[around], strict=True))
    part = log(k / KS[low]) / log(10)
    line = (1 - part) * depths[low] + part * depths[low + 1]
    assert depth == max(k, -int(-(min(line, k * ratio) - 1e-6) // 1))


@given(depths=DEPTHS, k=st.integers(1001, 10_000))
def test_beyond_the_last_the_candidates_grow_with_the_neighbours(depths: list[int], k: int) -> None:
    depth = calibration(depths).plan(0, k, 0.9).depth
    ratio = max(one / known for one, known in zip(depths[2:], KS[2:], strict=True))
    assert depth == pytest.approx(k * ratio, abs=1)


def test_a_calibrated_number_has_its_own_settings() -> None:
    plan = calibration([2, 20, 200, 2000]).plan(0, 100, 0.9)
    assert (plan.depth, plan.ranked) == (200, 1000)
    assert plan.threshold == pytest.approx(-log(100))
