"""Inputs that somebody writes to while they are read: refused, whatever becomes of them."""

import json
import mmap
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from longspan.indexer import build
from longspan.indexer.config import BuildConfig
from longspan.indexer.errors import BadFile, CannotResume
from longspan.indexer.reader import open_vectors
from longspan.indexer.reader.ids import read_ids
from longspan.indexer.running.progress import SILENT
from tests.builds import content, cut_off
from tests.data import clusters

CONFIG = BuildConfig(codec="pq", calibration=30)


class Meddle:
    """Does something to a file when a stage begins."""

    def __init__(self, stage: str, meddle: Callable[[], object]) -> None:
        self.name, self.meddle = stage, meddle

    def stage(self, name: str, total: int, unit: str) -> Any:
        if name == self.name:
            self.meddle()
        return SILENT.stage(name, total, unit)


def rewrite(path: Path) -> None:
    """Write the file's second half over its first, in place."""
    half = path.stat().st_size // 2
    with path.open("r+b") as file:
        os.pwrite(file.fileno(), path.read_bytes()[half:], 128)


def rewrite_mapped(path: Path) -> None:
    with path.open("r+b") as file, mmap.mmap(file.fileno(), 0) as mapped:
        mapped[-64:] = bytes(64)
        mapped.flush()


def cut(path: Path) -> None:
    os.truncate(path, 4096)


def grow(path: Path) -> None:
    os.truncate(path, path.stat().st_size + 1)


def replace(path: Path) -> None:
    other = path.with_name("other")
    other.write_bytes(path.read_bytes()[::-1])
    other.replace(path)


@pytest.fixture
def base(tmp_path: Path) -> Path:
    return saved(tmp_path)


def saved(folder: Path) -> Path:
    np.save(folder / "base.npy", clusters(np.random.default_rng(7), n=3000, dim=16).base)
    return folder / "base.npy"


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return the content of an index whose input nobody wrote to."""
    base = saved(tmp_path_factory.mktemp("calm"))
    build(base, base.parent / "index", config=CONFIG)
    return content(base.parent / "index")


@pytest.mark.parametrize("stage", ["route", "stage"])
@pytest.mark.parametrize("meddle", [rewrite, rewrite_mapped, cut, grow, replace])
def test_an_input_that_changes_while_it_is_read_is_refused(
    base: Path, stage: str, meddle: Callable[[Path], None]
) -> None:
    with pytest.raises(BadFile, match=r"base\.npy: was (changed|replaced) while it was read"):
        build(base, base.parent / "index", progress=Meddle(stage, lambda: meddle(base)))
    assert not (base.parent / "index").exists()


@pytest.mark.parametrize("meddle", [rewrite, cut, os.unlink])
def test_an_input_may_change_when_all_of_it_is_read(
    base: Path, calm: dict[str, Any], meddle: Callable[[Path], None]
) -> None:
    index, meddling = base.parent / "index", Meddle("cluster", lambda: meddle(base))
    build(base, index, config=CONFIG, progress=meddling)
    assert content(index) == calm


def test_a_build_whose_input_was_written_to_goes_on_if_all_of_it_was_read(
    base: Path, calm: dict[str, Any]
) -> None:
    index = base.parent / "index"
    cut_off(base, index, CONFIG, "stage")
    state = base.stat()
    os.utime(base, ns=(state.st_atime_ns, state.st_mtime_ns + 1))
    with pytest.raises(CannotResume, match="input was written to before all of it was read"):
        build(base, index, config=CONFIG, resume=True)
    os.utime(base, ns=(state.st_atime_ns, state.st_mtime_ns))
    cut_off(base, index, CONFIG, "cluster", resume=True)
    os.utime(base, ns=(state.st_atime_ns, state.st_mtime_ns + 1))
    build(base, index, config=CONFIG, resume=True)
    assert content(index) == calm


@pytest.mark.parametrize("meddle", [rewrite, cut])
def test_calibration_queries_that_change_are_refused_and_the_work_is_kept(
    base: Path, meddle: Callable[[Path], None]
) -> None:
    queries, index = base.parent / "queries.npy", base.parent / "index"
    np.save(queries, np.load(base)[:200])
    meddling = Meddle("pack", lambda: meddle(queries))
    with pytest.raises(BadFile, match=r"queries\.npy: was changed while it was read"):
        build(base, index, queries=queries, config=CONFIG, progress=meddling)
    np.save(queries, np.load(base)[:200])
    cut_off(base, index, CONFIG, "calibrate", queries=queries, resume=True)


@pytest.mark.parametrize("meddle", [rewrite, cut])
def test_a_payload_that_changes_is_refused_and_the_work_is_kept(
    base: Path, meddle: Callable[[Path], None]
) -> None:
    payload, index = base.parent / "payload.jsonl", base.parent / "index"
    text = "".join(json.dumps({"row": row}) + "\n" for row in range(3000))
    payload.write_text(text)
    meddling = Meddle("payload", lambda: meddle(payload))
    with pytest.raises(BadFile, match=r"payload\.jsonl: was changed while it was read"):
        build(base, index, payload=payload, config=CONFIG, progress=meddling)
    payload.write_text(text)
    cut_off(base, index, CONFIG, "calibrate", payload=payload, resume=True)


def test_ids_that_change_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    np.save(tmp_path / "ids.npy", np.arange(3000))
    monkeypatch.setattr("longspan.indexer.reader.ids.AT_ONCE", 1000)
    fromfile = np.fromfile

    def changed(*given: Any) -> Any:
        os.utime(tmp_path / "ids.npy")
        return fromfile(*given)

    monkeypatch.setattr(np, "fromfile", changed)
    with pytest.raises(BadFile, match=r"ids\.npy: was changed while it was read"):
        read_ids(tmp_path / "ids.npy", 3000, tmp_path)


def test_vectors_that_are_cut_off_while_they_are_open_are_refused(base: Path) -> None:
    vectors = open_vectors(base)
    cut(base)
    for read in (lambda: vectors.rows(0, 10), lambda: vectors.take(np.array([2999, 0]))):
        with pytest.raises(BadFile, match="was changed while it was read"):
            read()
