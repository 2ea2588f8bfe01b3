"""faiss's inverted lists in memory: whole vectors, or codes whose best are scored again.

For cosine, vectors are brought to unit length and compared by inner product, whose order does not
depend on the length of the query.
"""

from pathlib import Path
from typing import Any

import faiss
import numpy as np

FILE = "index.faiss"
METRICS = {"l2": faiss.METRIC_L2, "cosine": faiss.METRIC_INNER_PRODUCT}


class Peer:
    """An index by factory string, with a sweep of nprobe and, with codes, of k_factor."""

    def __init__(self, options: dict[str, Any]) -> None:
        self.options = options

    def build(self, base: Path, metric: str, workdir: Path) -> None:
        """Train on all vectors (faiss takes a sample), add them, and save."""
        vectors = np.load(base).astype(np.float32)
        if metric == "cosine":
            faiss.normalize_L2(vectors)
        index = faiss.index_factory(vectors.shape[1], self.options["factory"], METRICS[metric])
        index.train(vectors)
        index.add(vectors)
        workdir.mkdir(parents=True, exist_ok=True)
        faiss.write_index(index, str(workdir / FILE))

    def settings(self, workdir: Path) -> list[dict[str, Any]]:
        """Return the settings of the configuration."""
        return list(self.options["settings"])

    def load(self, metric: str, workdir: Path, setting: dict[str, Any]) -> None:
        """Load the index into memory."""
        self.index = faiss.read_index(str(workdir / FILE))
        space = faiss.ParameterSpace()
        space.set_index_parameter(self.index, "nprobe", setting["nprobe"])
        if "k_factor" in setting:
            self.index.k_factor = setting["k_factor"]

    def accept(self, queries: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """Return the queries in float32, each a row of its own."""
        return queries.astype(np.float32)[:, None, :]

    def search_one(
        self, query: np.ndarray[Any, Any], k: int, setting: dict[str, Any]
    ) -> np.ndarray[Any, Any]:
        """Return the ids of the k nearest."""
        return self.index.search(query, k)[1][0]

    def close(self) -> None:
        """Let go of the index."""
        del self.index
