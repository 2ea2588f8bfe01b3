"""The head tree while it is being built."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from longspan.cext import assign
from longspan.indexer.planning.portions import ENCODED

Floats = NDArray[np.float32]
Counts = NDArray[np.int64]

NOBODY = np.uint32(assign.NOBODY)


@dataclass(frozen=True)
class Tree:
    """Levels of centres from the top, the heads last.

    levels       (nodes, width) float32 each, as HeadSpace.place has them; children of a
                 node lie side by side
    sizes        (nodes,) children of each node, for every level but the last
    first_head   (parts + 1,) where the heads of each part begin
    first_group  (parts + 1,) where its groups begin: its nodes that have heads for children
    """

    levels: list[Floats]
    sizes: list[Counts]
    first_head: Counts
    first_group: Counts

    @property
    def heads(self) -> Floats:
        """The heads, (h, width)."""
        return self.levels[-1]

    @cached_property
    def parents(self) -> Floats:
        """The nodes above the heads; one for all when the tree has no inner level."""
        if len(self.levels) > 1:
            return self.levels[-2]
        middle: Floats = self.heads.mean(axis=0, keepdims=True)
        return middle

    @cached_property
    def squares(self) -> Floats:
        """The squared norms of the parents."""
        squares: Floats = np.einsum("ij,ij->i", self.parents, self.parents)
        return squares

    @cached_property
    def family(self) -> Counts:
        """Where the heads of each parent start; one longer than the parents."""
        sizes = self.sizes[-1] if self.sizes else np.array([len(self.heads)])
        return np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)

    def parent_of(self, group: int) -> int:
        """Return the parent of a group's heads: the group's own node, or the only one there is."""
        return group if self.sizes else 0


def with_heads(
    levels: list[Floats], sizes: list[Counts], heads: Floats, children: Counts
) -> tuple[list[Floats], list[Counts]]:
    """Return a tree's levels and sizes with other heads; childless nodes go.

    children  of each node above the heads, among the other heads; of all when there is none
    """
    new_levels, new_sizes = [heads], []
    for depth in range(len(levels) - 2, -1, -1):
        kept = children > 0
        new_levels.append(levels[depth][kept])
        new_sizes.append(children[kept])
        if depth:
            children = np.add.reduceat(kept.astype(np.int64), starts(sizes[depth - 1]))
    return new_levels[::-1], new_sizes[::-1]


def starts(sizes: Counts) -> Counts:
    """Return where each of some runs begins, from their sizes."""
    return np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int64)


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
        first = np.append(starts(children), len(below))
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
