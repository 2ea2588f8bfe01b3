"""Payload from Python: the objects of exactly the hits, and what is refused or damaged."""

import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from longspan.indexer.errors import BadQuery, DamagedIndex
from longspan.indexer.store.manifest import NAME, Manifest, file_record
from longspan.indexer.tools.verify import verify
from longspan.service import Index
from tests.conftest import OBJECTS, BuildIndex, object_of
from tests.data import Corpus


@pytest.mark.parametrize("recall", [0.5, 0.95, 1.0])
def test_each_hit_has_the_object_of_its_vector(
    objects_index: Path, clustered: Corpus, recall: float
) -> None:
    with Index.open(objects_index) as index:
        answer = index.search(clustered.queries, 20, recall, include=("payload",))
    assert answer.payload is not None
    for ids, objects in zip(answer.ids.tolist(), answer.payload, strict=True):
        assert objects == [object_of(row) for row in ids]


def test_there_is_none_where_there_is_no_hit(objects_index: Path, clustered: Corpus) -> None:
    with Index.open(objects_index) as index:
        far = index.search(clustered.queries[0], 4, max_distance=-1.0, include=("payload",))
        assert far.payload == [[None] * 4]
        many = index.search(clustered.base[:2], OBJECTS + 5, 1.0, include=("payload",))
        assert many.payload is not None
        assert [objects[OBJECTS:] for objects in many.payload] == [[None] * 5] * 2
        assert None not in many.payload[0][:OBJECTS]
        none = index.search(np.empty((0, 24), np.float32), include=("payload",))
        assert none.payload == []


def test_an_answer_is_still_three_things(objects_index: Path, clustered: Corpus) -> None:
    with Index.open(objects_index) as index:
        plain = index.search(clustered.queries)
        ids, distances, stats = index.search(clustered.queries, include=["payload"], stats=True)
    assert plain.payload is None
    np.testing.assert_array_equal(ids, plain.ids)
    np.testing.assert_array_equal(distances, plain.distances)
    assert stats is not None


def test_vectors_with_names_of_their_own_keep_their_objects(tmp_index: BuildIndex) -> None:
    base = np.random.default_rng(5).normal(size=(200, 4)).astype(np.float32)
    names = np.random.default_rng(6).permutation(10**6)[:200]
    objects = [{"name": name} for name in names.tolist()]
    path = tmp_index(base, ids=names, payload=objects, calibration=10, codec="pq")
    assert verify(path) == []
    with Index.open(path) as index:
        answer = index.search(base, 5, include=("payload",))
    assert answer.payload == [[{"name": name} for name in ids] for ids in answer.ids.tolist()]


def test_many_threads_read_it_and_an_index_may_be_opened_again(
    objects_index: Path, clustered: Corpus
) -> None:
    for _ in range(2):
        with Index.open(objects_index) as index, ThreadPoolExecutor(8) as pool:
            expected = index.search(clustered.queries, include=("payload",)).payload
            found = pool.map(
                lambda query: index.search(query, include=("payload",)).payload, clustered.queries
            )
            assert [part[0] for part in found if part] == expected


def test_what_an_index_cannot_give_is_refused(
    objects_index: Path, tiny_index: BuildIndex, clustered: Corpus
) -> None:
    with Index.open(tiny_index()) as index, pytest.raises(BadQuery, match="has no payload"):
        index.search(clustered.queries, include=("payload",))
    with Index.open(objects_index) as index, pytest.raises(BadQuery, match="names 'vector'"):
        index.search(clustered.queries, include=("vector",))


def test_an_index_with_half_a_payload_is_damaged(objects_index: Path, tmp_path: Path) -> None:
    shutil.copytree(objects_index, tmp_path / "index")
    (tmp_path / "index/payload.npy").unlink()
    with pytest.raises(DamagedIndex, match=r"payload\.npy"):
        Index.open(tmp_path / "index")


def rewritten(path: Path, name: str, at: int, value: bytes) -> None:
    """Change bytes of a file of an index, and the manifest so that it knows no better."""
    data = bytearray((path / name).read_bytes())
    data[at : at + len(value)] = value
    (path / name).write_bytes(data)
    manifest = Manifest.read(path)
    manifest.files[name] = file_record(path / name)
    (path / NAME).write_text(manifest.text())


def test_verify_and_search_find_a_damaged_object(
    objects_index: Path, tmp_path: Path, clustered: Corpus
) -> None:
    path = tmp_path / "index"
    shutil.copytree(objects_index, path)
    offset = int(np.load(path / "payload.npy")["offset"][3])
    rewritten(path, "payload.lmdb", offset, b"[")
    assert verify(path) == ["payload.lmdb: row 3 has no JSON object"]
    with Index.open(path) as index, pytest.raises(DamagedIndex, match="not its checksum"):
        index.search(clustered.queries[0], OBJECTS, 1.0, include=("payload",))


@pytest.mark.parametrize("name", ["payload.lmdb", "payload.npy"])
def test_no_flipped_bit_is_answered(
    objects_index: Path, tmp_path: Path, clustered: Corpus, name: str
) -> None:
    """Whatever byte of an object, or of its record, has another bit: the object is refused."""
    path = tmp_path / "index"
    shutil.copytree(objects_index, path)
    table = np.load(path / "payload.npy")
    offset, size = int(table["offset"][3]), int(table["size"][3])
    if name == "payload.npy":
        offset, size = (path / name).stat().st_size - table[3:].nbytes, table.itemsize
    everything = (clustered.queries[0], OBJECTS, 1.0)
    with Index.open(path) as index, (path / name).open("r+b", buffering=0) as file:
        for at in range(offset, offset + size):
            whole = os.pread(file.fileno(), 1, at)
            os.pwrite(file.fileno(), bytes([whole[0] ^ 1 << at % 8]), at)
            with pytest.raises(DamagedIndex, match=r"payload\.(npy|lmdb): "):
                index.search(*everything, include=("payload",))
            os.pwrite(file.fileno(), whole, at)
        found = index.search(*everything, include=("payload",))
    assert found.payload == [[object_of(row) for row in found.ids[0].tolist()]]


def test_verify_finds_an_object_that_has_not_its_checksum(
    objects_index: Path, tmp_path: Path
) -> None:
    path = tmp_path / "index"
    shutil.copytree(objects_index, path)
    table = np.load(path / "payload.npy")
    table["checksum"][5] ^= 1
    rewritten(path, "payload.npy", (path / "payload.npy").stat().st_size - table.nbytes,
              table.tobytes())  # fmt: skip
    assert verify(path) == ["payload.lmdb: row 5 has not the checksum of payload.npy"]


def test_verify_finds_a_place_that_lmdb_does_not_know(objects_index: Path, tmp_path: Path) -> None:
    path = tmp_path / "index"
    shutil.copytree(objects_index, path)
    table = np.load(path / "payload.npy")
    wrong = table["offset"][5] + np.uint64(1)
    rewritten(path, "payload.npy", (path / "payload.npy").stat().st_size - table[5:].nbytes,
              wrong.tobytes())  # fmt: skip
    assert verify(path) == ["payload.lmdb: row 5 is not where payload.npy has it"]
