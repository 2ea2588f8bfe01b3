"""Number the rows of the index: those of the first posting first, nearest to its head first.

So a row's number and its place on disk go together. Every posting has a row of its own.
"""

import numpy as np
from numpy.typing import NDArray

from longspan.indexer.planning.portions import NAMED
from longspan.indexer.running.job import Job
from longspan.indexer.stages.cluster import tree_of
from longspan.indexer.stages.entries import entries_of, heads_under
from longspan.indexer.stages.tree import means_above, with_heads
from longspan.indexer.stages.work_files import (
    FINAL,
    NAMES,
    NUMBER,
    ORDER,
    ORIGIN,
    PIECES,
    SETTLED,
    STARTS,
    means_in,
)
from longspan.indexer.store import heads as store_heads
from longspan.indexer.store.layout import IDS


def number(job: Job) -> None:
    """Write the rows' slots and ids, the heads and their tree, and where each part begins."""
    rows, heads = np.zeros((2, job.parts), np.int64)
    number, row, primary = job.create(NUMBER, np.uint32, (job.n,)), 0, []
    with job.writing(job.work / ORDER, np.uint32, (job.n,)) as write:
        for part in job.filled:
            entries = entries_of(job, part)
            own = entries.order
            write(own)
            number[own] = np.arange(row, row + len(own), dtype=np.uint32)
            primary.append(entries.primary.astype(np.uint32))
            rows[part], heads[part], row = len(own), len(primary[-1]), row + len(own)
    number.flush()
    first_row, first_head = (np.concatenate([[0], np.cumsum(each)]) for each in (rows, heads))
    save_ids(job, job.load(ORDER))
    sizes = np.concatenate(primary)
    job.save(STARTS, np.cumsum(sizes, dtype=np.int64) - sizes)
    save_heads(job, first_head)
    levels = np.array(save_tree(job))
    job.save_all(FINAL, first_row=first_row, first_head=first_head, levels=levels)


def save_heads(job: Job, first: NDArray[np.int64]) -> None:
    """Write the heads of all postings, those of each part from first on."""
    shape, apart = (int(first[-1]), job.space.width), job.space.clusters_apart
    with job.writing(job.work / SETTLED, np.float32, shape) as write:
        for part in job.filled:
            write(job.load(means_in(part)) if apart else heads_under(job, part))


def save_ids(job: Job, order: NDArray[np.uint32]) -> None:
    """Write the user's id of each row: the input's row, or the name that was given for it."""
    origin = job.load(ORIGIN)
    names = job.load(NAMES) if (job.work / NAMES).exists() else None
    with job.writing(job.draft / IDS, np.int64, (job.n,)) as write:
        for start in range(0, job.n, NAMED):
            rows = origin[order[start : start + NAMED]]
            write(rows if names is None else names[rows])


def save_tree(job: Job) -> list[int]:
    """Write heads and tree into the index; return the nodes of each level."""
    tree = tree_of(job)
    children = np.add.reduceat(job.load(PIECES), tree.family[:-1], dtype=np.int64)
    levels, sizes = with_heads(tree.levels, tree.sizes, job.load(SETTLED), children)
    if job.space.clusters_apart:
        counts = np.diff(job.load(STARTS), append=job.n)
        levels = [*means_above(levels[-1], counts, sizes), levels[-1]]
    store_heads.save(job.draft, levels, sizes, job.space)
    return [len(level) for level in levels]


def heads_of(job: Job, first: int, last: int) -> NDArray[np.float32]:
    """Return the heads [first, last) as they are stored in the index."""
    return as_stored(job, job.load(SETTLED)[first:last])


def as_stored(job: Job, heads: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return heads as the index has them, rounded."""
    grid = job.keep(store_heads.GRID, lambda: store_heads.load_grid(job.draft))
    return store_heads.stored(heads, job.space, grid)


def owners(job: Job, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the head of each row's own posting; rows ascending."""
    found: NDArray[np.int64] = np.searchsorted(job.load(STARTS), rows, side="right") - 1
    return found
