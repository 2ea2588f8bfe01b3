"""Measure an index: recall, speed and reads for each wanted recall and number of threads.

Queries run one at a time on each thread, as requests of independent users would. Recall is by
distance, so a tie with the k-th true neighbour counts.

Cold: the queries run in slices, and before each slice the index is closed, thrown out of the page
cache, counted with mincore and opened again; none of that is timed. A slice reads about a tenth
of the postings, so that what one query has read is seldom there for the next.
"""

import itertools
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from longspan.indexer.errors import BadFile
from longspan.indexer.reader import open_vectors
from longspan.indexer.reader.copies import beside
from longspan.indexer.running import proc
from longspan.indexer.tools.answers import Distances, Ids
from longspan.indexer.tools.truth import read_truth, recall
from longspan.service.search.answer import Answer
from longspan.service.search.index import Index
from longspan.service.tools.pagecache import evict

COLD_SHARE = 0.1  # of the postings that a slice may read
WARM_UP = 500  # queries that run before a warm measurement


@dataclass(frozen=True, slots=True)
class Settings:
    """One measurement: what is asked of each query, and how."""

    k: int
    recall: float
    threads: int
    cold: bool
    memory: int | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """The raw result of one measurement.

    answers     in the order of the queries
    latency     (nq,) seconds
    seconds     wall time of all queries
    disk_bytes  read from the disk meanwhile, by the kernel's count
    left        bytes of the index in the page cache after throwing it out; None when warm
    resident    bytes of the index that its budget keeps in memory
    """

    answers: list[Answer]
    latency: NDArray[np.float64]
    seconds: float
    disk_bytes: int
    left: int | None
    resident: int


def run(
    index: Path,
    queries: str | Path,
    truth: Path,
    k: int,
    recalls: list[float],
    threads: list[int],
    cold: bool,
    *,
    memory: int | None = None,
    first: int | None = None,
    skip: int = 0,
    tmp: Path | None = None,
) -> Iterator[dict[str, Any]]:
    """Yield one row of figures for each wanted recall and number of threads.

    tmp  folder for a copy of queries that cannot be mapped; default: beside the index
    """
    given = open_vectors(queries, tmp or beside(index))
    part = slice(skip, given.n if first is None else min(skip + first, given.n))
    asked = given.rows(part.start, part.stop)
    with Index.open(index) as opened:
        ids, distances = read_truth(truth, opened.metric)
        if opened.manifest.input.get("ids"):  # the truth knows row numbers, the index other names
            ids = np.full_like(ids, -1)
    if len(ids) != given.n or not len(asked):
        raise BadFile(
            f"{truth}: {len(ids)} queries, {queries} has {given.n}; {part} were asked for"
        )
    for wanted, count in itertools.product(recalls, threads):
        settings = Settings(k, wanted, count, cold, memory)
        done = run_cold(index, asked, settings) if cold else run_warm(index, asked, settings)
        yield judge(done, settings, ids[part], distances[part])


def run_warm(path: Path, queries: NDArray[Any], settings: Settings) -> Run:
    """Run all queries on an index that has been searched before."""
    with Index.open(path, settings.memory) as index:
        ask(index, queries[:WARM_UP], settings)
        index.search(queries, settings.k, settings.recall)
        return ask(index, queries, settings)


def run_cold(path: Path, queries: NDArray[Any], settings: Settings) -> Run:
    """Run the queries in slices, the index thrown out of the page cache before each."""
    with Index.open(path, settings.memory) as index:
        tried = ask(index, queries[:100], settings).answers
        spent = [answer.stats for answer in tried if answer.stats]
        each = max(1.0, float(np.mean([one.postings_read + one.pages_read for one in spent])))
        size = max(8 * settings.threads, int(COLD_SHARE * index.manifest.heads / each))
    parts, left = [], 0
    for start in range(0, len(queries), size):
        left = max(left, evict(path))
        with Index.open(path, settings.memory) as index:
            parts.append(ask(index, queries[start : start + size], settings))
    return Run(
        [answer for part in parts for answer in part.answers],
        np.concatenate([part.latency for part in parts]),
        sum(part.seconds for part in parts),
        sum(part.disk_bytes for part in parts),
        left,
        parts[0].resident,
    )


def ask(index: Index, queries: NDArray[Any], settings: Settings) -> Run:
    """Ask the queries one at a time on each thread, each thread taking the next that is left."""
    answers: list[Answer | None] = [None] * len(queries)
    latency = np.zeros(len(queries))
    left = iter(range(len(queries)))

    def work(_: int) -> None:
        for number in left:
            begin = time.perf_counter()
            answers[number] = index.search(queries[number], settings.k, settings.recall, stats=True)
            latency[number] = time.perf_counter() - begin

    with ThreadPoolExecutor(settings.threads) as pool:
        list(pool.map(abs, range(settings.threads)))  # the threads exist before the clock starts
        before, begin = disk_bytes(), time.perf_counter()
        list(pool.map(work, range(settings.threads)))
        seconds = time.perf_counter() - begin
    spent = disk_bytes() - before
    return Run([a for a in answers if a], latency, seconds, spent, None, index.budget.bytes)


def judge(done: Run, settings: Settings, ids: Ids, distances: Distances) -> dict[str, Any]:
    """Return the figures of one measurement; costs are means a query."""
    found = np.concatenate([answer.distances for answer in done.answers])
    named = np.concatenate([answer.ids for answer in done.answers])
    shares = recall(found, distances, settings.k, (named, ids))
    spent = [answer.stats for answer in done.answers if answer.stats is not None]
    milliseconds = done.latency * 1e3
    return {
        "recall_target": settings.recall,
        "recall": round(float(shares.mean()), 4),
        "k": settings.k,
        "threads": settings.threads,
        "cold": settings.cold,
        "queries": len(shares),
        "qps": round(len(shares) / done.seconds, 1),
        "mean_ms": round(float(milliseconds.mean()), 4),
        "p50_ms": round(float(np.percentile(milliseconds, 50)), 4),
        "p99_ms": round(float(np.percentile(milliseconds, 99)), 4),
        "head_ms": round(float(np.mean([stats.head_ms for stats in spent])), 4),
        "postings_read": round(float(np.mean([stats.postings_read for stats in spent])), 2),
        "vectors_scored": round(float(np.mean([stats.vectors_scored for stats in spent])), 1),
        "heads_scored": round(float(np.mean([stats.heads_scored for stats in spent])), 1),
        "codes_scored": round(float(np.mean([stats.codes_scored for stats in spent])), 1),
        "pages_read": round(float(np.mean([stats.pages_read for stats in spent])), 2),
        "resident_bytes": done.resident,
        "bytes_read": round(float(np.mean([stats.bytes_read for stats in spent]))),
        "disk_bytes": round(done.disk_bytes / len(shares)),
        "page_cache_left": done.left,
        **memory(),
    }


def disk_bytes() -> int:
    """Return the bytes that this process has had read from disks so far."""
    return proc.field("/proc/self/io", "read_bytes")


def memory() -> dict[str, int]:
    """Return the resident bytes of this process: all, and without pages of files."""
    return {
        "rss_bytes": proc.field(proc.STATUS, "VmRSS") * 1024,
        "rss_anon_bytes": proc.field(proc.STATUS, "RssAnon") * 1024,
    }
