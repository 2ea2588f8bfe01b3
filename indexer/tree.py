"""The head tree and the copies while they are being built: what the stages hand to each other."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Rows = NDArray[np.int64]

NOBODY = np.uint32(2**32 - 1)


@dataclass(frozen=True, slots=True)
class Tree:
    """Levels of centres from the top, the heads last.

    levels  (nodes, width) float32 each, in the head space; children of a node lie side by side
    sizes   (nodes,) children of each node, for every level but the last
    groups  the vectors under each node that has heads for children; all in one when none has
    """

    levels: list[Floats]
    sizes: list[NDArray[np.int64]]
    groups: list[Rows]

    @property
    def heads(self) -> Floats:
        """The heads, (h, width)."""
        return self.levels[-1]

    @property
    def parents(self) -> Floats:
        """The nodes above the heads, one a group; one for all when the tree has no inner level."""
        if len(self.levels) > 1:
            return self.levels[-2]
        middle: Floats = self.heads.mean(axis=0, keepdims=True)
        return middle

    @property
    def family(self) -> NDArray[np.int64]:
        """Where the heads of each group start; one longer than the groups."""
        sizes = self.sizes[-1] if self.sizes else np.array([len(self.heads)])
        return np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)

    def with_heads(self, heads: Floats, sizes: NDArray[np.int64]) -> "Tree":
        """Return the tree with other heads, sizes[i] of them for group i; childless nodes go.

        The groups stay as they are: what they are for, finding candidates, is done by then.
        """
        levels, counts, children = [heads], [], sizes
        for depth in range(len(self.levels) - 2, -1, -1):
            kept = children > 0
            levels.append(self.levels[depth][kept])
            counts.append(children[kept])
            if depth:
                children = np.add.reduceat(kept.astype(np.int64), starts(self.sizes[depth - 1]))
        return Tree(levels[::-1], counts[::-1], self.groups)


@dataclass(frozen=True, slots=True)
class Copies:
    """Where each vector is stored, its nearest head first.

    heads  (n, max_copies) uint32, NOBODY where there is none
    dist   (n, max_copies) float32, squared L2 in the head space, inf where there is none
    """

    heads: NDArray[np.uint32]
    dist: NDArray[np.float32]


def starts(sizes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return where each of some runs begins, from their sizes."""
    return np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int64)
