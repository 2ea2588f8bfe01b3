"""Heads with more vectors than a posting holds, as amid many equal ones: cut into several.

Their vectors are cut into equal runs along the direction in which they spread most, which needs no
distance between them to end.
"""

from collections.abc import Callable, Iterator
from functools import reduce
from operator import itemgetter

import numpy as np
from numpy.typing import NDArray

from longspan.indexer.planning.portions import CROWD
from longspan.indexer.running.job import Job

Floats = NDArray[np.float32]
Run = NDArray[np.int64] | slice


def pieces_of(primary: NDArray[np.uint32], cap: int) -> NDArray[np.uint32]:
    """Return how many heads each becomes, so that none has more than cap vectors."""
    whole, rest = np.divmod(primary, np.uint32(cap))
    whole += rest > 0
    return whole


class Crowd:
    """The vectors of one head, placed: all at hand when they are few, else some.

    read   gives those at some positions, (positions, width)
    count  how many there are
    step   how many are at hand at once
    """

    def __init__(self, read: Callable[[Run], Floats], count: int, step: int) -> None:
        self.read, self.count, self.step = read, count, step
        if count <= step:
            self.read = read(slice(None)).__getitem__

    def blocks(self) -> Iterator[Floats]:
        """Yield all of them, some at a time."""
        for at in range(0, self.count, self.step):
            yield self.read(slice(at, at + self.step))

    def mean(self) -> Floats:
        """Return the mean of all."""
        sums = reduce(np.add, (block.sum(axis=0) for block in self.blocks()))
        mean: Floats = (sums / self.count).astype(np.float32)
        return mean


def crowd_of(job: Job, slots: NDArray[np.uint32]) -> Crowd:
    """Return the vectors at some slots, to be cut."""

    def read(run: Run) -> Floats:
        return job.space.place(job.staged.gather(slots[run].astype(np.int64)))

    return Crowd(read, len(slots), max(1, CROWD // job.space.width))


def cut(crowd: Crowd, pieces: int) -> Iterator[tuple[Floats, NDArray[np.int64]]]:
    """Cut vectors into equal pieces along the direction in which they spread most.

    yields  the mean of each and the positions of its vectors
    """
    mean = crowd.mean()
    direction = max(map(farthest, (block - mean for block in crowd.blocks())), key=itemgetter(0))[1]
    for _ in range(3):  # power iteration: near enough for a cut
        turned = np.zeros_like(mean)
        for block in crowd.blocks():
            spread = block - mean
            turned += spread.T @ (spread @ direction)
        direction = turned / max(float(np.linalg.norm(turned)), 1e-30)
    along = np.concatenate([(block - mean) @ direction for block in crowd.blocks()])
    for run in np.array_split(np.argsort(along, kind="stable"), pieces):
        yield crowd.read(run).mean(axis=0), run


def farthest(spread: Floats) -> tuple[float, Floats]:
    """Return the largest squared norm of some vectors, and the vector that has it."""
    squares = np.square(spread).sum(axis=1)
    return float(squares.max()), spread[np.argmax(squares)]
