"""The means of postings in the head space, where a build has clustered vectors elsewhere.

A search ranks heads by their distance in the head space. What lies there in the middle of a
posting's vectors is their mean there, whatever brought them together.
"""

import numpy as np

from longspan.indexer.planning.portions import ENCODED
from longspan.indexer.running.job import Job
from longspan.indexer.stages.entries import entries_of
from longspan.indexer.stages.partrows import PartRows
from longspan.indexer.stages.tree import blocks_of, starts
from longspan.indexer.stages.work_files import means_in


def write_means(job: Job, part: int) -> None:
    """Write the mean of each of a part's postings, of the vectors whose nearest head it is."""
    entries, vectors = entries_of(job, part), PartRows.read(job, part)
    slots, counts = entries.order.astype(np.int64), entries.primary
    first = np.append(starts(counts), len(slots))
    found = np.empty((len(counts), job.space.width), np.float32)
    for some in blocks_of(counts, max(1, ENCODED // job.space.width)):
        mine = slots[first[some.start] : first[some.stop]]
        sums = np.add.reduceat(
            job.space.lift(vectors.take(mine)), starts(counts[some]), axis=0, dtype=np.float64
        )
        found[some] = sums / counts[some, None]
    job.save(means_in(part), found)
