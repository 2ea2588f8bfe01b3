"""The law of what a posting promises: its terms, and the count of postings that it chooses."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from longspan.cext import prune


def distances(rng: np.random.Generator, nq: int, m: int) -> np.ndarray:
    return np.sort(rng.uniform(1, 100, (nq, m)), axis=1).astype(np.float32)


def chosen(dist: np.ndarray, law: list[float], threshold: float) -> list[int]:
    counts = np.empty(len(dist), np.uint32)
    prune.choose(dist, np.array(law, np.float32), threshold, counts)
    return counts.tolist()


def test_terms_by_hand() -> None:
    dist = np.array([[1, 4, 16]], np.float32)
    out = np.empty((1, 3, 3), np.float32)
    prune.features(dist, out)
    np.testing.assert_allclose(out[0, :, 0], np.log([1, 2, 3]), rtol=1e-6)
    np.testing.assert_allclose(out[0, :, 1], np.log([1, 2, 4]), rtol=1e-6)
    np.testing.assert_allclose(out[0, :, 2], np.log(4.0), rtol=1e-6)


@given(
    seed=st.integers(0, 2**32 - 1),
    m=st.integers(1, 30),
    law=st.tuples(st.floats(-3, 0), st.floats(-9, 0), st.floats(-3, 3)),
    threshold=st.floats(-20, 5),
)
def test_the_count_is_of_postings_that_promise_enough(
    seed: int, m: int, law: tuple[float, float, float], threshold: float
) -> None:
    dist = distances(np.random.default_rng(seed), 4, m)
    out = np.empty((4, m, 3), np.float32)
    prune.features(dist, out)
    promise = out.astype(np.float64) @ np.array(law)
    least, most = ((promise >= threshold + slack).sum(axis=1) for slack in (1e-4, -1e-4))
    for count, low, high in zip(chosen(dist, list(law), threshold), least, most, strict=True):
        assert max(1, low) <= count <= max(1, high)


def test_a_lower_threshold_never_reads_less(rng: np.random.Generator) -> None:
    dist = distances(rng, 50, 40)
    runs = [chosen(dist, [-1, -5, 2], threshold) for threshold in (0, -2, -4, -8, -40)]
    assert all((np.array(less) <= more).all() for less, more in pairwise(runs))
    assert runs[-1] == [40] * 50


def test_a_head_beyond_the_last_is_never_read() -> None:
    dist = np.array([[1, 2, np.inf, np.inf]], np.float32)
    assert chosen(dist, [-1, -1, 0], -1e30) == [2]


def test_a_query_on_two_heads_reads_both_and_nothing_far() -> None:
    assert chosen(np.array([[0, 0, 5]], np.float32), [-1, -5, 1], 3.0) == [2]


def test_a_law_that_rises_is_refused() -> None:
    with pytest.raises(ValueError, match="must fall"):
        chosen(np.ones((1, 1), np.float32), [0.1, -1, 0], 0)
