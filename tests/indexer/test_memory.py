"""The plan's memory against what builds take: every formula of longspan.indexer.planning.memory."""

import os
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import plan_memory
import pytest

from longspan.indexer import build
from longspan.indexer.config import BuildConfig
from longspan.indexer.errors import DoesNotFit
from longspan.indexer.planning import memory, shape
from longspan.indexer.planning.plan import Plan
from longspan.indexer.planning.shape import Shape, shape_of
from longspan.indexer.store.space import HeadSpace
from tests.data import clusters

MIB = 1 << 20
PARTS = 60
# What a plan counts for other vectors: the neighbours that float32 cannot tell apart.
SPARE = {"truth": 12 * MIB}
MISSED = 2 * MIB  # of a stage of some milliseconds, between two looks of a busy machine


def corpus(n: int, dim: int) -> np.ndarray[Any, Any]:
    return clusters(np.random.default_rng(6), n=n, dim=dim, queries=0).base


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder in memory, where there is one: a build waits for the disk after each stage."""
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with TemporaryDirectory(dir=memory) as made:
        yield Path(made)


def watched(folder: Path, vectors: np.ndarray[Any, Any], **build: Any) -> dict[str, Any]:
    """Build in a process of its own, in PARTS parts."""
    np.save(folder / "base.npy", vectors)
    build = {"source": str(folder / "base.npy"), "index": str(folder / "index"), **build}
    return plan_memory.watched(build, vectors.size // PARTS, folder)


CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "l2, bytes, ids": ("u1", {"ids": "ids.npy", "config": {"codec": "pq"}}),
    "cosine, halves": ("f2", {"metric": "cosine", "config": {"codec": "rabitq"}}),
    "ip, floats": ("f4", {"metric": "ip", "config": {"codec": "raw"}}),
    "half of them equal": ("equal", {"config": {"codec": "raw"}}),
}


@pytest.mark.parametrize("case", CASES)
def test_no_stage_takes_more_than_its_plan_or_much_less(folder: Path, case: str) -> None:
    dtype, given = CASES[case]
    vectors = corpus(4000, 32)
    if dtype == "u1":
        vectors = np.rint(100 * vectors + 100)
        np.save(folder / "ids.npy", np.arange(len(vectors))[::-1])
        given = {**given, "ids": str(folder / "ids.npy")}
    if dtype == "equal":
        vectors[:2000] = vectors[0]
    rows = vectors.astype("f4" if dtype == "equal" else dtype)
    given = {**given, "config": {**given["config"], "calibration": 30}}
    found = watched(folder, rows, threads=2, **given)
    peaks, plan = found["peaks"], found["plan"]
    assert set(plan) <= set(peaks)
    for stage, planned in plan.items():
        assert peaks[stage] <= planned, stage
        assert peaks[stage] + MISSED >= 0.7 * (planned - SPARE.get(stage, 0)), stage


def test_a_limit_holds_with_many_threads(folder: Path) -> None:
    rows, limit = corpus(4000, 32).astype("f4"), 70 * MIB
    config = {"codec": "pq", "calibration": 50}
    found = watched(folder, rows, threads=64, memory_limit=limit, config=config)
    assert max(found["plan"].values()) <= limit
    assert max(peak for stage, peak in found["peaks"].items()) <= limit


@pytest.mark.parametrize("dim", [32, 128, 2048])
def test_what_blas_keeps_of_threads_is_planned_and_a_small_share_of_a_limit(dim: int) -> None:
    made = shape_of(10**8, HeadSpace("l2", "f32", dim), BuildConfig())
    assert memory.threads_within(None, made, 64) == 64
    assert memory.threads_within(1, made, 64) == 1
    within = memory.threads_within(400 * MIB, made, 64)
    assert 1 < within < 64
    few, many = (memory.needs(made, 1000, threads=threads) for threads in (1, within))
    kept = max(many[stage].once - few[stage].once for stage in few)
    assert kept * within <= 400 * MIB // 8 * (within - 1)
    assert many["stage"].once - few["stage"].once == kept // 2  # of numpy's alone, so early


def test_what_the_caller_has_in_the_process_counts(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    np.save(folder / "base.npy", corpus(100, 8).astype("f4"))
    monkeypatch.setattr(memory, "own_memory", lambda: memory.AT_REST + 500 * MIB)
    plans: list[Plan] = []
    build(folder / "base.npy", folder / "index", memory_limit=700 * MIB, announce=plans.append)
    assert plans[0].peak > memory.PROGRAM + 500 * MIB
    with pytest.raises(DoesNotFit, match="524,288,000 of them this process has already"):
        build(folder / "base.npy", folder / "other", memory_limit=500 * MIB)


@pytest.mark.parametrize("dim", [1, 8, 32, 100])
def test_parts_of_few_dimensions_have_few_enough_copies(dim: int) -> None:
    needs = memory.needs(shape_of(10**8, HeadSpace("l2", "f32", dim), BuildConfig()), 1000)
    assert max(needs[stage].of(1) for stage in ("cluster", "closure", "settle")) < 320 * MIB


def billion(dim: int, dtype: str, metric: str) -> Shape:
    return shape_of(10**9, HeadSpace(metric, dtype, dim), BuildConfig())


@pytest.mark.parametrize(("dim", "dtype"), [(96, "u8"), (128, "u8"), (768, "f32")])
@pytest.mark.parametrize("metric", ["l2", "cosine", "ip"])
def test_nothing_grows_with_the_square_of_the_parts(
    monkeypatch: pytest.MonkeyPatch, dim: int, dtype: str, metric: str
) -> None:
    few = memory.needs(billion(dim, dtype, metric), 1000)
    monkeypatch.setattr(shape, "PART", shape.PART // 2)
    many = memory.needs(billion(dim, dtype, metric), 1000)
    for stage, need in many.items():
        assert need.of(1) <= 2.1 * few[stage].of(1), stage


def test_what_does_not_fit_is_refused_before_any_work_and_names_the_stage(folder: Path) -> None:
    rows = corpus(4000, 32).astype("f4")
    found = watched(folder, rows, memory_limit=40 * MIB)
    assert found["code"] == 1
    assert "DoesNotFit" in found["refused"]
    assert "bytes of memory, the limit is 41,943,040" in found["refused"]
    assert not (folder / ".index.building").exists()
