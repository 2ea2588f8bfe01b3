"""`longspan convert` and `longspan merge`."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from longspan.indexer import build
from longspan.indexer.config import BuildConfig
from longspan.indexer.errors import BadIndex, DoesNotFit, IndexExists
from longspan.indexer.reader import open_vectors
from longspan.indexer.tools.merge import merge
from longspan.service import Index
from tests.cli.command import longspan, refused, succeeds

SIZES = {"a": 900, "b": 500, "c": 300}


def build_raw(vectors: Path, index: Path, ids: Path, **dials: Any) -> None:
    """Build an index quickly: without codes, calibrated with few queries."""
    build(vectors, index, ids=ids, config=BuildConfig(codec="raw", calibration=10, **dials))


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three indexes, a, b and c, of vectors and ids of their own; all.npy and ids.npy together."""
    folder = tmp_path_factory.mktemp("parts")
    rng = np.random.default_rng(3)
    vectors = rng.integers(0, 256, (sum(SIZES.values()), 12)).astype(np.uint8)
    ids = rng.permutation(9000)[: len(vectors)]
    np.save(folder / "all.npy", vectors)
    np.save(folder / "all-ids.npy", ids)
    start = 0
    for name, n in SIZES.items():
        np.save(folder / f"{name}.npy", vectors[start : start + n])
        np.save(folder / f"{name}-ids.npy", ids[start : start + n])
        dials = {"max_copies": 4, "heads": 60} if name == "a" else {}
        build_raw(folder / f"{name}.npy", folder / name, folder / f"{name}-ids.npy", **dials)
        start += n
    return folder


def test_convert_changes_format_and_type_and_says_so(parts: Path, tmp_path: Path) -> None:
    done = succeeds("convert", parts / "a.npy", tmp_path / "a.fvecs", "--limit", "30", "--json")
    record = json.loads(done.stdout)
    record.pop("seconds")
    assert record == {
        "output": str(tmp_path / "a.fvecs"), "ids": None, "vectors": 30, "dim": 12, "dtype": "f32"
    }  # fmt: skip
    vectors = open_vectors(tmp_path / "a.fvecs").rows(0, 30)
    np.testing.assert_array_equal(vectors, np.load(parts / "a.npy")[:30])
    refused(2, "convert", parts / "a.npy", tmp_path / "a.fvecs", words="already exists")


def test_convert_reads_an_index(parts: Path, tmp_path: Path) -> None:
    done = succeeds("convert", parts / "c", tmp_path / "c.npy", "--ids", tmp_path / "c.txt")
    assert done.stdout.startswith(f"{tmp_path}/c.npy: 300 x 12 u8")
    named = dict(zip(np.load(parts / "c-ids.npy"), np.load(parts / "c.npy"), strict=True))
    ids = np.loadtxt(tmp_path / "c.txt", dtype=np.int64)
    np.testing.assert_array_equal(np.load(tmp_path / "c.npy"), [named[name] for name in ids])


def test_a_merged_index_finds_what_one_of_all_vectors_would(parts: Path, tmp_path: Path) -> None:
    done = succeeds("merge", parts / "a", parts / "b", parts / "c", tmp_path / "m", "--json")
    manifest = json.loads(done.stdout)
    assert (manifest["n"], manifest["dtype"], manifest["metric"]) == (1700, "u8", "l2")
    kept = {name: manifest["config"][name] for name in ("max_copies", "codec", "heads")}
    assert kept == {"max_copies": 4, "codec": "raw", "heads": None}
    assert [path.name for path in tmp_path.iterdir()] == ["m"]
    assert longspan("verify", tmp_path / "m").returncode == 0
    vectors, ids = np.load(parts / "all.npy"), np.load(parts / "all-ids.npy")
    queries = vectors[:: len(vectors) // 40]
    far = np.square(queries[:, None].astype(int) - vectors).sum(axis=2)
    with Index.open(tmp_path / "m") as index:
        found = index.search(queries, k=10, recall=1.0)
        near = index.search(queries, k=10, recall=0.9)
    np.testing.assert_array_equal(found.distances, np.sort(far, axis=1)[:, :10])
    place = {int(name): row for row, name in enumerate(ids)}
    rows = np.array([[place[int(name)] for name in line] for line in found.ids])
    np.testing.assert_array_equal(np.take_along_axis(far, rows, axis=1), found.distances)
    assert (near.distances <= found.distances[:, -1:]).mean() > 0.8


def test_dials_of_a_merge_take_the_place_of_the_first_indexs(parts: Path, tmp_path: Path) -> None:
    flags = ("--heads", "40", "--max-copies", "2", "--recall", "0.8")
    done = succeeds("merge", parts / "a", parts / "b", tmp_path / "m", *flags, "--json")
    config = json.loads(done.stdout)["config"]
    assert (config["heads"], config["max_copies"], config["recall"]) == (40, 2, 0.8)
    assert (config["codec"], config["calibration"]) == ("raw", 10)


def test_a_merge_keeps_a_status_file(parts: Path, tmp_path: Path) -> None:
    file = tmp_path / "status.json"
    succeeds("merge", parts / "b", parts / "c", tmp_path / "m", "--status", file)
    said = json.loads(file.read_text())
    assert (said["state"], said["index"]) == ("done", str(tmp_path / "m"))
    assert list(said["stages"])[:2] == ["gather", "route"]


def test_an_id_in_two_indexes_is_refused_before_anything_is_built(
    parts: Path, tmp_path: Path
) -> None:
    ids = np.arange(20_000, 20_500)
    ids[77] = np.load(parts / "a-ids.npy")[5]
    np.save(tmp_path / "ids.npy", ids)
    build_raw(parts / "b.npy", tmp_path / "b", tmp_path / "ids.npy")
    sources = (parts / "a", parts / "c", tmp_path / "b")
    words = f"{tmp_path}/b: has the id {ids[77]}, and so has {parts}/a"
    refused(2, "merge", *sources, tmp_path / "m", words=words)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b", "ids.npy"]


def test_indexes_of_different_kinds_are_refused(parts: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "ids.npy", np.arange(20_000, 20_500))
    np.save(tmp_path / "f32.npy", np.load(parts / "b.npy").astype(np.float32))
    build_raw(tmp_path / "f32.npy", tmp_path / "f32", tmp_path / "ids.npy")
    words = f"{tmp_path}/f32: dtype is f32, {parts}/a has u8"
    with pytest.raises(BadIndex, match=words):
        merge([parts / "a", tmp_path / "f32"], tmp_path / "m", dials={})
    with pytest.raises(IndexExists, match="already exists"):
        merge([parts / "a", parts / "b"], parts / "c", dials={})
    assert longspan("merge", parts / "a", tmp_path / "m").returncode == 2
    assert not (tmp_path / "m").exists()


def test_a_merge_that_cannot_be_built_leaves_nothing(parts: Path, tmp_path: Path) -> None:
    with pytest.raises(DoesNotFit, match="the limit is 1,048,576"):
        merge([parts / "a", parts / "b"], tmp_path / "m", dials={}, memory_limit=1 << 20)
    assert not list(tmp_path.iterdir())
