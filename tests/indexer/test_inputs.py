"""HDF5, parquet and folders: what is mapped, what is copied first, what is refused."""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from longspan.indexer import build
from longspan.indexer.errors import BadFile, DoesNotFit
from longspan.indexer.reader import open_vectors
from longspan.indexer.reader.address import Address, parse
from longspan.indexer.reader.ids import read_ids
from tests.indexer.test_reader import some, write
from tests.inputs import hdf5, lists, parquet
from tests.reference import DTYPES


def refused(source: str | Path, *words: str, tmp: Path | None = None) -> None:
    """Check that opening and reading all of an input is refused, with its name and these words."""
    with pytest.raises(BadFile) as error:
        vectors = open_vectors(source, tmp)
        vectors.rows(0, vectors.n)
    for word in words:
        assert word in str(error.value)


def test_an_address_tells_file_and_part_apart(tmp_path: Path) -> None:
    (tmp_path / "parts").mkdir()
    assert parse("a/base.npy") == Address("a/base.npy")
    assert parse(".").name == Path.cwd().name
    assert parse("a::b.npy") == Address("a::b.npy")
    assert parse("g.hdf5::a/b") == Address("g.hdf5", "a/b")
    assert parse(f"{tmp_path}/parts::v") == Address(f"{tmp_path}/parts", "v")
    signed = parse("https://host/x/base.PARQUET?key=a/b.c::v")
    assert signed == Address("https://host/x/base.PARQUET?key=a/b.c", "v")
    assert (signed.suffix, signed.name, signed.remote) == (".parquet", "base.PARQUET::v", True)
    assert parse("memory://base.npy").suffix == ".npy"
    assert parse("s3://bucket/a/x.parquet::v").name == "x.parquet::v"


@pytest.mark.parametrize("userblock", [0, 1024])
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_plain_dataset_is_mapped_where_it_lies(
    tmp_path: Path, dtype: str, userblock: int
) -> None:
    wanted = some(dtype)
    path = hdf5(tmp_path / "base.hdf5", userblock=userblock, test=wanted[:3], train=wanted)
    vectors = open_vectors(path)  # no folder for a copy
    assert vectors.dtype_name == dtype
    np.testing.assert_array_equal(vectors.rows(0, 37), wanted)
    rows = np.array([0, 4, 36])
    np.testing.assert_array_equal(vectors.take(rows), wanted[rows])
    assert vectors.fingerprint()["bytes"] == path.stat().st_size


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_packed_dataset_is_copied_without_a_trace(tmp_path: Path, dtype: str) -> None:
    wanted = some(dtype)
    path = hdf5(tmp_path / "base.h5", packed=True, train=wanted)
    (tmp_path / "tmp").mkdir()
    vectors = open_vectors(path, tmp_path / "tmp")
    path.unlink()
    np.testing.assert_array_equal(vectors.rows(0, 37), wanted)
    assert vectors.fingerprint()["name"] == "base.h5"
    assert list((tmp_path / "tmp").iterdir()) == []
    with pytest.raises(BadFile, match="wanted a folder"):
        open_vectors(hdf5(path, packed=True, train=wanted))
    refused(path, "none: no such folder", tmp=tmp_path / "none")


def test_a_dataset_is_named_or_the_only_one_or_train(tmp_path: Path) -> None:
    wanted = some("f32")
    path = tmp_path / "base.hdf5"
    hdf5(path, a__b=wanted, ids=np.arange(9))
    assert open_vectors(path).n == 37
    assert open_vectors(f"{path}::a/b").n == open_vectors(f"{path}::/a/b").n == 37
    hdf5(path, train=wanted, test=wanted[:5], ids=np.arange(9))
    assert open_vectors(path).n == 37
    assert open_vectors(f"{path}::test").fingerprint()["name"] == "base.hdf5::test"
    refused(f"{path}::ids", "base.hdf5::ids", "in the file: test, train")
    hdf5(path, one=wanted, two=wanted)
    refused(path, "wanted a 2-d dataset", "one, two")


def test_a_dataset_in_huge_chunks_is_read_a_part_at_a_time(tmp_path: Path) -> None:
    wanted = some("u8", n=3_000_000, dim=8)  # 24 MB: three reads
    with h5py.File(tmp_path / "base.h5", "w") as file:
        file.create_dataset("train", data=wanted, chunks=(800_000, 8))
    vectors = open_vectors(tmp_path / "base.h5", tmp_path)
    assert (vectors.rows(0, vectors.n) == wanted).all()


def test_other_hdf5_is_refused(tmp_path: Path) -> None:
    path = hdf5(tmp_path / "base.hdf5", train=some("f32").astype(np.float64))
    refused(path, str(path), "train is an array of dtype('<f8')", "wanted float32")
    refused(hdf5(path, train=np.empty((0, 5), np.float32)), "0 vectors", tmp=tmp_path)
    wrong = some("f32")
    wrong[23, 1] = np.nan
    refused(hdf5(path, packed=True, train=wrong), f"{path}: row 23 has nan", tmp=tmp_path)
    path.write_bytes(hdf5(path, train=some("f32")).read_bytes()[:-100])
    refused(path, "cannot be read")


def test_a_copy_that_the_disk_has_no_room_for_is_refused(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "base.h5", "w") as file:  # no chunk of it is ever written
        file.create_dataset("train", (2**40, 128), np.float32, chunks=(1000, 128))
    with pytest.raises(DoesNotFit, match=f"takes {2**49:,} bytes"):
        open_vectors(tmp_path / "base.h5", tmp_path)


@pytest.mark.parametrize("kind", ["fixed", "list", "large"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_column_of_lists_is_vectors(tmp_path: Path, dtype: str, kind: str) -> None:
    wanted = some(dtype)
    path = tmp_path / "base.parquet"
    parquet(path, group=10, id=np.arange(37), v=lists(wanted, kind), word=["x"] * 37)
    for source in (path, f"{path}::v"):
        vectors = open_vectors(source, tmp_path)
        assert (vectors.dim, vectors.dtype_name) == (5, dtype)
        np.testing.assert_array_equal(vectors.rows(0, vectors.n), wanted)


@pytest.mark.parametrize(
    ("columns", "part", "words"),
    [
        ({"v": some("f32"), "w": some("f32")}, "", ("v (fixed_size_list", "w (fixed_size_list")),
        ({"v": some("f32")}, "::w", ("base.parquet::w", "in the file: v (")),
        ({"v": some("f32").astype(np.float64)}, "", ("v (fixed_size_list<", "double")),
        ({"v": some("f32").astype(np.int64)}, "::v", ("int64", "wanted a column of lists of")),
        ({"v": np.arange(9)}, "", ("v (int64)",)),
        ({"v": pa.array([[1, 2], None, [3, 4]], pa.list_(pa.int8()))}, "", ("row 1 has a null",)),
        ({"v": pa.array([None, [3, 4]], pa.list_(pa.float32()))}, "", ("row 0 has a null",)),
        ({"v": pa.array([[1, 2], [3, None]], pa.list_(pa.int8()))}, "", ("row 1 has a null",)),
        ({"v": pa.array([[1, 2], [3, 4], [5]], pa.list_(pa.int8()))}, "", ("row 2 has 1 dims",)),
        ({"v": pa.array([], pa.list_(pa.int8()))}, "", ("0 vectors of 0 dims",)),
        ({"v": pa.array([[], []], pa.list_(pa.int8()))}, "", ("2 vectors of 0 dims",)),
        ({"v": np.array([[1, np.inf]], np.float32)}, "", ("row 0 has inf in dimension 1",)),
    ],
)  # fmt: skip
def test_other_columns_are_refused(
    tmp_path: Path, columns: dict[str, Any], part: str, words: tuple[str, ...]
) -> None:
    path = parquet(tmp_path / "base.parquet", group=2, **columns)
    refused(f"{path}{part}", str(path), *words, tmp=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["base.parquet"]


def run(code: str, folder: Path, **environment: str) -> str:
    """Return what a program prints, with variables of its own beside the test's."""
    command = [sys.executable, "-W", "error", "-c", code]
    variables = os.environ | environment
    done = subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("part", ["", "::v"])
@pytest.mark.parametrize("dtype", ["f8", "i2", "u4", "i8"])
@pytest.mark.parametrize("kind", ["fixed", "list", "large"])
def test_lists_of_other_numbers_are_refused_with_a_cast_that_works(
    tmp_path: Path, kind: str, dtype: str, part: str
) -> None:
    column = lists((8 * some("f32")).astype(dtype), kind)
    path = parquet(tmp_path / "base.parquet", v=column)
    cast = "column.cast(pyarrow.list_(pyarrow.float32()))"
    refused(f"{path}{part}", f"cast it: {cast}", tmp=tmp_path)
    made = parquet(tmp_path / "cast.parquet", v=eval(cast, {"pyarrow": pa, "column": column}))
    wanted = np.array(column.to_pylist(), np.float32)
    np.testing.assert_array_equal(open_vectors(f"{made}{part}", tmp_path).rows(0, 37), wanted)


@pytest.mark.parametrize("dtype", ["f8", "i2", "u4", "i8", ">f4", ">f2", "?"])
def test_arrays_of_other_numbers_are_refused_with_a_cast_that_works(
    tmp_path: Path, dtype: str
) -> None:
    array = some("f32").astype(dtype)
    np.save(tmp_path / "base.npy", array)
    hdf5(tmp_path / "base.h5", v=array)
    cast = "array.astype(np.float32)"
    for source in (tmp_path / "base.npy", tmp_path / "base.h5"):
        refused(source, f"cast it: {cast}", tmp=tmp_path)
    np.save(tmp_path / "cast.npy", eval(cast, {"np": np, "array": array}))
    found = open_vectors(tmp_path / "cast.npy").rows(0, 37)
    np.testing.assert_array_equal(found, array.astype(np.float32))


@pytest.mark.memory
def test_parquet_as_large_as_the_memory_is_copied(tmp_path: Path) -> None:
    rows = np.random.default_rng(1).random((160_000, 128), np.float32)
    parquet(tmp_path / "base.parquet", v=rows)
    code = (
        "import re, resource\n"
        "from pathlib import Path\n"
        "import pyarrow.parquet\n"
        "from longspan.indexer.reader import open_vectors\n"
        "status = Path('/proc/self/status').read_text()\n"
        "limit = int(re.search(r'VmData:\\s+(\\d+)', status)[1]) * 1024\n"
        "limit += Path('base.parquet').stat().st_size  # in one row group of 79 MiB\n"
        "resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))\n"
        "vectors = open_vectors('base.parquet', Path())\n"
        "print(vectors.rows(0, vectors.n).sum(dtype='f8'))\n"
    )
    # Arrow's own pools reserve address space, which counts, far ahead of its use.
    found = run(code, tmp_path, ARROW_DEFAULT_MEMORY_POOL="system")
    assert float(found) == rows.sum(dtype=np.float64)


@settings(max_examples=25)
@given(data=st.data(), sizes=st.lists(st.integers(1, 9), min_size=1, max_size=12))
def test_a_folder_of_shards_reads_as_one_file(data: st.DataObject, sizes: list[int]) -> None:
    wanted = some("f16", n=sum(sizes))
    suffix = data.draw(st.sampled_from([".npy", ".hdf5"]))
    with tempfile.TemporaryDirectory() as folder:
        for number, part in enumerate(np.split(wanted, np.cumsum(sizes)[:-1])):
            path = Path(folder, f"part-{number}{suffix}")
            write(path, part) if suffix == ".npy" else hdf5(path, train=part)
        vectors = open_vectors(folder)
    index = st.integers(0, vectors.n)
    start, stop = data.draw(index), data.draw(index)
    vectors.release(start, stop)
    assert vectors.n == len(wanted)
    np.testing.assert_array_equal(vectors.rows(start, stop), wanted[start:stop])
    rows = np.array(data.draw(st.lists(st.integers(0, vectors.n - 1), max_size=20)), np.int64)
    np.testing.assert_array_equal(vectors.take(rows), wanted[rows])
    assert vectors.take(rows).dtype == np.float16


def test_the_files_of_a_folder_are_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    wanted = some("u8", n=4)
    for name, row in [("a-2", 0), ("a-010", 2), ("a-9", 1), ("b", 3)]:
        np.save(tmp_path / f"{name}.npy", wanted[row : row + 1])
    for other in (".hidden.npy", "README.md", "_SUCCESS"):
        (tmp_path / other).touch()
    (tmp_path / "deeper.npy").mkdir()
    np.testing.assert_array_equal(open_vectors(tmp_path).rows(0, 4), wanted)


def test_shards_of_parquet_are_vectors_and_ids(tmp_path: Path) -> None:
    wanted, ids = some("f32"), np.arange(37)[::-1]
    for number, rows in enumerate([slice(0, 20), slice(20, 20), slice(20, 37)]):
        parquet(tmp_path / f"{number}.parquet", v=wanted[rows], id=ids[rows], other=ids[rows])
    vectors = open_vectors(f"{tmp_path}::v", tmp_path)
    np.testing.assert_array_equal(vectors.rows(0, vectors.n), wanted)
    np.testing.assert_array_equal(read_ids(f"{tmp_path}::id", 37), ids)
    with pytest.raises(BadFile, match=r"0\.parquet: wanted a column of integers.*other \(int64\)"):
        read_ids(tmp_path, 37)


@pytest.mark.parametrize(
    ("name", "rows", "words"),
    [
        ("2.fbin", some("f32"), ("2.fbin: in one folder with 1.npy",)),
        ("2.npy", some("f32", dim=6), ("2.npy: 37 x 6 f32", "wanted 5 dims in f32 as in 1.npy")),
        ("2.npy", some("f16"), ("2.npy: 37 x 5 f16", "wanted 5 dims in f32")),
        ("2.npy", np.full((3, 5), np.nan, np.float32), ("2.npy: row 0 has nan",)),
    ],
)
def test_shards_that_are_not_alike_are_refused(
    tmp_path: Path, name: str, rows: np.ndarray, words: tuple[str, ...]
) -> None:
    write(tmp_path / "1.npy", some("f32"))
    write(tmp_path / name, rows)
    refused(tmp_path, *words)


def test_a_part_of_files_that_have_none_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "1.npy", some("f32"))
    refused(f"{tmp_path}::v", "1.npy::v: .npy holds one array")


def test_the_fingerprint_of_a_folder_tells_every_shard(tmp_path: Path) -> None:
    prints = []
    for changed in (None, 0, 1, 2):
        for number in range(3):
            write(tmp_path / f"{number}.npy", some("f32") + (number == changed))
        prints.append(open_vectors(tmp_path).fingerprint())
    assert len({found["sample_sha256"] for found in prints}) == 4
    assert prints[0]["n"] == 3 * 37
    assert prints[0]["name"] == tmp_path.name


def test_more_shards_than_a_process_may_open_by_default_are_opened(tmp_path: Path) -> None:
    for number in range(150):
        np.save(tmp_path / f"{number}.npy", some("u8", n=1))
    code = (
        "import resource\n"
        "_, hard = resource.getrlimit(resource.RLIMIT_NOFILE)\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (100, hard))\n"
        "from longspan.indexer.reader import open_vectors\n"
        "print(open_vectors('.').n)\n"
    )
    assert int(run(code, tmp_path)) == 150


def test_the_same_vectors_make_the_same_index(tmp_path: Path) -> None:
    rows = some("f32", n=300)
    (tmp_path / "base").mkdir()
    sources = [
        write(tmp_path / "base.npy", rows),
        hdf5(tmp_path / "base.hdf5", train=rows),
        hdf5(tmp_path / "base.h5", packed=True, train=rows),
        parquet(tmp_path / "base.parquet", vector=rows),
        write(tmp_path / "base/1.npy", rows[:170]).parent,
    ]
    write(tmp_path / "base/2.npy", rows[170:])
    made = [build(path, tmp_path / f"new/{number}") for number, path in enumerate(sources)]
    assert [each.files for each in made] == [made[0].files] * 5
    assert [each.input["name"] for each in made] == [path.name for path in sources]
    assert len(list((tmp_path / "new").iterdir())) == 5


@pytest.mark.parametrize("kind", ["int8", "uint16", "int32", "uint64"])
def test_a_column_of_integers_is_ids(tmp_path: Path, kind: str) -> None:
    path = parquet(
        tmp_path / "ids.parquet", group=2, v=some("f32", n=3), id=np.array([7, 0, 99], kind)
    )
    for source in (path, f"{path}::id"):
        ids = read_ids(source, 3)
        assert ids.dtype == np.int64
        assert ids.tolist() == [7, 0, 99]


@pytest.mark.parametrize(
    ("ids", "words"),
    [
        (pa.array([1, None, 3]), "row 1 has a null"),
        (pa.array([1.0, 2.0, 3.0]), r"wanted a column of integers.*id \(double\)"),
        (pa.array([1, -2, 3]), "vector 1 is -2"),
        (pa.array([1, 2]), "2 ids, wanted 3"),
    ],
)
def test_other_columns_of_ids_are_refused(tmp_path: Path, ids: Any, words: str) -> None:
    path = parquet(tmp_path / "ids.parquet", id=ids)
    with pytest.raises(BadFile, match=f"{re.escape(str(path))}: .*{words}"):
        read_ids(path, 3)


@pytest.mark.parametrize(
    ("name", "library"), [("x.h5", "h5py"), ("x.parquet", "pyarrow"), ("memory://x.npy", "fsspec")]
)
def test_a_library_that_is_not_installed_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, library: str
) -> None:
    (tmp_path / name.rpartition("/")[2]).write_text("something")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, library, None)  # Python's own word for "cannot be imported"
    for module in [known for known in sys.modules if known.startswith(f"{library}.")]:
        monkeypatch.setitem(sys.modules, module, None)
    refused(name, f"{name}: needs {library}: pip install 'longspan[inputs]'", tmp=tmp_path)
