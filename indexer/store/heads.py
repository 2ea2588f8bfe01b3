"""Heads and head tree on disk: three flat files, mapped, so that all workers share one copy."""

from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from longspan.cext.tree import HeadTree
from longspan.indexer.store.arrays import map_array, save_array, writing_rows
from longspan.indexer.store.space import CODES, DTYPES, HeadSpace
from longspan.indexer.store.whole import naming

FILES = HEADS, TREE, CHILDREN = "heads.npy", "tree.npy", "children.npy"

AT_ONCE = 1 << 16  # heads rounded together

Distances = NDArray[np.float32]
HeadIds = NDArray[np.uint32]


def save(
    directory: Path,
    levels: list[NDArray[np.float32]],
    sizes: list[NDArray[np.int64]],
    space: HeadSpace,
) -> None:
    """Write the tree.

    levels  centres (nodes, width) float32 of each level, the heads last
    sizes   children of each node, for every level but the last
    """
    children = len(levels[0]) + np.cumsum(np.concatenate([[0], *sizes]))
    heads, shape = levels[-1], (len(levels[-1]), space.width)
    path = directory / HEADS
    with (
        naming(path),
        path.open("wb") as file,
        writing_rows(file, DTYPES[space.head_dtype], shape) as write,
    ):
        for start in range(0, len(heads), AT_ONCE):
            write(space.stored_heads(heads[start : start + AT_ONCE]))
    inner = np.concatenate([space.stored_heads(level) for level in levels[:-1]])
    save_array(directory / TREE, inner)
    save_array(directory / CHILDREN, children.astype(np.uint32))


class Heads:
    """The heads of an index, searched through their tree.

    levels  nodes of each level from the top, the heads last
    """

    def __init__(self, directory: Path, space: HeadSpace, levels: list[int]) -> None:
        kind = DTYPES[space.head_dtype]
        heads, inner = (map_array(directory / name, kind, ndim=2) for name in (HEADS, TREE))
        children = map_array(directory / CHILDREN, np.uint32)
        self.space, self.levels = space, tuple(levels)
        dtype = CODES[space.head_dtype]
        self.tree = HeadTree(
            as_bytes(inner), as_bytes(heads), children, dtype, space.width, self.levels
        )

    def lift(self, queries: NDArray[Any]) -> NDArray[np.uint8]:
        """Return queries (nq, dim) in the head space, as the tree takes them: (nq, bytes)."""
        return as_bytes(np.ascontiguousarray(self.space.lift_queries(queries)))

    def nearest(
        self, queries: NDArray[Any], m: int, beam: int | None = None
    ) -> tuple[HeadIds, Distances, int]:
        """Return the m nearest heads of each query, their squared distances, and nodes scored.

        queries  (nq, dim)  as the index takes them
        beam     nodes of the lowest inner level to expand; default from m
        """
        lifted = self.lift(queries)
        found = np.empty((len(queries), m), np.uint32)
        dist = np.empty((len(queries), m), np.float32)
        scored = self.tree.nearest(lifted, beams(self.levels, m, beam), dist, found)
        return found, dist, scored


# Measured on 1 M SIFT, 50,000 heads in three levels, the nearest 64: a beam of 24 finds 94 % of
# them, 37 (which these give) 97.5 %, 64 99.4 %, each 10 more for 8 us. 12 of the top level's 37
# nodes are enough for that; with fewer the lower levels cannot make up for it.
LEAST, SLACK, UPPER = 24, 8.0, 12


@lru_cache(1024)  # making one takes 5 us, a tenth of the walk
def beams(levels: tuple[int, ...], m: int, beam: int | None = None) -> NDArray[np.uint32]:
    """Return how many nodes to expand at each inner level so that the m nearest heads are found.

    levels  nodes of each level, the heads last
    beam    nodes of the lowest inner level; default those that m heads would fill, SLACK times,
            and LEAST more. A level above expands as many fewer as it has fewer nodes, and UPPER.
    """
    inner, heads = levels[:-1], levels[-1]
    if not inner:
        return np.empty(0, np.uint32)
    lowest = LEAST + int(SLACK * m * inner[-1] / heads) if beam is None else beam
    widths = [UPPER + int(lowest * nodes / inner[-1]) for nodes in inner[:-1]]
    return np.minimum([*widths, lowest], inner).astype(np.uint32)


def as_bytes(rows: NDArray[Any]) -> NDArray[np.uint8]:
    """Return a 2-d array as its bytes, (n, bytes of a row); no copy."""
    width = rows.shape[1] * rows.dtype.itemsize
    return rows.view(np.uint8).reshape(len(rows), width)
