"""ScaNN: a tree of leaves in memory, 4-bit codes of 2 dimensions, the best of which are reordered.

They are reordered by vectors in the smallest type that loses little: bf16 holds SIFT's bytes
exactly. For cosine, vectors are brought to unit length and compared by dot product, with its
anisotropic quantization; squared distances have none.
"""

import math
import shutil
from pathlib import Path
from typing import Any

import numpy as np
from scann import scann_ops_pybind
from scann.scann_ops.py.scann_builder import ReorderType

METRICS = {"l2": "squared_l2", "cosine": "dot_product"}
BLOCK = 2  # dimensions a code


class Peer:
    """ScaNN with a number of leaves, and a sweep of those searched and of what is reordered."""

    def __init__(self, options: dict[str, Any]) -> None:
        self.options = options

    def build(self, base: Path, metric: str, workdir: Path) -> None:
        """Build on all cores, and save."""
        vectors = np.load(base).astype(np.float32)
        if metric == "cosine":
            vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        leaves, threshold = self.options["leaves"], self.options["threshold"]
        first = self.options["settings"][0]
        index = (
            scann_ops_pybind.builder(vectors, 1, METRICS[metric])
            .tree(leaves, first["leaves"], training_sample_size=self.options["sample"])
            .score_ah(BLOCK, math.nan if threshold is None else threshold)
            .reorder(first["reorder"], ReorderType[self.options["vectors"]])
            .build()
        )
        shutil.rmtree(workdir, ignore_errors=True)
        workdir.mkdir(parents=True)
        index.serialize(str(workdir))

    def settings(self, workdir: Path) -> list[dict[str, Any]]:
        """Return the settings of the configuration."""
        return list(self.options["settings"])

    def load(self, metric: str, workdir: Path, setting: dict[str, Any]) -> None:
        """Load the index into memory."""
        self.index = scann_ops_pybind.load_searcher(str(workdir))

    def accept(self, queries: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """Return the queries in float32."""
        return queries.astype(np.float32)

    def search_one(
        self, query: np.ndarray[Any, Any], k: int, setting: dict[str, Any]
    ) -> np.ndarray[Any, Any]:
        """Return the ids of the k nearest."""
        return self.index.search(query, k, setting["reorder"], setting["leaves"])[0]

    def close(self) -> None:
        """Let go of the index."""
        del self.index
