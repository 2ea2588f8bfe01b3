"""The inputs of a build: opened, and checked before anything is written."""

import hashlib
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from longspan.indexer.bounds import MOST_DIMS, MOST_ROWS
from longspan.indexer.config import METRICS, BuildConfig
from longspan.indexer.errors import BadConfig, BadFile
from longspan.indexer.reader import Source, Vectors, open_vectors
from longspan.indexer.reader.address import parse
from longspan.indexer.reader.ids import read_ids
from longspan.indexer.reader.norms import unevenness_of
from longspan.indexer.running.progress import Progress
from longspan.indexer.store.space import LEAST_NORM, MOST_SQUARE, HeadSpace, radius_for

CHECK = 1 << 18  # values looked at together before anything is built: they stay in cache


@dataclass(frozen=True, slots=True)
class Inputs:
    """The checked inputs of a build, each None when it was not given."""

    source: str | Path
    vectors: Vectors
    space: HeadSpace
    ids: str | Path | None
    names: NDArray[np.int64] | None
    queries: Vectors | None
    payload: str | Path | None

    def identity(self, config: BuildConfig) -> dict[str, Any]:
        """Return what tells a build of these from others, for its journal."""
        names = self.names
        return {
            "longspan": version("longspan"),
            "input": self.vectors.fingerprint(),
            "metric": self.space.metric,
            "config": config.as_dict(),
            "ids": None if names is None else hashlib.sha256(names.data).hexdigest(),
            "queries": self.queries.fingerprint() if self.queries else None,
            "payload": str(self.payload) if self.payload else None,
        }

    def record(self) -> dict[str, Any]:
        """Return what the manifest says of them."""
        ids = parse(self.ids).name if self.ids else None
        record = {**self.vectors.fingerprint(), "ids": ids}
        return {**record, "payload": payload_name(self.payload)} if self.payload else record


def open_inputs(
    source: str | Path,
    metric: str,
    ids: str | Path | None,
    queries: str | Path | None,
    payload: str | Path | None,
    folder: Path,
    progress: Progress,
) -> Inputs:
    """Open and check the inputs but for the payload; BadInput says what is wrong with one."""
    vectors = open_vectors(source, folder, progress)
    space = space_of(vectors, metric)
    asked = open_queries(queries, vectors, space, folder) if queries else None
    names = read_ids(ids, vectors.n, folder) if ids else None
    return Inputs(source, vectors, space, ids, names, asked, payload)


def space_of(vectors: Vectors, metric: str) -> HeadSpace:
    """Return the head space; errors as of `longest_of`."""
    longest = longest_of(vectors, metric)
    radius = radius_for(longest, vectors.dim) if metric == "ip" else 0.0
    unevenness = unevenness_of(vectors, metric, longest)
    return HeadSpace(metric, vectors.dtype_name, vectors.dim, radius, unevenness)


def longest_of(vectors: Vectors, metric: str) -> float:
    """Return the greatest norm, after one look at every vector that needs it; 0 where none does.

    BadFile names the first vector that is not finite, too long, or zero with cosine.
    """
    if metric not in METRICS:
        raise BadConfig(f"metric is {metric!r}, must be one of {', '.join(METRICS)}")
    if vectors.dim > MOST_DIMS:
        raise BadFile(f"{vectors.path}: {vectors.dim} dims, at most {MOST_DIMS} are supported")
    if vectors.n > MOST_ROWS:
        raise BadFile(f"{vectors.path}: {vectors.n} vectors, at most {MOST_ROWS} fit one index")
    longest = 0.0
    if metric != "l2" or vectors.dtype.kind == "f":
        step = max(1, CHECK // vectors.dim)
        for start in range(0, vectors.n, step):
            stop = min(start + step, vectors.n)
            norms = np.linalg.norm(vectors.rows(start, stop).astype(np.float64), axis=1)
            longest = max(longest, float(norms.max()))
            if longest**2 > MOST_SQUARE:
                row = start + int(np.argmax(norms))
                raise BadFile(
                    f"{vectors.path}: row {row} has norm {longest:.3g}, distances overflow"
                )
            if metric == "cosine" and norms.min() < LEAST_NORM:
                row = start + int(np.argmin(norms))
                raise BadFile(f"{vectors.path}: row {row} is zero or nearly, which has no cosine")
            vectors.release(start, stop)
    return longest


def open_queries(path: str | Path, vectors: Source, space: HeadSpace, tmp: Path) -> Vectors:
    """Return the opened calibration queries; BadFile unless they fit the vectors."""
    given = open_vectors(path, tmp)
    if given.dim != vectors.dim:
        raise BadFile(f"{path}: {given.dim} dims, {vectors.path} has {vectors.dim}")
    if vectors.dtype.kind != "f" and given.dtype != vectors.dtype:
        raise BadFile(f"{path}: holds {given.dtype_name}, {vectors.path} {vectors.dtype_name}")
    longest_of(given, space.metric)
    return given


def payload_name(given: str | Path) -> str:
    """Return the name of a payload's file, without the columns that are named behind it."""
    return Path(str(given).partition("::")[0]).name
