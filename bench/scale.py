"""How longspan grows with the vectors: `python bench/scale.py BASE WORK`, for docs/scaling.md.

Sets of 1, 10 and 30 million vectors are grown from BASE (grow.py), each the beginning of the next;
the 1,000 vectors behind a set are the queries that it is searched with. Every set is planned, built
within a limit of memory, and searched, each step in processes of its own, one after the other;
nothing else should run. WORK takes 25 GB. Prints a JSON line a step; `--from` skips smaller sets.
"""

import argparse
import itertools
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import grow
import numpy as np
import process
from targets import LONGSPAN, run

from longspan.indexer.reader import open_vectors
from longspan.indexer.store.manifest import Manifest
from longspan.indexer.store.tiers import sizes

SETS = {1_000_000: "1GiB", 10_000_000: "2GiB", 30_000_000: "4GiB"}
HELD_OUT = 1000
LOOKS = 100  # at memory for one at the disk
FIRST_ANSWER = """
import sys, time
begin = time.perf_counter()
import numpy as np
from longspan.indexer.running.proc import own_memory
from longspan.service import Index
query = np.load(sys.argv[2])[0]
loaded = time.perf_counter()
with Index.open(sys.argv[1], int(sys.argv[3])) as index:
    index.search(query)
    answered = time.perf_counter()
    print(round(loaded - begin, 3), round(answered - loaded, 3), own_memory())
"""


def main() -> None:
    """Measure everything, printing a JSON line a step."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("base", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--from", type=int, default=0, dest="least", help="skip smaller sets")
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    with (args.work / "scale.jsonl").open("a") as log:
        for n, memory in SETS.items():
            for figure in measured(args.base, args.work, n, memory) if n >= args.least else ():
                line = json.dumps({"n": n, **figure, "load": os.getloadavg()[0]})
                print(line, flush=True)
                log.write(line + "\n")


def measured(base: Path, work: Path, n: int, memory: str) -> Iterator[dict[str, Any]]:
    """Yield each figure of one set."""
    vectors, queries = prepared(base, work, n)
    index, truth = work / f"index-{n}", work / f"truth-{n}.npz"
    (plan,) = longspan("plan", vectors, "--memory", memory, "--json")
    yield {"step": "plan", **plan}
    yield {"step": "build", **build(vectors, index, memory)}
    if not truth.exists():
        longspan("truth", vectors, queries, "-k", "10", "-o", truth, "--json")
    manifest = Manifest.read(index)
    for tier, size in enumerate(sizes(manifest)):
        about = {"tier": tier, "bytes": size}
        options = ("--queries", queries, "--truth", truth, "--memory", f"{size}B", "--json")
        for row in longspan(
            "bench", index, "--queries", queries, *options, "--recall", "0.9,0.95,0.99"
        ):
            yield {"step": "search", **about, **row}
        yield {"step": "open", **about, **first_answer(index, queries, size)}


def prepared(base: Path, work: Path, n: int) -> tuple[Path, Path]:
    """Return the files of a set and its queries, made when they are not there."""
    vectors, queries = work / f"vectors-{n}.u8bin", work / f"queries-{n}.npy"
    if not queries.exists():
        every = work / "every.u8bin"
        if not every.exists():
            source = open_vectors(base)
            grow.write(every, source.rows(0, source.n), max(SETS) + HELD_OUT, seed=1)
        first(every, vectors, n)
        rows = open_vectors(every).rows(n, n + HELD_OUT)
        np.save(queries, rows)
        print(json.dumps({"n": n, **grow.likeness(open_vectors(vectors), queries)}), flush=True)
    return vectors, queries


def first(every: Path, vectors: Path, n: int) -> None:
    """Write the first n vectors of a file into another."""
    with every.open("rb") as given, vectors.open("wb") as file:
        _, dim = np.fromfile(given, np.uint32, 2).tolist()
        np.array([n, dim], np.uint32).tofile(file)
        left = n * dim
        while left:
            left -= file.write(given.read(min(left, 1 << 24)))


def build(vectors: Path, index: Path, memory: str) -> dict[str, Any]:
    """Build an index afresh; return what that took, the most that was seen of it meanwhile."""
    shutil.rmtree(index, ignore_errors=True)
    begin, most = time.perf_counter(), {"anon": 0, "rss": 0, "disk": 0}
    work = index.parent / f".{index.name}.building"
    command = [*LONGSPAN, "build", str(vectors), str(index), "--memory", memory, "--json"]
    with (index.parent / f"{index.name}.log").open("w") as log:
        child = subprocess.Popen(command, stdout=log, stderr=log)
        for number in itertools.count():
            if child.poll() is not None:
                break
            look_at_memory(child.pid, most)
            if number % LOOKS == 0:
                look_at_disk(work, most)
            time.sleep(0.02)
    if child.returncode:
        sys.exit(f"{' '.join(command)} failed with {child.returncode}")
    seconds, manifest = time.perf_counter() - begin, Manifest.read(index)
    return {
        "seconds": round(seconds, 1),
        "peak": most,
        "size": manifest.size_bytes,
        "heads": manifest.heads,
        "levels": manifest.levels,
        "copies": round(manifest.entries / manifest.n, 2),
        "stages": manifest.stages,
    }


def look_at_memory(pid: int, most: dict[str, int]) -> None:
    """Keep the most memory of a process: its own, and with pages of mapped files."""
    try:
        now = process.resident(pid)
    except (OSError, SystemExit):  # it has just ended
        return
    most["anon"], most["rss"] = max(most["anon"], now["anon"]), max(most["rss"], sum(now.values()))


def look_at_disk(work: Path, most: dict[str, int]) -> None:
    """Keep the most bytes of the files that a build works with."""
    with suppress(OSError):  # one has just gone
        found = sum(path.stat().st_blocks * 512 for path in work.rglob("*"))
        most["disk"] = max(most["disk"], found)


def first_answer(index: Path, queries: Path, memory: int) -> dict[str, Any]:
    """Return the seconds from opening an index, none of it in the page cache, to an answer."""
    process.evict(index)
    command = [sys.executable, "-c", FIRST_ANSWER, str(index), str(queries), str(memory)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    imports, seconds, anon = done.stdout.split()
    return {"imports": float(imports), "seconds": float(seconds), "anon": int(anon)}


def longspan(*command: str | Path) -> list[dict[str, Any]]:
    """Return the JSON lines that a longspan command prints."""
    return run(*LONGSPAN, *map(str, command))


if __name__ == "__main__":
    main()
