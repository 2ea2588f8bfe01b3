"""The kernels of codes against their numpy twins, on every instruction set that there is."""

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from longspan.cext import codes, kernels

LEVELS = kernels.available()


@pytest.fixture(autouse=True)
def restore_level() -> Iterator[None]:
    before = kernels.active_name()
    yield
    kernels.use(before)


def made(seed: int, n: int, groups: int, shared: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return vectors (n, groups * 8) and books (groups or 1, 8, 256)."""
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(n, groups * 8)).astype(np.float32)
    return vectors, rng.normal(size=(1 if shared else groups, 8, 256)).astype(np.float32)


@pytest.mark.parametrize("level", LEVELS)
@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(1, 9),
    groups=st.integers(1, 20),
    shared=st.booleans(),
)
def test_codes_name_the_nearest_points_and_sum_to_dot_products(
    level: str, seed: int, n: int, groups: int, shared: bool
) -> None:
    kernels.use(level)
    vectors, books = made(seed, n, groups, shared)
    found = np.empty((n, groups), np.uint8)
    halves = np.einsum("gdv,gdv->gv", books, books) / 2
    codes.encode(vectors, books, halves, found)
    every = np.broadcast_to(books, (groups, 8, 256)).astype(np.float64)
    parts = vectors.reshape(n, groups, 8).astype(np.float64)
    distances = np.square(parts[..., None] - every[None]).sum(axis=2)
    at = np.take_along_axis(distances, found[..., None].astype(np.int64), axis=2)[..., 0]
    np.testing.assert_allclose(at, distances.min(axis=2), rtol=1e-4, atol=1e-4)

    points = np.empty_like(vectors)
    codes.decode(found, books, points)
    named = np.take_along_axis(
        every[None].repeat(n, axis=0), found[:, :, None, None].astype(np.int64), axis=3
    )[..., 0]
    np.testing.assert_array_equal(points, named.reshape(n, -1).astype(np.float32))

    records = np.concatenate([found, np.full((n, 3), 255, np.uint8)], axis=1)
    sums = np.empty(n, np.float32)
    codes.sums(vectors[0], books, records, sums)
    np.testing.assert_allclose(sums, points @ vectors[0].astype(np.float64), rtol=1e-4, atol=1e-3)


@given(seed=st.integers(0, 2**32 - 1), width=st.integers(1, 100), rounds=st.integers(0, 4))
def test_a_rotation_keeps_lengths_and_angles(seed: int, width: int, rounds: int) -> None:
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(5, width)).astype(np.float32)
    signs = rng.choice(np.array([-1, 1], np.float32), (rounds, width))
    turned = vectors.copy()
    codes.rotate(turned, signs)
    np.testing.assert_allclose(turned @ turned.T, vectors @ vectors.T, rtol=1e-3, atol=1e-3)


def test_a_rotation_by_hand() -> None:
    vectors = np.array([[1, 2, 3]], np.float32)
    codes.rotate(vectors, np.array([[1, -1, 1], [-1, 1, 1]], np.float32))
    # (1, -2 | 3) -> (-1, 3 | 3) / sqrt 2; then (1, 3 | 3 sqrt 2) of which the last two are mixed.
    first = np.array([-1, 3]) / np.sqrt(2)
    rest = np.array([first[1] + 3, first[1] - 3]) / np.sqrt(2)
    np.testing.assert_allclose(vectors[0], [-first[0], *rest], rtol=1e-6)


def test_shapes_that_disagree_are_refused() -> None:
    vectors, books = made(1, 2, 3, False)
    with pytest.raises(ValueError, match="24 wide, codes have 2 groups"):
        codes.encode(vectors, books, np.zeros((3, 256), np.float32), np.zeros((2, 2), np.uint8))
    with pytest.raises(ValueError, match="books are 2 x 8 x 256"):
        codes.decode(np.zeros((2, 3), np.uint8), books[:2], vectors)
    with pytest.raises(ValueError, match="3 wide, signs 4"):
        codes.rotate(np.zeros((1, 3), np.float32), np.ones((1, 4), np.float32))
