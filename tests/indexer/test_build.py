"""A build as a whole: what it promises, what it refuses, and that it leaves nothing behind."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import lmdb
import numpy as np
import pytest

from longspan.indexer import build
from longspan.indexer.config import BuildConfig
from longspan.indexer.errors import (
    BadConfig,
    BadFile,
    BadIndex,
    BadInput,
    DamagedIndex,
    DoesNotFit,
    IndexExists,
)
from longspan.indexer.stages.publish import publishing
from longspan.indexer.store.manifest import Manifest
from longspan.indexer.tools.verify import verify
from longspan.service import Index
from tests.builds import forget_checks
from tests.conftest import BuildIndex
from tests.data import duplicates, one_vector
from tests.reference import DTYPES, METRICS


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("metric", METRICS)
def test_a_built_index_verifies(tiny_index: BuildIndex, metric: str, dtype: str) -> None:
    assert verify(tiny_index(metric, dtype)) == []


def test_postings_keep_their_cap_and_fill_their_pages(tiny_index: BuildIndex) -> None:
    path = tiny_index()
    manifest = Manifest.read(path)
    records = np.load(path / "directory.npy")
    assert (records["count"] > 0).all()
    assert (records["primary"] > 0).all()
    assert records["pages"].max() <= manifest.dials["posting_pages"]
    assert (records["offset"] % 4096 == 16).all()
    assert records["count"].sum() == manifest.entries
    assert manifest.n < manifest.entries <= 8 * manifest.n


def test_lmdb_is_the_source_of_truth(tiny_index: BuildIndex) -> None:
    path = tiny_index("l2", "u8")
    records = np.load(path / "directory.npy")
    whole = (path / "postings-0000.lmdb").read_bytes()
    env = lmdb.open(str(path / "postings-0000.lmdb"), subdir=False, lock=False, readonly=True)
    with env.begin() as txn:
        stored = list(txn.cursor())
    env.close()
    assert [key for key, _ in stored] == [i.to_bytes(4, "big") for i in range(len(records))]
    for record, (_, value) in zip(records, stored, strict=True):
        assert whole[record["offset"] : record["offset"] + len(value)] == value


def test_a_build_is_the_same_for_any_number_of_threads(tmp_path: Path) -> None:
    rows = np.random.default_rng(3).normal(size=(3000, 16)).astype(np.float32)
    np.save(tmp_path / "base.npy", rows)
    files = []
    for threads in (1, 3):
        index = tmp_path / f"index{threads}"
        files.append(build(tmp_path / "base.npy", index, threads=threads).files)
    assert files[0] == files[1]


@pytest.mark.parametrize("n", [1, 2, 40, 700])
def test_small_corpora_build_and_answer(tmp_index: BuildIndex, n: int) -> None:
    rows = np.random.default_rng(n).normal(size=(n, 6)).astype(np.float32)
    with Index.open(tmp_index(rows)) as index:
        assert index.search(rows, 1, 1.0).ids[:, 0].tolist() == list(range(n))
        assert (index.search(rows, min(n, 5), 0.9).ids >= 0).all()


def test_equal_vectors_are_all_kept(tmp_index: BuildIndex) -> None:
    path = tmp_index(duplicates(np.random.default_rng(1), 3000, 4, distinct=3))
    assert verify(path) == []
    with Index.open(path) as index:
        answer = index.search(np.zeros(4, np.float32), 1000, 1.0)
        assert len(set(answer.ids[0].tolist())) == 1000


def test_a_single_vector_is_found(tmp_index: BuildIndex) -> None:
    with Index.open(tmp_index(one_vector(3), metric="cosine")) as index:
        answer = index.search([1.0, 2.0, 3.0], 2)
        assert answer.ids.tolist() == [[0, -1]]
        assert answer.distances[0, 0] == pytest.approx(0, abs=1e-6)
        assert answer.distances[0, 1] == np.inf


def test_ids_name_the_vectors(tmp_index: BuildIndex) -> None:
    rows = np.random.default_rng(1).normal(size=(300, 4)).astype(np.float32)
    names = np.random.default_rng(2).permutation(2**40 + np.arange(300))
    with Index.open(tmp_index(rows, ids=names)) as index:
        assert index.search(rows, 1, 1.0).ids[:, 0].tolist() == names.tolist()


def test_queries_given_for_calibration_are_used(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    np.save(tmp_path / "base.npy", rng.normal(size=(2000, 8)).astype(np.float32))
    np.save(tmp_path / "q.npy", rng.normal(size=(50, 8)).astype(np.float32))
    manifest = build(tmp_path / "base.npy", tmp_path / "index", queries=tmp_path / "q.npy")
    assert manifest.calibration["queries"] == 50
    assert manifest.calibration["source"] == "q.npy"


def refusal(tmp_path: Path, rows: np.ndarray, wanted: type[Exception], **options: Any) -> str:
    """Build what must be refused; return the message; nothing may be left."""
    np.save(tmp_path / "base.npy", rows)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(wanted) as caught:
        build(tmp_path / "base.npy", tmp_path / "index", **options)
    assert sorted(tmp_path.iterdir()) == before
    return str(caught.value)


def test_a_zero_vector_is_refused_with_cosine(tmp_path: Path) -> None:
    rows = np.ones((5, 3), np.float32)
    rows[3] = 0
    assert "row 3 is zero" in refusal(tmp_path, rows, BadFile, metric="cosine")


@pytest.mark.parametrize("metric", METRICS)
def test_a_vector_that_is_not_finite_is_refused(tmp_path: Path, metric: str) -> None:
    rows = np.ones((5, 3), np.float32)
    rows[4, 1] = np.nan
    assert "row 4" in refusal(tmp_path, rows, BadFile, metric=metric)


def test_a_vector_whose_distances_overflow_is_refused(tmp_path: Path) -> None:
    rows = np.ones((5, 3), np.float32)
    rows[2] = 3e18
    assert "row 2 has norm" in refusal(tmp_path, rows, BadFile)


def test_too_many_dims_are_refused(tmp_path: Path) -> None:
    assert "16385 dims" in refusal(tmp_path, np.ones((2, 16_385), np.uint8), BadFile)


def test_an_unknown_metric_is_refused(tmp_path: Path) -> None:
    message = refusal(tmp_path, np.ones((5, 3), np.float32), BadConfig, metric="l1")
    assert "'l1', must be one of l2, ip, cosine" in message


def test_calibration_queries_of_another_dim_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "q.npy", np.ones((5, 4), np.float32))
    rows = np.ones((5, 3), np.float32)
    assert "4 dims" in refusal(tmp_path, rows, BadFile, queries=tmp_path / "q.npy")


def test_a_memory_limit_that_is_too_small_is_refused(tmp_path: Path) -> None:
    rows = np.ones((5, 3), np.float32)
    assert "the limit is 1,000" in refusal(tmp_path, rows, DoesNotFit, memory_limit=1000)


def test_a_vector_too_short_for_a_cosine_is_refused(tmp_path: Path) -> None:
    rows = np.ones((5, 3), np.float32)
    rows[1] = 1e-30
    assert "row 1 is zero or nearly" in refusal(tmp_path, rows, BadFile, metric="cosine")


def test_two_builds_to_one_path_do_not_mix(tmp_path: Path) -> None:
    with publishing(tmp_path / "index") as draft:
        (draft / "heads.npy").write_text("first")
        with pytest.raises(IndexExists, match="another build"), publishing(tmp_path / "index"):
            pass
        assert (draft / "heads.npy").read_text() == "first"
    assert [path.name for path in tmp_path.iterdir()] == ["index"]


def test_byte_queries_calibrate_a_float_index(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    np.save(tmp_path / "base.npy", rng.integers(0, 99, (900, 4)).astype(np.float32))
    np.save(tmp_path / "q.npy", rng.integers(0, 99, (30, 4)).astype(np.uint8))
    manifest = build(tmp_path / "base.npy", tmp_path / "index", queries=tmp_path / "q.npy")
    assert manifest.calibration["queries"] == 30


def test_an_index_is_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "index").mkdir()
    refusal(tmp_path, np.ones((5, 3), np.float32), IndexExists)


@pytest.mark.parametrize(
    ("knob", "value"), [("max_copies", 0), ("closure_spread", float("nan")), ("recall", 1.5)]
)
def test_a_dial_out_of_range_is_refused(knob: str, value: float) -> None:
    with pytest.raises(BadConfig, match=f"{knob} is {value}, must be in"):
        BuildConfig(**{knob: value})  # type: ignore[arg-type]


@pytest.mark.parametrize("stage", ["route", "closure", "pack", "calibrate"])
def test_a_killed_build_leaves_no_index_and_does_not_hinder_a_fresh_one(
    tmp_path: Path, stage: str
) -> None:
    rows = np.random.default_rng(1).normal(size=(8000, 16)).astype(np.float32)
    np.save(tmp_path / "base.npy", rows)
    command = [sys.executable, "-m", "longspan.service", "build", "base.npy", "index"]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as child:
        assert child.stderr is not None
        for line in child.stderr:
            if line.startswith(f"{stage}:"):
                break
        child.kill()
    with pytest.raises(BadIndex):
        Index.open(tmp_path / "index")
    np.save(tmp_path / "base.npy", rows[:500])
    subprocess.run([*command, "--restart"], cwd=tmp_path, check=True, capture_output=True)
    assert verify(tmp_path / "index") == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["base.npy", "index"]


WATCHED = """
import sys, threading, time
from longspan.indexer import build
from longspan.indexer.config import BuildConfig
from longspan.indexer.running.proc import own_memory

plans, most, over = [], [0], threading.Event()

def watch():
    while not over.wait(0.005):
        most[0] = max(most[0], own_memory() or 0)

watcher = threading.Thread(target=watch)
watcher.start()
config = BuildConfig(codec=sys.argv[1], calibration=200)
build("base.npy", "index", threads=2, memory_limit=300 << 20, config=config, announce=plans.append)
over.set()
watcher.join()
print(plans[0].peak, most[0])
"""


@pytest.mark.memory
@pytest.mark.parametrize("codec", ["raw", "pq"])
def test_build_keeps_to_the_memory_it_announces(tmp_path: Path, codec: str) -> None:
    rows = np.random.default_rng(1).integers(0, 255, (100_000, 64)).astype(np.uint8)
    np.save(tmp_path / "base.npy", rows)
    command = [sys.executable, "-c", WATCHED, codec]
    done = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True)
    said, used = map(int, done.stdout.split())
    assert 0 < used <= said <= 300 << 20


def test_a_missing_file_is_refused_on_opening(tmp_index: BuildIndex) -> None:
    path = tmp_index(np.ones((5, 3), np.float32))
    (path / "ids.npy").unlink()
    with pytest.raises(DamagedIndex, match=r"ids\.npy: is missing"):
        Index.open(path)


def test_a_cut_file_is_refused_on_opening(tmp_index: BuildIndex) -> None:
    path = tmp_index(np.ones((5, 3), np.float32))
    size = (path / "heads.npy").stat().st_size
    os.truncate(path / "heads.npy", size - 1)
    with pytest.raises(DamagedIndex, match=f"has {size - 1} bytes, the manifest says {size}"):
        Index.open(path)


@pytest.mark.parametrize("name", ["heads.npy", "tree.npy", "children.npy", "directory.npy"])
def test_a_flipped_byte_in_a_file_that_is_kept_in_memory_is_refused_on_opening(
    tiny_index: BuildIndex, tmp_path: Path, name: str
) -> None:
    path = shutil.copytree(tiny_index(), tmp_path / "index")
    content = bytearray((path / name).read_bytes())
    content[-2] ^= 1
    (path / name).write_bytes(content)
    with pytest.raises(DamagedIndex, match=f"{name}: its checksum does not hold"):
        Index.open(path)


def test_a_posting_that_names_a_foreign_row_is_an_error_and_no_answer(
    tmp_index: BuildIndex,
) -> None:
    path = tmp_index(np.arange(4, dtype=np.uint8)[:, None])
    record = np.load(path / "directory.npy")[0]
    content = bytearray((path / "postings-0000.lmdb").read_bytes())
    content[int(record["offset"]) + 4 + 3] = 0x7F  # the high byte of a row number
    (path / "postings-0000.lmdb").write_bytes(content)
    with Index.open(path) as index, pytest.raises(DamagedIndex, match="posting 0 has not its"):
        index.search([0], 4, 1.0)
    forget_checks(path)
    with Index.open(path) as index, pytest.raises(DamagedIndex, match="of 4"):
        index.search([0], 4, 1.0)


def test_a_foreign_directory_is_no_index(tmp_path: Path) -> None:
    with pytest.raises(BadIndex, match="not a longspan index"):
        Index.open(tmp_path)


def test_another_format_version_is_refused(tmp_index: BuildIndex) -> None:
    path = tmp_index(np.ones((5, 3), np.float32))
    text = (path / "manifest.json").read_text()
    (path / "manifest.json").write_text(text.replace('"format": 1', '"format": 7'))
    with pytest.raises(BadIndex, match="format 7, this longspan reads 1"):
        Index.open(path)


def test_verify_finds_a_flipped_byte_in_every_file(tmp_index: BuildIndex) -> None:
    path = tmp_index(np.random.default_rng(1).normal(size=(600, 4)).astype(np.float32))
    rng = np.random.default_rng(2)
    for file in sorted(path.iterdir()):
        good = file.read_bytes()
        for at in [0, len(good) - 1, *rng.integers(0, len(good), 6).tolist()]:
            bad = bytearray(good)
            bad[at] ^= 1
            file.write_bytes(bad)
            try:
                found = verify(path)
            except (BadInput, DamagedIndex) as error:
                found = [str(error)]
            assert found, f"byte {at} of {file.name}"
        file.write_bytes(good)
    assert verify(path) == []


def test_verify_names_a_file_that_is_not_of_the_index(tmp_index: BuildIndex) -> None:
    path = tmp_index(np.ones((5, 3), np.float32))
    (path / "notes.txt").write_text("mine")
    assert verify(path) == ["notes.txt: is no file of the index"]
