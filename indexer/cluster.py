"""Grow the head tree: hierarchical balanced clusters, down to one head a posting.

The top level is trained on a sample and every vector is routed to its top cluster once; below
that each top cluster is a unit of its own, split by balanced k-means level by level. A node gets
children in proportion to its size, so the leaves come out even however uneven the top is.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil, log

import numpy as np
from numpy.typing import NDArray

from longspan.indexer.balance import balanced_kmeans, cheapest
from longspan.indexer.progress import Advance, Progress
from longspan.indexer.reader import Vectors
from longspan.indexer.store.space import HeadSpace
from longspan.indexer.tree import Tree
from longspan.indexer.workers import Workers

Floats = NDArray[np.float32]
Rows = NDArray[np.int64]

FAN = 32  # children a node aims for: a scan of 32 x 128 bytes is long enough to stream
TRAIN = 256  # vectors a centre that its training sees at most, as in faiss
ROUTE = 2 << 20  # values of the vectors that are routed at once


@dataclass(frozen=True, slots=True)
class Node:
    """A cluster: its mean, the vectors in it, and its parts (none when it is a head)."""

    centre: Floats
    rows: Rows
    parts: "list[Node]"


def grow(
    vectors: Vectors, space: HeadSpace, heads: int, seed: int, pool: Workers, progress: Progress
) -> Tree:
    """Return a tree of about `heads` heads over all vectors."""
    levels = max(1, round(log(max(heads, 2)) / log(FAN)))
    rng = np.random.default_rng(seed)
    top = top_centres(vectors, space, ceil(heads ** (1 / levels)), rng)
    with progress.stage("route", vectors.n, "vectors") as advance:
        members = route(vectors, space, top, pool, advance)
    leaf = vectors.n / heads

    def unit(number: int) -> Node:
        rows = members[number]
        lifted = space.lift(vectors.take(rows))
        mean = lifted.mean(axis=0)
        lifted -= mean  # GEMM distances lose digits far from the origin
        own = np.random.default_rng([seed, number])
        parts = split(lifted, rows, leaf, levels - 1, own, mean) if levels > 1 else []
        advance(len(rows))
        return Node(mean, rows, parts)

    with progress.stage("cluster", vectors.n, "vectors") as advance:
        filled = [number for number, rows in enumerate(members) if len(rows)]
        return as_tree(list(pool.each(unit, filled)), vectors.n)


def top_centres(vectors: Vectors, space: HeadSpace, k: int, rng: np.random.Generator) -> Floats:
    """Return k centres of the top level, trained on a random sample."""
    count = min(vectors.n, TRAIN * k)
    sample = space.lift(vectors.take(np.sort(rng.choice(vectors.n, count, replace=False))))
    mean = sample.mean(axis=0)
    centres: Floats = balanced_kmeans(sample - mean, k, rng) + mean
    return centres


def route(
    vectors: Vectors, space: HeadSpace, top: Floats, pool: Workers, advance: Advance
) -> list[Rows]:
    """Return the rows of each top cluster, ascending."""
    labels = np.empty(vectors.n, np.int32)
    mean = top.mean(axis=0)
    step = max(1, ROUTE // space.width)

    def unit(start: int) -> None:
        stop = min(start + step, vectors.n)
        lifted = space.lift(vectors.rows(start, stop)) - mean
        labels[start:stop] = cheapest(lifted, top - mean)
        advance(stop - start)

    for _ in pool.each(unit, range(0, vectors.n, step)):
        pass
    return members_of(labels, len(top))


def split(
    vectors: Floats, rows: Rows, leaf: float, levels: int, rng: np.random.Generator, mean: Floats
) -> list[Node]:
    """Split one cluster into `levels` levels of nodes; return the first.

    vectors  (n, dim)  of the cluster, in the head space, less mean
    rows     (n,)      their row numbers
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


def as_tree(top: list[Node], n: int) -> Tree:
    """Return the nodes as arrays."""
    nodes = list(by_level(top))
    groups = [node.rows for node in nodes[-2]] if len(nodes) > 1 else [np.arange(n)]
    return Tree(
        levels=[np.array([node.centre for node in level]) for level in nodes],
        sizes=[np.array([len(node.parts) for node in level]) for level in nodes[:-1]],
        groups=groups,
    )
