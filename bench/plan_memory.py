"""The memory of every stage of a build, planned and taken: `python bench/plan_memory.py [CASE…]`.

A build runs in a process of its own, most of them with parts so small that a million vectors have
977, as many as a billion of 32 dimensions have. This process looks at the other's own pages
(RssAnon, what `--memory` bounds) every millisecond and prints, for each stage, the most that it
saw, what the plan says, and their ratio, with and without what the program takes at rest. Without
names all of CASES are run: half an hour, and 3 GB below TMPDIR.
"""

import json
import mmap
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import wraps
from pathlib import Path
from typing import Any

import numpy as np
import process
from numpy.typing import NDArray

from longspan.indexer import pipeline
from longspan.indexer.config import BuildConfig
from longspan.indexer.planning import budget, shape
from longspan.indexer.planning.need import Need
from longspan.indexer.running import runner
from longspan.indexer.running.proc import own_memory

MIB = 1 << 20
LOOK_EVERY = 0.001  # seconds
NAME = 32  # bytes of a stage's name in the file that says which one runs
BEFORE = "read"  # what runs before the first stage: inputs are opened and checked


def watched(build: dict[str, Any], part: int, folder: Path) -> dict[str, Any]:
    """Build in a process of its own; return what each stage took and was planned to, in bytes.

    build   arguments of `longspan.indexer.build`, config as a dict
    part    values of the vectors of a part
    returns {"peaks": {stage: bytes}, "plan": {stage: bytes}}, or {"refused": the last line of its
            error, "code": its exit code} besides the peaks
    """
    marks = folder / "marks"
    peaks: dict[bytes, int] = {}
    marks.write_bytes(BEFORE.encode().ljust(NAME, b"\0"))
    command = [sys.executable, __file__, "--build", json.dumps(build), str(part), str(marks)]
    with marks.open("r+b") as file, mmap.mmap(file.fileno(), NAME) as mark:
        child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        while child.poll() is None:
            stage = mark[:NAME]
            with suppress(OSError, SystemExit):  # it has just ended
                anon = process.resident(child.pid)["anon"]
                if mark[:NAME] == stage:
                    peaks[stage] = max(peaks.get(stage, 0), anon)
            time.sleep(LOOK_EVERY)
        out, err = child.communicate()
    most = {stage.rstrip(b"\0").decode(): peak for stage, peak in peaks.items()}
    if child.returncode:
        return {"peaks": most, "refused": err.strip().splitlines()[-1], "code": child.returncode}
    said = json.loads(out)
    for stage, memory_then in said["seen"].items():
        most[stage] = max(most.get(stage, 0), memory_then)
    return {"peaks": most, "plan": said["plan"]}


def build_marked(build: dict[str, Any], part: int, marks: Path) -> dict[str, Any]:
    """Build, and mark which stage runs; return what each was planned to, and had at its end."""
    shape.PART = part
    needs: dict[str, Need] = {}
    seen: dict[str, int] = {}
    needs_of = vars(budget.Budget)["needs"].fget

    def noted(self: budget.Budget) -> dict[str, Need]:
        needs.update(needs_of(self))  # the last time, all is known
        return dict(needs)

    budget.Budget.needs = property(noted)  # type: ignore[method-assign, assignment]
    with marks.open("r+b") as file, mmap.mmap(file.fileno(), NAME) as mark:
        for method in ("once", "each", "in_turn", "pool_for"):
            setattr(runner.Stages, method, marking(getattr(runner.Stages, method), mark, seen))
        pipeline.build(**{**build, "config": BuildConfig(**build.get("config", {}))})
    wanted = build.get("threads") or len(os.sched_getaffinity(0))
    limit = build.get("memory_limit")
    plan = {name: need.of(need.units(limit, wanted)) for name, need in needs.items()}
    return {"plan": plan, "seen": seen}


def marking(
    method: Callable[..., Any], mark: mmap.mmap, seen: dict[str, int]
) -> Callable[..., Any]:
    """Return a method of Stages that marks the stage it runs, and notes its memory in the end."""

    @contextmanager
    def marked(name: str) -> Iterator[None]:
        before = mark[:NAME]
        mark[:NAME] = name.encode().ljust(NAME, b"\0")
        yield
        seen[name] = own_memory() or 0  # a stage may be over before anybody has looked
        mark[:NAME] = before

    @wraps(method)
    def run(self: runner.Stages, name: str, *args: Any, **given: Any) -> Any:
        if method.__name__ == "pool_for":
            return both(marked(name), method(self, name))
        with marked(name):
            return method(self, name, *args, **given)

    return run


@contextmanager
def both(outer: Any, inner: Any) -> Iterator[Any]:
    """Give what the inner of two contexts gives."""
    with outer, inner as given:
        yield given


def random(n: int, dim: int, dtype: str) -> NDArray[Any]:
    """Return vectors around some thousand centres, as embeddings lie."""
    rng = np.random.default_rng(0)
    centres, out = rng.normal(size=(max(1, n // 500), dim)), np.empty((n, dim), dtype)
    for at in range(0, n, 1 << 16):
        rows = out[at : at + (1 << 16)]
        values = centres[rng.integers(0, len(centres), len(rows))]
        values += 0.5 * rng.normal(size=rows.shape)
        rows[:] = np.clip(np.rint(40 * values + 128), 0, 255) if dtype == "u1" else values
    return out


def crowded(n: int, dim: int, dtype: str) -> NDArray[Any]:
    """Return such vectors of which a fifth are equal."""
    vectors = random(n, dim, dtype)
    vectors[: n // 5] = vectors[0]
    return vectors


def uniform(n: int, dim: int, dtype: str) -> NDArray[Any]:
    """Return bytes without any order, of which no part is like another."""
    return np.random.default_rng(0).integers(0, 255, (n, dim), np.uint8)


# Vectors, values of a part, and arguments of the build; `ids` with names of them all.
CASES: dict[str, tuple[Callable[[], NDArray[Any]], int, dict[str, Any]]] = {
    "parts": (lambda: uniform(1_000_000, 128, "u1"), 1 << 17, {"memory_limit": 800 * MIB}),
    "threads": (
        lambda: uniform(1_000_000, 128, "u1"),
        shape.PART,
        {"memory_limit": 400 * MIB, "threads": 64},
    ),
    "names": (
        lambda: uniform(20_000_000, 8, "u1"),
        shape.PART,
        {"memory_limit": 400 * MIB, "ids": True},
    ),
    "cosine": (
        lambda: random(250_000, 384, "f2"),
        250_000 * 384 // 977,
        {"metric": "cosine", "threads": 2},
    ),
    "ip": (
        lambda: random(500_000, 64, "f4"),
        500_000 * 65 // 977,
        {"metric": "ip", "threads": 2, "config": {"codec": "raw"}},
    ),
    "duplicates": (lambda: crowded(1_000_000, 128, "u1"), 1 << 21, {"threads": 2}),
}


def main() -> None:
    """Print a table for each case."""
    if sys.argv[1:2] == ["--build"]:
        build, part, marks = sys.argv[2:]
        print(json.dumps(build_marked(json.loads(build), int(part), Path(marks))))
        return
    for name in sys.argv[1:] or CASES:
        vectors, values, given = CASES[name]
        with tempfile.TemporaryDirectory() as made:
            folder = Path(made)
            rows = vectors()
            np.save(folder / "base.npy", rows)
            given = {"source": str(folder / "base.npy"), "index": str(folder / "index"), **given}
            if given.get("ids"):
                np.save(folder / "ids.npy", np.random.default_rng(1).permutation(len(rows)))
                given["ids"] = str(folder / "ids.npy")
            del rows
            show(name, watched(given, values, folder))


def show(name: str, found: dict[str, Any]) -> None:
    """Print what the stages of a case took."""
    peaks, plan = found["peaks"], found.get("plan", {})
    base = min(peaks.values())
    print(f"{name}: most {max(peaks.values()) / MIB:.0f} MiB", found.get("refused", ""))
    print(f"{'':14}{'taken':>8}{'planned':>9}{'ratio':>7}{'above the program':>20}")
    for stage, peak in peaks.items():
        if stage in plan:
            above = (peak - base) / max(plan[stage] - base, 1)
            taken = f"{peak / MIB:8.1f}{plan[stage] / MIB:9.1f}{peak / plan[stage]:7.2f}"
            print(f"{stage:14}{taken}{above:20.2f}", flush=True)


if __name__ == "__main__":
    main()
