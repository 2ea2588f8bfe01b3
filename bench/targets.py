"""The figures that longspan is held to, measured: `python bench/targets.py DATA WORK`.

DATA holds sift1m.{base.u8bin or .gz,query.u8bin,truth.ibin} and text49k.{base.f16.npy,
query.f32.npy,truth-ip.ibin}; WORK, about 4 GB, takes unpacked files, indexes and targets.jsonl.
Each step is a process of its own, one after the other; nothing else should run. fio and wrk come
with the system (`apt-get install fio wrk`). Prints one JSON line a figure, then the table.
"""

import argparse
import gzip
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from longspan.indexer.reader import open_vectors
from longspan.indexer.store.manifest import Manifest
from longspan.indexer.store.tiers import sizes
from longspan.indexer.tools.answers import read_answers, write_answers

SEED = 7  # of the order in which queries are cut into calibration and measurement
TARGETS = "0.9,0.95,0.99"
WARM = ("--recall", "0.95", "--threads", "1,1,1,1,1,2", "--first", "2000")
COLD = ("--recall", "0.95", "--threads", "1,2,4", "--cold", "--first", "2000")
LONGSPAN = (sys.executable, "-m", "longspan.service")


@dataclass(frozen=True, slots=True)
class Corpus:
    """Vectors, and queries with their truth cut in two: to calibrate with and to measure with."""

    name: str
    metric: str
    base: Path
    calibration: Path
    queries: Path
    truth: Path


def main() -> None:
    """Measure everything, printing a JSON line a figure and a table at the end."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("work", type=Path)
    args = parser.parse_args()
    for tool in ("fio", "wrk"):
        if shutil.which(tool) is None:
            sys.exit(f"{tool} is not installed: apt-get install {tool}")
    args.work.mkdir(parents=True, exist_ok=True)
    sift, text = prepare_sift(args.data, args.work), prepare_text(args.data, args.work)
    figures = []
    with (args.work / "targets.jsonl").open("w") as log:
        for figure in measure(sift, text, args.work):
            figures.append(figure)
            line = json.dumps({**figure, "load": os.getloadavg()[0]})
            print(line, flush=True)
            log.write(line + "\n")
    print("\n| figure | measured |\n|---|---|")
    for figure in figures:
        print(f"| {figure.pop('figure')} | {', '.join(f'{k} {v}' for k, v in figure.items())} |")


def measure(sift: Corpus, text: Corpus, work: Path) -> Iterator[dict[str, Any]]:
    """Yield each figure."""
    for corpus in (sift, text):
        for codec in ("raw", "auto"):
            index = work / f"{corpus.name}-{codec}"
            built = build(corpus, index, codec, corpus.calibration)
            yield {"figure": f"{corpus.name}: build, codec {codec}", **built}
            for tier, size in enumerate(sizes(Manifest.read(index))):
                about = f"{corpus.name}, codec {codec}, tier {tier}"
                options = ("--recall", TARGETS, "--memory", f"{size}B")
                for k in ("10",) if codec == "raw" else ("1", "10", "100"):
                    for row in bench(index, corpus, k, *options):
                        yield {"figure": f"{about}: recall@{k}", **kept(row)}
                for row in bench(index, corpus, "10", *options[2:], *WARM):
                    yield {"figure": f"{about}: warm", **kept(row)}
                for row in bench(index, corpus, "10", *options[2:], *COLD):
                    yield {"figure": f"{about}: cold", **kept(row), **disk_share(index, row)}
        index = work / f"{corpus.name}-default"
        yield {"figure": f"{corpus.name}: build, default calibration", **build(corpus, index)}
        for row in bench(index, corpus, "10", "--recall", TARGETS):
            yield {"figure": f"{corpus.name}, default calibration: recall@10", **kept(row)}
        every = ("--recall", "1", "--threads", "2", "--first", "100")
        (exact,) = bench(index, corpus, "10", *every)
        yield {"figure": f"{corpus.name}: every posting read", **kept(exact)}
    index = work / "sift-auto"
    for line in run(sys.executable, "bench/rest.py", str(index), "--queries", str(sift.queries)):
        yield {"figure": "sift: REST, one worker, 8 connections", **line}


def prepare_sift(data: Path, work: Path) -> Corpus:
    """Return the SIFT set, unpacked if need be."""
    base = data / "sift1m.base.u8bin"
    if not base.exists():
        base = work / base.name
        if not base.exists():
            with gzip.open(data / "sift1m.base.u8bin.gz") as packed, base.open("wb") as plain:
                shutil.copyfileobj(packed, plain, 1 << 20)
    return cut(
        "sift", "l2", base, data / "sift1m.query.u8bin", data / "sift1m.truth.ibin", 1000, work
    )


def prepare_text(data: Path, work: Path) -> Corpus:
    """Return the text set."""
    base, queries = data / "text49k.base.f16.npy", data / "text49k.query.f32.npy"
    return cut("text", "cosine", base, queries, data / "text49k.truth-ip.ibin", 500, work)


def cut(
    name: str, metric: str, base: Path, queries: Path, truth: Path, count: int, work: Path
) -> Corpus:
    """Cut queries at random: `count` to calibrate with, the others to measure with."""
    asked = open_vectors(queries)
    order = np.random.default_rng(SEED).permutation(asked.n)
    rows = asked.rows(0, asked.n)[order]
    np.save(work / f"{name}-calibration.npy", rows[:count])
    np.save(work / f"{name}-queries.npy", rows[count:])
    ids, distances = read_answers(truth)
    kept = order[count:]
    write_answers(work / f"{name}-truth.npz", ids[kept], distances[kept])
    files = [work / f"{name}-{part}" for part in ("calibration.npy", "queries.npy", "truth.npz")]
    return Corpus(name, metric, base, *files)


def build(
    corpus: Corpus, index: Path, codec: str = "auto", queries: Path | None = None
) -> dict[str, Any]:
    """Build an index afresh; return seconds and peak memory of the process, and its size."""
    shutil.rmtree(index, ignore_errors=True)
    command = [*LONGSPAN, "build", str(corpus.base), str(index), "--metric", corpus.metric]
    command += ["--threads", "2", "--json", "--codec", codec]
    command += ["--queries", str(queries)] if queries else []
    with (index.parent / "build.log").open("w") as log:
        child = subprocess.Popen(command, stdout=log, stderr=subprocess.DEVNULL)
        _, status, usage = os.wait4(child.pid, 0)
    if status:
        sys.exit(f"{' '.join(command)} failed: {os.waitstatus_to_exitcode(status)}")
    manifest = json.loads((index / "manifest.json").read_text())
    return {
        "seconds": round(sum(manifest["stages"].values()), 1),
        "peak_rss_mib": usage.ru_maxrss // 1024,
        "size_mb": sum(file["bytes"] for file in manifest["files"].values()) // 10**6,
        "heads": manifest["heads"],
        "copies": round(manifest["entries"] / manifest["n"], 2),
        "stages": manifest["stages"],
    }


def bench(index: Path, corpus: Corpus, k: str, *options: str) -> list[dict[str, Any]]:
    """Return the rows of `longspan bench`."""
    command = [*LONGSPAN, "bench", str(index), "--queries", str(corpus.queries)]
    return run(*command, "--truth", str(corpus.truth), "-k", k, "--json", *options)


def run(*command: str) -> list[dict[str, Any]]:
    """Return the JSON lines that a command prints; its messages go to the terminal."""
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def kept(row: dict[str, Any]) -> dict[str, Any]:
    """Return the figures of a bench row that the table shows."""
    names = ("recall_target", "recall", "threads", "qps", "mean_ms", "p50_ms", "p99_ms")
    costs = ("postings_read", "pages_read", "vectors_scored", "codes_scored", "heads_scored")
    sizes_of = ("bytes_read", "disk_bytes", "resident_bytes", "page_cache_left", "rss_anon_bytes")
    return {name: row[name] for name in (*names, *costs, *sizes_of)}


def disk_share(index: Path, row: dict[str, Any]) -> dict[str, Any]:
    """Return what the disk gives for such reads, by fio, and the share of it that was had.

    The same file, size and depth: as many jobs as threads, each with a query's postings in flight.
    """
    reads = row["postings_read"] + row["pages_read"]
    size = max(1, round(row["bytes_read"] / reads / 4096)) * 4096
    depth = max(1, round(reads))
    done = subprocess.run(
        ["fio", "--name=reads", f"--filename={index / 'postings-0000.lmdb'}", "--readonly",
         "--rw=randread", "--direct=1", "--ioengine=libaio", f"--bs={size}",
         f"--iodepth={depth}", f"--numjobs={row['threads']}", "--group_reporting",
         "--runtime=4", "--time_based", "--output-format=json"],
        check=True, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    given = json.loads(done.stdout)["jobs"][0]["read"]["iops"]
    had = reads * row["qps"]
    return {
        "read_bytes": size,
        "reads_per_s": round(had),
        "fio_iops": round(given),
        "share": round(had / given, 3),
    }


if __name__ == "__main__":
    main()
