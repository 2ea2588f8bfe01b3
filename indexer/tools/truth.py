"""The truth: the exact nearest neighbours, and the share of them that a search found.

`exact` is exact and not only nearly so. It takes some more candidates than wanted by GEMM in
float32, scores those by the definition in float64, and then proves for each query that no row
it did not take can be nearer, by the rounding bound of a float32 dot product (Higham, "Accuracy
and stability of numerical algorithms", 3.1). The few queries it cannot prove, such as those amid
many copies of one vector or far from the origin, are scanned again in float64. Small integers
need none of this: their sums are exact in float32.
"""

from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from longspan.indexer.config import METRICS
from longspan.indexer.errors import BadConfig, BadFile, BadQuery
from longspan.indexer.reader import Source
from longspan.indexer.running.progress import SILENT, Progress
from longspan.indexer.tools.answers import Distances, Ids, read_answers
from longspan.indexer.tools.exhaustive import (
    Floats,
    Rows,
    in_order,
    lengths,
    scan,
)

Doubles = NDArray[np.float64]

QUERIES_AT_ONCE = 1 << 14  # their candidates take about 30 MiB at k = 100
RESCORED_AT_ONCE = 1 << 19  # values in float64: 4 MiB
HALF_ULP = 2.0**-24  # of float32: the largest relative error of one operation
# Of the median true distance; below it float32 scores differ by rounding alone. Not of the largest:
# by inner product one long vector would make it so great that every answer is right.
TIE = 1e-5
ROUNDING = 1e-6  # of a distance itself, where it is far longer than that


def exact(
    base: Source,
    queries: NDArray[Any],
    k: int,
    metric: str,
    threads: int | None = None,
    progress: Progress = SILENT,
) -> tuple[Ids, Distances]:
    """Return the k nearest rows of each query, nearest first, and their distances.

    queries     (nq, dim), any of the dtypes of a file of vectors
    threads     default: every core this process may use
    returns     (nq, k) int64 rows and float32 distances in longspan's convention: squared L2,
                -dot, 1 - cosine. Padded with -1 and +inf when base has fewer than k rows.

    BadFile names the row of the base, BadQuery the query, that is zero with cosine.
    """
    queries = _accepted(base, queries, k, metric)
    blocks = range(0, len(queries), QUERIES_AT_ONCE)
    found = []
    for number, start in enumerate(blocks, start=1):
        name = "truth" if len(blocks) == 1 else f"truth {number}/{len(blocks)}"
        block = queries[start : start + QUERIES_AT_ONCE]
        found.append(_exact(base, block, min(k, base.n), metric, threads, progress, name))
    missing = ((0, 0), (0, max(0, k - base.n)))
    rows = np.pad(np.vstack([rows for rows, _ in found]), missing, constant_values=-1)
    distances = np.vstack([distances for _, distances in found])
    return rows, np.pad(distances, missing, constant_values=np.inf)


def recall(
    found_distances: NDArray[Any],
    true_distances: NDArray[Any],
    k: int,
    ids: tuple[Ids, Ids] | None = None,
) -> Floats:
    """Return the share of each query's k true neighbours that was found, (nq,), 0 to 1.

    Both are longspan distances, nearest first, at least k a query (+inf: a missing hit). A hit is
    one no farther than the k-th true neighbour, so ties count whichever of them was found.

    ids     those found and the true ones, where both name the same things: a hit is then also one
            that is a true neighbour by id. For a truth whose distances are of another rounding:
            dot products of vectors that are nearly of unit length, judging cosine.
    """
    if true_distances.shape[1] < k or len(true_distances) != len(found_distances):
        raise BadQuery(
            f"the truth has {true_distances.shape[1]} neighbours of {len(true_distances)} "
            f"queries, wanted at least {k} of {len(found_distances)}"
        )
    true = true_distances.astype(np.float64)
    real = np.isfinite(true)
    wanted = real[:, :k].sum(axis=1)
    there = real.sum(axis=1)
    sizes = np.sort(np.where(real, np.abs(true), np.inf), axis=1)
    middle = np.take_along_axis(sizes, np.minimum(there // 2, true.shape[1] - 1)[:, None], axis=1)
    within = TIE * np.where(there > 0, middle[:, 0], 0.0)
    farthest = np.where(real, true, -np.inf)[:, :k].max(axis=1)
    near = farthest + np.maximum(within, ROUNDING * np.where(wanted > 0, np.abs(farthest), 0.0))
    hits = found_distances[:, :k] <= near[:, None]
    if ids is not None:
        found_ids, true_ids = (each[:, :k] for each in ids)
        hits |= (found_ids[:, :, None] == true_ids[:, None, :]).any(axis=2) & (found_ids >= 0)
    shares: Floats = np.minimum(hits.sum(axis=1), wanted) / np.maximum(wanted, 1)
    return shares


def read_truth(path: str | Path, metric: str) -> tuple[Ids, Distances]:
    """Return a truth file's ids and distances (nq, k), in longspan's convention.

    Other tools store what is larger for a nearer vector: the dot product, or the cosine. Their
    files are known by their order, values that fall instead of rise, and become -dot or 1 - cosine.
    One neighbour a query has no order and is taken as longspan's own. Of L2 the squares are
    wanted; files of plain L2 cannot be told apart and give a wrong recall.
    """
    ids, values = read_answers(path)
    steps = np.diff(np.where(np.isfinite(values), values, np.nan).astype(np.float64), axis=1)
    rounding = TIE * np.nanmax(np.abs(steps), initial=0.0)
    if not (steps < -rounding).any():
        return ids, values
    if metric == "l2" or (steps > rounding).any():
        row = int(np.argwhere(steps < -rounding)[0, 0])
        raise BadFile(f"{path}: row {row} is not in order, wanted the nearest first")
    values = np.where(ids < 0, np.inf, -values if metric == "ip" else 1 - values)
    return ids, values.astype(np.float32)


def _exact(
    base: Source,
    queries: NDArray[np.float32],
    k: int,
    metric: str,
    threads: int | None,
    progress: Progress,
    name: str,
) -> tuple[Rows, Distances]:
    """Answer one block of queries, k at most base.n."""
    proven = _sums_are_exact(base, queries, metric)
    count = k if proven else min(base.n, k + max(32, k // 4))
    with progress.stage(name, base.n, "vectors") as advance:
        rows, rough, norm = scan(base, queries, count, metric, threads, np.float32, advance)
    if proven:
        return rows, rough.astype(np.float32)
    rows, distances = _rescored(base, queries, rows, metric)
    bound = rough[:, -1] if count < base.n else np.full(len(rows), np.inf)
    error = _rounding(queries, distances[:, k - 1], norm, metric)
    doubtful = ~(distances[:, k - 1] <= bound - error) | (rows < 0).any(axis=1)
    if doubtful.any():
        again = queries[doubtful]
        with progress.stage(f"{name}: {len(again)} again", base.n, "vectors") as advance:
            closer, *_ = scan(base, again, count, metric, threads, np.float64, advance)
        rows[doubtful], distances[doubtful] = _rescored(base, again, closer, metric)
    with np.errstate(over="ignore"):  # beyond float32 is +inf
        return rows[:, :k], distances[:, :k].astype(np.float32)


def _accepted(base: Source, queries: NDArray[Any], k: int, metric: str) -> NDArray[np.float32]:
    """Return the queries in float32."""
    if metric not in METRICS:
        raise BadConfig(f"metric is {metric!r}, must be one of {', '.join(METRICS)}")
    if k < 1:
        raise BadQuery(f"k is {k}, must be at least 1")
    if queries.ndim != 2 or len(queries) == 0 or queries.shape[1] != base.dim:
        wanted = f"(queries, {base.dim}) as {base.path.name} has"
        raise BadQuery(f"queries of shape {queries.shape}, wanted {wanted}")
    accepted: NDArray[np.float32] = np.ascontiguousarray(queries, dtype=np.float32)
    norms = lengths(accepted)
    if not np.isfinite(norms).all():
        raise BadQuery(f"query {int(np.isfinite(norms).argmin())} is not finite")
    if metric == "cosine" and not norms.all():
        raise BadQuery(f"query {int(norms.argmin())} is all zeros, which has no direction")
    return accepted


def _sums_are_exact(base: Source, queries: Floats, metric: str) -> bool:
    """Whether every sum on the way to a distance is an integer that float32 holds."""
    if metric == "cosine" or base.dtype.kind == "f" or (queries != np.rint(queries)).any():
        return False
    largest = max(255.0 if base.dtype.kind == "u" else 128.0, float(np.abs(queries).max()))
    return 2 * base.dim * largest**2 <= 1 / HALF_ULP


def _rounding(queries: Floats, farthest: Doubles, norm: float, metric: str) -> Doubles:
    """Return how far the float32 distance of a row nearer than `farthest` can be off, (nq,).

    A dot product of dim values is off by at most dim * 2^-24 |x| |y|. For squared L2 a row that
    is nearer than the farthest hit has |y| < |q| + that distance; for ip it may be any row.
    """
    relative = (queries.shape[1] + 8) * HALF_ULP  # 8: the sums, and cosine's scaling
    own = lengths(queries)
    if metric == "cosine":
        return np.full(len(queries), 2 * relative)
    if metric == "ip":
        bound = relative * norm * own
    else:
        bound = 2 * relative * (own**2 + (own + np.sqrt(farthest)) ** 2)
    return np.asarray(bound, np.float64)


def _rescored(base: Source, queries: Floats, rows: Rows, metric: str) -> tuple[Rows, Doubles]:
    """Return the rows with distances by the definition in float64, nearest first."""
    distances = np.empty(rows.shape)
    width = min(rows.shape[1], max(1, RESCORED_AT_ONCE // base.dim))
    step = max(1, RESCORED_AT_ONCE // (width * base.dim))
    for start, left in product(range(0, len(rows), step), range(0, rows.shape[1], width)):
        part = slice(start, start + step), slice(left, left + width)
        block = rows[part]
        needed, place = np.unique(np.maximum(block, 0), return_inverse=True)
        vectors = base.take(needed).astype(np.float64)[place.reshape(block.shape)]
        scores = _defined(vectors, queries[part[0]].astype(np.float64), metric)
        distances[part] = np.where(block < 0, np.inf, scores)
        base.release(0, base.n)
    return in_order(rows, distances)


def _defined(vectors: Floats, queries: Floats, metric: str) -> Floats:
    """Return the distance of vectors (nq, count, dim) to queries (nq, dim), as defined."""
    if metric == "l2":
        vectors = vectors - queries[:, None, :]
    squares: Floats = np.einsum("qcd,qcd->qc", vectors, vectors)
    if metric == "l2":
        return squares
    dots: Floats = np.einsum("qcd,qd->qc", vectors, queries)
    if metric == "ip":
        return -dots
    return np.maximum(1 - dots / (np.sqrt(squares) * lengths(queries)[:, None]), 0.0)
