"""Queries at the door: any array that the index can take without loss, or a clear error."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from longspan.indexer.errors import BadQuery
from longspan.indexer.store.space import LEAST_NORM, MOST_SQUARE, squares


def accept(queries: Any, dtype: np.dtype[Any], dim: int, metric: str) -> NDArray[Any]:
    """Return queries (nq, dim) in the type that the kernels take: float32, or the integer dtype.

    queries  (nq, dim), or (dim,) for one; any numbers that dtype holds exactly when it is an
             integer type
    BadQuery names the query and what is wrong with it.
    """
    try:
        given = np.asarray(queries)
    except ValueError as error:
        raise BadQuery(f"queries are not an array: {error}") from error
    if given.ndim == 1:
        given = given[None, :]
    if given.ndim != 2 or given.dtype.kind not in "fiu":
        raise BadQuery(
            f"queries are {given.ndim}-d {given.dtype}, want numbers of shape (count, {dim})"
        )
    if given.shape[1] != dim:
        raise BadQuery(f"queries have {given.shape[1]} dims, the index has {dim}")
    wanted = np.dtype(np.float32) if dtype.kind == "f" else dtype
    accepted = (
        np.ascontiguousarray(given, wanted) if given.dtype == wanted else convert(given, wanted)
    )
    if wanted.kind == "f" or metric == "cosine":
        check_lengths(accepted, metric)
    return accepted


def check_lengths(queries: NDArray[Any], metric: str) -> None:
    """Raise BadQuery unless all distances to a query will be finite, and with cosine be one."""
    lengths = squares(queries)
    fits = lengths <= MOST_SQUARE
    if not fits.all():
        row = int(np.argmin(fits))
        if not np.isfinite(queries[row]).all():
            raise BadQuery(f"query {row} has a value that is no finite float32")
        raise BadQuery(f"query {row} is longer than {MOST_SQUARE**0.5:.0e}, distances overflow")
    if metric == "cosine":
        least = lengths >= LEAST_NORM**2
        if not least.all():
            raise BadQuery(f"query {int(np.argmin(least))} is zero or nearly, which has no cosine")


def convert(given: NDArray[Any], wanted: np.dtype[Any]) -> NDArray[Any]:
    """Return an array in another type; BadQuery when an integer type does not hold a value."""
    with np.errstate(invalid="ignore", over="ignore"):
        converted = np.ascontiguousarray(given.astype(wanted))
        same = converted == given
    if wanted.kind != "f" and not same.all():
        row, column = np.unravel_index(int(np.argmin(same)), given.shape)
        limits = np.iinfo(wanted)
        raise BadQuery(
            f"query {row} has {given[row, column]} at {column}, the index holds whole numbers "
            f"in [{limits.min}, {limits.max}]"
        )
    return converted
