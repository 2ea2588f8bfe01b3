"""Every instruction set that this machine has gives the distances of the definition."""

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from longspan.cext import kernels
from longspan.indexer.store.space import inverse_norms
from tests.reference import DTYPES

CODES = {"f32": 0, "f16": 1, "u8": 2, "i8": 3}
LEVELS = kernels.available()


@pytest.fixture(autouse=True)
def restore_level() -> Iterator[None]:
    before = kernels.active_name()
    yield
    kernels.use(before)


def make(seed: int, dtype: str, n: int, dim: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    if dtype in ("u8", "i8"):
        limits = np.iinfo(DTYPES[dtype])
        rows = rng.integers(limits.min, limits.max + 1, (n + 1, dim)).astype(DTYPES[dtype])
        return rows[0], rows[1:]
    rows = rng.normal(size=(n + 1, dim)).astype(DTYPES[dtype])
    return rows[0].astype(np.float32), rows[1:]


def run(dot: bool, dtype: str, query: np.ndarray, rows: np.ndarray) -> np.ndarray:
    out = np.full(len(rows), np.nan, np.float32)
    flat = np.ascontiguousarray(rows).view(np.uint8).ravel()
    kernels.distances(dot, CODES[dtype], query.view(np.uint8), flat, rows.shape[1], out)
    return out


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("dtype", CODES)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(1, 9), dim=st.integers(1, 130))
def test_distances_are_those_of_the_definition(
    level: str, dtype: str, seed: int, n: int, dim: int
) -> None:
    kernels.use(level)
    query, rows = make(seed, dtype, n, dim)
    q, x = query.astype(np.float64), rows.astype(np.float64)
    np.testing.assert_allclose(
        run(False, dtype, query, rows), ((x - q) ** 2).sum(axis=1), rtol=1e-5, atol=1e-5
    )
    np.testing.assert_allclose(run(True, dtype, query, rows), x @ q, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("dtype", CODES)
@given(seed=st.integers(0, 2**32 - 1), dim=st.integers(1, 400))
def test_an_inverse_norm_is_the_one_that_the_indexer_stores(
    level: str, dtype: str, seed: int, dim: int
) -> None:
    kernels.use(level)
    _, rows = make(seed, dtype, 1, dim)
    lengths = np.empty(1)
    kernels.squares(CODES[dtype], rows.view(np.uint8).reshape(1, -1), lengths)
    length = np.linalg.norm(rows[0].astype(np.float64))
    np.testing.assert_allclose(lengths[0], length**2, rtol=1e-12)
    if length > 0:
        assert inverse_norms(rows)[0] == np.float32(1 / length)


@pytest.mark.parametrize("level", LEVELS)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(0, 9), dim=st.integers(1, 300))
def test_dot_products_of_bytes_are_exact(level: str, seed: int, n: int, dim: int) -> None:
    kernels.use(level)
    rng = np.random.default_rng(seed)
    query = rng.integers(0, 128, dim, dtype=np.uint8)
    rows = rng.integers(-128, 128, (n, dim), dtype=np.int8)
    query[: dim // 2], rows[:, : dim // 2] = 127, -128  # the largest products side by side
    found = np.empty(n, np.float32)
    kernels.byte_dots(query, rows, found)
    np.testing.assert_array_equal(found, rows.astype(np.int64) @ query.astype(np.int64))


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize(("dtype", "low", "high"), [("u8", 0, 255), ("i8", -128, 127)])
def test_the_largest_differences_do_not_overflow(
    level: str, dtype: str, low: int, high: int
) -> None:
    kernels.use(level)
    dim = 16_384
    query, rows = np.full(dim, low, DTYPES[dtype]), np.full((5, dim), high, DTYPES[dtype])
    assert run(False, dtype, query, rows).tolist() == [float(255**2 * dim)] * 5
    assert run(True, dtype, query, rows).tolist() == [float(low * high * dim)] * 5


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("dtype", CODES)
def test_a_row_has_one_distance_wherever_it_stands(level: str, dtype: str) -> None:
    kernels.use(level)
    query, rows = make(7, dtype, 1, 100)
    found = run(False, dtype, query, np.repeat(rows, 7, axis=0))
    assert len(set(found.tolist())) == 1


@pytest.mark.parametrize("level", LEVELS)
def test_halves_are_read_down_to_the_smallest(level: str) -> None:
    kernels.use(level)
    every = np.arange(2**16, dtype=np.uint16).view(np.float16)
    rows = every[np.isfinite(every)][:, None]
    found = run(True, "f16", np.ones(1, np.float32), rows)
    np.testing.assert_array_equal(found, rows[:, 0].astype(np.float32))


def test_an_unknown_instruction_set_is_refused() -> None:
    with pytest.raises(ValueError, match="'sse9' is not available here"):
        kernels.use("sse9")


def test_rows_of_another_length_are_refused() -> None:
    with pytest.raises(ValueError, match="rows 12"):
        kernels.distances(
            False, 2, np.zeros(4, np.uint8), np.zeros(12, np.uint8), 4, np.zeros(4, np.float32)
        )
