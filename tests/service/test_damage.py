"""Damage is an error for the search that reads it, and is never answered."""

import os
import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from longspan.indexer.errors import DamagedIndex
from longspan.indexer.store.checks import CHECKS
from longspan.indexer.store.manifest import Manifest
from longspan.indexer.store.tiers import sizes
from longspan.indexer.tools.verify import verify
from longspan.service import Index
from longspan.service.search.answer import Answer
from tests.builds import amend, built_index, forget_checks

ROWS, QUERIES, K = 3000, 20, 5
SETUPS = [("raw", 0), ("pq", 0), ("pq", 1), ("pq", 2)]  # codec, tier
READ = ("postings-0000.lmdb", "ids.npy", "codes-1.npy", "codes-2.npy")


@pytest.fixture(scope="module")
def indexes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """An index of each codec; what is written into one is taken back by who writes it."""
    rng = np.random.default_rng(4)
    base = rng.normal(size=(60, 24))[rng.integers(0, 60, ROWS)] + rng.normal(size=(ROWS, 24)) / 3
    folders = {codec: tmp_path_factory.mktemp(codec) for codec in ("raw", "pq")}
    return {
        codec: built_index(folder, base.astype(np.float32), codec=codec, calibration=30)
        for codec, folder in folders.items()
    }


def open_tier(path: Path, tier: int) -> Index:
    return Index.open(path, sizes(Manifest.read(path))[tier])


def find(index: Index, recall: float | None = None) -> Answer:
    return index.search(np.load(index.path.parent / "base.npy")[:QUERIES], K, recall)


class Flipped:
    """Bits of a file that are others while the block runs."""

    def __init__(self, path: Path, start: int, bits: bytes) -> None:
        self.path, self.start, self.bits = path, start, bits

    def _flip(self) -> None:
        with self.path.open("r+b") as file:
            file.seek(self.start)
            found = file.read(len(self.bits))
            file.seek(self.start)
            file.write(bytes(a ^ b for a, b in zip(found, self.bits, strict=True)))

    def __enter__(self) -> None:
        self._flip()

    def __exit__(self, *_: object) -> None:
        self._flip()


@pytest.mark.parametrize(("codec", "tier"), SETUPS)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(data=st.data())
def test_no_flipped_bit_changes_an_answer(
    indexes: dict[str, Path], codec: str, tier: int, data: st.DataObject
) -> None:
    path = indexes[codec]
    with open_tier(path, tier) as index:
        wanted = find(index)
    file = path / data.draw(st.sampled_from([name for name in READ if (path / name).exists()]))
    at = data.draw(st.integers(0, file.stat().st_size - 1))
    with Flipped(file, at, bytes([1 << data.draw(st.integers(0, 7))])):
        try:
            with open_tier(path, tier) as index:
                found = find(index)
        except DamagedIndex:
            return
    np.testing.assert_array_equal(found.ids, wanted.ids)
    np.testing.assert_array_equal(found.distances, wanted.distances)


@pytest.mark.parametrize("recall", [None, 1.0])
@pytest.mark.parametrize(("codec", "tier"), SETUPS)
@pytest.mark.parametrize("kept", [0, 0.5])
def test_zeros_in_place_of_postings_are_no_answer(
    indexes: dict[str, Path], codec: str, tier: int, recall: float | None, kept: float
) -> None:
    """As after a crash while an index was copied."""
    file = indexes[codec] / "postings-0000.lmdb"
    whole = file.read_bytes()
    start = int(kept * len(whole))
    with (
        Flipped(file, start, whole[start:]),
        open_tier(indexes[codec], tier) as index,
        pytest.raises(DamagedIndex, match=r"posting \d+ has not its checksum"),
    ):
        find(index, recall)


@pytest.mark.parametrize(("codec", "tier"), SETUPS)
def test_damage_is_an_error_of_those_who_read_it_and_is_remembered(
    indexes: dict[str, Path], codec: str, tier: int
) -> None:
    path = indexes[codec]
    queries = np.load(path.parent / "base.npy")
    record = np.load(path / "directory.npy")[7]  # a vector that lies in posting 7
    offset = int(record["offset"])
    vector = np.frombuffer((path / "postings-0000.lmdb").read_bytes(), np.float32, 24, offset)
    own = int(np.flatnonzero((queries == vector).all(axis=1))[0])
    with open_tier(path, tier) as index:
        assert index.damaged == []
        with Flipped(path / "postings-0000.lmdb", offset + 3, b"\1"):
            with pytest.raises(DamagedIndex, match="posting 7 has not its checksum"):
                index.search(queries[own], K)
            answered = [row for row in range(0, ROWS, 100) if answers(index, queries[row])]
            assert index.damaged == ["posting 7"]
        assert answered
        assert index.search(queries[own], 1).ids[0, 0] == own  # what is mended is read again


def answers(index: Index, query: Any) -> bool:
    try:
        index.search(query, K)
    except DamagedIndex:
        return False
    return True


def test_an_id_that_is_damaged_is_no_answer(indexes: dict[str, Path]) -> None:
    path = indexes["raw"]
    with (
        open_tier(path, 0) as index,
        Flipped(path / "ids.npy", (path / "ids.npy").stat().st_size - 8 * ROWS, b"\1" * 8 * ROWS),
    ):
        with pytest.raises(DamagedIndex, match=r"the id of row \d+ has not its checksum"):
            find(index)
        assert index.damaged


@pytest.mark.parametrize("name", ["codes-1.npy", "codes-2.npy"])
def test_damaged_codes_are_not_taken_into_memory(indexes: dict[str, Path], name: str) -> None:
    path = indexes["pq"]
    with Flipped(path / name, (path / name).stat().st_size - 1, b"\1"):
        with pytest.raises(DamagedIndex, match=rf"{name}: the page at byte [\d,]+ has not its"):
            open_tier(path, 2)
        with open_tier(path, 0) as index:
            find(index)


def test_verify_says_which_checksums_of_pages_are_of_others(
    indexes: dict[str, Path], tmp_path: Path
) -> None:
    path = shutil.copytree(indexes["pq"], tmp_path / "index")
    sums = np.load(path / CHECKS)
    np.save(path / CHECKS, sums ^ 1)
    amend(path, CHECKS)
    names = ["postings-0000.lmdb", "ids.npy", "codes-1.npy", "codes-2.npy"]
    assert verify(path) == [f"{CHECKS}: is not of the pages of {name}" for name in names]


@pytest.mark.parametrize("codec", ["raw", "pq"])
def test_an_index_without_checksums_of_pages_is_searched_as_ever(
    indexes: dict[str, Path], tmp_path: Path, codec: str
) -> None:
    """As it was published before there were any."""
    shutil.copy(indexes[codec].parent / "base.npy", tmp_path)
    path = shutil.copytree(indexes[codec], tmp_path / "index")
    forget_checks(path)
    assert verify(path) == []
    with Index.open(indexes[codec]) as checked, Index.open(path) as unchecked:
        for recall in (None, 1.0):
            np.testing.assert_array_equal(find(unchecked, recall).ids, find(checked, recall).ids)


@pytest.mark.parametrize("recall", [None, 1.0])
@pytest.mark.parametrize(("codec", "tier"), SETUPS)
def test_a_file_that_is_cut_off_under_an_open_index_is_an_error_and_no_signal(
    indexes: dict[str, Path], tmp_path: Path, codec: str, tier: int, recall: float | None
) -> None:
    """Each file that is mapped: reading behind its end would end the process."""
    names = ["heads.npy", "postings-0000.lmdb", "ids.npy", "checks.npy"]
    for name in [*names, *["codes-1.npy", "codes-2.npy"][:tier]]:
        path = tmp_path / name
        shutil.copytree(indexes[codec], path)
        shutil.copy(indexes[codec].parent / "base.npy", tmp_path)
        with open_tier(path, tier) as index:
            find(index, recall)
            os.truncate(path / name, 0)
            time.sleep(0.01)  # in the millisecond after a search nobody looks
            with pytest.raises(DamagedIndex, match=f"{name} was cut off while it was open"):
                find(index, recall)
