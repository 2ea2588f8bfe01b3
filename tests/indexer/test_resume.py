"""Builds that are cut off and gone on with: nothing is lost, and nothing tells them apart."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from longspan.indexer import build
from longspan.indexer.config import BuildConfig
from longspan.indexer.errors import CannotResume
from longspan.indexer.running.journal import NAME, differences
from longspan.indexer.stages.publish import workplace
from longspan.indexer.store.manifest import NAME as MANIFEST
from tests.builds import content, cut_off
from tests.data import clusters

CONFIG = BuildConfig(codec="pq", calibration=30)


@pytest.fixture
def base(tmp_path: Path) -> Path:
    rows = clusters(np.random.default_rng(7), n=3000, dim=16).base
    np.save(tmp_path / "base.npy", rows)
    return tmp_path / "base.npy"


@pytest.mark.parametrize(
    "stage", ["route", "stage", "cluster", "closure", "settle", "encode", "pack", "calibrate"]
)
def test_a_build_that_goes_on_gives_what_an_undisturbed_one_gives(
    base: Path, undisturbed: dict[str, Any], stage: str
) -> None:
    index = base.parent / "index"
    cut_off(base, index, CONFIG, stage, threads=1)
    assert not index.exists()
    build(base, index, config=CONFIG, resume=True, threads=3)
    assert content(index) == undisturbed
    assert sorted(path.name for path in base.parent.iterdir()) == ["base.npy", "index"]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return the content of an index that was built in one go."""
    folder = tmp_path_factory.mktemp("undisturbed")
    np.save(folder / "base.npy", clusters(np.random.default_rng(7), n=3000, dim=16).base)
    build(folder / "base.npy", folder / "index", config=CONFIG)
    return content(folder / "index")


def test_killed_stage_by_stage_a_build_comes_to_the_same_end(
    base: Path, undisturbed: dict[str, Any]
) -> None:
    command = [
        sys.executable, "-m", "longspan.service", "build", "base.npy", "index", "--resume",
        "--codec", "pq", "--calibration", "30",
    ]  # fmt: skip
    for stage in ("stage", "cluster", "settle", "pack", "calibrate"):
        with subprocess.Popen(command, cwd=base.parent, stderr=subprocess.PIPE, text=True) as child:
            assert child.stderr is not None
            for line in child.stderr:
                if line.startswith(f"{stage}:"):
                    break
            child.kill()
    subprocess.run(command, cwd=base.parent, check=True, capture_output=True)
    assert content(base.parent / "index") == undisturbed


def test_a_line_that_was_cut_off_counts_for_nothing(
    base: Path, undisturbed: dict[str, Any]
) -> None:
    index = base.parent / "index"
    cut_off(base, index, CONFIG, "closure")
    with (workplace(index) / NAME).open("ab") as file:
        file.write(b'["closure", 1')
    build(base, index, config=CONFIG, resume=True)
    assert content(index) == undisturbed


def test_what_was_half_written_is_written_anew(base: Path, undisturbed: dict[str, Any]) -> None:
    index = base.parent / "index"
    cut_off(base, index, CONFIG, "calibrate")
    draft = workplace(index) / "draft"
    (draft / MANIFEST).write_text("{")
    (draft / "directory.npy.tmp").write_bytes(b"half")
    build(base, index, config=CONFIG, resume=True)
    assert content(index) == undisturbed


def test_other_dials_or_another_input_are_refused_and_nothing_is_lost(base: Path) -> None:
    index = base.parent / "index"
    cut_off(base, index, CONFIG, "closure")
    kept = sorted(workplace(index).rglob("*"))
    with pytest.raises(CannotResume, match=r"config\.seed was 1, now 2"):
        build(base, index, config=BuildConfig(codec="pq", calibration=30, seed=2), resume=True)
    rows = np.load(base)
    rows[0] += 1
    np.save(base, rows)
    with pytest.raises(CannotResume, match=r"input\.sample_sha256 was"):
        build(base, index, config=CONFIG, resume=True)
    assert sorted(workplace(index).rglob("*")) == kept


def test_where_there_is_nothing_to_resume_the_build_starts_afresh(
    base: Path, undisturbed: dict[str, Any]
) -> None:
    build(base, base.parent / "index", config=CONFIG, resume=True)
    assert content(base.parent / "index") == undisturbed


def test_the_command_line_says_how_to_go_on(base: Path) -> None:
    command = [sys.executable, "-m", "longspan.service", "build", "base.npy", "index"]
    with subprocess.Popen(command, cwd=base.parent, stderr=subprocess.PIPE, text=True) as child:
        assert child.stderr is not None
        for line in child.stderr:
            if line.startswith("closure:"):
                break
        child.terminate()
        said = child.stderr.read()
    assert child.returncode == 143
    assert "--resume" in said


def test_differences_are_told_by_the_name_of_what_differs() -> None:
    begun = {"metric": "l2", "config": {"seed": 1, "heads": None}}
    wanted = {"metric": "ip", "config": {"seed": 1, "heads": 7}}
    found = differences(begun, wanted)
    assert found == ["config.heads was None, now 7", "metric was l2, now ip"]
