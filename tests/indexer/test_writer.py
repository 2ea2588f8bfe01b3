"""Writing vectors: every format and type is read again as it was, and what does not fit is not."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from longspan.indexer.errors import BadConfig, BadFile, DamagedIndex, IndexExists
from longspan.indexer.reader import open_vectors
from longspan.indexer.reader.ids import read_ids, write_ids
from longspan.indexer.tools.convert import convert
from longspan.indexer.tools.stored import open_stored
from longspan.indexer.tools.writer import FORMATS, writing
from tests.reference import DTYPES

Array = np.ndarray[Any, Any]
PAIRS = [(suffix, dtype) for suffix, known in FORMATS.items() for dtype in known.dtypes]


def saved(path: Path, vectors: Array) -> Path:
    np.save(path, vectors)
    return path


def read(path: Path) -> Array:
    vectors = open_vectors(path)
    return vectors.rows(0, vectors.n)


@pytest.mark.parametrize(("suffix", "dtype"), PAIRS)
def test_whole_numbers_pass_through_every_format_and_type(
    tmp_path: Path, rng: np.random.Generator, suffix: str, dtype: str
) -> None:
    wanted = rng.integers(0, 128, (3000, 700)).astype(np.float32)  # two chunks
    done = convert(saved(tmp_path / "in.npy", wanted), tmp_path / f"out{suffix}", dtype=dtype)
    assert (done.n, done.dim, done.dtype) == (3000, 700, dtype)
    found = read(tmp_path / f"out{suffix}")
    assert found.dtype == DTYPES[dtype]
    np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize(
    ("value", "given", "dtype", "found"),
    [
        (0.5, "f32", "u8", "0.5"),
        (-1, "f32", "u8", "-1"),
        (256, "f16", "u8", "256"),
        (128, "u8", "i8", "128"),
        (-1, "i8", "u8", "-1"),
        (70000, "f32", "f16", "70000"),
        (1e30, "f32", "i8", "1e+30"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_with_its_row(
    tmp_path: Path, value: float, given: str, dtype: str, found: str
) -> None:
    vectors = np.ones((40, 3), DTYPES[given])
    vectors[31, 2] = value
    source = saved(tmp_path / "in.npy", vectors)
    with pytest.raises(BadFile, match=rf"in.npy: row 31 has {found.replace('+', '.')} in dim.* 2,"):
        convert(source, tmp_path / "out.npy", dtype=dtype)
    with pytest.raises(BadFile, match="row 31"):
        convert(source, tmp_path / "out.npy", dtype=dtype, sample=40)
    assert [path.name for path in tmp_path.iterdir()] == ["in.npy"]


def test_fractions_are_rounded_to_the_precision_of_f16(tmp_path: Path) -> None:
    wanted = np.array([[0.1, 1 / 3, 65504, 1e-9]], np.float32)
    convert(saved(tmp_path / "in.npy", wanted), tmp_path / "out.npy", dtype="f16")
    np.testing.assert_array_equal(read(tmp_path / "out.npy"), wanted.astype(np.float16))


def test_a_sample_is_of_different_rows_in_their_order_and_the_same_each_time(
    tmp_path: Path,
) -> None:
    source = saved(tmp_path / "in.npy", np.arange(3000, dtype=np.float32)[:, None])
    for name, seed in (("a.npy", 4), ("b.npy", 4), ("c.npy", 5)):
        convert(source, tmp_path / name, limit=2000, sample=900, seed=seed)
    drawn = [read(tmp_path / name)[:, 0] for name in ("a.npy", "b.npy", "c.npy")]
    assert len(drawn[0]) == 900
    assert (np.diff(drawn[0]) > 0).all()
    assert drawn[0][-1] < 2000
    np.testing.assert_array_equal(drawn[0], drawn[1])
    assert (drawn[0] != drawn[2]).any()


def test_a_sample_larger_than_what_there_is_is_refused(tmp_path: Path) -> None:
    source = saved(tmp_path / "in.npy", np.ones((50, 2), np.float32))
    with pytest.raises(BadConfig, match=r"sample is 41, .*in.npy has 40"):
        convert(source, tmp_path / "out.npy", limit=40, sample=41)


@pytest.mark.parametrize(
    ("name", "dtype", "error", "words"),
    [
        ("out.csv", None, BadFile, r"'\.csv', wanted one of \.npy"),
        ("out.u8bin", "f32", BadConfig, "a .u8bin file holds u8, f32 was wanted"),
        ("none/out.npy", None, BadFile, "folder"),
        ("in.npy", None, IndexExists, "already exists"),
    ],
)
def test_a_bad_target_is_refused(
    tmp_path: Path, name: str, dtype: str | None, error: type[Exception], words: str
) -> None:
    source = saved(tmp_path / "in.npy", np.ones((5, 2), np.float32))
    with pytest.raises(error, match=words):
        convert(source, tmp_path / name, dtype=dtype)
    assert [path.name for path in tmp_path.iterdir()] == ["in.npy"]


def test_a_file_that_got_fewer_rows_than_promised_does_not_appear(tmp_path: Path) -> None:
    with (
        pytest.raises(Exception, match="please report"),
        writing(tmp_path / "out.fbin", 3, 2, "f32") as write,
    ):
        write(np.ones((2, 2), np.float32))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("metric", ["l2", "cosine"])
@pytest.mark.parametrize("codec", ["raw", "pq"])
def test_the_vectors_of_an_index_come_out_by_row_with_their_ids(
    tmp_path: Path, tmp_index: Any, rng: np.random.Generator, codec: str, metric: str
) -> None:
    vectors = rng.normal(size=(700, 16)).astype(np.float16)
    ids = rng.permutation(10_000)[:700]
    index = tmp_index(vectors, ids=ids, codec=codec, metric=metric, calibration=10, seed=2)
    convert(index, tmp_path / "out.npy", ids=tmp_path / "ids.npy")
    names = read_ids(tmp_path / "ids.npy", 700)
    np.testing.assert_array_equal(names, np.load(index / "ids.npy"))
    by_id = {int(name): vector for name, vector in zip(ids, vectors, strict=True)}
    np.testing.assert_array_equal(read(tmp_path / "out.npy"), [by_id[int(name)] for name in names])
    convert(index, tmp_path / "part.npy", sample=90, ids=tmp_path / "part.txt")
    part = read_ids(tmp_path / "part.txt", 90)
    np.testing.assert_array_equal(read(tmp_path / "part.npy"), [by_id[int(name)] for name in part])


def test_a_damaged_posting_is_found_when_it_is_read(
    tmp_path: Path, tmp_index: Any, rng: np.random.Generator
) -> None:
    index = tmp_index(rng.normal(size=(300, 16)).astype(np.float32), calibration=10)
    offset = int(np.load(index / "directory.npy")["offset"][5])
    with (index / "postings-0000.lmdb").open("r+b") as file:
        file.seek(offset)
        byte = file.read(1)[0]
        file.seek(offset)
        file.write(bytes([byte ^ 1]))
    stored = open_stored(index)
    with pytest.raises(DamagedIndex, match="posting 5: its checksum"):
        stored.take(np.arange(300))
    (index / "ids.npy").unlink()
    with pytest.raises(DamagedIndex, match=r"ids\.npy: is missing"):
        open_stored(index)


def test_only_an_index_has_ids_and_they_have_a_file_of_their_own(
    tmp_path: Path, tiny_index: Any
) -> None:
    source = saved(tmp_path / "in.npy", np.ones((5, 2), np.float32))
    with pytest.raises(BadConfig, match="only an index has ids"):
        convert(source, tmp_path / "out.npy", ids=tmp_path / "ids.npy")
    with pytest.raises(BadConfig, match="named for the vectors and for their ids"):
        convert(tiny_index(), tmp_path / "out.npy", ids=tmp_path / "out.npy")
    (tmp_path / "ids.txt").write_text("mine")
    with pytest.raises(IndexExists, match=r"ids\.txt"):
        convert(tiny_index(), tmp_path / "out.npy", ids=tmp_path / "ids.txt")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ids.txt", "in.npy"]


def test_the_largest_ids_survive_both_kinds_of_file(tmp_path: Path) -> None:
    ids = np.array([2**63 - 1, 0, 2**53 + 1])
    for name in ("ids.npy", "ids.txt"):
        write_ids(tmp_path / name, ids)
        np.testing.assert_array_equal(read_ids(tmp_path / name, 3), ids)
