"""Builds that the system is short with: open files, room on the disk, address space."""

import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from longspan.indexer import build
from longspan.indexer.config import BuildConfig
from longspan.indexer.errors import DoesNotFit
from longspan.indexer.running import proc
from longspan.indexer.running.runner import Stages
from longspan.indexer.stages.publish import workplace
from longspan.indexer.tools.verify import verify
from tests.builds import content
from tests.cli.command import LONGSPAN
from tests.data import clusters

# A build of many small parts, in a process that may open so many files.
FEW_FILES = """
import resource, sys
from longspan.indexer import build
from longspan.indexer.config import BuildConfig
from longspan.indexer.planning import shape
from longspan.service.commands.main import main
shape.PART, most = 500, int(sys.argv[1])
resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
sys.exit(main(["build", "base.npy", "index", "--codec", "pq", "--calibration=20", *sys.argv[2:]]))
"""


def test_a_build_of_many_parts_needs_few_open_files_and_names_their_limit(tmp_path: Path) -> None:
    rows = np.random.default_rng(1).integers(0, 255, (3000, 8)).astype(np.uint8)
    np.save(tmp_path / "base.npy", rows)

    def build_with(files: int, *more: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", FEW_FILES, str(files), *more]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)

    done = build_with(12)
    assert done.returncode == 1
    assert "no more than 12 files may be open (`ulimit -n`)" in done.stderr
    assert "--resume" in done.stderr
    done = build_with(40, "--resume")
    assert done.returncode == 0, done.stderr
    assert verify(tmp_path / "index") == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 16 MiB of its own."""
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "none", tmp_path]).returncode:
        pytest.skip("needs the right to mount a tmpfs")
    yield tmp_path
    subprocess.run(["umount", "--lazy", tmp_path], check=True)


STEPS = (
    "sample", "route", "lay out", "stage", "cluster", "tree", "closure", "count", "settle",
    "number", "train", "encode", "join", "count pages", "pack", "directory", "payload", "truth",
)  # fmt: skip


def fill(path: Path) -> None:
    """Take all the room that a disk has, to its last page."""
    with path.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(1 << 12))


def fill_before(monkeypatch: pytest.MonkeyPatch, step: str, path: Path) -> None:
    """Have the disk full when a step of a build begins."""
    for way in ("once", "each", "in_turn"):
        run = getattr(Stages, way)

        def filled(stages: Stages, name: str, *given: Any, run: Any = run, **more: Any) -> None:
            if name == step:
                fill(path)
            run(stages, name, *given, **more)

        monkeypatch.setattr(Stages, way, filled)


def test_a_disk_that_fills_at_any_step_ends_the_build_and_costs_nothing(
    small_disk: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    calm = tmp_path_factory.mktemp("calm")
    given: dict[str, Any] = {"config": BuildConfig(codec="pq", calibration=20), "threads": 1}
    for folder in (calm, small_disk):
        np.save(folder / "base.npy", clusters(np.random.default_rng(7), n=1500, dim=16).base)
        (folder / "objects.jsonl").write_text(1500 * '{"a": "some text of this vector"}\n')
    build(calm / "base.npy", calm / "index", payload=calm / "objects.jsonl", **given)

    given |= {"payload": small_disk / "objects.jsonl", "resume": True}
    for step in STEPS:
        with monkeypatch.context() as patch:
            fill_before(patch, step, small_disk / "filler")
            with pytest.raises(DoesNotFit, match="the disk is full"):
                build(small_disk / "base.npy", small_disk / "index", **given)
        (small_disk / "filler").unlink()
        assert workplace(small_disk / "index").exists() == (step != STEPS[0]), step
    build(small_disk / "base.npy", small_disk / "index", **given)
    assert content(small_disk / "index") == content(calm / "index")


@pytest.mark.parametrize("kilobytes", [50, 100])
def test_a_file_that_may_not_grow_is_named_and_the_work_is_kept(
    tmp_path: Path, kilobytes: int
) -> None:
    np.save(tmp_path / "base.npy", clusters(np.random.default_rng(7), n=1500, dim=16).base)
    build_it = f"{' '.join(LONGSPAN)} build base.npy index --codec pq --calibration 20"
    limited = f"ulimit -f {kilobytes}; {build_it}"
    done = subprocess.run(["bash", "-c", limited], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 4, done.stderr
    assert f"{workplace(tmp_path / 'index').name}/" in done.stderr
    assert "a file may not grow that large (`ulimit -f`)" in done.stderr


@pytest.mark.memory
@pytest.mark.parametrize("mebibytes", [250, 400])
def test_a_limit_of_address_space_is_named_before_a_library_ends_the_process(
    tmp_path: Path, mebibytes: int
) -> None:
    np.save(tmp_path / "base.npy", np.random.default_rng(1).normal(size=(900, 8)).astype("f4"))

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (mebibytes << 20, mebibytes << 20))

    done = subprocess.run(
        [*LONGSPAN, "build", "base.npy", "index", "--threads", "2"],
        cwd=tmp_path, capture_output=True, text=True, preexec_fn=limited,
    )  # fmt: skip
    assert done.returncode == 4, done.stderr
    assert f"limited to {mebibytes} MiB (`ulimit -v`)" in done.stderr
    assert not (tmp_path / "index").exists()


def test_address_space_counts_what_is_mapped_already(monkeypatch: pytest.MonkeyPatch) -> None:
    mapped = proc.field(proc.STATUS, "VmSize") * 1024
    proc.check_address_space(1 << 60)  # no limit
    monkeypatch.setattr(resource, "getrlimit", lambda _: (mapped + (64 << 20), -1))
    proc.check_address_space(32 << 20)
    with pytest.raises(DoesNotFit, match="ulimit -v"):
        proc.check_address_space(96 << 20)
