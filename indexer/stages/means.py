"""The means of postings and nodes in the head space, where a build has clustered elsewhere.

A search ranks heads by their distance in the head space. What lies there in the middle of a
posting's vectors is their mean there, whatever brought them together.
"""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from longspan.indexer.planning.portions import ENCODED
from longspan.indexer.running.job import Job
from longspan.indexer.stages.entries import entries_of
from longspan.indexer.stages.partrows import PartRows
from longspan.indexer.stages.tree import starts
from longspan.indexer.stages.work_files import means_in

Floats = NDArray[np.float32]
Counts = NDArray[np.int64]


def write_means(job: Job, part: int) -> None:
    """Write the mean of each of a part's postings, of the vectors whose nearest head it is."""
    entries, vectors = entries_of(job, part), PartRows.read(job, part)
    slots, counts = entries.order.astype(np.int64), entries.primary
    first = np.concatenate([[0], np.cumsum(counts)])
    found = np.empty((len(counts), job.space.width), np.float32)
    for some in blocks_of(counts, max(1, ENCODED // job.space.width)):
        mine = slots[first[some.start] : first[some.stop]]
        sums = np.add.reduceat(
            job.space.lift(vectors.take(mine)), starts(counts[some]), axis=0, dtype=np.float64
        )
        found[some] = sums / counts[some, None]
    job.save(means_in(part), found)


def means_above(heads: Floats, counts: Counts, sizes: list[Counts]) -> list[Floats]:
    """Return the means of the vectors under the nodes of each level above the heads.

    heads   (h, width)  means of postings
    counts  (h,)        vectors of each
    sizes   children of each node, for every level but the last
    """
    levels: list[Floats] = []
    below = heads
    for children in reversed(sizes):
        total = np.add.reduceat(counts, starts(children))
        means = np.empty((len(children), heads.shape[1]), np.float32)
        first = np.concatenate([[0], np.cumsum(children)])
        for some in blocks_of(children, max(1, ENCODED // heads.shape[1])):
            mine = slice(first[some.start], first[some.stop])
            weighed = below[mine] * counts[mine, None].astype(np.float64)
            means[some] = np.add.reduceat(weighed, starts(children[some]), axis=0)
            means[some] /= total[some, None]
        levels.insert(0, means)
        below, counts = means, total
    return levels


def blocks_of(sizes: Counts, most: int) -> Iterator[slice]:
    """Yield runs of neighbours: those of each have fewer than most together, besides its first."""
    edges = np.flatnonzero(np.diff((np.cumsum(sizes) - 1) // most, prepend=-1))
    for first, last in pairwise([0, *edges[edges > 0].tolist(), len(sizes)]):
        yield slice(first, last)
