"""A walk down the head tree finds the nearest heads: all of them when the beam is wide enough."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from longspan.cext.tree import HeadTree
from longspan.indexer.store.grid import Grid
from longspan.indexer.store.space import CODES, DTYPES

NOBODY = 2**32 - 1
F32 = 0


def grow(rng: np.random.Generator, fans: list[int], dim: int) -> tuple[HeadTree, np.ndarray]:
    """A random tree whose inner nodes are the means of what lies under them."""
    heads = rng.normal(size=(int(np.prod(fans)), dim)).astype(np.float32)
    levels = [heads]
    for fan in reversed(fans[1:]):
        levels.append(levels[-1].reshape(-1, fan, dim).mean(axis=1))
    inner = np.concatenate([*levels[:0:-1], np.empty((0, dim), np.float32)])
    fan_of = np.repeat(fans[1:], [len(level) for level in levels[:0:-1]])
    children = fans[0] + np.concatenate([[0], np.cumsum(fan_of)])
    sizes = tuple(len(level) for level in levels[::-1])
    tree = HeadTree(as_bytes(inner), as_bytes(heads), children.astype(np.uint32), F32, dim, sizes)
    return tree, heads


def as_bytes(rows: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(rows).view(np.uint8).reshape(len(rows), rows.shape[1] * 4)


def walk(
    tree: HeadTree, queries: np.ndarray, beam: list[int], m: int
) -> tuple[np.ndarray, np.ndarray, int]:
    dist = np.empty((len(queries), m), np.float32)
    found = np.empty((len(queries), m), np.uint32)
    scored = tree.nearest(as_bytes(queries), np.array(beam, np.uint32), dist, found)
    return found, dist, scored


@given(
    seed=st.integers(0, 2**32 - 1),
    fans=st.lists(st.integers(1, 6), min_size=1, max_size=3),
    m=st.integers(1, 40),
    widest=st.sampled_from([1000, 2**31, 2**32 - 1]),
)
def test_a_full_beam_finds_the_nearest_heads(
    seed: int, fans: list[int], m: int, widest: int
) -> None:
    rng = np.random.default_rng(seed)
    tree, heads = grow(rng, fans, 5)
    queries = rng.normal(size=(3, 5)).astype(np.float32)
    found, dist, _ = walk(tree, queries, [widest] * (len(fans) - 1), m)
    true = np.sort(((queries[:, None] - heads[None]) ** 2).sum(axis=2), axis=1)[:, :m]
    kept = true.shape[1]
    np.testing.assert_allclose(dist[:, :kept], true, rtol=1e-5)
    assert (found[:, :kept] < len(heads)).all()
    assert (found[:, kept:] == NOBODY).all()
    assert np.isinf(dist[:, kept:]).all()


@pytest.mark.parametrize("dtype", ["f32", "u8", "i8"])
@given(seed=st.integers(0, 2**32 - 1), fans=st.lists(st.integers(1, 6), min_size=1, max_size=3))
def test_nodes_on_a_grid_are_as_far_as_where_they_lie(
    dtype: str, seed: int, fans: list[int]
) -> None:
    rng, dim = np.random.default_rng(seed), 21
    _, heads = grow(rng, fans, dim)
    counts = np.cumprod(fans)
    nodes = [rng.normal(size=(count, dim)) * rng.random(dim) * 9 + 40 for count in counts[:-1]]
    every = np.concatenate([*nodes, heads * 9 + 40]).astype(np.float32)
    grid = Grid.spanning([every]) if dtype == "f32" else Grid.of_integers(dtype, dim)
    rounded = grid.round(every)
    children = counts[0] + np.concatenate([[0], np.cumsum(np.repeat(fans[1:], counts[:-1]))])
    inner = len(every) - len(heads)
    tree = HeadTree(
        rounded[:inner].view(np.uint8),
        rounded[inner:].view(np.uint8),
        children.astype(np.uint32),
        CODES[dtype],
        dim,
        tuple(counts.tolist()),
        grid.offsets,
        grid.steps,
        *grid.scalars(rounded),
    )
    query = rng.integers(0, 128, dim).astype(DTYPES[dtype])
    dist, found = np.empty((1, len(heads)), np.float32), np.empty((1, len(heads)), np.uint32)
    beam = np.full(len(fans) - 1, 1000, np.uint32)
    tree.nearest(query[None].view(np.uint8).reshape(1, -1), beam, dist, found)
    assert sorted(found[0]) == list(range(len(heads)))
    away = grid.values(rounded[inner:])[found[0]] - query.astype(np.float64)
    # A value of the query stands for one of 128 that lie a step apart.
    weights = (query - grid.offsets) * grid.steps
    step = np.ptp(weights) / 127
    allowed = step * np.abs(rounded[inner:][found[0]].astype(np.int64)).sum(axis=1)
    exact = np.square(away).sum(axis=1)
    assert (np.abs(dist[0] - exact) <= allowed + 1e-5 * exact + 0.1).all()


def test_each_node_is_scored_once_and_no_other() -> None:
    tree, _ = grow(np.random.default_rng(1), [4, 3, 5], 5)
    _, _, scored = walk(tree, np.zeros((1, 5), np.float32), [2, 3], 10)
    assert scored == 4 + 2 * 3 + 3 * 5


def test_a_narrow_beam_gives_only_heads_under_the_nodes_it_expands() -> None:
    heads = np.array([[0.0], [1.0], [10.0], [11.0]], np.float32)
    inner = np.array([[0.5], [10.5]], np.float32)
    tree = HeadTree(
        as_bytes(inner), as_bytes(heads), np.array([2, 4, 6], np.uint32), F32, 1, (2, 4)
    )
    found, dist, _ = walk(tree, np.array([[9.0]], np.float32), [1], 3)
    assert found.tolist() == [[2, 3, NOBODY]]
    assert dist[0, :2].tolist() == [1.0, 4.0]


@pytest.mark.parametrize(
    ("children", "message"),
    [
        ([2, 4], "children has 2"),
        ([2, 4, 7], "children end at 7"),
        ([2, 2, 6], "inner node 0 has children 2 to 2"),
        ([0, 4, 6], "inner node 0 has children 0 to 4"),
    ],
)
def test_children_that_do_not_fit_are_refused(children: list[int], message: str) -> None:
    inner, heads = np.zeros((2, 4), np.uint8), np.zeros((4, 4), np.uint8)
    with pytest.raises(ValueError, match=message):
        HeadTree(inner, heads, np.array(children, np.uint32), F32, 1, (2, 4))


@pytest.mark.parametrize("levels", [(4,), (1, 4), (2, 3), (2, 2, 4), (2, 5), (3, 4)])
def test_levels_that_do_not_fit_the_children_are_refused(levels: tuple[int, ...]) -> None:
    inner, heads = np.zeros((2, 4), np.uint8), np.zeros((4, 4), np.uint8)
    with pytest.raises(ValueError, match="do not fit"):
        HeadTree(inner, heads, np.array([2, 4, 6], np.uint32), F32, 1, levels)


@pytest.mark.parametrize("levels", [(), (0, 2, 4), (2, -4)])
def test_a_level_without_nodes_is_refused(levels: tuple[int, ...]) -> None:
    inner, heads = np.zeros((2, 4), np.uint8), np.zeros((4, 4), np.uint8)
    with pytest.raises(ValueError, match="nodes in each"):
        HeadTree(inner, heads, np.array([2, 4, 6], np.uint32), F32, 1, levels)


def test_children_that_jump_a_level_are_refused() -> None:
    rng = np.random.default_rng(1)
    heads = rng.normal(size=(12, 1)).astype(np.float32)
    inner = rng.normal(size=(2 + 4, 1)).astype(np.float32)
    good = [2, 4, 6, 9, 12, 15, 18]
    HeadTree(as_bytes(inner), as_bytes(heads), np.array(good, np.uint32), F32, 1, (2, 4, 12))
    for place in (0, 2):
        bad = np.array(good, np.uint32)
        bad[place] += 1
        with pytest.raises(ValueError, match="do not fit"):
            HeadTree(as_bytes(inner), as_bytes(heads), bad, F32, 1, (2, 4, 12))


@pytest.mark.parametrize(("beam", "message"), [([], "0 beams"), ([1, 1], "2 beams"), ([0], "is 0")])
def test_a_beam_that_does_not_fit_the_levels_is_refused(beam: list[int], message: str) -> None:
    tree, _ = grow(np.random.default_rng(1), [4, 3], 5)
    with pytest.raises(ValueError, match=message):
        walk(tree, np.zeros((1, 5), np.float32), beam, 10)
