"""Builds that are cut off and gone on with: nothing is lost, and nothing tells them apart."""

import errno
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from longspan.indexer import build
from longspan.indexer.config import BuildConfig
from longspan.indexer.errors import (
    BadConfig,
    BuildCutOff,
    CannotResume,
    DamagedBuild,
    DoesNotFit,
    IndexExists,
)
from longspan.indexer.running.journal import NAME, differences, opened
from longspan.indexer.running.progress import SILENT
from longspan.indexer.stages.publish import publishing, workplace
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


@pytest.mark.parametrize(
    "torn", [b'["closure", 1', bytes(4096), b'["closure", 1\n["cluster", 0]\n', b"\xff\n", b"[1]\n"]
)
def test_what_is_behind_the_last_whole_line_counts_for_nothing(
    base: Path, undisturbed: dict[str, Any], torn: bytes
) -> None:
    index = base.parent / "index"
    cut_off(base, index, CONFIG, "closure")
    journal = workplace(index) / NAME
    whole = journal.read_bytes()
    with journal.open("ab") as file:
        file.write(torn)
    cut_off(base, index, CONFIG, "closure", resume=True)
    assert journal.read_bytes() == whole
    build(base, index, config=CONFIG, resume=True)
    assert content(index) == undisturbed


@pytest.mark.parametrize("damage", [b"\0" * 100, b"{\n", b"[]\n"])
def test_a_journal_without_its_first_line_is_named_and_nothing_is_removed(
    base: Path, damage: bytes
) -> None:
    index = base.parent / "index"
    cut_off(base, index, CONFIG, "closure")
    journal = workplace(index) / NAME
    journal.write_bytes(damage + journal.read_bytes())
    kept = sorted(workplace(index).rglob("*"))
    with pytest.raises(DamagedBuild, match=r"journal\.jsonl: its first line is damaged"):
        build(base, index, config=CONFIG, resume=True)
    with pytest.raises(BuildCutOff):
        build(base, index, config=CONFIG)
    assert sorted(workplace(index).rglob("*")) == kept


def test_a_line_of_which_the_disk_takes_a_part_is_taken_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(tmp_path, {"metric": "l2"}) as journal:
        journal.note([("stage", 0)])
        with monkeypatch.context() as patch:
            write = os.pwrite
            patch.setattr(os, "pwrite", lambda handle, data, at: torn(write, handle, data, at))
            with pytest.raises(OSError, match=r"No space left.*journal\.jsonl"):
                journal.note([("stage", 1), ("stage", 2)])
        journal.note([("stage", 3)])
    with opened(tmp_path, {}) as journal:
        assert journal.left("stage", range(5)) == [1, 2, 4]


def torn(write: Any, handle: int, data: memoryview, offset: int) -> int:
    """Write five bytes at a time, up to 20 of them, as a disk does that is full then."""
    if len(data) < 15:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    written: int = write(handle, data[:5], offset)
    return written


def test_a_build_over_one_that_was_cut_off_wants_a_word(
    base: Path, undisturbed: dict[str, Any]
) -> None:
    index = base.parent / "index"
    cut_off(base, index, CONFIG, "closure")
    kept = sorted(workplace(index).rglob("*"))
    with pytest.raises(BuildCutOff, match="`build --resume`, or `build --restart`"):
        build(base, index, config=CONFIG)
    with pytest.raises(BuildCutOff), publishing(index):
        pass
    with pytest.raises(BadConfig, match="resume and restart"):
        build(base, index, config=CONFIG, resume=True, restart=True)
    assert sorted(workplace(index).rglob("*")) == kept
    build(base, index, config=CONFIG, restart=True)
    assert content(index) == undisturbed


def test_where_nothing_was_done_a_build_starts_without_a_word(
    base: Path, undisturbed: dict[str, Any]
) -> None:
    index = base.parent / "index"
    for folder in ("draft", "work"):
        (workplace(index) / folder).mkdir(parents=True)
    (workplace(index) / NAME).write_text('{"longspan": "0.1.0"}\n')
    (workplace(index) / "work/top.npy").write_text("half")
    build(base, index, config=CONFIG)
    assert content(index) == undisturbed


def test_what_no_build_has_left_is_not_removed(base: Path) -> None:
    index = base.parent / "index"
    workplace(index).mkdir()
    (workplace(index) / "mine").write_text("mine")
    with pytest.raises(IndexExists, match="mine: is there, and no build has left it"):
        build(base, index, config=CONFIG)
    assert (workplace(index) / "mine").read_text() == "mine"


def test_a_build_that_is_refused_before_it_has_done_anything_leaves_nothing(
    base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("longspan.indexer.planning.footprint.most", lambda job: 1 << 60)
    with pytest.raises(DoesNotFit, match="the disk has"):
        build(base, base.parent / "new/folders/index", config=CONFIG)
    assert [path.name for path in base.parent.iterdir()] == ["base.npy"]


def test_an_index_that_appears_meanwhile_costs_nothing(
    base: Path, undisturbed: dict[str, Any]
) -> None:
    index = base.parent / "index"

    class Meanwhile:
        def stage(self, name: str, total: int, unit: str) -> Any:
            if name == "calibrate":
                index.mkdir()
            return SILENT.stage(name, total, unit)

    with pytest.raises(IndexExists):
        build(base, index, config=CONFIG, progress=Meanwhile())
    index.rmdir()
    cut_off(base, index, CONFIG, "calibrate", resume=True)
    build(base, index, config=CONFIG, resume=True)
    assert content(index) == undisturbed


@pytest.mark.parametrize(
    ("stage", "name"),
    [("cluster", "vectors.npy"), ("settle", "primary-00000.runs"), ("closure", "tree.npz")],
)
@pytest.mark.parametrize("cut", [1, 10**9])
def test_a_damaged_file_of_a_build_is_named_and_the_rest_is_kept(
    base: Path, stage: str, name: str, cut: int
) -> None:
    index = base.parent / "index"
    cut_off(base, index, CONFIG, stage)
    damaged = workplace(index) / "work" / name
    os.truncate(damaged, max(0, damaged.stat().st_size - cut))
    kept = set(workplace(index).rglob("*"))
    with pytest.raises(DamagedBuild, match=re.escape(str(damaged))):
        build(base, index, config=CONFIG, resume=True)
    assert set(workplace(index).rglob("*")) >= kept
    damaged.unlink()
    with pytest.raises(DamagedBuild, match=re.escape(str(damaged))):
        build(base, index, config=CONFIG, resume=True)


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
