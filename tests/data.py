"""Corpora with a known shape, made from a random generator; nothing is read from disk."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tests.reference import DTYPES, Array

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Corpus:
    """Vectors to index and queries of the same kind that are not among them."""

    base: Array  # (n, dim)
    queries: Array  # (nq, dim)


def clusters(
    rng: np.random.Generator,
    n: int = 4000,
    dim: int = 24,
    queries: int = 100,
    *,
    centres: int = 40,
    latent: int = 5,
) -> Corpus:
    """Return clusters that lie on a smooth surface of `latent` dimensions, as real embeddings do.

    Gaussian clusters straight in `dim` dimensions would be a poor model: inside one of them all
    neighbours are about equally far, so no index can tell them apart. Here a mixture of small
    Gaussians in a few dimensions is bent into `dim` by sines of random frequencies.
    """
    middles = rng.normal(size=(centres, latent))
    spread = rng.uniform(0.1, 0.5, size=(centres, 1))
    of = rng.integers(centres, size=n + queries)
    points = middles[of] + spread[of] * rng.normal(size=(n + queries, latent))
    bent = np.sin(points @ rng.normal(size=(latent, dim)) + rng.uniform(0, 2 * np.pi, size=dim))
    vectors = bent.astype(np.float32)
    return Corpus(base=vectors[:n], queries=vectors[n:])


def as_dtype(corpus: Corpus, dtype: str) -> Corpus:
    """Return the corpus as "f32", "f16", "u8" or "i8"; integers span nearly their whole range."""
    return Corpus(*(_convert(vectors, dtype) for vectors in (corpus.base, corpus.queries)))


def _convert(vectors: Array, dtype: str) -> Array:
    """Map [-1, 1], the range of `clusters`, to the range of the dtype."""
    floats = vectors.astype(np.float32)
    if dtype in ("u8", "i8"):
        floats = np.rint(floats * 127 + (128 if dtype == "u8" else 0))
    return floats.astype(DTYPES[dtype])


def duplicates(rng: np.random.Generator, n: int, dim: int, distinct: int) -> Floats:
    """Return n rows of which only `distinct` differ, in random order: ties everywhere."""
    rows = rng.normal(size=(distinct, dim)).astype(np.float32)
    return rows[rng.permutation(np.arange(n) % distinct)]


def uneven_norms(rng: np.random.Generator, n: int, dim: int, spread: float = 1.5) -> Floats:
    """Return directions of every length (log-normal): where inner product and cosine disagree."""
    directions = rng.normal(size=(n, dim))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    return (directions * rng.lognormal(sigma=spread, size=(n, 1))).astype(np.float32)


def one_vector(dim: int) -> Floats:
    """Return the smallest corpus: the row 1, 2, 3, …"""
    return np.arange(1, dim + 1, dtype=np.float32)[None, :]
