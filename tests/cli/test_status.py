"""`longspan build --status`, watched from outside while a build runs."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.cli.command import LONGSPAN, refused
from tests.data import clusters

BUILD = ("build", "base.npy", "index", "--codec", "raw", "--calibration", "10")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with 10,000 vectors."""
    np.save(tmp_path / "base.npy", clusters(np.random.default_rng(5), n=10_000, dim=16).base)
    return tmp_path


def said(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "status.json").read_text())
    return found


def start(folder: Path) -> "subprocess.Popen[bytes]":
    """Start a build and return it when the status file is its own."""
    command = [*LONGSPAN, *BUILD, "--status", "status.json", "--resume"]
    quiet = subprocess.DEVNULL
    child = subprocess.Popen(command, cwd=folder, stdout=quiet, stderr=quiet)
    while not (folder / "status.json").exists() or said(folder)["pid"] != child.pid:
        assert child.poll() is None
        time.sleep(0.002)
    return child


def test_it_can_be_read_at_every_moment_of_a_build(folder: Path) -> None:
    seen = []
    with start(folder) as child:
        while child.poll() is None:
            seen.append(said(folder))
            time.sleep(0.001)
    assert child.returncode == 0
    assert {found["pid"] for found in seen} == {child.pid}
    assert {found["stage"] for found in seen} & {"cluster", "closure", "pack", "calibrate"}
    assert {found["state"] for found in seen} <= {"running", "done"}
    times = [found["updated"] for found in seen]
    assert times == sorted(times)
    last = said(folder)
    assert (last["state"], last["error"], last["stage"]) == ("done", None, None)
    assert last["index"] == str(folder / "index")
    assert list(last["stages"])[:4] == ["route", "stage", "cluster", "closure"]
    assert last["peak_memory_bytes"] == max(found["peak_memory_bytes"] for found in [*seen, last])


def test_stopped_killed_and_resumed(folder: Path) -> None:
    with start(folder) as child:
        child.send_signal(signal.SIGINT)
    assert child.returncode == 130
    assert (said(folder)["state"], said(folder)["error"]) == ("stopped", None)

    with start(folder) as child:
        child.kill()
    assert said(folder)["state"] == "running"
    with pytest.raises(ProcessLookupError):
        os.kill(said(folder)["pid"], 0)

    with start(folder) as child:
        child.wait()
    assert (said(folder)["state"], said(folder)["pid"]) == ("done", child.pid)


def test_a_refused_input_is_a_failure_that_it_explains(folder: Path) -> None:
    vectors = np.load(folder / "base.npy")
    vectors[777, 3] = np.nan
    np.save(folder / "base.npy", vectors)
    refused(2, *BUILD, "--status", "status.json", words="row 777 has nan", cwd=folder)
    found = said(folder)
    assert found["state"] == "failed"
    assert "row 777 has nan" in found["error"]


def test_a_path_where_something_else_is_is_refused_before_any_work(folder: Path) -> None:
    before = sorted(folder.iterdir())
    refused(2, *BUILD, "--status", "base.npy", words="base.npy: is no status file", cwd=folder)
    assert sorted(folder.iterdir()) == before
