"""Pieces of a file are its bytes, whatever their order; what does not fit is refused."""

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from longspan.cext import pieces
from longspan.indexer.store.wave import Pieces

SIZE = 20_000
DATA = np.random.default_rng(1).integers(1, 255, SIZE, np.uint8).tobytes()
PIECES = st.lists(st.tuples(st.integers(0, SIZE + 50), st.integers(0, 9000)), max_size=20)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(wanted=PIECES)
def test_pieces_are_the_bytes_there_and_zeros_behind_the_end(
    tmp_path: Path, wanted: list[tuple[int, int]]
) -> None:
    (tmp_path / "file").write_bytes(DATA)
    opened = Pieces(tmp_path / "file")
    assert opened.size == SIZE
    offsets, sizes = np.array(wanted, np.int64).reshape(-1, 2).T
    expected = [DATA[at : at + size].ljust(size, b"\0") for at, size in wanted]
    assert opened.read(offsets, sizes) == expected
    assert opened.gather(offsets, sizes).tobytes() == b"".join(expected)


@pytest.mark.parametrize(
    ("offsets", "sizes", "room"),
    [
        ([0], [5], 4),
        ([0], [5], 6),
        ([-1], [5], 5),
        ([0], [-5], 5),
        ([0, 0], [2**62, 2**62], 8),
        ([0, 0], [2**63 - 1, 9], 8),
        ([0], [5, 5], 10),
    ],
)
def test_pieces_that_do_not_fill_the_room_are_refused(
    offsets: list[int], sizes: list[int], room: int
) -> None:
    with pytest.raises(ValueError, match=r"piece|pieces|offsets"):
        pieces.read(0, np.array(offsets), np.array(sizes), np.zeros(room, np.uint8))


def test_a_file_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(DATA)
    handle = os.open(tmp_path / "file", os.O_WRONLY)
    try:
        with pytest.raises(OSError, match="Bad file descriptor"):
            pieces.read(handle, np.array([0]), np.array([4]), np.zeros(4, np.uint8))
    finally:
        os.close(handle)


@given(
    offset=st.integers(0, 300),
    stride=st.integers(1, 40),
    rows=st.lists(st.integers(0, 400), max_size=600),
)
def test_rows_taken_are_those_of_numpy(offset: int, stride: int, rows: list[int]) -> None:
    table = np.frombuffer(DATA, np.uint8, 401 * stride, offset).reshape(401, stride)
    out = np.empty((len(rows), stride), np.uint8)
    pieces.take(DATA, offset, np.array(rows, np.int64), out)
    np.testing.assert_array_equal(out, table[np.array(rows, np.intp)])


@pytest.mark.parametrize(
    ("offset", "row", "room"),
    [(0, 200, 1), (1, 199, 1), (0, -1, 1), (2**40, 0, 1), (0, 2**62, 1), (0, 0, 2)],
)
def test_rows_that_are_not_there_are_refused(offset: int, row: int, room: int) -> None:
    with pytest.raises(ValueError, match="row"):
        pieces.take(DATA, offset, np.array([row]), np.empty((room, 100), np.uint8))
