"""The definitions, in numpy and in float64: what every fast path is compared with.

Distances are smaller-is-better: l2 = squared L2, ip = -dot, cosine = 1 - cos. A hit that is
missing has id -1 and distance +inf.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

DTYPES: dict[str, np.dtype[Any]] = {
    "f32": np.dtype(np.float32),
    "f16": np.dtype(np.float16),
    "u8": np.dtype(np.uint8),
    "i8": np.dtype(np.int8),
}
METRICS = ("l2", "ip", "cosine")

Ids = npt.NDArray[np.int64]
Distances = npt.NDArray[np.float64]
Array = npt.NDArray[Any]  # of any dtype

# What float32 arithmetic in another order may change: relative, and absolute near zero, where
# 1 - cos and -dot have lost their leading digits.
RELATIVE, ABSOLUTE = 1e-4, 1e-5


def all_distances(queries: Array, base: Array, metric: str) -> Distances:
    """Return the distance of every query to every vector, (nq, n) float64."""
    q, x = queries.astype(np.float64), base.astype(np.float64)
    if metric == "l2":
        return np.stack([((x - one) ** 2).sum(axis=1) for one in q])
    dots = q @ x.T
    if metric == "ip":
        return -dots
    if metric == "cosine":
        norms = np.linalg.norm(q, axis=1)[:, None] * np.linalg.norm(x, axis=1)[None, :]
        return 1.0 - dots / norms
    raise ValueError(f"metric is {metric}, must be one of {METRICS}")


def brute_force(
    queries: Array, base: Array, k: int, metric: str, ids: Ids | None = None
) -> tuple[Ids, Distances]:
    """Return the exact k nearest, nearest first, ties by row: ids and distances, each (nq, k).

    ids are row numbers unless given; when the base has fewer than k rows the rest is missing.
    """
    names = np.arange(len(base), dtype=np.int64) if ids is None else ids
    distances = all_distances(queries, base, metric)
    kept = min(k, len(base))
    rows = np.argsort(distances, axis=1, kind="stable")[:, :kept]
    found = np.full((len(queries), k), -1, dtype=np.int64)
    found_distances = np.full((len(queries), k), np.inf)
    found[:, :kept] = names[rows]
    found_distances[:, :kept] = np.take_along_axis(distances, rows, axis=1)
    return found, found_distances


def tolerance(distances: npt.ArrayLike) -> Distances:
    """Return how far a float32 result may lie from each of these distances."""
    return RELATIVE * np.abs(np.asarray(distances, dtype=np.float64)) + ABSOLUTE


def recall(found_distances: Array, true_distances: Array, k: int) -> Distances:
    """Return the recall@k of each query, (nq,): a hit is one no farther than the true k-th.

    Counted by distance, so that of several vectors equally far any is right. A missing hit
    (+inf) counts only where the truth itself has fewer than k.
    """
    true = true_distances[:, :k].astype(np.float64)
    there = np.isfinite(true)
    worst = np.where(there, true, -np.inf).max(axis=1)
    limit = worst + tolerance(np.where(np.isfinite(worst), worst, 0.0))
    hits = (found_distances[:, :k].astype(np.float64) <= limit[:, None]).sum(axis=1)
    wanted = there.sum(axis=1)
    return np.minimum(hits, wanted) / np.maximum(wanted, 1)


def check_answer(
    ids: Ids, distances: Array, queries: Array, base: Array, metric: str, names: Ids | None = None
) -> None:
    """Check what every answer promises, exact or not.

    No id twice for a query, distances ascending and true, missing hits last. `names` are the ids
    of the base's rows, row numbers unless given. AssertionError names the query.
    """
    rows_of = {
        int(name): row for row, name in enumerate(range(len(base)) if names is None else names)
    }
    truth = all_distances(queries, base, metric)
    for number, (row_ids, row_distances) in enumerate(zip(ids, distances, strict=True)):
        where = f"query {number}: ids {row_ids.tolist()}, distances {row_distances.tolist()}"
        there = row_ids >= 0
        assert not (~there[:-1] & there[1:]).any(), f"a hit after a missing one; {where}"
        assert np.isposinf(row_distances[~there]).all(), f"missing hits are not +inf; {where}"
        hits = row_ids[there].tolist()
        assert len(set(hits)) == len(hits), f"an id twice; {where}"
        got = row_distances[there].astype(np.float64)
        assert (np.diff(got) >= 0).all(), f"distances not ascending; {where}"
        want = truth[number, [rows_of[hit] for hit in hits]]
        assert (np.abs(got - want) <= tolerance(want)).all(), f"want {want.tolist()}; {where}"


def check_same_distances(found_distances: Array, true_distances: Array) -> None:
    """Check that two answers agree up to ties: the same distances, whatever the ids."""
    found, true = found_distances.astype(np.float64), true_distances.astype(np.float64)
    assert found.shape == true.shape, f"shape {found.shape}, want {true.shape}"
    assert (np.isfinite(found) == np.isfinite(true)).all(), "other hits are missing"
    there = np.isfinite(true)
    apart = np.abs(found[there] - true[there])
    worst = float(apart.max(initial=0.0))
    assert (apart <= tolerance(true[there])).all(), f"distances differ by up to {worst:g}"
