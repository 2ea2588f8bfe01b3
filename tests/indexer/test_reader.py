"""Files of vectors: every format, and everything that can be wrong with one."""

import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from longspan.indexer.errors import BadFile
from longspan.indexer.reader import open_vectors
from tests.reference import DTYPES

Array = np.ndarray[Any, Any]

SUFFIXES = {".fbin": "f32", ".u8bin": "u8", ".i8bin": "i8", ".fvecs": "f32", ".bvecs": "u8"}


def write(path: Path, vectors: Array) -> Path:
    """Write the vectors in the format of the suffix, independently of the package."""
    if path.suffix == ".npy":
        np.save(path, vectors)
    elif path.suffix.endswith("bin"):
        path.write_bytes(struct.pack("<II", *vectors.shape) + vectors.tobytes())
    else:
        dim = struct.pack("<i", vectors.shape[1])
        path.write_bytes(b"".join(dim + row.tobytes() for row in vectors))
    return path


def some(dtype: str, n: int = 37, dim: int = 5) -> Array:
    values = np.random.default_rng(7).uniform(0, 100, size=(n, dim))
    return values.astype(DTYPES[dtype])


def refused(path: Path, *words: str) -> None:
    """Check that opening and reading all of the file is refused, with these words and its name."""
    with pytest.raises(BadFile) as error:
        vectors = open_vectors(path)
        vectors.rows(0, vectors.n)
    for word in (str(path), *words):
        assert word in str(error.value)


@pytest.mark.parametrize(
    ("suffix", "dtype"), [*((".npy", dtype) for dtype in DTYPES), *SUFFIXES.items()]
)
def test_every_format_gives_back_what_was_written(tmp_path: Path, suffix: str, dtype: str) -> None:
    wanted = some(dtype)
    vectors = open_vectors(write(tmp_path / f"base{suffix}", wanted))
    assert (vectors.n, vectors.dim, vectors.dtype_name) == (37, 5, dtype)
    assert vectors.dtype == DTYPES[dtype]
    found = vectors.rows(3, 20)
    assert found.flags.c_contiguous
    assert found.flags.aligned
    assert found.dtype == DTYPES[dtype]
    np.testing.assert_array_equal(found, wanted[3:20])
    rows = np.array([0, 4, 4, 36])
    np.testing.assert_array_equal(vectors.take(rows), wanted[rows])
    assert vectors.take(rows[:0]).shape == (0, 5)


def test_a_suffix_in_capitals_is_known(tmp_path: Path) -> None:
    path = write(tmp_path / "base.fvecs", some("f32"))
    assert open_vectors(path.rename(tmp_path / "BASE.FVECS")).n == 37


def test_rows_far_apart_are_taken_as_well(tmp_path: Path) -> None:
    wanted = some("f32", n=40_000, dim=64)  # 256 bytes a row, so 10 MB
    vectors = open_vectors(write(tmp_path / "base.fbin", wanted))
    rows = np.array([0, 20_000, 39_999])
    np.testing.assert_array_equal(vectors.take(rows), wanted[rows])


def test_released_rows_can_be_read_again(tmp_path: Path) -> None:
    wanted = some("f32", n=40_000, dim=64)
    vectors = open_vectors(write(tmp_path / "base.npy", wanted))
    before = vectors.rows(0, vectors.n)
    vectors.release(0, vectors.n)
    vectors.release(5, 6)
    np.testing.assert_array_equal(before, wanted)
    np.testing.assert_array_equal(vectors.rows(100, 200), wanted[100:200])


def test_the_fingerprint_changes_with_a_byte_at_either_end(tmp_path: Path) -> None:
    path = write(tmp_path / "base.u8bin", some("u8", n=50_000))
    prints = [open_vectors(path).fingerprint()]
    for at in (8, -1):
        data = bytearray(path.read_bytes())
        data[at] ^= 1
        path.write_bytes(data)
        prints.append(open_vectors(path).fingerprint())
    assert len({found["sample_sha256"] for found in prints}) == 3
    assert prints[0]["name"] == "base.u8bin"
    assert prints[0]["bytes"] == 8 + 50_000 * 5


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    refused(tmp_path / "base.npy", "no such file")


def test_what_is_neither_file_nor_folder_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "base.npy")
    refused(tmp_path / "base.npy", "not a regular file")


def test_an_unknown_format_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    (tmp_path / "base.csv").write_text("1,2\n")
    refused(tmp_path / "base.csv", "'.csv'", ".npy", ".fbin", ".bvecs")


@pytest.mark.parametrize("suffix", [".npy", *SUFFIXES])
def test_an_empty_file_is_refused(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"base{suffix}"
    path.touch()
    refused(path, "empty")


@pytest.mark.parametrize("suffix", [".npy", *SUFFIXES])
@pytest.mark.parametrize("cut", [1, 11])
def test_a_truncated_file_is_refused(tmp_path: Path, suffix: str, cut: int) -> None:
    path = write(tmp_path / f"base{suffix}", some(SUFFIXES.get(suffix, "f16")))
    path.write_bytes(path.read_bytes()[:-cut])
    refused(path, "truncated")


@pytest.mark.parametrize("suffix", [".npy", *SUFFIXES])
def test_a_file_cut_inside_its_header_is_refused(tmp_path: Path, suffix: str) -> None:
    path = write(tmp_path / f"base{suffix}", some(SUFFIXES.get(suffix, "f32")))
    path.write_bytes(path.read_bytes()[:3])
    refused(path)


@pytest.mark.parametrize("suffix", [".npy", ".fbin"])
def test_a_file_longer_than_its_header_says_is_refused(tmp_path: Path, suffix: str) -> None:
    path = write(tmp_path / f"base{suffix}", some("f32"))
    path.write_bytes(path.read_bytes() + b"\0")
    refused(path, "too long")


@pytest.mark.parametrize(("n", "dim"), [(0, 5), (5, 0)])
@pytest.mark.parametrize("suffix", [".npy", ".fbin"])
def test_no_rows_and_no_dims_are_refused(tmp_path: Path, suffix: str, n: int, dim: int) -> None:
    path = write(tmp_path / f"base{suffix}", np.empty((n, dim), np.float32))
    refused(path, f"{n} vectors of {dim} dims")


@pytest.mark.parametrize("dim", [0, -3])
def test_a_dim_that_is_not_positive_is_refused(tmp_path: Path, dim: int) -> None:
    path = tmp_path / "base.fvecs"
    path.write_bytes(struct.pack("<i", dim) + bytes(16))
    refused(path, f"row 0 has {dim} dims")


@pytest.mark.parametrize("row", [1, 20, 36])
def test_a_row_of_another_dim_is_named(tmp_path: Path, row: int) -> None:
    path = write(tmp_path / "base.bvecs", some("u8"))
    data = bytearray(path.read_bytes())
    data[row * 9 : row * 9 + 4] = struct.pack("<i", 4)
    path.write_bytes(data)
    refused(path, f"row {row} has 4 dims", "wanted 5")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", ["f32", "f16"])
def test_a_value_that_is_not_finite_is_named_with_its_row(
    tmp_path: Path, dtype: str, value: float
) -> None:
    wrong = some(dtype)
    wrong[23, 4] = value
    path = write(tmp_path / "base.npy", wrong)
    refused(path, "row 23", str(value), "dimension 4")
    vectors = open_vectors(path)
    vectors.rows(0, 23)
    with pytest.raises(BadFile, match="row 23 "):
        vectors.rows(20, 30)
    with pytest.raises(BadFile, match="row 23 "):
        vectors.take(np.array([1, 23]))


def test_a_value_that_is_not_finite_is_found_behind_the_first_block(tmp_path: Path) -> None:
    wrong = np.zeros((700_000, 2), np.float32)
    wrong[600_000, 1] = np.nan
    refused(write(tmp_path / "base.fbin", wrong), "row 600000")


@pytest.mark.parametrize(
    ("array", "word"),
    [
        (np.zeros((3, 4)), "float64"),
        (np.zeros((3, 4), ">f4"), ">f4"),
        (np.zeros((3, 4), np.int32), "int32"),
        (np.zeros((3, 4), bool), "bool"),
        (np.zeros(12, np.float32), "(12,)"),
        (np.zeros((3, 2, 2), np.float32), "(3, 2, 2)"),
        (np.asfortranarray(some("f32")), "Fortran"),
        (np.zeros(3, [("a", "f4")]), "'a'"),
    ],
)
def test_other_arrays_are_refused(tmp_path: Path, array: Array, word: str) -> None:
    np.save(tmp_path / "base.npy", array)
    refused(tmp_path / "base.npy", word)


class Trap:
    """Fails the test if it is ever unpickled."""

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str]]:
        return pytest.fail, ("the file was unpickled",)


def test_pickled_objects_are_refused_and_never_unpickled(tmp_path: Path) -> None:
    np.save(tmp_path / "base.npy", np.array([[Trap()]]), allow_pickle=True)
    refused(tmp_path / "base.npy", "dtype('O')")


@pytest.mark.parametrize(
    "data",
    [
        b"not an array at all",
        b"\x93NUMPY\x01\x00\x10\x00{'descr': '<f4'}",
        b"\x93NUMPY\x01\x00\x08\x00((((((((",
        b"\x93NUMPY\x09\x00\x10\x00",
    ],
)
def test_a_wrong_npy_header_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "base.npy").write_bytes(data)
    refused(tmp_path / "base.npy", ".npy")


def test_a_header_that_promises_more_than_memory_is_refused_by_the_size(tmp_path: Path) -> None:
    path = tmp_path / "base.fbin"
    path.write_bytes(struct.pack("<II", 2**32 - 1, 2**32 - 1) + bytes(64))
    refused(path, "truncated", "72 bytes")
