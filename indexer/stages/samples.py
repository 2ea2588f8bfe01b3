"""Calibration queries and their true neighbours.

The usual ones choose what a search does for a wanted recall; fresh ones, which chose nothing, tell
whether it is found. Of a few of the usual ones MANY neighbours are known: so many say more than
their number does, and the recalls of two queries hardly differ there.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from longspan.indexer.reader import Source, Vectors
from longspan.indexer.running import heap
from longspan.indexer.running.job import Job
from longspan.indexer.running.progress import Progress
from longspan.indexer.stages.work_files import NUMBER, TRUTH
from longspan.indexer.tools.truth import exact

KS = (1, 10, 100)
MANY, FEW = (300, 1000), 50  # neighbours, and queries that have so many
USUAL, IN_TURN = 5, 7  # of seven queries five are usual, the others fresh
MOST_QUERIES = 10_000  # of a file: with MOST_RANKED this bounds the stage's memory to 320 MB
ENOUGH = 200  # queries: fewer are usual and fresh at once


@dataclass(frozen=True, slots=True)
class Sample:
    """Queries and their true neighbours.

    queries    (nq, dim)
    truth      (nq, k)    rows, nearest first; -1 where there are fewer
    distances  (nq, k)    as searches tell them
    own        (nq,)      rows that the queries themselves are; -1 for none
    """

    queries: NDArray[Any]
    truth: NDArray[np.int64]
    distances: NDArray[np.float32]
    own: NDArray[np.int64]

    def some(self, which: slice | NDArray[np.bool_]) -> "Sample":
        """Return some of the queries."""
        return Sample(
            self.queries[which], self.truth[which], self.distances[which], self.own[which]
        )


@dataclass(frozen=True, slots=True)
class Samples:
    """What an index is calibrated with.

    usual   choose for each of KS
    few     choose for each of MANY; None when there are no more than KS
    fresh   chose nothing
    source  whose queries they are, for the manifest
    """

    usual: Sample
    few: Sample | None
    fresh: Sample
    source: str

    @property
    def groups(self) -> list[tuple[Sample, list[int]]]:
        """The queries that choose, each with the numbers of neighbours that it does so for."""
        groups = [(self.usual, KS), (self.few, MANY)] if self.few else [(self.usual, KS)]
        return [(sample, upto(ks, sample.truth.shape[1])) for sample, ks in groups]

    @property
    def ks(self) -> list[int]:
        """The numbers of neighbours that the index is calibrated for, ascending."""
        return [k for _, ks in self.groups for k in ks]


def upto(ks: tuple[int, ...], known: int) -> list[int]:
    """Return those that are known of some numbers of neighbours; all that are, if not the last."""
    return [k for k in ks if k < known] + [min(known, ks[-1])]


PARTS = ("usual", "few", "fresh")
FIELDS = ("queries", "truth", "distances", "own")


def write_truth(job: Job, given: Vectors | None, threads: int, progress: Progress) -> None:
    """Write the calibration queries, given or drawn from the vectors, and their true neighbours."""
    vectors, metric = job.staged, job.space.metric
    if given is None:
        queries, own = drawn(vectors, job.config.calibration, job.config.seed)
    else:
        queries, own = taken(given)
    source = "base" if given is None else given.path.name
    samples = samples_of(vectors, queries, own, source, metric, threads, progress)
    arrays = {
        f"{part}_{field}": getattr(sample, field)
        for part in PARTS
        if (sample := getattr(samples, part)) is not None
        for field in FIELDS
    }
    job.save_all(TRUTH, source=np.array(source), **arrays)


def read_truth(job: Job) -> Samples:
    """Return what write_truth has written, in rows of the index in place of slots."""
    arrays, number = job.load_all(TRUTH), job.load(NUMBER)

    def sample(part: str) -> Sample:
        queries, truth, distances, own = (arrays[f"{part}_{field}"] for field in FIELDS)
        truth, own = (np.where(at < 0, -1, number[at].astype(np.int64)) for at in (truth, own))
        return Sample(queries, truth, distances, own)

    few = sample("few") if "few_own" in arrays else None
    return Samples(sample("usual"), few, sample("fresh"), str(arrays["source"]))


def samples_of(
    vectors: Source,
    queries: NDArray[Any],
    own: NDArray[np.int64],
    source: str,
    metric: str,
    threads: int,
    progress: Progress,
) -> Samples:
    """Return queries with their true neighbours, divided into those that choose and the others."""
    every = neighbours(vectors, queries, own, KS[-1], metric, threads, progress)
    usual = fresh = every
    if len(queries) >= ENOUGH:
        is_fresh = np.arange(len(queries)) % IN_TURN >= USUAL
        usual, fresh = every.some(~is_fresh), every.some(is_fresh)
    few = None
    if vectors.n > KS[-1] + 1:
        heap.trim()  # what the others took
        step = slice(None, None, -(-len(queries) // FEW))
        few = neighbours(vectors, queries[step], own[step], MANY[-1], metric, threads, progress)
    return Samples(usual, few, fresh, source)


def drawn(vectors: Vectors, count: int, seed: int) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Return staged vectors as queries, and their slots."""
    count = min(count, vectors.n)
    rows = np.sort(np.random.default_rng(seed).choice(vectors.n, count, replace=False))
    return vectors.gather(rows), rows


def taken(given: Vectors) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Return the vectors of a file as queries, which are none of the base's."""
    rows = np.linspace(0, given.n - 1, min(given.n, MOST_QUERIES)).astype(np.int64)
    return given.take(rows), np.full(len(rows), -1)


def neighbours(
    vectors: Source,
    queries: NDArray[Any],
    own: NDArray[np.int64],
    k: int,
    metric: str,
    threads: int,
    progress: Progress,
) -> Sample:
    """Return queries with their k true neighbours; none is its own, unless it is alone."""
    itself = int(own.max(initial=-1) >= 0)
    wanted = min(k + itself, vectors.n)
    found, distances = exact(vectors, queries, wanted, metric, threads, progress)
    # Push the query itself behind the rest, then drop the last column.
    order = np.argsort(found == own[:, None], axis=1, kind="stable")
    order = order[:, : max(1, wanted - itself)]
    truth = np.take_along_axis(found, order, axis=1)
    return Sample(queries, truth, np.take_along_axis(distances, order, axis=1), own)
