"""Which vectors stand in which posting, in the order in which they stand there.

A posting holds the vectors whose nearest head it is, nearest first, then copies, nearest first,
until it is full. Heads without vectors go. A head with more than a posting holds, as amid many
equal vectors, becomes several: its vectors are cut into equal runs along the direction in which
they spread most, which needs no distance between them to end.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from longspan.indexer.running.job import Job
from longspan.indexer.stages.closure import COPIES, PRIMARY, heads_nearest, stored_under
from longspan.indexer.stages.cluster import tree_of
from longspan.indexer.stages.tree import NOBODY

Counts = NDArray[np.int64]
Stored = NDArray[np.void]
Floats = NDArray[np.float32]

PIECES = "pieces.npy"


@dataclass(frozen=True, slots=True)
class Entries:
    """The postings of some heads, one after the other.

    vectors  (entries,)  the place of each entry
    starts   (h + 1,)    where each posting begins
    primary  (h,)        how many of its entries are at their nearest head
    """

    vectors: NDArray[np.uint32]
    starts: Counts
    primary: Counts

    def of(self, posting: int) -> NDArray[np.uint32]:
        """Return the places in one posting."""
        return self.vectors[self.starts[posting] : self.starts[posting + 1]]

    @property
    def order(self) -> NDArray[np.uint32]:
        """The places of the primary entries, posting by posting: the rows of the index."""
        own = place_in_run(np.diff(self.starts)) < np.repeat(self.primary, np.diff(self.starts))
        return self.vectors[own]


def count(job: Job) -> None:
    """Write into how many pieces each head is cut: 0 when it is nearest to no vector."""
    tree = tree_of(job)
    primary = np.zeros(len(tree.heads), np.int64)
    for part in job.filled:
        primary += np.bincount(heads_nearest(job, part), minlength=len(primary))
    job.save(PIECES, np.stack([pieces_of(primary, job.dials.cap), primary]))


def pieces_of(primary: Counts, cap: int) -> Counts:
    """Return how many heads each becomes, so that none has more than cap vectors."""
    pieces: Counts = -(-primary // cap)
    return pieces


def settle(job: Job, part: int) -> None:
    """Write the entries of a part's postings, and the heads that these have."""
    tree = tree_of(job)
    first, last = int(tree.first_head[part]), int(tree.first_head[part + 1])
    pieces = job.load(PIECES)[0, first:last]
    primary = under(stored_under(job, PRIMARY, part), first, pieces)
    copies = under(stored_under(job, COPIES, part), first, pieces)
    heads = np.repeat(tree.heads[first:last], pieces, axis=0)
    start = np.cumsum(pieces) - pieces
    for old in np.flatnonzero(pieces > 1).tolist():
        mine = np.flatnonzero(primary["head"] == start[old])
        lifted = job.space.lift(job.staged.gather(primary["place"][mine].astype(np.int64)))
        for number, (centre, run) in enumerate(cut(lifted, int(pieces[old]))):
            primary["head"][mine[run]] = start[old] + number
            heads[start[old] + number] = centre
    primary = primary[np.argsort(primary["head"], kind="stable")]
    entries = arrange(
        primary, copies, len(heads), lambda own: job.form.room(own, job.dials.posting_pages)
    )
    job.save_all(
        entries_in(part),
        heads=heads,
        vectors=entries.vectors,
        starts=entries.starts,
        primary=entries.primary,
    )


def under(stored: Stored, first: int, pieces: Counts) -> Stored:
    """Return what is stored under heads that there still are, numbered from first anew.

    A head of several pieces counts as its first one.
    """
    old = stored["head"] - np.uint32(first)
    kept = pieces[old] > 0
    renumbered = stored[kept]
    renumbered["head"] = (np.cumsum(pieces) - pieces)[old[kept]]
    return renumbered


def cut(lifted: Floats, pieces: int) -> list[tuple[Floats, NDArray[np.int64]]]:
    """Cut vectors into equal pieces along the direction in which they spread most.

    returns  the mean of each and the positions of its vectors
    """
    spread = lifted - lifted.mean(axis=0)
    direction = spread[np.argmax(np.square(spread).sum(axis=1))]
    for _ in range(3):  # power iteration: near enough for a cut
        direction = spread.T @ (spread @ direction)
        direction /= max(float(np.linalg.norm(direction)), 1e-30)
    order = np.argsort(spread @ direction, kind="stable")
    return [(lifted[run].mean(axis=0), run) for run in np.array_split(order, pieces)]


def arrange(
    primary: Stored, copies: Stored, heads: int, room_beside: Callable[[Counts], Any]
) -> Entries:
    """Return the entries of every posting; copies that find no room are left out.

    primary, copies  sorted by head, those of one head in the order in which they are to stand
    room_beside      gives how many copies fit beside each posting's number of primary entries
    """
    own = np.bincount(primary["head"], minlength=heads)
    others = np.bincount(copies["head"], minlength=heads)
    place = place_in_run(others)
    kept = place < np.repeat(room_beside(own), others)
    copies, place = copies[kept], place[kept]
    sizes = own + np.bincount(copies["head"], minlength=heads)
    starts = np.concatenate([[0], np.cumsum(sizes)])
    vectors = np.empty(starts[-1], np.uint32)
    vectors[starts[primary["head"]] + place_in_run(own)] = primary["place"]
    vectors[starts[copies["head"]] + own[copies["head"]] + place] = copies["place"]
    return Entries(vectors, starts, own)


def place_in_run(sizes: Counts) -> Counts:
    """Return 0, 1, ... for each run of the given sizes, one after the other."""
    return np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes)


def entries_of(job: Job, part: int) -> tuple[Entries, Floats]:
    """Return the entries of a part's postings, and their heads."""
    arrays = job.load_all(entries_in(part))
    return Entries(arrays["vectors"], arrays["starts"], arrays["primary"]), arrays["heads"]


def entries_in(part: int) -> str:
    """Return the name of the file of a part's entries."""
    return f"entries-{part:05}.npz"


def holders_of(job: Job, places: NDArray[np.int64]) -> NDArray[np.uint32]:
    """Return the heads that vectors are stored under, places.shape + (max_copies,).

    The one that a vector is nearest to first, then the others; NOBODY beyond the last, and for -1.
    """
    distinct = np.unique(places[places >= 0])
    wanted = np.zeros(job.n, bool)
    wanted[distinct] = True
    runs, first = [], 0
    for part in job.filled:
        entries, heads = entries_of(job, part)
        sizes = np.diff(entries.starts)
        under = np.repeat(np.arange(first, first + len(heads)), sizes)
        is_copy = place_in_run(sizes) >= np.repeat(entries.primary, sizes)
        mine = wanted[entries.vectors]
        runs.append(np.stack([under[mine], is_copy[mine], entries.vectors[mine]]))
        first += len(heads)
    every = np.concatenate(runs, axis=1)
    under, _, place = every[:, np.lexsort(every)]
    row, count = np.searchsorted(distinct, place), np.unique(place, return_counts=True)[1]
    holders = np.full((len(distinct) + 1, job.config.max_copies), NOBODY)
    holders[row, place_in_run(count)] = under
    return holders[np.where(places < 0, len(distinct), np.searchsorted(distinct, places))]
