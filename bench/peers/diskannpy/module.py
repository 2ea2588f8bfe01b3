"""DiskANN by its Python package: a graph on disk with vectors beside it, PQ codes in memory.

Its reads are direct (libaio, O_DIRECT), past the page cache: cold and warm differ only by what the
disk itself remembers, and by the first touch of a freshly opened index. For cosine, which its disk
index lacks, vectors are brought to unit length: squared distances then have the same order.
"""

import os
import shutil
from pathlib import Path
from typing import Any

import diskannpy
import numpy as np

BY_LEVELS = 2  # which nodes are cached: those nearest to the entry


class Peer:
    """DiskANN with R, L and bytes of PQ, and a sweep of the search list."""

    def __init__(self, options: dict[str, Any]) -> None:
        self.options = options

    def build(self, base: Path, metric: str, workdir: Path) -> None:
        """Build on all cores."""
        vectors = np.load(base)
        if metric == "cosine":
            vectors = vectors.astype(np.float32)
            vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        shutil.rmtree(workdir, ignore_errors=True)
        workdir.mkdir(parents=True)
        # The bytes of PQ are not a dial but follow from the memory, rounded down: half a byte more.
        memory = (self.options["pq_bytes"] + 0.5) * len(vectors) / 2**30
        diskannpy.build_disk_index(
            vectors,
            "l2",
            str(workdir),
            complexity=self.options["L"],
            graph_degree=self.options["R"],
            search_memory_maximum=memory,
            build_memory_maximum=self.options["build_gb"],
            num_threads=len(os.sched_getaffinity(0)),
        )
        (workdir / "ann_vectors.bin").unlink()  # the package's copy of the input

    def settings(self, workdir: Path) -> list[dict[str, Any]]:
        """Return the lengths of the search list."""
        return [{"complexity": length} for length in self.options["complexity"]]

    def load(self, metric: str, workdir: Path, setting: dict[str, Any]) -> None:
        """Open the index; its codes are read into memory."""
        self.index = diskannpy.StaticDiskIndex(
            str(workdir),
            num_threads=len(os.sched_getaffinity(0)),
            num_nodes_to_cache=self.options["cached_nodes"],
            cache_mechanism=BY_LEVELS,
        )

    def accept(self, queries: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """Return the queries in the type of the index."""
        return queries.astype(self.options["dtype"])

    def search_one(
        self, query: np.ndarray[Any, Any], k: int, setting: dict[str, Any]
    ) -> np.ndarray[Any, Any]:
        """Return the ids of the k nearest."""
        complexity, width = setting["complexity"], self.options["beam_width"]
        return self.index.search(query, k, complexity, width).identifiers

    def search_all(
        self, queries: np.ndarray[Any, Any], k: int, setting: dict[str, Any], threads: int
    ) -> np.ndarray[Any, Any]:
        """Return the ids of all; each of its own threads takes the next query that is left.

        Because its search of one keeps the GIL: two threads of Python would wait for each other.
        """
        complexity, width = setting["complexity"], self.options["beam_width"]
        found = self.index.batch_search(queries, k, complexity, threads, width)
        return found.identifiers.astype(np.int64)

    def close(self) -> None:
        """Let go of the index."""
        del self.index
