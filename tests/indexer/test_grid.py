"""The grid of heads: whole numbers lie on one, floats where it is fine enough for clusters."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from longspan.indexer import build
from longspan.indexer.config import BuildConfig
from longspan.indexer.store.grid import Grid
from longspan.indexer.store.heads import GRID, HEADS, SCALARS, load_grid
from longspan.service import Index


@pytest.mark.parametrize(("dtype", "low"), [("u8", 0), ("i8", -128)])
def test_whole_numbers_lie_on_their_grid(dtype: str, low: int) -> None:
    every = np.arange(low, low + 256, dtype=np.float32)[:, None]
    grid = Grid.of_integers(dtype, 1)
    rounded = grid.round(every)
    assert rounded[:, 0].tolist() == list(range(-128, 128))
    np.testing.assert_array_equal(grid.values(rounded), every)


@given(seed=st.integers(0, 2**32 - 1), n=st.integers(1, 9), exponent=st.integers(-15, 17))
def test_nodes_are_rounded_by_half_a_step_at_most(seed: int, n: int, exponent: int) -> None:
    rng = np.random.default_rng(seed)
    nodes = (rng.normal(size=(n, 5)) * [1, 10, 0, 1e-3, 1] * 10.0**exponent).astype(np.float32)
    grid = Grid.spanning([nodes[:1], nodes])
    found = grid.values(grid.round(nodes))
    assert (np.abs(found - nodes) <= 0.501 * grid.steps + 1e-6 * np.abs(nodes)).all()
    squares, sums = grid.scalars(grid.round(nodes))
    beside = (grid.round(nodes) * grid.steps).astype(np.float64)
    np.testing.assert_allclose(squares, np.square(beside).sum(axis=1), rtol=1e-5)
    np.testing.assert_array_equal(sums, grid.round(nodes).sum(axis=1, dtype=int))


@pytest.mark.parametrize("metric", ["l2", "cosine", "ip"])
def test_heads_of_floats_lie_on_a_grid(tmp_path: Path, metric: str) -> None:
    base = np.random.default_rng(1).normal(size=(2500, 24)).astype(np.float32)
    made(base, tmp_path, metric)
    grid = load_grid(tmp_path / "index")
    assert grid is not None
    heads = np.load(tmp_path / "index" / HEADS)
    assert heads.dtype == np.int8
    assert np.load(tmp_path / "index" / SCALARS).shape[1] > len(heads)
    assert recall(base, tmp_path / "index", metric) >= 0.93


def test_heads_stay_floats_where_clusters_are_small_beside_the_space(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    far = 1e4 * rng.normal(size=(6, 24))
    base = (np.repeat(far, 400, axis=0) + rng.normal(size=(2400, 24))).astype(np.float32)
    made(base, tmp_path, "l2")
    assert not (tmp_path / "index" / GRID).exists()
    assert np.load(tmp_path / "index" / HEADS).dtype == np.float32
    assert recall(base, tmp_path / "index", "l2") >= 0.93


def made(base: np.ndarray, folder: Path, metric: str) -> None:
    np.save(folder / "base.npy", base)
    config = BuildConfig(codec="pq", heads=500, calibration=60)
    build(folder / "base.npy", folder / "index", metric=metric, threads=1, config=config)


def recall(base: np.ndarray, path: Path, metric: str) -> float:
    """Return the share of the ten nearest that are found of .95, by fresh queries of the kind."""
    rng = np.random.default_rng(2)
    queries = base[rng.choice(len(base), 200)] + rng.normal(size=(200, base.shape[1])) / 10
    queries, dots = queries.astype(np.float32), queries @ base.T.astype(np.float64)
    squares = np.square(base, dtype=np.float64).sum(axis=1)
    near = {"ip": -dots, "cosine": -dots / np.sqrt(squares), "l2": squares - 2 * dots}[metric]
    true = np.argsort(near, axis=1)[:, :10]
    with Index.open(path) as index:
        ids = index.search(queries, 10, 0.95).ids
    return float(np.mean([len(np.intersect1d(*pair)) / 10 for pair in zip(ids, true, strict=True)]))
