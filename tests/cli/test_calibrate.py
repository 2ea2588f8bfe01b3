"""`longspan calibrate`: what a build chooses by queries, chosen for an index that is there."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from longspan.indexer import build
from longspan.indexer.config import BuildConfig
from longspan.indexer.errors import BadFile, DamagedIndex, IndexExists
from longspan.indexer.planning import memory
from longspan.indexer.store.manifest import Manifest
from longspan.indexer.store.tiers import sizes
from longspan.indexer.tools.recalibrate import recalibrate
from longspan.indexer.tools.truth import exact
from longspan.service import Index
from tests.cli.command import refused, succeeds

KINDS = [("l2", "f4", "pq"), ("cosine", "f2", "rabitq"), ("ip", "f4", "pq"), ("l2", "u1", "raw")]
DIM = 16


def vectors(n: int, spread: float, seed: int) -> np.ndarray[Any, Any]:
    """Return vectors around 40 centres."""
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(0).normal(128, 40, (40, DIM))
    return centres[rng.integers(0, 40, n)] + spread * rng.normal(size=(n, DIM))


@pytest.mark.parametrize(("metric", "dtype", "codec"), KINDS)
def test_it_chooses_what_a_build_with_the_same_queries_chooses(
    tmp_path: Path, metric: str, dtype: str, codec: str
) -> None:
    np.save(tmp_path / "base.npy", vectors(2000, 20, 1).clip(0, 255).astype(dtype))
    np.save(tmp_path / "asked.npy", vectors(300, 60, 2).clip(0, 255).astype(dtype))
    config = BuildConfig(codec=codec, max_copies=4, calibration=50)
    for name, queries in (("without", None), ("with", tmp_path / "asked.npy")):
        build(tmp_path / "base.npy", tmp_path / name, metric=metric, queries=queries, config=config)
    made = recalibrate(tmp_path / "without", tmp_path / "made", tmp_path / "asked.npy")
    wanted = Manifest.read(tmp_path / "with")
    assert made.calibration == wanted.calibration
    assert made.calibration != Manifest.read(tmp_path / "without").calibration
    assert made == Manifest.read(tmp_path / "made")


@pytest.fixture(scope="module")
def far(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index of close clusters, and in asked.npy queries from between them."""
    folder = tmp_path_factory.mktemp("far")
    np.save(folder / "base.npy", vectors(6000, 8, 1).astype(np.float32))
    np.save(folder / "asked.npy", vectors(600, 150, 2).astype(np.float32))
    build(folder / "base.npy", folder / "index", config=BuildConfig(codec="pq"))
    return folder


def recalls(index: Path, base: Path, queries: np.ndarray[Any, Any], target: float) -> list[float]:
    """Return the recall at 10 of each tier."""
    from longspan.indexer.reader import open_vectors

    _, true = exact(open_vectors(base), queries, 10, "l2")
    found = []
    for size in sizes(Manifest.read(index)):
        with Index.open(index, size) as opened:
            distances = opened.search(queries, 10, target).distances
        found.append(float((distances <= true[:, -1:] * (1 + 1e-5)).mean()))
    return found


def test_queries_of_another_kind_get_what_they_ask_for(far: Path, tmp_path: Path) -> None:
    asked = np.load(far / "asked.npy")
    np.save(tmp_path / "half.npy", asked[::2])
    done = succeeds(
        "calibrate", far / "index", tmp_path / "made", "--queries", tmp_path / "half.npy", "--json"
    )
    assert json.loads(done.stdout)["calibration"]["source"] == "half.npy"
    before = recalls(far / "index", far / "base.npy", asked[1::2], 0.95)
    after = recalls(tmp_path / "made", far / "base.npy", asked[1::2], 0.95)
    assert min(before) < 0.93  # or this shows nothing
    assert min(after) >= 0.935
    assert max(after) < max(before)  # nor is more read than they need


def test_files_are_shared_and_the_old_index_stays_as_it_is(far: Path, tmp_path: Path) -> None:
    before = {path.name: path.read_bytes() for path in (far / "index").iterdir()}
    recalibrate(far / "index", tmp_path / "made", far / "asked.npy")
    succeeds("verify", tmp_path / "made")
    assert {path.name: path.read_bytes() for path in (far / "index").iterdir()} == before
    for name in Manifest.read(far / "index").files:
        assert (tmp_path / "made" / name).stat().st_ino == (far / "index" / name).stat().st_ino
    assert [path.name for path in tmp_path.iterdir()] == ["made"]


def test_what_does_not_fit_is_refused_and_nothing_is_left(far: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "narrow.npy", np.zeros((5, DIM - 1), np.float32))
    with pytest.raises(BadFile, match=r"narrow.npy: 15 dims, .* has 16"):
        recalibrate(far / "index", tmp_path / "made", tmp_path / "narrow.npy")
    with pytest.raises(IndexExists, match="index: already exists"):
        recalibrate(far / "index", far / "index", far / "asked.npy")
    words = "no manifest.json there"
    asked: list[str | Path] = ["--queries", far / "asked.npy"]
    refused(2, "calibrate", tmp_path, tmp_path / "made", *asked, words=words)
    little = [*asked, "--memory", "60MiB"]
    words = "bytes of memory, the limit is 62,914,560"
    refused(4, "calibrate", far / "index", tmp_path / "made", *little, words=words)

    assert [path.name for path in tmp_path.iterdir()] == ["narrow.npy"]


def test_memory_bounds_the_threads_and_the_choice_stays(
    far: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The verb runs in this process, which holds as much as the tests before have left.
    monkeypatch.setattr(memory, "held_by_caller", lambda: 0)
    made = []
    np.save(tmp_path / "few.npy", np.load(far / "asked.npy")[::12])
    for name, limit, threads in (
        ("least", "150MiB", "64"),  # BLAS alone would keep more than that for so many
        ("little", "300MiB", "8"),
        ("much", "4GiB", "8"),
    ):
        succeeds(
            "calibrate", far / "index", tmp_path / name,
            "--queries", tmp_path / "few.npy", "--threads", threads, "--memory", limit,
        )  # fmt: skip
        made.append(Manifest.read(tmp_path / name).calibration)
    assert made[0] == made[1] == made[2]


def test_a_damaged_posting_is_an_error_and_leaves_nothing(far: Path, tmp_path: Path) -> None:
    index = tmp_path / "index"
    index.mkdir()
    for path in (far / "index").iterdir():
        (index / path.name).write_bytes(path.read_bytes())
    with (index / "postings-0000.lmdb").open("r+b") as file:
        file.seek(3 * 4096 + 100)
        file.write(b"\xff" * 5000)
    with pytest.raises(DamagedIndex, match="checksum"):
        recalibrate(index, tmp_path / "made", far / "asked.npy")
    assert [path.name for path in tmp_path.iterdir()] == ["index"]
