"""Balanced k-means: centres whose clusters are nearly of one size.

Why balance: a posting is read whole, so a long one costs every query that touches it, and a short
one wastes its page. Lloyd's steps with a price for each centre, raised while its cluster is larger
than the mean: the penalty of SPANN's objective (https://arxiv.org/abs/2111.08566, equation 1),
solved by prices rather than by a search for one lambda.
"""

import numpy as np
from numpy.typing import NDArray

from longspan.cext import assign
from longspan.indexer.planning.portions import DISTANCES, LARGEST, ROUNDS, SPREADS, TOGETHER

Floats = NDArray[np.float32]
Labels = NDArray[np.int32]

# Measured on 1 M SIFT, 20 vectors a head: the sizes' standard deviation is 5.4 at .1, 6.6 at .03
# and 13 at .3, where the prices overshoot.
PRICE = 0.1
STEP, LARGEST_STEP = 0.05, 0.2  # of a price that is looked for, in squares of a vector's distance
NEAR = 0.1  # of the mean size: a cluster that differs by less keeps its price
LOOKED_AT = 4096  # vectors whose distance is taken


def balanced_kmeans(vectors: Floats, k: int, rng: np.random.Generator) -> Floats:
    """Return min(k, n) centres of vectors.

    vectors  (n, dim)
    returns  (k, dim)  means of clusters, none of them empty
    """
    n = len(vectors)
    if n <= k:
        return vectors.copy()
    centres = vectors[np.sort(rng.choice(n, k, replace=False))]
    price = np.zeros(k, np.float32)
    total = float(np.einsum("ij,ij->", vectors, vectors, dtype=np.float64))
    for _ in range(ROUNDS):
        labels = cheapest(vectors, centres, price)
        centres, counts = means(vectors, labels, centres, rng)
        # The mean squared distance to the own centre: what is left of the vectors' squares.
        within = (total - float(counts @ np.einsum("ij,ij->i", centres, centres))) / n
        price += (PRICE * within * (counts * (k / n) - 1)).astype(np.float32)
    return centres


def spread(vectors: Floats, centres: Floats) -> Floats:
    """Return prices at which vectors go to all centres alike, no cluster over LARGEST the mean.

    Where that cannot be, as among many equal vectors, the best that were found.

    vectors  (n, dim)  others than the centres were trained on. Of many dimensions those lie nearer
                       to their own centre than to any, others nearest to the most central one,
                       which would have nearly all of them.
    returns  (k,)

    Each price has a step of its own, which is halved when its cluster has passed the mean (Rprop,
    https://doi.org/10.1109/ICNN.1993.298623): a slightly higher price may leave it without any.
    """
    price, moved = np.zeros(len(centres), np.float32), np.zeros(len(centres))
    best, least, step = price, np.inf, np.zeros(len(centres))
    for number in range(SPREADS):
        labels = cheapest(vectors, centres, price)
        share = np.bincount(labels, minlength=len(centres)) * (len(centres) / len(vectors))
        if share.max() < least:
            best, least = price.copy(), float(share.max())
        if least <= LARGEST:
            break
        if number == 0:
            square = distance(vectors, centres, labels)
            step += STEP * square
        move = np.where(np.abs(share - 1) < NEAR, 0, np.sign(share - 1))
        faster = np.minimum(1.2 * step, LARGEST_STEP * square)
        step = np.where(move * moved < 0, step / 2, faster)
        moved = np.where(move == 0, moved, move)
        price += (move * step).astype(np.float32)
    return best


def distance(vectors: Floats, centres: Floats, labels: Labels) -> float:
    """Return the mean squared distance of vectors to their centres, of some thousand of them."""
    some = slice(None, None, -(-len(vectors) // LOOKED_AT))
    return float(np.square(vectors[some] - centres[labels[some]]).sum(axis=1).mean())


def cheapest(vectors: Floats, centres: Floats, price: Floats | None = None) -> Labels:
    """Return each vector's cheapest centre: one costs its squared distance and its price."""
    offset = np.einsum("ij,ij->i", centres, centres)
    if price is not None:
        offset += price
    labels = np.empty(len(vectors), np.int32)
    step = max(1, min(TOGETHER, DISTANCES // len(centres)))
    for at in range(0, len(vectors), step):
        some = slice(at, at + step)
        assign.label(vectors[some] @ centres.T, offset, labels[some])
    return labels


def means(
    vectors: Floats, labels: Labels, centres: Floats, rng: np.random.Generator
) -> tuple[Floats, Labels]:
    """Return the mean and the size of each cluster; an empty one restarts from a random vector."""
    sums, counts = np.empty_like(centres), np.empty(len(centres), np.int32)
    assign.sum_by_label(vectors, labels, sums, counts)
    empty = np.flatnonzero(counts == 0)
    sums[empty] = vectors[rng.integers(0, len(vectors), len(empty))]
    sums /= np.maximum(counts, 1).astype(np.float32)[:, None]
    return sums, counts
