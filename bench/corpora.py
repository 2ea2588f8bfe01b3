"""The vectors that peers are compared on, as plain .npy files that any of them can read.

Queries are cut at random, by the seed of targets.py, into those that an index may be calibrated
with and those that are measured; an index that needs none ignores the first.
"""

import gzip
import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from targets import SEED

from longspan.indexer.reader import open_vectors
from longspan.indexer.tools.answers import read_answers
from longspan.indexer.tools.truth import exact

K = 10


@dataclass(frozen=True, slots=True)
class Source:
    """Files of a set, and how many of its queries are kept for calibration."""

    metric: str
    base: str
    queries: str
    truth: str | None
    calibration: int


SOURCES = {
    "sift": Source("l2", "sift1m.base.u8bin", "sift1m.query.u8bin", "sift1m.truth.ibin", 1000),
    # Its truth is by inner product of vectors that are only nearly of unit length: made anew.
    "text": Source("cosine", "text49k.base.f16.npy", "text49k.query.f32.npy", None, 500),
}


def prepare(name: str, data: Path, work: Path, limit: int | None, count: int) -> Path:
    """Return the folder of a set: base, calibration, queries and truth, each a .npy, set.json.

    limit  take this many of the first base vectors; the truth is then computed here
    count  queries to measure with, at most
    """
    source = SOURCES[name]
    folder = work / (name if limit is None else f"{name}-{limit}")
    wanted = {"set": folder.name, "metric": source.metric, "queries": count, "k": K}
    note = folder / "set.json"
    if note.exists():
        if json.loads(note.read_text()) != wanted:  # results of the other queries lie there
            raise SystemExit(f"{folder}: was made with other options, name another WORK")
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    write_base(data / source.base, folder, limit)
    write_queries(source, data, folder, count, whole=limit is None)
    note.write_text(json.dumps(wanted))
    return folder


def write_base(path: Path, folder: Path, limit: int | None) -> None:
    """Write base.npy, unpacking the source when only its .gz is there."""
    if not path.exists():
        plain = folder / path.name
        with gzip.open(path.with_name(path.name + ".gz")) as packed, plain.open("wb") as out:
            shutil.copyfileobj(packed, out, 1 << 20)
        write_base(plain, folder, limit)
        plain.unlink()
        return
    vectors = open_vectors(path)
    np.save(folder / "base.npy", vectors.rows(0, min(vectors.n, limit or vectors.n)))


def write_queries(source: Source, data: Path, folder: Path, count: int, whole: bool) -> None:
    """Write calibration.npy, queries.npy and truth.npy, the ids of the k nearest in order."""
    asked = open_vectors(data / source.queries)
    order = np.random.default_rng(SEED).permutation(asked.n)
    kept = order[source.calibration : source.calibration + count]
    rows = asked.rows(0, asked.n)
    np.save(folder / "calibration.npy", rows[order[: source.calibration]])
    np.save(folder / "queries.npy", rows[kept])
    if whole and source.truth:
        ids = read_answers(data / source.truth)[0][kept, :K]
    else:
        base = open_vectors(folder / "base.npy")
        ids, _ = exact(base, np.ascontiguousarray(rows[kept]), K, source.metric)
    np.save(folder / "truth.npy", ids)
