"""Which vectors stand in which posting, in the order in which they stand there.

A posting holds the vectors whose nearest head it is, nearest first, then copies, nearest first,
until it is full. Heads without vectors go; one with more than a posting holds becomes several
(longspan.indexer.stages.crowd).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from longspan.indexer.planning.portions import SETTLED
from longspan.indexer.running.job import Job
from longspan.indexer.stages import closure
from longspan.indexer.stages.closure import (
    COPIES,
    PRIMARY,
    heads_nearest,
    stored_under,
    under_heads,
)
from longspan.indexer.stages.cluster import tree_of
from longspan.indexer.stages.crowd import crowd_of, cut, pieces_of
from longspan.indexer.stages.tree import blocks_of
from longspan.indexer.stages.work_files import PIECES, entries_in

Counts = NDArray[np.int64]
Stored = NDArray[np.void]
Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Entries:
    """The postings of some heads, one after the other.

    vectors  (entries,)  the slot of each entry
    starts   (h + 1,)    where each posting begins
    primary  (h,)        how many of its entries are at their nearest head
    """

    vectors: NDArray[np.uint32]
    starts: Counts
    primary: Counts

    def of(self, posting: int) -> NDArray[np.uint32]:
        """Return the slots in one posting."""
        return self.vectors[self.starts[posting] : self.starts[posting + 1]]

    @property
    def order(self) -> NDArray[np.uint32]:
        """The slots of the primary entries, posting by posting: the rows of the index."""
        own = np.repeat(self.starts[:-1], self.primary)
        own += position_in_run(self.primary)
        return self.vectors[own]


def count(job: Job) -> None:
    """Write into how many pieces each head is cut, none when it is nearest to no vector."""
    closure.note_owners(job)
    tree = tree_of(job)
    primary = np.zeros(len(tree.heads), np.uint32)
    for part in job.filled:
        heads, counts = np.unique(heads_nearest(job, part), return_counts=True)
        primary[heads] += counts.astype(np.uint32)
    job.save(PIECES, pieces_of(primary, job.dials.cap))


def settle(job: Job, part: int) -> None:
    """Write the entries of a part's postings, and the heads that these have."""
    first, last = (int(head) for head in tree_of(job).first_head[part : part + 2])
    primary, copies = (stored_under(job, kind, part) for kind in (PRIMARY, COPIES))
    made = [
        settled(job, under_heads(primary, *some), under_heads(copies, *some), *some)
        for some in heads_together(primary, copies, first, last)
    ]
    del primary, copies
    entries, heads = zip(*made, strict=True)
    sizes = np.concatenate([np.diff(each.starts) for each in entries])
    job.save_all(
        entries_in(part),
        heads=np.concatenate(heads),
        vectors=np.concatenate([each.vectors for each in entries]),
        starts=np.concatenate([[0], np.cumsum(sizes)]),
        primary=np.concatenate([each.primary for each in entries]),
    )


def heads_together(
    primary: Stored, copies: Stored, first: int, last: int
) -> Iterator[tuple[int, int]]:
    """Yield the first and the last, plus one, of heads in [first, last) that are settled together.

    SETTLED are stored under them.
    """
    stored = np.zeros(last - first, np.int64)
    for found in (primary, copies):
        stored += np.bincount(found["head"] - np.uint32(first), minlength=last - first)
    for some in blocks_of(stored, SETTLED):
        yield first + some.start, first + some.stop


def settled(
    job: Job, primary: Stored, copies: Stored, first: int, last: int
) -> tuple[Entries, Floats]:
    """Return the entries of some heads' postings, and the heads that these have.

    primary, copies  what is stored under the heads [first, last), in the order of STORED
    """
    pieces = job.load(PIECES)[first:last].astype(np.int64)
    primary, copies = under(primary, first, pieces), under(copies, first, pieces)
    heads = np.repeat(tree_of(job).heads[first:last], pieces, axis=0)
    crowded = (np.cumsum(pieces) - pieces)[pieces > 1]
    ends = [np.searchsorted(primary["head"], crowded, side) for side in ("left", "right")]
    for begin, end, head, count in zip(*ends, crowded, pieces[pieces > 1], strict=True):
        mine = primary[begin:end]
        for number, (centre, run) in enumerate(cut(crowd_of(job, mine["slot"]), int(count))):
            mine["head"][run] = head + number
            heads[head + number] = centre
    primary = primary[np.argsort(primary["head"], kind="stable")]
    pages = job.dials.posting_pages
    return arrange(primary, copies, len(heads), lambda own: job.form.room(own, pages)), heads


def under(stored: Stored, first: int, pieces: Counts) -> Stored:
    """Return what is stored under heads that there still are, numbered from first anew.

    A head of several pieces counts as its first one.
    """
    old = stored["head"] - np.uint32(first)
    kept = pieces[old] > 0
    renumbered = stored[kept]
    renumbered["head"] = (np.cumsum(pieces) - pieces)[old[kept]]
    return renumbered


def arrange(
    primary: Stored, copies: Stored, heads: int, room_beside: Callable[[Counts], Any]
) -> Entries:
    """Return the entries of every posting; copies that find no room are left out.

    primary, copies  sorted by head, those of one head in the order in which they are to stand
    room_beside      gives how many copies fit beside each posting's number of primary entries
    """
    own = np.bincount(primary["head"], minlength=heads)
    others = np.bincount(copies["head"], minlength=heads)
    position = position_in_run(others)
    kept = position < np.repeat(room_beside(own), others)
    copies, position = copies[kept], position[kept]
    sizes = own + np.bincount(copies["head"], minlength=heads)
    starts = np.concatenate([[0], np.cumsum(sizes)])
    vectors = np.empty(starts[-1], np.uint32)
    vectors[starts[primary["head"]] + position_in_run(own)] = primary["slot"]
    vectors[starts[copies["head"]] + own[copies["head"]] + position] = copies["slot"]
    return Entries(vectors, starts, own)


def position_in_run(sizes: Counts) -> Counts:
    """Return 0, 1, ... for each run of the given sizes, one after the other."""
    return np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes)


def entries_of(job: Job, part: int) -> Entries:
    """Return the entries of a part's postings."""
    return Entries(**job.load_all(entries_in(part), "vectors", "starts", "primary"))


def heads_under(job: Job, part: int) -> Floats:
    """Return the heads of a part's postings."""
    return job.load_all(entries_in(part), "heads")["heads"]


def sizes_of(job: Job, part: int) -> tuple[Counts, Counts]:
    """Return how many entries each of a part's postings has, and how many primary ones."""
    arrays = job.load_all(entries_in(part), "starts", "primary")
    return np.diff(arrays["starts"]), arrays["primary"]
