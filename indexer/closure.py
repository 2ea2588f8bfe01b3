"""The closure: which heads each vector is stored under.

A vector's candidates are the heads of its own group and of the groups whose centres lie nearest
to it, compared by one GEMM a group. Of its nearest heads those are kept that no kept head stands
in front of (longspan.cext.closure).

Why the spread is .6 and not SPTAG's 1: measured on 1 M SIFT, 50,000 heads, postings of at most 4
pages, recall@10 of .95: factor 1 needs 116 postings (1.8 copies a vector), .8 59, .7 44, .6 31,
and a plain distance ratio of 1.7 needs 39 with as many copies as .6 has.
"""

import numpy as np
from numpy.typing import NDArray

from longspan.cext import closure as native
from longspan.indexer.config import BuildConfig
from longspan.indexer.progress import Progress
from longspan.indexer.reader import Vectors
from longspan.indexer.store.space import HeadSpace
from longspan.indexer.tree import NOBODY, Copies, Tree
from longspan.indexer.workers import Workers

CANDIDATES = 1500  # heads a vector is compared with: 2,300 found no better copies
NEAREST = 4  # times max_copies: nearest heads that the rule chooses from


def assign(
    vectors: Vectors,
    space: HeadSpace,
    tree: Tree,
    config: BuildConfig,
    pool: Workers,
    progress: Progress,
) -> Copies:
    """Return the copies of every vector."""
    shape = (vectors.n, config.max_copies)
    copies = Copies(np.full(shape, NOBODY), np.full(shape, np.inf, np.float32))
    family, parents, heads = tree.family, tree.parents, tree.heads
    ratio, factor = config.closure_ratio**2, config.closure_spread

    def unit(group: int) -> None:
        rows = tree.groups[group]
        candidates = heads_near(parents, family, group)
        found, dist = nearest(space.lift(vectors.take(rows)), heads, candidates, config)
        kept = np.empty((len(rows), config.max_copies), np.uint32)
        kept_dist = np.empty(kept.shape, np.float32)
        native.spread(dist, found, heads, ratio, factor, kept, kept_dist)
        copies.heads[rows], copies.dist[rows] = kept, kept_dist
        advance(len(rows))

    with progress.stage("closure", vectors.n, "vectors") as advance:
        for _ in pool.each(unit, range(len(tree.groups))):
            pass
    return copies


def heads_near(
    parents: NDArray[np.float32], family: NDArray[np.int64], group: int
) -> NDArray[np.uint32]:
    """Return CANDIDATES heads or a few more: those of the nearest groups, its own first."""
    dist = np.square(parents - parents[group]).sum(axis=1)
    order = np.argsort(dist, kind="stable")
    sizes = np.diff(family)[order]
    enough = order[: 1 + int(np.searchsorted(np.cumsum(sizes), CANDIDATES))]
    runs = [np.arange(family[near], family[near + 1]) for near in enough]
    return np.concatenate(runs).astype(np.uint32)


def nearest(
    lifted: NDArray[np.float32],
    heads: NDArray[np.float32],
    candidates: NDArray[np.uint32],
    config: BuildConfig,
) -> tuple[NDArray[np.uint32], NDArray[np.float32]]:
    """Return each vector's nearest candidates and their squared distances, nearest first."""
    near = heads[candidates]
    mean = near.mean(axis=0)  # GEMM distances lose digits far from the origin
    near -= mean
    lifted -= mean
    width = min(NEAREST * config.max_copies, len(candidates))
    found = np.empty((len(lifted), width), np.uint32)
    dist = np.empty(found.shape, np.float32)
    native.nearest(lifted @ near.T, square(lifted), square(near), candidates, dist, found)
    return found, dist


def square(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the squared norm of each row."""
    squares: NDArray[np.float32] = np.einsum("ij,ij->i", rows, rows)
    return squares
