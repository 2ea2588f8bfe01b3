"""One measurement of one competitor, in a process of its own: `python measure.py SPEC.json`.

It runs under the competitor's Python, so nothing but numpy is imported here. What a competitor
must be is `Peer`. Nothing is judged: neighbours, times and counts are stored as they came.
"""

import gc
import importlib.util
import json
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import process

COLD_SHARE = 0.1  # of the index that a slice of cold queries may read
TRIED = 100  # cold queries that tell how much one reads

Setting = dict[str, Any]
Array = np.ndarray[Any, Any]


class Peer(Protocol):
    """A competitor; made with the options of one of the builds in its config.json.

    May also have `search_all(queries, k, setting, threads) -> ids`, used for more threads than
    one by those whose search keeps the GIL, and `costs(queries, k, setting) -> dict`, means a
    query that it counts itself, asked for after the clock has stopped.
    """

    def build(self, base: Path, metric: str, workdir: Path) -> None:
        """Write an index into workdir; beside base.npy lies calibration.npy for who tunes."""

    def settings(self, workdir: Path) -> list[Setting]:
        """Return the search settings to measure, in the order of a curve."""

    def load(self, metric: str, workdir: Path, setting: Setting) -> None:
        """Open the index as this setting wants it."""

    def accept(self, queries: Array) -> Array:
        """Return queries in the type that search_one takes; not timed."""

    def search_one(self, query: Array, k: int, setting: Setting) -> Array:
        """Return the ids of the k nearest."""

    def close(self) -> None:
        """Let go of the index's files."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What came of asking all queries once: ids (nq, k), latency (nq,) in seconds, wall, reads."""

    ids: Array
    latency: Array
    seconds: float
    disk_bytes: int


def main() -> None:
    """Build or search, as the specification says."""
    spec = json.loads(Path(sys.argv[1]).read_text())
    module = import_peer(Path(spec["folder"]))
    peer: Peer = module.Peer(spec["options"])
    note = {**spec, "machine": process.machine(), "load_before": os.getloadavg()}
    note["version"] = metadata.version(spec["package"])
    note |= build(peer, spec) if spec["do"] == "build" else search(peer, spec)
    note["load_after"] = os.getloadavg()
    out = Path(spec["out"])
    unfinished = out.with_name(out.name + ".tmp")
    unfinished.write_text(json.dumps(note, indent=1))
    unfinished.replace(out)  # a measurement is there whole or not at all


def import_peer(folder: Path) -> Any:
    """Return a competitor's module. Its folder, named as its package, stays off the path."""
    spec = importlib.util.spec_from_file_location(f"peer_{folder.name}", folder / "module.py")
    if spec is None or spec.loader is None:
        raise SystemExit(f"{folder}: no module.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def build(peer: Peer, spec: dict[str, Any]) -> dict[str, Any]:
    """Build the index; return what it cost, and the settings to measure it with."""
    index = Path(spec["index"])
    begin = time.perf_counter()
    peer.build(Path(spec["set_folder"]) / "base.npy", spec["metric"], index)
    seconds = time.perf_counter() - begin
    return {
        "build_seconds": seconds,
        "peak_rss": process.peak(),
        "size": process.size_of(index),
        "settings": peer.settings(index),
    }


def search(peer: Peer, spec: dict[str, Any]) -> dict[str, Any]:
    """Search as specified; store the arrays beside the note, return the rest of it."""
    queries = peer.accept(np.load(Path(spec["set_folder"]) / "queries.npy"))
    memory = {"empty": process.resident()}
    opened = Opened(peer, spec)
    opened.open()
    memory["loaded"] = process.resident()
    passes = [cold(opened, queries)] if spec["cold"] else warm(opened, queries, spec["rounds"])
    memory["searched"] = process.resident()
    np.savez(
        Path(spec["out"]).with_suffix(".npz"),
        ids=passes[0].ids,
        latency=np.stack([one.latency for one in passes]),
        seconds=np.array([one.seconds for one in passes]),
        disk_bytes=np.array([one.disk_bytes for one in passes]),
    )
    costs = getattr(peer, "costs", None)
    counted = costs(queries, spec["k"], spec["setting"]) if costs else {}
    return {"memory": memory, "costs": counted}


class Opened:
    """A competitor with its index open; can be closed, thrown out of the cache, opened again."""

    def __init__(self, peer: Peer, spec: dict[str, Any]) -> None:
        self.peer, self.spec, self.index = peer, spec, Path(spec["index"])

    def open(self) -> None:
        """Open the index."""
        self.peer.load(self.spec["metric"], self.index, self.spec["setting"])

    def open_cold(self) -> None:
        """Open the index again with none of it in the page cache before."""
        self.peer.close()
        gc.collect()
        process.evict(self.index)
        self.open()

    def ask(self, queries: Array) -> Asked:
        """Ask the queries one at a time on each thread, each taking the next that is left."""
        peer, k, setting = self.peer, self.spec["k"], self.spec["setting"]
        threads = self.spec["threads"]
        if threads > 1 and hasattr(peer, "search_all"):
            before, begin = process.disk_bytes(), time.perf_counter()
            ids = peer.search_all(queries, k, setting, threads)
            seconds = time.perf_counter() - begin
            unknown = np.full(len(queries), np.nan)
            return Asked(ids, unknown, seconds, process.disk_bytes() - before)
        ids = np.full((len(queries), k), -1, np.int64)
        latency = np.zeros(len(queries))
        left = iter(range(len(queries)))

        def work(_: int) -> None:
            for number in left:
                begin = time.perf_counter()
                found = peer.search_one(queries[number], k, setting)
                latency[number] = time.perf_counter() - begin
                ids[number, : len(found)] = found

        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(abs, range(threads)))  # the threads exist before the clock starts
            before, begin = process.disk_bytes(), time.perf_counter()
            list(pool.map(work, range(threads)))
            seconds = time.perf_counter() - begin
        return Asked(ids, latency, seconds, process.disk_bytes() - before)


def warm(opened: Opened, queries: Array, rounds: int) -> list[Asked]:
    """Ask all queries once for nothing, then as often as wanted."""
    opened.ask(queries)
    return [opened.ask(queries) for _ in range(rounds)]


def cold(opened: Opened, queries: Array) -> Asked:
    """Ask the queries in slices, the index thrown out of the page cache before each."""
    opened.open_cold()
    tried = opened.ask(queries[:TRIED])
    each = max(tried.disk_bytes / min(TRIED, len(queries)), 1)
    share = COLD_SHARE * process.size_of(opened.index)
    size = max(8 * opened.spec["threads"], int(share / each))
    parts = []
    for start in range(0, len(queries), size):
        opened.open_cold()
        parts.append(opened.ask(queries[start : start + size]))
    return Asked(
        np.concatenate([part.ids for part in parts]),
        np.concatenate([part.latency for part in parts]),
        sum(part.seconds for part in parts),
        sum(part.disk_bytes for part in parts),
    )


if __name__ == "__main__":
    main()
