"""Which postings hold a vector: what the calibration counts as found when one of them is read."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from longspan.indexer.running.job import Job
from longspan.indexer.stages.entries import Entries, entries_of, position_in_run
from longspan.indexer.stages.tree import NOBODY
from longspan.indexer.stages.work_files import ORDER

ROW, COPY, LOW = np.uint64(33), np.uint64(32), np.uint64(2**32 - 1)  # of the words in `holding`


def holders_of(job: Job, rows: NDArray[np.int64]) -> NDArray[np.uint32]:
    """Return the heads that rows are stored under, as `holders_in` does."""
    slots = np.where(rows < 0, -1, job.load(ORDER)[rows].astype(np.int64))
    return holders_in((entries_of(job, part) for part in job.filled), slots, job.config.max_copies)


def holders_in(
    postings: Iterable[Entries], slots: NDArray[np.int64], copies: int
) -> NDArray[np.uint32]:
    """Return the heads that vectors are stored under, slots.shape + (copies,).

    The one that a vector is nearest to first, then the others; NOBODY beyond the last, and for -1.

    postings  of all heads, in their order
    slots     as the postings name vectors
    """
    distinct, first = np.unique(slots[slots >= 0]), 0
    found = [np.empty(0, np.uint64)]
    for entries in postings:
        found.append(holding(entries, distinct, first))
        first += len(entries.primary)
    every = np.sort(np.concatenate(found))
    row, holder = every >> ROW, (every & LOW).astype(np.uint32)
    column = position_in_run(np.bincount(row.astype(np.int64), minlength=len(distinct)))
    holders = np.full((len(distinct) + 1, copies), NOBODY)
    holders[row, column] = holder
    return holders[np.where(slots < 0, len(distinct), np.searchsorted(distinct, slots))]


def holding(entries: Entries, slots: NDArray[np.int64], first: int) -> NDArray[np.uint64]:
    """Return which postings hold some of the slots, in words that sort as `holders_in` wants.

    A word has the number of the slot among all, whether it is a copy, and the posting.

    slots  ascending
    first   number of the first posting
    """
    at = np.searchsorted(slots, entries.vectors)
    held = np.flatnonzero(slots[np.minimum(at, len(slots) - 1)] == entries.vectors)
    posting = np.searchsorted(entries.starts, held, side="right") - 1
    is_copy = held - entries.starts[posting] >= entries.primary[posting]
    words = at[held].astype(np.uint64) << ROW
    words |= is_copy.astype(np.uint64) << COPY
    words |= (first + posting).astype(np.uint64)
    return words
