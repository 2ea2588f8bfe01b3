"""Grow a set of vectors to any size: `python bench/grow.py BASE N OUT`, seeded and repeatable.

The first vectors are those of BASE, as many as it has. Every other one is made of one of them and
its nearest ones: a weighted sum of a few of these, with weights of random direction whose sum and
whose squares' sum are 1. So its mean and its covariance are those of the neighbourhood, it is as
far from its sources as they are from each other, and the set becomes denser along the directions in
which it is thick already: its local intrinsic dimensionality (LID) stays. It is printed, for BASE
and OUT, with the distances to the nearest and the 100th, for vectors of the set and for --queries.

A set of fewer vectors is the beginning of one of more.
"""

import argparse
import json
import os
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from longspan.indexer.reader import Vectors, open_vectors
from longspan.indexer.tools.truth import exact

NEAR = 32  # neighbours of a vector
SOURCES = 12  # of these and itself that a new vector is made of
TOGETHER = 50_000  # vectors made at once
CELLS, LOOKED_AT = 1000, 4  # of the search for neighbours; those it misses do not matter here
ASKED, DEPTH = 500, 100  # vectors, and neighbours of each, that the LID is taken from

Rows = NDArray[Any]


def main() -> None:
    """Write OUT, then say what it is like, a JSON line a set."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("base", type=Path, help="any file that a build reads; it must fit memory")
    parser.add_argument("n", type=int)
    parser.add_argument("out", type=Path, help=".u8bin, .i8bin or .fbin by the type of BASE")
    parser.add_argument("--queries", type=Path, help="whose neighbours are looked at too")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    base = open_vectors(args.base)
    write(args.out, base.rows(0, base.n), args.n, args.seed)
    for path in (args.base, args.out):
        print(json.dumps({"file": path.name, **likeness(open_vectors(path), args.queries)}))


def write(out: Path, base: Rows, n: int, seed: int) -> None:
    """Write n vectors grown from base, in the layout of the big-ann benchmarks."""
    near = neighbours(base) if n > len(base) else np.empty((0, 0), np.int32)
    with out.open("wb") as file:
        np.array([n, base.shape[1]], np.uint32).tofile(file)
        base[:n].tofile(file)
        for made in grown(base, near, n, seed):
            made.tofile(file)


def neighbours(base: Rows) -> NDArray[np.int32]:
    """Return each vector and its nearest ones, nearly: (n, NEAR + 1)."""
    floats = base.astype(np.float32)
    cells = min(CELLS, max(1, len(base) // 100))
    index = faiss.IndexIVFFlat(faiss.IndexFlatL2(base.shape[1]), base.shape[1], cells)
    index.train(floats[: 50 * cells])
    index.add(floats)
    index.nprobe = LOOKED_AT
    found: NDArray[np.int32] = index.search(floats, NEAR + 1)[1].astype(np.int32)
    return np.where(found < 0, np.arange(len(base), dtype=np.int32)[:, None], found)


def grown(base: Rows, near: NDArray[np.int32], n: int, seed: int) -> Iterator[Rows]:
    """Yield the vectors beyond base, block by block, each by a random generator of its own."""
    threads = len(os.sched_getaffinity(0))
    with ThreadPoolExecutor(threads) as pool:
        waiting: deque[Future[Rows]] = deque()
        for start in range(len(base), n, TOGETHER):
            # A whole block, also where fewer are wanted: so its random numbers are the same.
            rows = np.arange(start, start + TOGETHER) % len(base)
            waiting.append(pool.submit(block, base, near[rows], [seed, start]))
            if len(waiting) > 2 * threads:
                yield waiting.popleft().result()
        while len(waiting) > 1:
            yield waiting.popleft().result()
        for last in waiting:
            yield last.result()[: n - start]


def block(base: Rows, near: NDArray[np.int32], seed: list[int]) -> Rows:
    """Return a new vector for each row of neighbours."""
    rng = np.random.default_rng(seed)
    weights = rng.standard_normal((SOURCES, len(near)), np.float32)
    weights -= weights.mean(axis=0)
    weights *= np.sqrt((1 - 1 / SOURCES) / np.square(weights).sum(axis=0))
    weights += 1 / SOURCES
    first = rng.integers(0, near.shape[1], len(near))
    made = np.zeros((len(near), base.shape[1]), np.float32)
    for number, weight in enumerate(weights):
        # Every NEAR // SOURCES-th neighbour from a random one on: all of them different.
        column = (first + number * (near.shape[1] // SOURCES)) % near.shape[1]
        made += weight[:, None] * base[np.take_along_axis(near, column[:, None], axis=1)[:, 0]]
    if base.dtype.kind == "f":
        return made.astype(base.dtype)
    limits = np.iinfo(base.dtype)
    return np.clip(np.rint(made), limits.min, limits.max).astype(base.dtype)


def likeness(vectors: Vectors, queries: Path | None) -> dict[str, Any]:
    """Return what the neighbourhoods of a set are like, of its own vectors and of queries."""
    rows = np.sort(np.random.default_rng(0).choice(vectors.n, min(ASKED, vectors.n), replace=False))
    _, own = exact(vectors, vectors.take(rows), DEPTH + 1, "l2")
    record: dict[str, Any] = {"vectors": vectors.n, "own": shape_of(own[:, 1:])}
    if queries:
        asked = open_vectors(queries)
        _, theirs = exact(vectors, asked.rows(0, min(ASKED, asked.n)), DEPTH, "l2")
        record["queries"] = shape_of(theirs)
    return record


def shape_of(squared: NDArray[np.float32]) -> dict[str, float]:
    """Return the median LID and the mean distances of rows of neighbours, nearest first.

    The LID is its maximum likelihood estimate (Levina and Bickel 2004): the inverse of the mean
    logarithm of how far the last neighbour is, as a multiple of each of the others.
    """
    distances = np.sqrt(np.maximum(squared.astype(np.float64), 1e-12))
    inverse = np.log(distances[:, -1:] / distances[:, :-1]).mean(axis=1)
    return {
        "lid": round(float(np.median(1 / inverse)), 1),
        "nearest": round(float(distances[:, 0].mean()), 1),
        f"nearest {DEPTH}th": round(float(distances[:, -1].mean()), 1),
    }


if __name__ == "__main__":
    main()
