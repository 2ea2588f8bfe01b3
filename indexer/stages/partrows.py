"""The staged vectors of one part in memory: most of those that its postings hold are its own."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from longspan.indexer.running.job import Job


@dataclass(frozen=True, slots=True)
class PartRows:
    """Staged vectors by slot, those of a part at hand.

    Why not from the mapped file: that is a fault a vector, and where little memory is left for the
    page cache each reads megabytes ahead of which nothing is kept.

    first  the part's first slot
    own    (p, dim) its vectors
    """

    job: Job
    first: int
    own: NDArray[Any]

    @classmethod
    def read(cls, job: Job, part: int) -> Self:
        """Return the vectors of a part, read in order."""
        start, stop = (int(bound) for bound in job.bounds[part : part + 2])
        own = np.array(job.staged.rows(start, stop))
        job.staged.release(start, stop)
        return cls(job, start, own)

    def take(self, slots: NDArray[np.int64]) -> NDArray[Any]:
        """Return vectors, (len(slots), dim), of this part and of others."""
        at = slots - self.first
        elsewhere = np.flatnonzero((at < 0) | (at >= len(self.own)))
        at[elsewhere] = 0
        rows = self.own[at]
        if len(elsewhere):
            rows[elsewhere] = self.job.staged.gather(slots[elsewhere])
        return rows
