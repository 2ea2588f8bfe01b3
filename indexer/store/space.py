"""The head space: every metric is a squared L2 distance there, so one tree serves all three.

    l2      the vectors themselves
    cosine  unit vectors: |a - b|^2 = 2 (1 - cos)
    ip      one more dimension, sqrt(radius^2 - |x|^2), and 0 for a query, which is brought to the
            length of the radius: |q - x|^2 = 2 radius^2 - 2 q.x, so the nearest has the greatest
            inner product (Bachrach et al. 2014, https://doi.org/10.1145/2645710.2645741, section 3)

Why queries of one length: it changes no ranking by inner product, but all that is fitted to
distances. At the radius near and far differ most; a query a hundredth as long had a recall of .25.

Why heads reach out, with ip: the mean of a posting's inner products says little where long vectors
lie among short ones. What counts is the greatest, some deviations above the mean; and of vectors
of one length, the radius, how far the length of their mean falls short of it is their variance.
So a head, and a node above, lies where its distance stands for its mean and REACH deviations.

Where norms are uneven a build clusters vectors by direction and logarithm of the norm, and not by
distance in the head space: there the few longest, which answer most queries, are spread over all
clusters, each with as many short ones. Measured on log-normal norms, docs/measurements.md.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from longspan.cext import kernels

Floats = NDArray[np.float32]

CODES = {"f32": kernels.F32, "f16": kernels.F16, "u8": kernels.U8, "i8": kernels.I8}
DTYPES = {
    name: np.dtype(kind) for name, kind in zip(CODES, ("<f4", "<f2", "u1", "i1"), strict=True)
}
CODE_OF = {kind: CODES[name] for name, kind in DTYPES.items()}


# The largest squared norm of a vector or query: the distance of two such still fits float32.
MOST_SQUARE = 1.6e37
# The least norm that has a cosine: below it the square of a float32 is lost to rounding.
LEAST_NORM = 1e-15
UNEVEN = 0.25  # norms: recommender factors are from .5 on, clouds and unit vectors below .1
SHORTEST = 1e-9  # of the radius: what is shorter is not told apart
REACH = 1.5  # deviations: measured 0 to 4, docs/measurements.md
LIFTED = 1 << 18  # values that are lifted together: 1 MiB beside those that are returned


@dataclass(frozen=True, slots=True)
class HeadSpace:
    """How vectors and queries of one index enter the head space.

    metric, dtype, dim  of the index
    radius              length of all vectors in the head space, for ip only: see `radius_for`
    unevenness          of the norms, for ip only: standard deviation of their logarithms in a
                        sample; 0 where nobody looked, for a build alone wants it
    """

    metric: str
    dtype: str
    dim: int
    radius: float = 0.0
    unevenness: float = 0.0

    @property
    def width(self) -> int:
        """Dimensions of the head space."""
        return self.dim + (self.metric == "ip")

    @property
    def head_dtype(self) -> str:
        """Type that heads are stored in: the input's, but f16 for cosine and f32 for ip."""
        return {"l2": self.dtype, "cosine": "f16", "ip": "f32"}[self.metric]

    @property
    def clusters_apart(self) -> bool:
        """Whether a build clusters vectors elsewhere than in the head space."""
        return self.metric == "ip" and self.unevenness >= UNEVEN

    def place(self, vectors: NDArray[Any]) -> Floats:
        """Return base vectors (n, dim) where a build clusters them, (n, width) float32."""
        if not self.clusters_apart:
            return self.lift(vectors)
        placed = np.empty((len(vectors), self.width), np.float32)
        step = max(1, LIFTED // self.width)
        for at in range(0, len(vectors), step):
            floats = vectors[at : at + step].astype(np.float32)
            squares = np.einsum("ij,ij->i", floats, floats, dtype=np.float64)
            norms = np.maximum(np.sqrt(squares), SHORTEST * self.radius)[:, None]
            np.divide(floats, norms, out=placed[at : at + step, : self.dim], casting="same_kind")
            placed[at : at + step, self.dim :] = np.log(norms)
        return placed

    def lift(self, vectors: NDArray[Any]) -> Floats:
        """Return base vectors (n, dim) in the head space, (n, width) float32."""
        lifted = np.empty((len(vectors), self.width), np.float32)
        step = max(1, LIFTED // self.width)
        for at in range(0, len(vectors), step):
            floats = vectors[at : at + step].astype(np.float32)
            some = lifted[at : at + step]
            some[:, : self.dim] = floats
            if self.metric == "cosine":
                some /= np.linalg.norm(floats, axis=1, keepdims=True)
            elif self.metric == "ip":
                missing = self.radius**2 - np.einsum("ij,ij->i", floats, floats, dtype=np.float64)
                some[:, self.dim] = np.sqrt(np.maximum(missing, 0.0))
        return lifted

    def lift_queries(self, queries: NDArray[Any]) -> NDArray[Any]:
        """Return queries (nq, dim) in the head space, in the type its kernels want."""
        if self.head_dtype in ("u8", "i8"):
            return queries
        floats: Floats = np.asarray(queries, np.float32)
        if self.metric == "l2":
            return floats
        if self.metric == "cosine":
            return floats * inverse_norms(floats)[:, None]
        lifted = np.zeros((len(floats), self.width), np.float32)
        lifted[:, : self.dim] = floats * self.stretches(queries)[:, None]
        return lifted

    def stretches(self, queries: NDArray[Any]) -> NDArray[np.float64]:
        """Return by how much each query is longer in the head space, with ip; 0 for zeros."""
        norms = np.linalg.norm(queries.astype(np.float64), axis=1)
        stretches = np.zeros(len(queries))
        np.divide(self.radius, norms, out=stretches, where=norms > 0)
        return stretches

    def scale_free(
        self, distances: NDArray[np.float32], queries: NDArray[Any]
    ) -> NDArray[np.floating[Any]]:
        """Return a distance of each query (nq,) as if all had one length: that matters with ip."""
        return distances * self.stretches(queries) if self.metric == "ip" else distances

    def stored_heads(self, heads: Floats) -> NDArray[Any]:
        """Return the means of vectors, (n, width) float32, as heads and nodes that are searched."""
        if self.metric == "ip":
            heads = self.reaching(heads)
        if self.head_dtype in ("u8", "i8"):
            heads = np.rint(heads)
        return heads.astype(DTYPES[self.head_dtype])

    def reaching(self, means: Floats) -> Floats:
        """Return means whose squared distance from a query q of the radius' length is

        2 radius^2 - 2 (<q, mean> + radius * REACH * deviation)
        """
        dots = np.einsum("ij,ij->i", means[:, : self.dim], means[:, : self.dim], dtype=np.float64)
        missing = self.radius**2 - dots
        variance = np.maximum(missing - means[:, self.dim].astype(np.float64) ** 2, 0) / self.dim
        heads = means.copy()
        reach = 2 * self.radius * REACH * np.sqrt(variance)
        heads[:, self.dim] = np.sqrt(np.maximum(missing - reach, 0.0))
        return heads


def radius_for(longest: float, dim: int) -> float:
    """Return the radius for a base of some greatest norm, beyond which none of its means reaches.

    The squared norm of a mean is at most longest^2 - dim deviation^2, so with its reach it is at
    most longest^2 + (radius REACH)^2 / dim. Below 5 dims some are cut off.
    """
    return float(longest / np.sqrt(1 - min(REACH**2 / dim, 0.5)))


def inverse_norms(rows: NDArray[Any]) -> NDArray[np.float32]:
    """Return 1 / |row| of each row, by which cosine scores vectors and queries alike."""
    return (1 / np.sqrt(squares(rows))).astype(np.float32)


def squares(rows: NDArray[Any]) -> NDArray[np.float64]:
    """Return the squared length of each row (n, dim), of one of the DTYPES."""
    found = np.empty(len(rows))
    kernels.squares(CODE_OF[rows.dtype], np.ascontiguousarray(rows).view(np.uint8), found)
    return found
