"""The generator: each set is the beginning of the next, and spread as what it grew from."""

from pathlib import Path

import grow
import numpy as np

from longspan.indexer.reader import open_vectors
from tests.data import clusters


def test_a_grown_set_begins_with_its_base_and_with_a_smaller_set(tmp_path: Path) -> None:
    base = clusters(np.random.default_rng(1), 3000, 16).base
    rows = []
    for n in (2000, 5000, 8000):
        grow.write(tmp_path / f"{n}.fbin", base, n, seed=1)
        rows.append(open_vectors(tmp_path / f"{n}.fbin").rows(0, n))
    np.testing.assert_array_equal(rows[0], base[:2000])
    np.testing.assert_array_equal(rows[1][:3000], base)
    np.testing.assert_allclose(rows[2][3000:5000], rows[1][3000:], rtol=1e-5)
    assert len(np.unique(rows[2], axis=0)) == 8000


def test_weights_keep_mean_and_spread(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    base = rng.normal(size=(4000, 8)).astype(np.float32)
    near = rng.integers(0, len(base), (20_000, grow.NEAR + 1)).astype(np.int32)
    made = grow.block(base, near, [1, 0])
    np.testing.assert_allclose(made.mean(axis=0), base.mean(axis=0), atol=0.05)
    np.testing.assert_allclose(made.std(axis=0), base.std(axis=0), rtol=0.05)


def test_the_dimensionality_is_that_of_a_ball() -> None:
    rng = np.random.default_rng(3)
    far = np.sort(rng.random((2000, 100)) ** (1 / 7), axis=1)  # distances in 7 dimensions
    assert abs(grow.shape_of((far**2).astype(np.float32))["lid"] - 7) < 0.3
