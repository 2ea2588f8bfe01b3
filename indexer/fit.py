"""Make every posting fit: heads without vectors go, heads with too many are split.

After the closure each vector counts with its nearest head. A head that got more than a posting
holds, as amid many equal vectors, becomes several: its vectors are cut into equal runs along the
direction in which they spread most, which needs no distance between them to end.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from longspan.indexer.reader import Vectors
from longspan.indexer.store.space import HeadSpace
from longspan.indexer.tree import NOBODY, Copies, Tree


@dataclass(frozen=True, slots=True)
class Piece:
    """A new head and the vectors whose nearest it is."""

    head: NDArray[np.float32]
    rows: NDArray[np.int64]


def fit(vectors: Vectors, space: HeadSpace, tree: Tree, copies: Copies, cap: int) -> Tree:
    """Return a tree whose heads are each nearest to 1 to cap vectors; copies follow in place."""
    primary = np.bincount(copies.heads[:, 0], minlength=len(tree.heads))
    if primary.min() > 0 and primary.max() <= cap:
        return tree
    pieces = np.minimum(primary, 1)
    full = np.flatnonzero(primary > cap)
    pieces[full] = -(-primary[full] // cap)
    renumber(copies, pieces)
    first = np.cumsum(pieces) - pieces
    heads = np.repeat(tree.heads, pieces, axis=0)
    by_head = np.argsort(copies.heads[:, 0], kind="stable")
    start = np.cumsum(primary) - primary
    for old in full:
        rows = by_head[start[old] : start[old] + primary[old]]
        for number, piece in enumerate(cut(vectors, space, rows, int(pieces[old]))):
            copies.heads[piece.rows, 0] = first[old] + number
            heads[first[old] + number] = piece.head
    sizes = np.add.reduceat(pieces, tree.family[:-1])
    return tree.with_heads(heads, sizes)


def renumber(copies: Copies, pieces: NDArray[np.int64]) -> None:
    """Number the heads anew: one with several pieces becomes its first, one with none goes."""
    number = (np.cumsum(pieces) - pieces).astype(np.uint32)
    number[pieces == 0] = NOBODY
    stored = copies.heads != NOBODY
    copies.heads[stored] = number[copies.heads[stored]]


def cut(vectors: Vectors, space: HeadSpace, rows: NDArray[np.int64], pieces: int) -> list[Piece]:
    """Cut vectors into equal pieces along the direction in which they spread most."""
    lifted = space.lift(vectors.take(rows))
    spread = lifted - lifted.mean(axis=0)
    direction = spread[np.argmax(np.square(spread).sum(axis=1))]
    for _ in range(3):  # power iteration: near enough for a cut
        direction = spread.T @ (spread @ direction)
        direction /= max(float(np.linalg.norm(direction)), 1e-30)
    order = np.argsort(spread @ direction, kind="stable")
    return [Piece(lifted[part].mean(axis=0), rows[part]) for part in np.array_split(order, pieces)]
