"""How uneven the norms of vectors are, by a sample."""

import numpy as np

from longspan.indexer.reader.vectors import Vectors

SAMPLE = 4096
FARTHEST = 9.0  # deviations from the mean, of 10^18 values that are spread normally


def unevenness_of(vectors: Vectors, metric: str, longest: float = 0.0) -> float:
    """Return the standard deviation of the logarithms of the norms; norms of 0 do not count.

    longest  norm of all, when it is known; the deviation is such that it may be there

    Norms matter with ip alone: else it is 0.
    """
    if metric != "ip":
        return 0.0
    rows = np.linspace(0, vectors.n - 1, min(vectors.n, SAMPLE)).astype(np.int64)
    norms = np.linalg.norm(vectors.gather(rows).astype(np.float64), axis=1)
    logs = np.log(norms[norms > 0])
    if not len(logs):
        return 0.0
    beyond = np.log(longest) - logs.mean() if longest else 0.0
    return float(max(logs.std(), beyond / FARTHEST))
