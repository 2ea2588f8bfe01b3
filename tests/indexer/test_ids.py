"""Files of ids."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from longspan.indexer.errors import BadFile
from longspan.indexer.reader import unique
from longspan.indexer.reader.address import parse
from longspan.indexer.reader.ids import read_ids


def npy(directory: Path, values: Any) -> Path:
    np.save(directory / "ids.npy", np.asarray(values))
    return directory / "ids.npy"


def text(directory: Path, content: str) -> Path:
    (directory / "ids.txt").write_text(content)
    return directory / "ids.txt"


@pytest.mark.parametrize("dtype", ["i1", "u2", "<i4", ">i8", "u8"])
def test_a_npy_of_any_integer_type_gives_int64(tmp_path: Path, dtype: str) -> None:
    ids = read_ids(npy(tmp_path, np.array([7, 0, 99], dtype)), 3)
    assert ids.dtype == np.int64
    assert ids.tolist() == [7, 0, 99]


@pytest.mark.parametrize(
    "content", ["7\n0\n9223372036854775807\n", "7\r\n0\r\n9223372036854775807"]
)
def test_text_has_one_integer_a_line(tmp_path: Path, content: str) -> None:
    assert read_ids(text(tmp_path, content), 3).tolist() == [7, 0, 2**63 - 1]


@pytest.mark.parametrize("line", ["", "x", "1.5", "1 2", "1_000", "0x10", "99999999999999999999"])
def test_a_line_that_is_no_integer_is_named(tmp_path: Path, line: str) -> None:
    with pytest.raises(BadFile, match=r"ids\.txt: line 2 is"):
        read_ids(text(tmp_path, f"1\n{line}\n3\n"), 3)


@pytest.mark.parametrize("count", [2, 4])
def test_another_number_of_ids_is_refused(tmp_path: Path, count: int) -> None:
    with pytest.raises(BadFile, match=f"{count} ids, wanted 3"):
        read_ids(npy(tmp_path, np.arange(count)), 3)


def test_a_negative_id_is_named_with_its_vector(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match="vector 1 is -5"):
        read_ids(text(tmp_path, "3\n-5\n4"), 3)


def test_an_id_beyond_int64_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match="9223372036854775808 is too large"):
        read_ids(npy(tmp_path, np.array([1, 2**63], np.uint64)), 2)
    with pytest.raises(BadFile, match="9223372036854775808 is too large"):
        read_ids(text(tmp_path, "1\n9223372036854775808\n"), 2)


def test_a_duplicate_is_named_with_both_vectors(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match="vectors 1 and 3 have the same id 8"):
        read_ids(npy(tmp_path, [5, 8, 6, 8]), 4)


@given(seed=st.integers(0, 2**32 - 1), n=st.integers(2, 200), values=st.integers(1, 300))
def test_a_number_is_found_twice_in_whatever_blocks_it_stands(
    seed: int, n: int, values: int
) -> None:
    numbers = np.random.default_rng(seed).integers(0, values, n)
    with pytest.MonkeyPatch.context() as patch, TemporaryDirectory() as folder:
        patch.setattr(unique, "BLOCK", 16)
        patch.setattr(unique, "STRIDE", 4)
        found = unique.first_twice(numbers, parse("ids.npy"), Path(folder))
    least, counts = np.unique(numbers, return_counts=True)
    if counts.max() == 1:
        assert found is None
    else:
        twice = int(least[counts > 1][0])
        assert found == (twice, *np.flatnonzero(numbers == twice)[:2].tolist())


@pytest.mark.parametrize("values", [[1.0, 2.0], [[1], [2]], ["1", "2"], [True, False]])
def test_an_array_of_anything_but_integers_is_refused(tmp_path: Path, values: Any) -> None:
    with pytest.raises(BadFile, match="wanted"):
        read_ids(npy(tmp_path, values), 2)


def test_pickled_objects_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "ids.npy", np.array([1, "a"], object), allow_pickle=True)
    with pytest.raises(BadFile, match=r"an array \(2,\) of object, wanted"):
        read_ids(tmp_path / "ids.npy", 2)


def test_binary_junk_a_directory_and_no_file_are_refused(tmp_path: Path) -> None:
    (tmp_path / "ids.bin").write_bytes(bytes(range(256)))
    for path in (tmp_path / "ids.bin", tmp_path, tmp_path / "none.txt", tmp_path / "none.npy"):
        with pytest.raises(BadFile, match=str(path)):
            read_ids(path, 2)


def test_an_empty_file_has_no_ids(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match="0 ids, wanted 2"):
        read_ids(text(tmp_path, ""), 2)
    (tmp_path / "ids.npy").touch()
    with pytest.raises(BadFile, match=r"ids\.npy"):
        read_ids(tmp_path / "ids.npy", 2)
