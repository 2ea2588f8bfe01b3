"""Calibration queries and their true neighbours.

The usual ones choose what a search does for a wanted recall; fresh ones, which chose nothing, tell
whether it is found. Of a few of the usual ones MANY neighbours are known: so many say more than
their number does, and the recalls of two queries hardly differ there. One neighbour says little:
that it is found is told by more fresh queries, whose nearest vectors a wide search looks up. So are
those of queries beyond KNOWN: for each thousand a scan takes a tenth of the time of a build.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from longspan.indexer.planning.portions import FEW, KNOWN, MANY
from longspan.indexer.reader import Source, Vectors
from longspan.indexer.running import heap
from longspan.indexer.running.job import Job
from longspan.indexer.running.progress import Progress
from longspan.indexer.stages.work_files import NUMBER, TRUTH
from longspan.indexer.tools.truth import exact

KS = (1, 10, 100)
STEPS = 1, 10  # of MANY: of so many neighbours one is kept, and stands for the others
MORE = 1_000  # fresh queries, when they are of the base, and as many as the others at most
HITS = 1_500  # neighbours that a target is judged by: where one is wanted, so many queries
USUAL, IN_TURN = 5, 7  # of seven queries five are usual, the others fresh
ENOUGH, MANY_ARE = 200, 1_400  # queries: fewer are usual and fresh at once, of more half are usual


@dataclass(frozen=True, slots=True)
class Sample:
    """Queries and their true neighbours.

    queries    (nq, dim)
    truth      (nq, k / step)  rows, nearest first; -1 where there are fewer
    distances  (nq, k / step)  as searches tell them
    own        (nq,)           rows that the queries themselves are; -1 for none
    step       1, or those neighbours are kept whose number it divides
    """

    queries: NDArray[Any]
    truth: NDArray[np.int64]
    distances: NDArray[np.float32]
    own: NDArray[np.int64]
    step: int = 1

    @property
    def known(self) -> int:
        """How many neighbours are known, or stood for."""
        return self.step * int(self.distances.shape[1])

    def some(self, which: slice | NDArray[np.bool_]) -> "Sample":
        """Return some of the queries."""
        return Sample(
            self.queries[which],
            self.truth[which],
            self.distances[which],
            self.own[which],
            self.step,
        )

    def and_nearest(self, more: "Sample", distances: NDArray[np.float32]) -> "Sample":
        """Return the queries and more of them, with the distance of each one's nearest alone."""
        nearest = np.concatenate([self.distances[:, :1], distances])
        return Sample(
            np.concatenate([self.queries, more.queries]),
            np.full(nearest.shape, -1),
            nearest,
            np.concatenate([self.own, more.own]),
        )

    def telling(self) -> "Sample":
        """Return the queries whose neighbours are not all equally far, where there are such.

        Of equals any is right: where those lie that are known says nothing.
        """
        tells = self.distances[:, 0] < self.distances[:, -1]
        return self.some(tells) if tells.any() else self

    def every(self, step: int) -> "Sample":
        """Return the queries with those neighbours whose number a step divides."""
        kept = slice(step - 1, None, step)
        truth, distances = self.truth[:, kept], self.distances[:, kept]
        return replace(self, truth=truth.copy(), distances=distances.copy(), step=step)


@dataclass(frozen=True, slots=True)
class Samples:
    """What an index is calibrated with.

    usual   choose for each of KS
    many    choose for MANY, a group of ks each; none where there are no more than KS
    fresh   chose nothing
    more    chose nothing either, and their neighbours are not known
    source  whose queries they are, for the manifest
    """

    usual: Sample
    many: list[Sample]
    fresh: Sample
    more: Sample
    source: str

    @property
    def groups(self) -> list[tuple[Sample, list[int]]]:
        """The queries that choose, each with the numbers of neighbours that it does so for."""
        each = zip([self.usual, *self.many], (KS, *MANY), strict=False)
        return [(sample, upto(ks, sample.known)) for sample, ks in each]

    @property
    def ks(self) -> list[int]:
        """The numbers of neighbours that the index is calibrated for, ascending."""
        return [k for _, ks in self.groups for k in ks]


def upto(ks: tuple[int, ...], known: int) -> list[int]:
    """Return those that are known of some numbers of neighbours; all that are, if not the last."""
    return [k for k in ks if k < known] + [min(known, ks[-1])]


FIELDS = ("queries", "truth", "distances", "own", "step")


def write_truth(job: Job, given: Vectors | None, threads: int, progress: Progress) -> None:
    """Write the calibration queries, given or drawn from the vectors, and their true neighbours."""
    vectors, metric = job.staged, job.space.metric
    if given is None:
        own, others = drawn(vectors.n, job.config.calibration, job.config.seed)
        queries, more = vectors.gather(own), unknown(vectors.gather(others), others)
        source = "base"
    else:
        queries, own, more = taken(given)
        source = given.path.name
    samples = samples_of(vectors, queries, own, more, source, metric, threads, progress)
    parts = {"usual": samples.usual, "fresh": samples.fresh, "more": samples.more}
    parts |= {f"many{number}": sample for number, sample in enumerate(samples.many)}
    arrays = {
        f"{part}_{field}": np.asarray(getattr(sample, field))
        for part, sample in parts.items()
        for field in FIELDS
    }
    job.save_all(TRUTH, source=np.array(source), **arrays)


def read_truth(job: Job) -> Samples:
    """Return what write_truth has written, in rows of the index in place of slots."""
    arrays, number = job.load_all(TRUTH), job.load(NUMBER)

    def sample(part: str) -> Sample:
        queries, truth, distances, own, step = (arrays[f"{part}_{field}"] for field in FIELDS)
        truth, own = (np.where(at < 0, -1, number[at].astype(np.int64)) for at in (truth, own))
        return Sample(queries, truth, distances, own, int(step))

    many = [sample(f"many{at}") for at in range(len(MANY)) if f"many{at}_own" in arrays]
    return Samples(sample("usual"), many, sample("fresh"), sample("more"), str(arrays["source"]))


def samples_of(
    vectors: Source,
    queries: NDArray[Any],
    own: NDArray[np.int64],
    more: Sample,
    source: str,
    metric: str,
    threads: int,
    progress: Progress,
) -> Samples:
    """Return queries with their true neighbours, divided into those that choose and the others.

    more  queries besides, whose neighbours nobody knows
    """
    every = neighbours(vectors, queries, own, KS[-1], metric, threads, progress)
    usual = fresh = every
    if len(queries) >= ENOUGH:
        turns = (USUAL, IN_TURN) if len(queries) <= MANY_ARE else (1, 2)
        is_fresh = np.arange(len(queries)) % turns[1] >= turns[0]
        usual, fresh = every.some(~is_fresh), every.some(is_fresh)
    many = []
    for fewer, ks, few, step in zip((KS, *MANY), MANY, FEW, STEPS, strict=False):
        if vectors.n - 1 > step * fewer[-1]:
            heap.trim()  # what the others took
            some = slice(None, None, -(-len(queries) // few))
            found = neighbours(vectors, queries[some], own[some], ks[-1], metric, threads, progress)
            many.append(found.every(step))
    return Samples(usual.telling(), [each.telling() for each in many], fresh, more, source)


def unknown(queries: NDArray[Any], own: NDArray[np.int64]) -> Sample:
    """Return queries whose neighbours nobody knows."""
    nothing = np.empty((len(queries), 0))
    return Sample(queries, nothing.astype(np.int64), nothing.astype(np.float32), own)


def drawn(n: int, count: int, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the slots of vectors that are queries, and of others that are more of them.

    count  how many are wanted; of them KNOWN are the first, and more the others
    """
    known = min(count, n, KNOWN)
    more = min(HITS, max(min(MORE, known), count - known))
    rng = np.random.default_rng(seed)
    slots = np.sort(rng.choice(n, known, replace=False))
    others = rng.choice(n, min(n, known + more), replace=False)
    return slots, np.sort(others[~np.isin(others, slots)][:more])


def taken(given: Vectors) -> tuple[NDArray[Any], NDArray[np.int64], Sample]:
    """Return vectors of a file as queries, which are none of the base's, and more of them."""
    rows = np.linspace(0, given.n - 1, min(given.n, KNOWN + HITS)).astype(np.int64)
    queries, own = given.take(rows), np.full(len(rows), -1)
    is_known = np.zeros(len(rows), bool)
    is_known[np.linspace(0, len(rows) - 1, min(len(rows), KNOWN)).astype(np.int64)] = True
    return queries[is_known], own[is_known], unknown(queries[~is_known], own[~is_known])


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
