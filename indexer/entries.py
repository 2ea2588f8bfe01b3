"""Which vectors stand in which posting, in the order in which they stand there.

A posting holds the vectors whose nearest head it is, nearest first, then copies, nearest first,
until it is full. Rows are numbered in the order of the first kind, so a row's place on disk and
its number go together.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from longspan.indexer.tree import NOBODY, Copies

Counts = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Entries:
    """All postings, one after the other.

    vectors  (entries,)  the input's row of each entry
    starts   (h + 1,)    where each posting begins
    primary  (h,)        how many of its entries are at their nearest head
    order    (n,)        the input's row of each row of the index
    """

    vectors: NDArray[np.int64]
    starts: NDArray[np.int64]
    primary: NDArray[np.int64]
    order: NDArray[np.int64]

    def of(self, posting: int) -> NDArray[np.int64]:
        """Return the input's rows in one posting."""
        return self.vectors[self.starts[posting] : self.starts[posting + 1]]

    def __iter__(self) -> Iterator[NDArray[np.int64]]:
        return (self.of(posting) for posting in range(len(self.primary)))


def arrange(copies: Copies, heads: int, room_beside: Callable[[Counts], Counts]) -> Entries:
    """Return the entries of every posting; copies that find no room are struck out in place.

    room_beside  gives how many copies fit beside each posting's number of primary entries
    """
    nearest = copies.heads[:, 0]
    primary = np.bincount(nearest, minlength=heads)
    order = np.argsort(sort_key(nearest, copies.dist[:, 0]), kind="stable")
    vectors, column = np.nonzero(copies.heads[:, 1:] != NOBODY)
    column += 1
    under, dist = copies.heads[vectors, column], copies.dist[vectors, column]
    by_head = np.argsort(sort_key(under, dist), kind="stable")
    vectors, column, under = vectors[by_head], column[by_head], under[by_head]
    place = np.arange(len(under)) - np.searchsorted(under, np.arange(heads))[under]
    room = place < room_beside(primary)[under]
    copies.heads[vectors[~room], column[~room]] = NOBODY
    vectors, under, place = vectors[room], under[room], place[room]
    sizes = primary + np.bincount(under, minlength=heads)
    starts = np.concatenate([[0], np.cumsum(sizes)])
    entries = np.empty(starts[-1], np.int64)
    entries[starts[nearest[order]] + place_in_run(primary)] = order
    entries[starts[under] + primary[under] + place] = vectors
    return Entries(entries, starts, primary, order)


def sort_key(heads: NDArray[np.uint32], dist: NDArray[np.float32]) -> NDArray[np.uint64]:
    """Return keys that sort by head, then by distance: non-negative floats sort as their bits."""
    return heads.astype(np.uint64) << np.uint64(32) | dist.view(np.uint32)


def place_in_run(sizes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return 0, 1, ... for each run of the given sizes, one after the other."""
    return np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes)
