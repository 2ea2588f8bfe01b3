"""The nearest rows of each query by a scan of the whole base, one chunk at a time.

A scan keeps one chunk a thread and the best rows so far, so its memory depends on neither the
length of the base nor the cores of the machine. It is done by libraries (faiss in float32, BLAS
in float64) and not by longspan's kernels: they are what its result judges.

Why threads of our own: with 1,000 queries against 262,144 x 128 rows on 2 shared cores,
faiss.knn took 1.2 s with one OpenMP thread and 3.4 s with two, which wait for each other.
"""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from longspan.indexer.errors import BadFile
from longspan.indexer.reader import Source
from longspan.indexer.running.libfaiss import faiss
from longspan.indexer.running.progress import Advance
from longspan.indexer.running.workers import Workers

Floats = NDArray[Any]
Rows = NDArray[np.int64]
CHUNK_BYTES = 32 << 20  # of rows as they are scored
SCORED_AT_ONCE = 1 << 19  # distances in float64: 4 MiB
# faiss scores smaller batches without BLAS, at 7 instead of 55 GFLOP/s. The unit was queries, and
# is queries * dim since 1.15, whose 128,000 leaves 1,000 queries of 96 dims on the slow side.
BLAS_FROM = 20


def scan(
    base: Source,
    queries: Floats,
    count: int,
    metric: str,
    threads: int | None,
    precision: type[np.floating[Any]],
    advance: Advance,
) -> tuple[Rows, Floats, float]:
    """Return the nearest rows of each query, their distances, and the base's largest norm.

    queries     (nq, dim)
    count       at most base.n
    precision   float32, or float64: half as fast, and right where float32 cannot tell
    returns     (nq, count) rows and distances, nearest first; a row is -1 where float32
                overflowed. The norm is 0 for l2, which has no use for it.
    """
    nearest = _nearest_single if precision is np.float32 else _nearest_double
    asked = queries.astype(precision)
    if metric == "cosine":
        asked = asked / lengths(asked)[:, None].astype(precision)
    step = max(1, CHUNK_BYTES // (np.dtype(precision).itemsize * base.dim))

    def scan_chunk(start: int) -> tuple[Rows, Floats, float]:
        stop = min(start + step, base.n)
        chunk = base.rows(start, stop).astype(precision, copy=metric == "cosine")
        norms = np.zeros(1) if metric == "l2" else lengths(chunk)
        if metric == "cosine":
            _make_unit(base, chunk, norms, start)
        rows, distances = nearest(asked, chunk, min(count, len(chunk)), metric)
        base.release(start, stop)
        advance(stop - start)
        return np.where(rows < 0, -1, rows + start), distances, float(norms.max())

    rows, distances = np.empty((len(queries), 0), np.int64), np.empty((len(queries), 0))
    largest = 0.0
    workers = threads or len(os.sched_getaffinity(0))
    # The number of OpenMP threads belongs to the thread that sets it: it ends with the pool.
    one_thread_each = ThreadPoolExecutor(workers, "truth", faiss.omp_set_num_threads, (1,))
    with one_thread_each as pool, threadpool_limits(1, "blas"), _faiss_uses_blas():
        chunks = Workers(pool, workers).each(scan_chunk, range(0, base.n, step), ahead=1)
        for more_rows, more_distances, norm in chunks:
            rows = np.hstack((rows, more_rows))
            distances = np.hstack((distances, more_distances))
            rows, distances = _best(rows, distances, count)
            largest = max(largest, norm)
    return *in_order(rows, distances), largest


def _nearest_single(queries: Floats, chunk: Floats, count: int, metric: str) -> tuple[Rows, Floats]:
    """Return the count nearest rows of the chunk, and their distances in float32, by faiss."""
    if metric == "l2":
        distances, rows = faiss.knn(queries, chunk, count, metric=faiss.METRIC_L2)
        return rows, distances
    dots, rows = faiss.knn(queries, chunk, count, metric=faiss.METRIC_INNER_PRODUCT)
    return rows, -dots if metric == "ip" else 1 - dots


def _nearest_double(queries: Floats, chunk: Floats, count: int, metric: str) -> tuple[Rows, Floats]:
    """Return the same in float64, by BLAS."""
    found = []
    squares = lengths(chunk) ** 2
    step = max(1, SCORED_AT_ONCE // len(chunk))
    rows = np.arange(len(chunk))
    for start in range(0, len(queries), step):
        block = queries[start : start + step]
        distances = block @ chunk.T
        if metric == "l2":
            distances *= -2
            distances += squares
            distances += lengths(block)[:, None] ** 2
        else:
            np.subtract(float(metric == "cosine"), distances, out=distances)
        found.append(_best(np.broadcast_to(rows, distances.shape), distances, count))
    return np.vstack([rows for rows, _ in found]), np.vstack([dist for _, dist in found])


def lengths(vectors: Floats) -> NDArray[np.float64]:
    """Return the norm of each vector; float64, where no float32 over- or underflows."""
    squares: NDArray[np.float64] = np.einsum("ij,ij->i", vectors, vectors, dtype=np.float64)
    return np.sqrt(squares)


def _best(rows: Rows, distances: Floats, count: int) -> tuple[Rows, Floats]:
    """Return the count nearest of each line, in any order."""
    if distances.shape[1] <= count:
        return rows, distances
    kept = np.argpartition(distances, count - 1, axis=1)[:, :count]
    return np.take_along_axis(rows, kept, 1), np.take_along_axis(distances, kept, 1)


def in_order(rows: Rows, distances: Floats) -> tuple[Rows, Floats]:
    """Return each line nearest first, equals by row."""
    order = np.lexsort((rows, distances), axis=1)
    return np.take_along_axis(rows, order, 1), np.take_along_axis(distances, order, 1)


@contextmanager
def _faiss_uses_blas() -> Iterator[None]:
    before = faiss.cvar.distance_compute_blas_threshold
    faiss.cvar.distance_compute_blas_threshold = BLAS_FROM
    try:
        yield
    finally:
        faiss.cvar.distance_compute_blas_threshold = before


def _make_unit(base: Source, chunk: Floats, norms: Floats, start: int) -> None:
    if not norms.all():
        row = start + int(norms.argmin())
        raise BadFile(f"{base.path}: row {row} is all zeros, which has no direction for cosine")
    chunk /= norms[:, None].astype(chunk.dtype)
