"""What stored measurements are worth: recall by distance, speed, latency, reads, memory.

An answer is right when it is no farther than the k-th true neighbour, so any of several vectors
equally far counts; distances are computed here, from the vectors, whatever the competitor says.
"""

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

WANTED = 0.95  # recall at which competitors are set side by side
CLOSE = 1e-6  # of the k-th true distance, by which an answer may be farther


@dataclass(frozen=True, slots=True)
class Figure:
    """One measurement, judged.

    latency in milliseconds, NaN where a competitor does not tell; disk_bytes and postings a query;
    own_bytes  resident memory that the process took for the index: its own, and pages it mapped
    held_bytes  of it, what the competitor says must stay; None when it does not say
    """

    set: str
    curve: str
    setting: str
    threads: int
    cold: bool
    queries: int
    n: int
    recall: float
    qps: float
    mean_ms: float
    p50_ms: float
    p99_ms: float
    disk_bytes: float
    postings: float | None
    pages: float | None
    own_bytes: int
    held_bytes: int | None
    build_seconds: float
    index_bytes: int
    note: dict[str, Any]


def figures(results: Path) -> list[Figure]:
    """Return every measurement in a folder, ordered by set, temperature, threads and curve."""
    notes = [json.loads(path.read_text()) for path in sorted(results.glob("*.json"))]
    found = [judge(note, results) for note in notes if note["do"] == "search"]
    return sorted(found, key=lambda one: (one.set, one.cold, one.threads, one.curve, one.recall))


def reaching(found: list[Figure], wanted: float) -> list[Figure]:
    """Return the setting of each curve that first reaches a recall.

    found  as figures() gives them: of a curve in the order of recall. It is another curve for each
    set, temperature and number of threads; one that never gets there has no setting.
    """
    first: dict[tuple[Any, ...], Figure] = {}
    for one in found:
        if one.recall >= wanted:
            first.setdefault((one.set, one.cold, one.threads, one.curve), one)
    return list(first.values())


def judge(note: dict[str, Any], results: Path) -> Figure:
    """Return the figure of one measurement; of several rounds, the one of median speed."""
    with np.load(results / Path(note["out"]).with_suffix(".npz").name) as raw:
        ids, latency, seconds = raw["ids"], raw["latency"] * 1e3, raw["seconds"]
        disk = raw["disk_bytes"]
    built = json.loads((results / Path(note["build"]).name).read_text())
    middle = int(np.argsort(seconds)[len(seconds) // 2])
    ms, costs, memory = latency[middle], note["costs"], note["memory"]
    base, queries, truth = vectors(note["set_folder"])
    shares = recall(base, queries, ids, truth, note["metric"], note["k"])
    return Figure(
        set=note["set"],
        curve=note["curve"],
        setting=", ".join(f"{k} {v}" for k, v in note["setting"].items() if k != "memory"),
        threads=note["threads"],
        cold=note["cold"],
        queries=len(ids),
        n=len(base),
        recall=float(shares.mean()),
        qps=len(ids) / float(seconds[middle]),
        mean_ms=float(ms.mean()),
        p50_ms=float(np.percentile(ms, 50)),
        p99_ms=float(np.percentile(ms, 99)),
        disk_bytes=float(disk[middle]) / len(ids),
        postings=costs.get("postings_read"),
        pages=costs.get("pages_read"),
        own_bytes=sum(memory["searched"].values()) - sum(memory["empty"].values()),
        held_bytes=note["setting"].get("memory"),
        build_seconds=built["build_seconds"],
        index_bytes=built["size"],
        note=note,
    )


@lru_cache(1)
def vectors(folder: str) -> tuple[NDArray[Any], NDArray[Any], NDArray[np.int64]]:
    """Return base, queries and true ids of a set."""
    place = Path(folder)
    base = np.load(place / "base.npy", mmap_mode="r")
    return base, np.load(place / "queries.npy"), np.load(place / "truth.npy")


def recall(
    base: NDArray[Any],
    queries: NDArray[Any],
    ids: NDArray[np.int64],
    truth: NDArray[np.int64],
    metric: str,
    k: int,
) -> NDArray[np.float64]:
    """Return the share of right answers of each query, (nq,); refuses one given twice."""
    ordered = np.sort(ids[:, :k], axis=1)
    if ((ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] >= 0)).any():
        raise SystemExit("a competitor gave an id twice in one answer")
    farthest = distances(base, queries, truth[:, k - 1 : k], metric)
    within = farthest + CLOSE * np.abs(farthest)
    shares: NDArray[np.float64] = (distances(base, queries, ids[:, :k], metric) <= within).mean(1)
    return shares


def distances(
    base: NDArray[Any], queries: NDArray[Any], ids: NDArray[np.int64], metric: str
) -> NDArray[np.float64]:
    """Return the distance of each query to the rows it was given, in float64; of id -1, infinity.

    Squared L2, or 1 - cosine.
    """
    rows = np.asarray(base[np.maximum(ids, 0)], np.float64)
    asked = queries.astype(np.float64)[:, None, :]
    if metric == "l2":
        far = ((rows - asked) ** 2).sum(axis=2)
    else:
        lengths = np.linalg.norm(rows, axis=2) * np.linalg.norm(asked, axis=2)
        far = 1 - (rows * asked).sum(axis=2) / lengths
    return np.where(ids < 0, np.inf, far)
