"""Inputs that other programs make and readers stumble over: read right, or refused by name."""

import os
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from longspan.indexer.errors import BadFile, NoAccess
from longspan.indexer.reader import open_vectors
from longspan.indexer.reader.address import parse
from longspan.indexer.reader.ids import LARGEST, read_ids
from longspan.indexer.reader.payload_parquet import as_lines
from tests.indexer.test_reader import some

KINDS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")


def virtual(folder: Path) -> Path:
    layout = h5py.VirtualLayout((37, 5), "f4")
    with h5py.File(folder / "part.h5", "w") as part:
        part["d"] = some("f32")
    layout[:] = h5py.VirtualSource("part.h5", "d", (37, 5))
    with h5py.File(folder / "all.hdf5", "w") as file:
        file.create_virtual_dataset("train", layout)
    return folder / "all.hdf5"


def outside(folder: Path) -> Path:
    (folder / "rows.raw").write_bytes(some("f32").tobytes())
    with h5py.File(folder / "all.hdf5", "w") as file:
        where = [(str(folder / "rows.raw"), 0, 37 * 5 * 4)]
        file.create_dataset("train", (37, 5), "f4", external=where)
    return folder / "all.hdf5"


def linked(folder: Path) -> Path:
    with h5py.File(folder / "part.h5", "w") as part:
        part["d"] = some("f32")
    with h5py.File(folder / "all.hdf5", "w") as file:
        file["train"] = h5py.ExternalLink("part.h5", "d")
    return folder / "all.hdf5"


@pytest.mark.parametrize(
    ("made", "words"),
    [(virtual, "train is virtual"), (outside, "train is stored outside"), (linked, "is a link")],
)
def test_rows_of_hdf5_that_lie_in_other_files_are_refused(
    tmp_path: Path, made: Any, words: str
) -> None:
    with pytest.raises(BadFile, match=words):
        open_vectors(made(tmp_path), tmp_path)


def test_a_dataset_that_is_no_table_is_listed_with_its_shape(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "all.hdf5", "w") as file:
        file["flat"] = np.zeros(9, np.float32)
        file["nothing"] = h5py.Empty("f4")
        file["one"] = 1.0
    with pytest.raises(
        BadFile, match=r"none; of other shapes: flat \(9,\), nothing None, one \(\)"
    ):
        open_vectors(tmp_path / "all.hdf5")


def test_numbers_in_a_form_that_numpy_has_not_are_read_by_hdf5(tmp_path: Path) -> None:
    brain = h5py.h5t.IEEE_F32LE.copy()  # bfloat16: the upper half of a float32
    brain.set_fields(15, 7, 8, 0, 7)
    brain.set_size(2)
    brain.set_ebias(127)
    wanted = np.arange(40, dtype=np.float32).reshape(10, 4)
    with h5py.File(tmp_path / "all.hdf5", "w") as file:
        space = h5py.h5s.create_simple((10, 4))
        h5py.h5d.create(file.id, b"train", brain, space).write(h5py.h5s.ALL, h5py.h5s.ALL, wanted)
        same = np.array_equal(file["train"][:], wanted)
        dtype = file["train"].dtype
    assert same
    if dtype == np.float32:
        np.testing.assert_array_equal(
            open_vectors(tmp_path / "all.hdf5", tmp_path).rows(0, 10), wanted
        )


@pytest.mark.parametrize("order", ["C", "F"])
def test_float64_is_refused_with_what_to_do(tmp_path: Path, order: Any) -> None:
    np.save(tmp_path / "x.npy", np.ones((5, 3), np.float64, order=order))
    with pytest.raises(BadFile, match=r"float64.*array.astype\(np.float32\)"):
        open_vectors(tmp_path / "x.npy")


@settings(max_examples=25)
@given(st.lists(st.sampled_from(KINDS), min_size=2, max_size=4), st.data())
def test_ids_in_parts_of_any_integers_are_exact(
    tmp_path_factory: pytest.TempPathFactory, kinds: list[str], data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("ids")
    wanted: list[int] = []
    for number, kind in enumerate(kinds):
        most = min(int(np.iinfo(kind).max), LARGEST)
        drawn = data.draw(st.sets(st.integers(0, most), min_size=1, max_size=5))
        values = sorted(drawn.difference(wanted))
        wanted += values
        pq.write_table(pa.table({"id": pa.array(values, kind)}), folder / f"{number}.parquet")
    assert read_ids(folder, len(wanted)).tolist() == wanted


@given(st.integers(-(2**70), 2**70).filter(lambda number: not 0 <= number <= LARGEST))
@settings(max_examples=25)
def test_an_id_out_of_range_is_named(tmp_path_factory: pytest.TempPathFactory, number: int) -> None:
    file = tmp_path_factory.mktemp("ids") / "ids.txt"
    file.write_text(f"1\n{number}\n")
    with pytest.raises(BadFile, match=f"{number}"):
        read_ids(file, 2)


def as_parquet(folder: Path, column: Any) -> Path:
    pq.write_table(pa.table({"good": pa.nulls(len(column)), "bad": column}), folder / "p.parquet")
    return folder / "p.parquet"


def text(values: list[bytes]) -> Any:
    ends = np.cumsum([0, *map(len, values)]).astype(np.int32)
    parts = [None, pa.py_buffer(ends), pa.py_buffer(b"".join(values))]
    return pa.Array.from_buffers(pa.string(), len(values), parts)


def in_lists(column: Any) -> Any:
    return pa.ListArray.from_arrays(np.arange(len(column) + 1, dtype=np.int32), column)


def in_structs(column: Any) -> Any:
    return pa.StructArray.from_arrays([column], names=["inner"])


@pytest.mark.parametrize("wrapped", [lambda column: column, in_lists, in_structs])
@pytest.mark.parametrize(
    ("column", "words"),
    [
        (text([b"a"] * 1500 + [b"\xff"]), "row 1501, column bad: .*utf-8"),
        (pa.array([1.0] * 1500 + [float("nan")]), "row 1501 .*column bad has NaN.*put null"),
        (
            pa.StructArray.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"]),
            "column bad has a field 'a' twice",
        ),
    ],
)
def test_parquet_that_json_cannot_say_names_row_and_column(
    tmp_path: Path, column: Any, words: str, wrapped: Any
) -> None:
    with pytest.raises(BadFile, match=words):
        as_lines(as_parquet(tmp_path, wrapped(column)), None, len(column), tmp_path / "index")


def test_a_folder_names_what_it_cannot_read(tmp_path: Path) -> None:
    (tmp_path / "deeper").mkdir()
    (tmp_path / "notes.txt").symlink_to("nowhere")
    with pytest.raises(BadFile, match=r"1 folders in it are not looked into"):
        open_vectors(tmp_path)
    np.save(tmp_path / "part-0.npy", some("f32"))
    assert open_vectors(tmp_path).n == 37
    (tmp_path / "part-1.npy").symlink_to("nowhere")
    with pytest.raises(BadFile, match=r"part-1.npy: a link to a file that is not there"):
        open_vectors(tmp_path)
    (tmp_path / "part-1.npy").unlink()
    os.mkfifo(tmp_path / "part-1.npy")
    with pytest.raises(BadFile, match=r"part-1.npy: not a regular file"):
        open_vectors(tmp_path)


@pytest.mark.parametrize("name", ["", "::train", "::"])
def test_an_empty_name_is_not_the_working_folder(name: str) -> None:
    with pytest.raises(BadFile, match="an empty name"):
        parse(name)


def test_what_the_system_does_not_give_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    np.save(tmp_path / "x.npy", some("f32"))

    def no_right(path: Path, *arguments: Any) -> Any:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "open", no_right)
    with pytest.raises(NoAccess, match=r"x.npy: this user has no right to read it"):
        open_vectors(tmp_path / "x.npy")
