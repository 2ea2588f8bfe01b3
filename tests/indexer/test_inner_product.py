"""Inner product: where vectors are clustered, and what of a posting a search compares."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from longspan.indexer.reader.norms import FARTHEST, unevenness_of
from longspan.indexer.reader.opening import open_vectors
from longspan.indexer.stages.tree import blocks_of, means_above
from longspan.indexer.store.heads import Heads
from longspan.indexer.store.manifest import Manifest
from longspan.indexer.store.opened import Parts
from longspan.indexer.store.space import REACH, UNEVEN, HeadSpace, radius_for
from longspan.service import Index
from tests.builds import built_index

DIM = 8


def space_for(base: np.ndarray, unevenness: float = 0.0) -> HeadSpace:
    longest = float(np.linalg.norm(base, axis=1).max())
    return HeadSpace("ip", "f32", base.shape[1], radius_for(longest, base.shape[1]), unevenness)


def uneven(n: int, dim: int = DIM, sigma: float = 1.5, seed: int = 1) -> np.ndarray:
    rng = np.random.default_rng(seed)
    lengths = rng.lognormal(0, sigma, (n, 1))
    return (rng.normal(size=(n, dim)) * lengths).astype(np.float32)


def reach(base: np.ndarray, space: HeadSpace) -> float:
    """Return how far the greatest inner products of some vectors are from the mean, by hand."""
    lifted = space.lift(base).astype(np.float64)
    return REACH * float(np.sqrt(lifted.var(axis=0).sum() / space.dim))


@given(st.integers(1, 30), st.integers(5, 12), st.floats(0, 3), st.integers(0, 99))
def test_a_head_is_as_far_as_its_mean_and_some_deviations(
    n: int, dim: int, sigma: float, seed: int
) -> None:
    base = uneven(n, dim, sigma, seed)
    space = space_for(np.concatenate([base, uneven(5, dim, sigma, seed + 1)]))
    head = space.stored_heads(space.lift(base).mean(axis=0, keepdims=True))
    query = np.random.default_rng(seed).normal(size=(1, dim)).astype(np.float32)
    found = np.square(space.lift_queries(query) - head, dtype=np.float64).sum()
    along = float(query[0] @ base.mean(axis=0, dtype=np.float64) / np.linalg.norm(query))
    wanted = 2 * space.radius * (space.radius - along - reach(base, space))
    assert found == pytest.approx(wanted, abs=1e-3 * space.radius**2)


def test_uneven_vectors_are_placed_by_direction_and_logarithm() -> None:
    base = np.array([[3, 4], [0, -100], [0, 0]], np.float32)
    even, space = space_for(base), space_for(base, UNEVEN)
    wanted = [[0.6, 0.8, np.log(5)], [0, -1, np.log(100)], [0, 0, np.log(1e-9 * space.radius)]]
    np.testing.assert_allclose(space.place(base), wanted, rtol=1e-6)
    np.testing.assert_array_equal(even.place(base), even.lift(base))
    np.testing.assert_array_equal(space.lift(base), even.lift(base))


def test_one_far_longer_vector_makes_norms_uneven(tmp_path: Path) -> None:
    np.save(tmp_path / "base.npy", uneven(10_000, 64, 0.0))
    vectors = open_vectors(tmp_path / "base.npy")
    typical = unevenness_of(vectors, "ip", 14)
    assert typical < 0.1
    assert unevenness_of(vectors, "ip", 14 * np.e**FARTHEST) == pytest.approx(1, abs=0.1)
    assert unevenness_of(vectors, "l2") == 0


@given(
    st.lists(st.lists(st.integers(1, 9), min_size=1, max_size=9), min_size=1, max_size=9),
    st.integers(1, 12),
)
def test_a_block_has_fewer_than_so_many_besides_its_first(
    families: list[list[int]], most: int
) -> None:
    sizes = np.array([size for family in families for size in family])
    blocks = list(blocks_of(sizes, most))
    assert [at for block in blocks for at in range(block.start, block.stop)] == [*range(len(sizes))]
    assert all(sizes[block][1:].sum() < most for block in blocks)


def test_means_of_nodes_are_those_of_all_below() -> None:
    rng = np.random.default_rng(1)
    heads, counts = rng.normal(size=(7, 3)).astype(np.float32), np.array([1, 5, 2, 1, 9, 3, 4])
    top, low = means_above(heads, counts, [np.array([2, 1]), np.array([3, 1, 3])])
    below = [np.average(heads[at], axis=0, weights=counts[at]) for at in np.split(range(7), [3, 4])]
    np.testing.assert_allclose(low, below, rtol=1e-6)
    above = [np.average(heads[:4], axis=0, weights=counts[:4]), below[2]]
    np.testing.assert_allclose(top, above, rtol=1e-6)


@pytest.mark.parametrize("codec", ["raw", "rabitq"])
def test_heads_of_uneven_vectors_lie_at_the_means_of_their_postings(
    tmp_path: Path, codec: str
) -> None:
    base = uneven(3000)
    index = built_index(tmp_path, base, metric="ip", codec=codec, heads=40, calibration=50)
    manifest = Manifest.read(index)
    space = HeadSpace("ip", "f32", DIM, manifest.radius)
    heads = Heads(index, space, manifest.levels)
    parts = Parts(index, space, heads, None, manifest.shards)
    lifted = space.lift(base[np.load(index / "ids.npy")])
    ends = np.cumsum(parts.primary)
    means = [rows.mean(axis=0, dtype=np.float64) for rows in np.split(lifted, ends[:-1])]
    wanted = space.stored_heads(np.array(means, np.float32))
    np.testing.assert_allclose(np.load(index / "heads.npy"), wanted, rtol=1e-3, atol=1e-3)
    with Index.open(index) as opened:
        queries = uneven(50, seed=2)
        answer = opened.search(queries, 10, 0.95, stats=True)
        every = opened.search(queries, 10, 1.0)
    assert (answer.distances <= every.distances[:, -1:] * (1 - 1e-6)).mean() >= 0.94
    assert answer.stats is not None
    assert answer.stats.postings_read < 0.3 * manifest.heads * len(queries)
