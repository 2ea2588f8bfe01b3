"""Train the books of product codes, and name vectors by them.

Four books of 16 points cover the same 16 dimensions, and a vector is the sum of a point of each.
Measured on what SIFT's vectors leave over from their heads, 16 bytes: the squared error is 1.01
times that of 256 points for every 8 dimensions, which cannot be looked up 16 at a time; of two
books for every 8 dimensions it is 1.07 times that, of eight for every 32 .97 in 2.3 times the time.
"""

import numpy as np
from numpy.typing import NDArray

from longspan.cext import codes as native
from longspan.indexer.running.libfaiss import faiss
from longspan.indexer.running.workers import Workers
from longspan.indexer.store.codec import GROUP, POINTS

Floats = NDArray[np.float32]
Bytes = NDArray[np.uint8]

SPAN = 16  # dimensions that books share
SHARE = SPAN // 4  # books that share them
TAUGHT = 24576  # vectors that books are trained on
ROUNDS = 10  # of k-means for each book's first points
STEPS = 8  # of naming the sample anew and of the points that fit that best
COUNTED = 4096  # vectors whose points are counted at a time
RIDGE = 1e-3  # vectors at 0 that a point is held by: one that nobody names stays finite


def empty_books(width: int, tiers: int) -> Floats:
    """Return room for the books of vectors that are width wide."""
    return np.empty((tiers, width // SPAN * SHARE, SPAN, POINTS), np.float32)


def trained(vectors: Floats, seed: int, pool: Workers) -> Floats:
    """Return the books of vectors (s, width), (width / 4, 16, 16)."""

    taught = vectors[:: -(-len(vectors) // TAUGHT)]

    def unit(block: int) -> Floats:
        part = np.ascontiguousarray(taught[:, block * SPAN : (block + 1) * SPAN])
        faiss.omp_set_num_threads(1)  # of this thread: the blocks are done side by side
        books = first_books(part, seed)
        for _ in range(STEPS):
            books = fitted(part, codes_of(part, books))
        return books

    return np.concatenate(list(pool.each(unit, range(vectors.shape[1] // SPAN))))


def first_books(vectors: Floats, seed: int) -> Floats:
    """Return a book for what each before it leaves over, by k-means, (4, 16, 16)."""
    rest = np.resize(vectors, (max(len(vectors), POINTS), SPAN))
    books = np.empty((SHARE, SPAN, POINTS), np.float32)
    for book in books:
        means = faiss.Kmeans(
            SPAN, POINTS, niter=ROUNDS, seed=seed % 2**31, min_points_per_centroid=1
        )
        means.train(rest)
        points = np.asarray(means.centroids)
        book[:] = points.T
        _, nearest = means.index.search(rest, 1)
        rest = rest - points[nearest[:, 0]]
    return books


def fitted(vectors: Floats, codes: Bytes) -> Floats:
    """Return the books by which the codes come nearest to the vectors: least squares."""
    together = np.zeros((SHARE * POINTS, SHARE * POINTS))
    sums = np.zeros((SHARE * POINTS, SPAN))
    for start in range(0, len(vectors), COUNTED):
        named = one_hot(codes[start : start + COUNTED])
        together += named.T @ named
        sums += named.T @ vectors[start : start + COUNTED]
    points = np.linalg.solve(together + RIDGE * np.eye(len(together)), sums)
    books = points.reshape(SHARE, POINTS, SPAN).transpose(0, 2, 1)
    return np.ascontiguousarray(books, np.float32)


def one_hot(codes: Bytes) -> Floats:
    """Return 1 where a code names a point, else 0, (n, 4 * 16)."""
    nibbles = np.stack([codes & 15, codes >> 4], axis=2).reshape(len(codes), SHARE)
    named = np.zeros((len(codes), SHARE * POINTS), np.float32)
    named[np.arange(len(codes))[:, None], nibbles + POINTS * np.arange(SHARE)] = 1
    return named


def codes_of(vectors: Floats, books: Floats) -> Bytes:
    """Return codes whose points add up to nearly the vectors, (n, groups)."""
    codes = np.empty((len(vectors), vectors.shape[1] // GROUP), np.uint8)
    halves = np.einsum("tdv,tdv->tv", books, books) / 2
    native.encode(vectors, books, np.ascontiguousarray(halves), cross_of(books), codes)
    return codes


def cross_of(books: Floats) -> Floats:
    """Return the dot products of points that cover the same dimensions, 0 within a book."""
    blocks = books.reshape(-1, SHARE, SPAN, POINTS)
    cross: Floats = np.einsum("bpdv,bqdw->bpvqw", blocks, blocks, optimize=True)
    own = np.arange(SHARE)
    cross[:, own, :, own] = 0
    return np.ascontiguousarray(cross).reshape(len(books), -1)


def points_of(codes: Bytes, books: Floats) -> Floats:
    """Return what codes name, (n, groups * 8)."""
    points = np.empty((len(codes), codes.shape[1] * GROUP), np.float32)
    native.decode(codes, books, points)
    return points
