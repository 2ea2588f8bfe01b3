"""Where the values of a loaded file lie, against what LMDB itself gives."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from longspan.indexer.errors import DamagedIndex
from longspan.indexer.store import postings

SIZES = st.lists(
    st.one_of(st.integers(1, 3000), st.integers(1, 5).map(lambda pages: 4096 * pages - 16)),
    min_size=1,
    max_size=40,
)


def loaded(folder: Path, sizes: list[int], first: int) -> tuple[Path, list[bytes]]:
    values = [bytes([number % 251 + 1]) * size for number, size in enumerate(sizes)]
    path, pages = folder / "values.lmdb", sum(map(postings.pages_for, sizes))
    postings.load(path, first, values, pages, transaction=1 << 14)
    return path, values


@given(sizes=SIZES, first=st.integers(0, 2**32 - 41))
def test_each_value_is_found_where_lmdb_has_it(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int], first: int
) -> None:
    path, values = loaded(tmp_path_factory.mktemp("tree"), sizes, first)
    content = path.read_bytes()
    found = postings.locate(path, first, first + len(values)).tolist()
    assert [
        content[at : at + len(value)] for at, value in zip(found, values, strict=True)
    ] == values
    with postings.reading(path) as txn:
        assert [bytes(postings.get(txn, first + at)) for at in range(len(values))] == values


def test_a_tree_of_three_levels_is_walked_whole(tmp_path: Path) -> None:
    path, values = loaded(tmp_path, [4080] * 40_000, 7)
    found = postings.locate(path, 7, 7 + len(values))
    content = np.memmap(path, np.uint8, "r")
    assert (np.diff(np.sort(found)) >= 4096).all()
    np.testing.assert_array_equal(content[found], [value[0] for value in values])
    np.testing.assert_array_equal(postings.locate(path, 100, 200), found[93:193])


def test_a_value_that_is_not_there_is_named(tmp_path: Path) -> None:
    path, _ = loaded(tmp_path, [10, 20], 5)
    with pytest.raises(DamagedIndex, match="posting 7 is missing"):
        postings.locate(path, 5, 8)


@pytest.mark.parametrize(
    ("at", "word"),
    [
        (16, "no LMDB file"),
        (20, "no LMDB file"),
        (43, "no LMDB file"),  # a page of gigabytes
        (2 * 4096 + 10, "none of its tree"),
        (2 * 4096 + 17, "a node beyond its end"),
    ],
)
def test_a_damaged_file_is_refused(tmp_path: Path, at: int, word: str) -> None:
    path, _ = loaded(tmp_path, [10, 20], 0)
    content = bytearray(path.read_bytes())
    content[at] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(DamagedIndex, match=word):
        postings.locate(path, 0, 2)


@pytest.mark.parametrize("size", [0, 100, 4096, 2 * 4096, 2 * 4096 + 100])
def test_a_file_cut_off_is_refused(tmp_path: Path, size: int) -> None:
    path, _ = loaded(tmp_path, [10, 20], 0)
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(DamagedIndex):
        postings.locate(path, 0, 2)
