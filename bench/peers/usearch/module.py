"""usearch: a graph in memory, vectors in the smallest type that holds them exactly.

bf16 holds the integers to 256, so SIFT's bytes lose nothing. Its own u8 was tried and left out:
squared distances overflow there, and the answers are not the nearest.
"""

import os
from pathlib import Path
from typing import Any

import numpy as np
from usearch.index import Index

FILE = "index.usearch"
METRICS = {"l2": "l2sq", "cosine": "cos"}


class Peer:
    """usearch with connectivity, expansion at adding and a sweep of expansion at search."""

    def __init__(self, options: dict[str, Any]) -> None:
        self.options = options

    def build(self, base: Path, metric: str, workdir: Path) -> None:
        """Add all vectors on all cores, and save."""
        vectors = np.load(base, mmap_mode="r")
        index = Index(
            ndim=vectors.shape[1],
            metric=METRICS[metric],
            dtype=self.options["dtype"],
            connectivity=self.options["connectivity"],
            expansion_add=self.options["expansion_add"],
            enable_key_lookups=False,
        )
        cores = len(os.sched_getaffinity(0))
        index.add(np.arange(len(vectors)), vectors.astype(np.float32), threads=cores)
        workdir.mkdir(parents=True, exist_ok=True)
        index.save(str(workdir / FILE))

    def settings(self, workdir: Path) -> list[dict[str, Any]]:
        """Return the values of expansion at search."""
        return [{"expansion": width} for width in self.options["expansion"]]

    def load(self, metric: str, workdir: Path, setting: dict[str, Any]) -> None:
        """Load the graph into memory."""
        self.index = Index(
            ndim=self.options["dim"],
            metric=METRICS[metric],
            dtype=self.options["dtype"],
            connectivity=self.options["connectivity"],
            enable_key_lookups=False,
        )
        self.index.load(str(workdir / FILE))
        self.index.expansion_search = setting["expansion"]

    def accept(self, queries: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """Return the queries in float32."""
        return queries.astype(np.float32)

    def search_one(
        self, query: np.ndarray[Any, Any], k: int, setting: dict[str, Any]
    ) -> np.ndarray[Any, Any]:
        """Return the ids of the k nearest."""
        return self.index.search(query, k, threads=1).keys

    def close(self) -> None:
        """Let go of the graph."""
        del self.index
