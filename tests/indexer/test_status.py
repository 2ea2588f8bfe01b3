"""The status file: whole at every moment, true in the end, and never what ends a build."""

import json
import os
import re
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from longspan.indexer import build
from longspan.indexer.config import BuildConfig
from longspan.indexer.errors import BadFile
from longspan.indexer.running import status
from longspan.indexer.running.progress import Advance
from longspan.indexer.running.status import status_file

PAGE = Path(__file__).parents[2] / "docs/status.md"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "status.json"


@pytest.fixture
def index(tmp_path: Path) -> Path:
    return tmp_path / "index"


def said(file: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(file.read_text())
    return found


def read_until(file: Path, **wanted: Any) -> dict[str, Any]:
    """Return what the file says as soon as it says what is wanted."""
    end = time.monotonic() + 30
    while not (found := said(file)).items() >= wanted.items():
        assert time.monotonic() < end, f"it says {found}, never {wanted}"
        time.sleep(0.005)
    return found


class Told:
    """A progress that remembers what it was told."""

    def __init__(self) -> None:
        self.heard: list[Any] = []

    def stage(self, name: str, total: int, unit: str) -> Any:
        self.heard.append((name, total, unit))
        return self

    def __enter__(self) -> Advance:
        return self.heard.append

    def __exit__(self, *_: object) -> None:
        self.heard.append("over")


def test_it_says_how_far_a_stage_is(file: Path, index: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(status, "SECONDS_BETWEEN_WRITES", 0.01)
    with status_file(file, index) as progress:
        assert said(file)["stage"] is None
        with progress.stage("pack", 200, "rows") as advance:
            advance(100)
            advance(50)
            found = read_until(file, stage="pack", done=150)
            assert (found["total"], found["unit"], found["percent"]) == (200, "rows", 75)
            assert found["rate"] > 0 and found["seconds_left"] is not None
            assert found["peak_memory_bytes"] >= found["memory_bytes"] > 1 << 20
            assert (found["state"], found["error"], found["stages"]) == ("running", None, {})
            assert (found["pid"], found["index"]) == (os.getpid(), str(index))
        found = read_until(file, stage=None)
        assert list(found["stages"]) == ["pack"]
        assert found["done"] is found["rate"] is None
    assert said(file)["state"] == "done"
    assert [path.name for path in file.parent.iterdir()] == [file.name]


def test_it_is_written_again_while_nothing_happens(
    file: Path, index: Path, monkeypatch: Any
) -> None:
    monkeypatch.setattr(status, "SECONDS_BETWEEN_WRITES", 0.01)
    with status_file(file, index) as progress, progress.stage("pack", 2, "rows"):
        first = read_until(file, stage="pack")
        end = time.monotonic() + 30
        while (found := said(file))["updated"] == first["updated"]:
            assert time.monotonic() < end
            time.sleep(0.005)
        for name in ("started", "updated"):
            assert datetime.fromisoformat(found[name]).utcoffset() is not None
        assert {**found, "updated": 0}.keys() == first.keys()
        assert found["started"] <= first["updated"] < found["updated"]


def test_the_progress_within_is_told_the_same(file: Path, index: Path) -> None:
    told = Told()
    with status_file(file, index, told) as progress, progress.stage("pack", 9, "rows") as advance:
        advance(4)
    assert told.heard == [("pack", 9, "rows"), 4, "over"]


def test_a_stage_that_comes_twice_is_told_with_the_sum(file: Path, index: Path) -> None:
    with status_file(file, index) as progress:
        for _ in range(2):
            with progress.stage("copy", 1, "bytes") as advance:
                time.sleep(0.01)
                advance(1)
    assert said(file)["stages"]["copy"] >= 0.02


@pytest.mark.parametrize(
    ("raised", "state", "error"),
    [
        (BadFile("base.npy: is bad"), "failed", "base.npy: is bad"),
        (KeyError("x"), "failed", "KeyError('x')"),
        (KeyboardInterrupt(), "stopped", None),
        (SystemExit(143), "stopped", None),
    ],
)
def test_it_says_how_a_build_ended_and_in_which_stage(
    file: Path, index: Path, raised: BaseException, state: str, error: str | None
) -> None:
    with pytest.raises(type(raised)), status_file(file, index) as progress:
        with progress.stage("first", 1, "rows"):
            pass
        with progress.stage("second", 3, "rows") as advance:
            advance(2)
            raise raised
    found = said(file)
    assert (found["state"], found["error"]) == (state, error)
    assert (found["stage"], found["done"], list(found["stages"])) == ("second", 2, ["first"])


def test_a_build_outlives_the_folder_of_its_status(tmp_path: Path) -> None:
    rows = np.random.default_rng(1).normal(size=(300, 8)).astype(np.float32)
    np.save(tmp_path / "base.npy", rows)
    (tmp_path / "away").mkdir()
    config = BuildConfig(calibration=10)
    with status_file(tmp_path / "away/status.json", tmp_path / "index") as progress:
        (tmp_path / "away").rename(tmp_path / "gone")  # at once, whatever is being written
        build(tmp_path / "base.npy", tmp_path / "index", config=config, progress=progress)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["base.npy", "gone", "index"]


def refused_paths(folder: Path) -> Iterator[tuple[Path, str]]:
    (folder / "mine.json").write_text('{"state of things": "fine"}')
    (folder / "link").symlink_to("nowhere")
    yield folder / "mine.json", "is no status file"
    yield folder, "is no file"
    yield folder / "link", "is no file"
    yield folder / "none/status.json", "cannot be written: No such file"
    yield folder / "index", "belongs to the index"
    yield folder / "index/status.json", "belongs to the index"


def test_what_cannot_be_the_file_is_refused_and_nothing_is_lost(tmp_path: Path) -> None:
    for path, words in refused_paths(tmp_path):
        with pytest.raises(BadFile, match=words), status_file(path, tmp_path / "index"):
            pytest.fail("the work has begun")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link", "mine.json"]
    assert (tmp_path / "mine.json").read_text() == '{"state of things": "fine"}'


@pytest.mark.parametrize("there", ["", '{"state": "running", "error": null}\n'])
def test_an_empty_or_an_old_one_is_replaced(file: Path, index: Path, there: str) -> None:
    file.write_text(there)
    with status_file(file, index):
        assert said(file)["pid"] == os.getpid()


def test_the_page_names_its_fields_in_order(file: Path, index: Path) -> None:
    with status_file(file, index):
        pass
    assert re.findall(r"^\| `(\w+)` \|", PAGE.read_text(), re.MULTILINE) == list(said(file))
