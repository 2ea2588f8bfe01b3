"""kills.py through its real processes, and what it takes for alike."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import kills
import numpy as np
import pytest

from longspan.indexer import build
from longspan.indexer.config import BuildConfig
from tests.bench.conftest import BENCH, bin_of
from tests.data import clusters


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of 600 vectors."""
    path = tmp_path_factory.mktemp("base") / "base.fbin"
    path.write_bytes(bin_of(clusters(np.random.default_rng(6), n=600, dim=8).base))
    return path


@pytest.fixture(scope="module")
def index(base: Path) -> Path:
    """An index of them."""
    build(base, base.parent / "index", config=BuildConfig(calibration=10))
    return base.parent / "index"


def test_a_killed_and_resumed_build_is_told_and_compared(base: Path, tmp_path: Path):
    work = tmp_path / "work"
    command = [sys.executable, str(BENCH / "kills.py"), str(base), str(work), "--times", "1"]
    done = subprocess.run([*command, "--seed", "5"], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    calm, killed, last = done.stdout.splitlines()
    found = json.loads(killed)
    assert 0 < found["killed_at"] < json.loads(calm)["calm_seconds"]
    assert (found["identical"], found["wrong"], found["threads"] in (1, 2)) == (True, [], True)
    assert last == "1 of 1 identical"
    assert [path.name for path in work.iterdir()] == ["calm"]

    again = subprocess.run(command, capture_output=True, text=True)
    assert again.returncode == 1
    assert "calm: already exists" in again.stderr


def test_indexes_that_differ_in_their_times_and_names_alone_are_alike(
    base: Path, index: Path, tmp_path: Path
):
    build(base, tmp_path / "other", config=BuildConfig(calibration=10), threads=1)
    assert kills.differences(index, tmp_path / "other") == []


def test_what_differs_is_named(index: Path, tmp_path: Path):
    other = tmp_path / "index"
    shutil.copytree(index, other)
    (other / "more.npy").touch()
    (other / "tree.npy").unlink()
    raw = bytearray((other / "ids.npy").read_bytes())
    raw[-1] ^= 1
    (other / "ids.npy").write_bytes(raw)
    manifest = json.loads((other / "manifest.json").read_text())
    (other / "manifest.json").write_text(json.dumps({**manifest, "heads": 0}))
    wrong = ["ids.npy", "manifest.json", "more.npy", "tree.npy"]
    assert kills.differences(index, other) == wrong


@pytest.mark.parametrize(
    ("said", "stage"),
    [
        ({"stage": "pack", "stages": {"route": 1}}, "pack"),
        ({"stage": None, "stages": {"route": 1, "stage": 2}}, "after stage"),
        ({"stage": None, "stages": {}}, None),
        (None, None),
    ],
)
def test_the_stage_is_that_of_the_status_file(said: object, stage: str | None, tmp_path: Path):
    if said:
        (tmp_path / "status.json").write_text(json.dumps(said))
    assert kills.stage_of(tmp_path / "status.json") == stage
