"""Grow the head tree below the top level: each part is split by balanced k-means, level by level.

A node gets children in proportion to its size, so the leaves, the heads, come out even however
uneven the top is. The vectors under a node whose children are heads are a *group*.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from longspan.indexer.planning.shape import levels_of
from longspan.indexer.running.job import Job
from longspan.indexer.stages.balance import balanced_kmeans, cheapest
from longspan.indexer.stages.staging import TRAIN
from longspan.indexer.stages.tree import Tree

Floats = NDArray[np.float32]
Rows = NDArray[np.int64]

TREE, HEADS = "tree.npz", "heads.npy"


@dataclass(frozen=True, slots=True)
class Node:
    """A cluster: its mean, the vectors in it, and its parts (none when it is a head)."""

    centre: Floats
    rows: Rows
    parts: "list[Node]"


def grow(job: Job, part: int) -> None:
    """Write the tree below one node of the top level, itself the first level, and its groups.

    levels and sizes are as those of a Tree; order has the part's vectors group by group, each
    numbered from the part's first, and groups says where each begins.
    """
    start, stop = job.bounds[part], job.bounds[part + 1]
    lifted = job.space.lift(job.staged.rows(start, stop))
    job.staged.release(start, stop)
    mean = lifted.mean(axis=0)
    lifted -= mean  # GEMM distances lose digits far from the origin
    depth = levels_of(job.dials.heads) - 1
    rng = np.random.default_rng([job.config.seed, part])
    rows = np.arange(stop - start)
    leaf = job.n / job.dials.heads
    below = split(lifted, rows, leaf, depth, rng, mean) if depth else []
    top = Node(mean, rows, below)
    levels = list(by_level([top]))
    groups = [node.rows for node in levels[-2]] if depth else [rows]
    job.save_all(
        below_of(part),
        order=np.concatenate(groups).astype(np.uint32),
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

    vectors  (n, dim)  of the cluster, in the head space, less mean
    rows     (n,)      their numbers
    leaf     vectors a head should have
    """
    k = max(1, round(max(1.0, len(rows) / leaf) ** (1 / levels)))
    picked = slice(None) if len(rows) <= TRAIN * k else rng.choice(len(rows), TRAIN * k, False)
    centres = balanced_kmeans(vectors[picked], k, rng)
    labels = cheapest(vectors, centres)
    nodes = []
    for members in members_of(labels, len(centres)):
        if len(members):
            mine = vectors[members]
            parts = split(mine, rows[members], leaf, levels - 1, rng, mean) if levels > 1 else []
            nodes.append(Node(mine.mean(axis=0) + mean, rows[members], parts))
    return nodes


def members_of(labels: NDArray[np.int32], k: int) -> list[Rows]:
    """Return the positions of each label in [0, k), ascending."""
    order = np.argsort(labels, kind="stable")
    return np.split(order, np.cumsum(np.bincount(labels, minlength=k))[:-1])


def by_level(top: list[Node]) -> Iterator[list[Node]]:
    """Yield the nodes of each level from the top, children of one node side by side."""
    while top:
        yield top
        top = [part for node in top for part in node.parts]


def join(job: Job) -> None:
    """Write the tree of all parts, and where the heads and the groups of each part begin."""
    *above, lowest = (f"level{i}" for i in range(levels_of(job.dials.heads)))
    inner: dict[str, list[Any]] = {
        name: [] for name in (*above, *(f"sizes{i}" for i in range(len(above))))
    }
    heads, groups = np.zeros((2, job.parts + 1), np.int64)
    for part in job.filled:
        with np.load(job.work / below_of(part)) as below:
            heads[part + 1] = len(below[lowest])
            groups[part + 1] = len(below["groups"]) - 1
            for name, found in inner.items():
                found.append(below[name])
    first = np.cumsum(heads)
    whole = job.create(HEADS, np.float32, (int(first[-1]), job.space.width))
    for part in job.filled:
        with np.load(job.work / below_of(part)) as below:
            whole[first[part] : first[part + 1]] = below[lowest]
    whole.flush()
    joined = {name: np.concatenate(found) for name, found in inner.items()}
    job.save_all(TREE, heads=first, groups=np.cumsum(groups), **joined)


def tree_of(job: Job) -> Tree:
    """Return the joined tree."""
    tree: Tree = job.keep(TREE, lambda: read_tree(job))
    return tree


def read_tree(job: Job) -> Tree:
    """Read the joined tree."""
    arrays = job.load_all(TREE)
    depth = levels_of(job.dials.heads)
    return Tree(
        levels=[*(arrays[f"level{i}"] for i in range(depth - 1)), job.load(HEADS)],
        sizes=[arrays[f"sizes{i}"] for i in range(depth - 1)],
        first_head=arrays["heads"],
        first_group=arrays["groups"],
    )


def below_of(part: int) -> str:
    """Return the name of the file of the tree below a part."""
    return f"below-{part:05}.npz"
