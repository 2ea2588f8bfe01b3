"""Grow the head tree below the top level: each part is split by balanced k-means, level by level.

A node gets children in proportion to its size, so the leaves, the heads, come out even however
uneven the top is. The vectors under a node whose children are heads are a *group*.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from longspan.cext import assign
from longspan.indexer.planning.portions import TRAIN
from longspan.indexer.running.job import Job
from longspan.indexer.stages.balance import balanced_kmeans, cheapest
from longspan.indexer.stages.tree import Tree
from longspan.indexer.stages.work_files import HEADS, TREE, below_of

Floats = NDArray[np.float32]
Rows = NDArray[np.uint32]
Counts = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Node:
    """A cluster: its mean, the vectors in it, and its parts (none when it is a head)."""

    centre: Floats
    rows: Rows
    parts: "list[Node]"


def cluster(job: Job, part: int) -> None:
    """Write the tree below one node of the top level, itself the first level, and its groups.

    levels and sizes are as those of a Tree; order has the part's vectors group by group, each
    numbered from the part's first, and groups says where each begins.
    """
    start, stop = job.bounds[part], job.bounds[part + 1]
    placed = job.space.place(job.staged.rows(start, stop))
    job.staged.release(start, stop)
    mean = placed.mean(axis=0)
    placed -= mean  # GEMM distances lose digits far from the origin
    rng = np.random.default_rng([job.config.seed, part])
    rows = np.arange(stop - start, dtype=np.uint32)
    leaf = job.n / job.dials.heads
    top = Node(mean, rows.copy(), split(placed, rows, leaf, job.levels - 1, rng, mean))
    del placed
    levels = list(by_level([top]))
    groups = [node.rows for node in levels[-2]]
    job.save_all(
        below_of(part),
        order=np.concatenate(groups),
        groups=np.cumsum([0, *map(len, groups)]),
        **{f"level{i}": np.array([node.centre for node in nodes])
           for i, nodes in enumerate(levels)},
        **{f"sizes{i}": np.array([len(node.parts) for node in nodes])
           for i, nodes in enumerate(levels[:-1])},
    )  # fmt: skip


def split(
    vectors: Floats, rows: Rows, leaf: float, levels: int, rng: np.random.Generator, mean: Floats
) -> list[Node]:
    """Split one cluster into `levels` levels of nodes; return the first.

    vectors  (n, dim)  of the cluster, where they are placed, less mean; their order is changed
    rows     (n,)      their numbers, changed likewise
    leaf     vectors a head should have
    """
    k = max(1, round(max(1.0, len(rows) / leaf) ** (1 / levels)))
    picked = slice(None) if len(rows) <= TRAIN * k else rng.choice(len(rows), TRAIN * k, False)
    centres = balanced_kmeans(vectors[picked], k, rng)
    labels = cheapest(vectors, centres)
    sort_by(labels, vectors, rows)
    nodes, ends = [], np.cumsum(np.bincount(labels)).tolist()
    for first, last in pairwise([0, *ends]):
        if first < last:
            some = slice(first, last)
            node = Node(vectors[some].mean(axis=0) + mean, rows[some].copy(), [])
            nodes.append(node)
            if levels > 1:
                node.parts.extend(split(vectors[some], rows[some], leaf, levels - 1, rng, mean))
    return nodes


def sort_by(labels: NDArray[np.int32], vectors: Floats, rows: Rows) -> None:
    """Bring the vectors of each label together, in their order, and their numbers too.

    In place: with a copy of some children a part of many equal vectors, which all go to one child
    at each level, would be there as often as there are levels.
    """
    order = np.argsort(labels, kind="stable")
    rows[:] = rows[order]
    assign.reorder(vectors.view(np.uint8), order)


def by_level(top: list[Node]) -> Iterator[list[Node]]:
    """Yield the nodes of each level from the top, children of one node side by side."""
    while top:
        yield top
        top = [part for node in top for part in node.parts]


def join_tree(job: Job) -> None:
    """Write the tree of all parts, and where the heads and the groups of each part begin."""
    counts = np.zeros((job.levels, job.parts + 1), np.int64)
    sizes: list[list[Counts]] = [[] for _ in range(job.levels - 1)]
    for part in job.filled:
        found = job.load_all(below_of(part), *(f"sizes{i}" for i in range(job.levels - 1)))
        for level, each in enumerate(sizes):
            each.append(found[f"sizes{level}"])
            counts[level + 1, part + 1] = each[-1].sum()
    counts[0, 1:][job.filled] = 1
    first = np.cumsum(counts, axis=1)
    levels = [np.empty((nodes, job.space.width), np.float32) for nodes in first[:-1, -1]]
    heads = job.create(HEADS, np.float32, (int(first[-1, -1]), job.space.width))
    for part in job.filled:
        below = job.load_all(below_of(part), *(f"level{i}" for i in range(job.levels)))
        for level, whole in enumerate((*levels, heads)):
            whole[first[level, part] : first[level, part + 1]] = below[f"level{level}"]
    heads.flush()
    job.save_all(
        TREE,
        heads=first[-1],
        groups=first[-2],
        **{f"level{i}": level for i, level in enumerate(levels)},
        **{f"sizes{i}": np.concatenate(each) for i, each in enumerate(sizes)},
    )


def tree_of(job: Job) -> Tree:
    """Return the joined tree."""
    tree: Tree = job.keep(TREE, lambda: read_tree(job))
    return tree


def read_tree(job: Job) -> Tree:
    """Read the joined tree."""
    arrays = job.load_all(TREE)
    above = range(job.levels - 1)
    return Tree(
        levels=[*(arrays[f"level{i}"] for i in above), job.load(HEADS)],
        sizes=[arrays[f"sizes{i}"] for i in above],
        first_head=arrays["heads"],
        first_group=arrays["groups"],
    )
