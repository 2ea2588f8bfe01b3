"""faiss's inverted lists: whole vectors in memory or on disk, or codes whose best are scored again.

On disk, SQ8_direct holds SIFT's bytes as they are, SQfp16 unit vectors nearly so. RaBitQ rotates
nothing itself: RR before it does, and fs is its faster form, by FastScan.

For cosine, vectors are brought to unit length and compared by inner product, whose order
does not depend on the length of the query.
"""

from pathlib import Path
from typing import Any

import faiss
import numpy as np

FILE, LISTS = "index.faiss", "index.lists"
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
        workdir.mkdir(parents=True, exist_ok=True)
        if self.options.get("disk"):
            index.by_residual = False  # a difference from the centroid would be rounded
        index.train(vectors)
        index.add(vectors)
        if self.options.get("disk"):
            move_lists(index, workdir / LISTS)
        faiss.write_index(index, str(workdir / FILE))

    def settings(self, workdir: Path) -> list[dict[str, Any]]:
        """Return the settings of the configuration."""
        return list(self.options["settings"])

    def load(self, metric: str, workdir: Path, setting: dict[str, Any]) -> None:
        """Load the index into memory, but for lists on disk."""
        self.index = faiss.read_index(str(workdir / FILE), faiss.IO_FLAG_READ_ONLY)
        if self.options.get("disk"):
            read_alone(self.index)
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


def move_lists(index: Any, path: Path) -> None:
    """Write the lists of an index to a file one after the other, and let it use them there."""
    path.unlink(missing_ok=True)
    lists = faiss.OnDiskInvertedLists(index.nlist, index.code_size, str(path))
    lists.merge_from_1(index.invlists)
    index.replace_invlists(lists, True)
    lists.this.disown()  # by then the index owns them


def read_alone(index: Any) -> None:
    """Have the lists read by the thread that searches.

    faiss starts 32 threads a query to touch its lists ahead; warm and cold, that took longer here
    than it gained, and one thread would not be one.
    """
    faiss.downcast_InvertedLists(index.invlists).prefetch_nthread = 0
