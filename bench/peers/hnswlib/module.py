"""hnswlib: a graph in memory, vectors in float32, the only type its Python package takes."""

import os
from pathlib import Path
from typing import Any

import hnswlib
import numpy as np

FILE = "index.bin"


class Peer:
    """hnswlib with M, efConstruction and a sweep of ef."""

    def __init__(self, options: dict[str, Any]) -> None:
        self.options = options

    def build(self, base: Path, metric: str, workdir: Path) -> None:
        """Add all vectors on all cores, and save."""
        vectors = np.load(base, mmap_mode="r")
        index = hnswlib.Index(metric, vectors.shape[1])
        index.init_index(
            len(vectors),
            M=self.options["M"],
            ef_construction=self.options["efConstruction"],
            random_seed=1,
        )
        index.add_items(vectors.astype(np.float32), num_threads=len(os.sched_getaffinity(0)))
        workdir.mkdir(parents=True, exist_ok=True)
        index.save_index(str(workdir / FILE))

    def settings(self, workdir: Path) -> list[dict[str, Any]]:
        """Return the values of ef."""
        return [{"ef": ef} for ef in self.options["ef"]]

    def load(self, metric: str, workdir: Path, setting: dict[str, Any]) -> None:
        """Load the graph into memory."""
        self.index = hnswlib.Index(metric, self.options["dim"])
        self.index.load_index(str(workdir / FILE))
        self.index.set_ef(setting["ef"])
        self.index.set_num_threads(1)

    def accept(self, queries: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """Return the queries in float32."""
        return queries.astype(np.float32)

    def search_one(
        self, query: np.ndarray[Any, Any], k: int, setting: dict[str, Any]
    ) -> np.ndarray[Any, Any]:
        """Return the ids of the k nearest."""
        return self.index.knn_query(query, k, num_threads=1)[0][0]

    def close(self) -> None:
        """Let go of the graph."""
        del self.index
