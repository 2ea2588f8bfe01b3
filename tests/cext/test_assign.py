"""The choice of heads against the definition."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from longspan.cext import assign

NOBODY = 2**32 - 1


def nearest(vectors: np.ndarray, heads: np.ndarray, m: int) -> tuple[np.ndarray, np.ndarray]:
    dist = np.empty((len(vectors), m), np.float32)
    found = np.empty((len(vectors), m), np.uint32)
    assign.nearest(
        vectors @ heads.T,
        (vectors**2).sum(axis=1),
        (heads**2).sum(axis=1),
        np.arange(len(heads), dtype=np.uint32),
        dist,
        found,
    )
    return dist, found


def spread(
    vectors: np.ndarray, heads: np.ndarray, ratio: float, factor: float, copies: int
) -> np.ndarray:
    dist, found = nearest(vectors, heads, len(heads))
    kept = np.empty((len(vectors), copies), np.uint32)
    assign.spread(
        dist, found, heads, ratio, factor, kept, np.empty((len(vectors), copies), np.float32)
    )
    return kept


@given(seed=st.integers(0, 2**32 - 1), h=st.integers(1, 20), m=st.integers(1, 25))
def test_nearest_heads_are_those_of_the_definition(seed: int, h: int, m: int) -> None:
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(6, 4)).astype(np.float32)
    heads = rng.normal(size=(h, 4)).astype(np.float32)
    dist, found = nearest(vectors, heads, m)
    true = np.sort(((vectors[:, None] - heads[None]) ** 2).sum(axis=2), axis=1)[:, :m]
    np.testing.assert_allclose(dist[:, : true.shape[1]], true, rtol=1e-4, atol=1e-5)
    assert (found[:, true.shape[1] :] == NOBODY).all()


def test_a_head_behind_a_kept_one_is_left_out() -> None:
    heads = np.array([[1.0, 0], [1.2, 0], [-1.5, 0]], np.float32)  # two to the right, one left
    kept = spread(np.zeros((1, 2), np.float32), heads, 100, 1.0, 3)
    assert kept.tolist() == [[0, 2, NOBODY]]


def test_without_the_rule_the_nearest_are_kept() -> None:
    heads = np.array([[1.0, 0], [1.2, 0], [-1.5, 0]], np.float32)
    assert spread(np.zeros((1, 2), np.float32), heads, 100, 0.0, 2).tolist() == [[0, 1]]


def test_the_ratio_bounds_the_distance() -> None:
    heads = np.array([[1.0, 0], [-1.2, 0], [0, 3.0]], np.float32)
    assert spread(np.zeros((1, 2), np.float32), heads, 2.0, 1.0, 3).tolist() == [[0, 1, NOBODY]]


@given(seed=st.integers(0, 2**32 - 1), factor=st.floats(0, 2), copies=st.integers(1, 6))
def test_no_kept_head_hides_another(seed: int, factor: float, copies: int) -> None:
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(5, 3)).astype(np.float32)
    heads = rng.normal(size=(15, 3)).astype(np.float32)
    for vector, row in zip(vectors, spread(vectors, heads, 50, factor, copies), strict=True):
        kept = heads[row[row != NOBODY]].astype(np.float64)
        apart = ((kept[:, None] - kept[None]) ** 2).sum(axis=2)
        away = ((kept - vector) ** 2).sum(axis=1)
        later, earlier = np.tril_indices(len(kept), -1)
        assert (apart[later, earlier] >= factor * away[later] * (1 - 1e-4)).all()


@given(
    order=st.integers(0, 60).flatmap(lambda n: st.permutations(range(n))), size=st.integers(0, 9)
)
def test_rows_come_into_any_order_in_place(order: list[int], size: int) -> None:
    rows = np.random.default_rng(0).integers(0, 255, (len(order), size), np.uint8)
    expected = rows[np.array(order, np.intp)]
    assign.reorder(rows, np.array(order, np.int64))
    np.testing.assert_array_equal(rows, expected)


@pytest.mark.parametrize("order", [[0, 0, 1], [0, 1, 3], [-1, 0, 1], [0, 1]])
def test_what_is_no_order_of_the_rows_moves_none(order: list[int]) -> None:
    rows = np.arange(6, dtype=np.uint8).reshape(3, 2)
    with pytest.raises(ValueError, match="rows"):
        assign.reorder(rows, np.array(order))
    np.testing.assert_array_equal(rows, np.arange(6).reshape(3, 2))
