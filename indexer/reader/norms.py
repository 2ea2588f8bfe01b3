"""How uneven the norms of vectors are, by a sample."""

import numpy as np

from longspan.indexer.reader.vectors import Vectors

SAMPLE = 4096


def unevenness_of(vectors: Vectors, metric: str) -> float:
    """Return the standard deviation of the logarithms of the norms; norms of 0 do not count.

    Norms matter with ip alone: else it is 0.
    """
    if metric != "ip":
        return 0.0
    rows = np.linspace(0, vectors.n - 1, min(vectors.n, SAMPLE)).astype(np.int64)
    norms = np.linalg.norm(vectors.gather(rows).astype(np.float64), axis=1)
    known = norms[norms > 0]
    return float(np.log(known).std()) if len(known) else 0.0
