"""longspan behind the interface of big-ann-benchmarks, whose runner calls it by duck typing.

https://github.com/harsha-simhadri/big-ann-benchmarks, benchmark/algorithms/base.py. A `dataset`
is one of its data sets, or anything with `get_dataset_fn()` and `distance()`: its registry of
names is not imported here, so that this file needs longspan alone.
"""

from pathlib import Path
from typing import Any, Protocol

import numpy as np

from longspan.indexer import build
from longspan.indexer.config import BuildConfig
from longspan.service import Index

METRICS = {"euclidean": "l2", "ip": "ip", "angular": "cosine"}


class Dataset(Protocol):
    """What is needed of a data set."""

    def get_dataset_fn(self) -> str:
        """Return the path of its vectors, .fbin, .u8bin or .i8bin."""

    def distance(self) -> str:
        """Return euclidean, ip or angular."""

    def short_name(self) -> str:
        """Return a name for its index."""


class Longspan:
    """An index of one data set.

    index_params  "folder" for the indexes, "memory" in bytes or none, others of BuildConfig
    """

    def __init__(self, metric: str, index_params: dict[str, Any]) -> None:
        given = dict(index_params)
        self.metric, self.name = metric, f"longspan({index_params})"
        self.folder, self.memory = Path(given.pop("folder")), given.pop("memory", None)
        self.config = BuildConfig(**given)
        self.recall = self.config.recall

    def track(self) -> str:
        """Return the track: little memory and an SSD."""
        return "T2"

    def fit(self, dataset: Dataset) -> None:
        """Build the index and open it."""
        metric = METRICS[dataset.distance()]
        self.folder.mkdir(parents=True, exist_ok=True)
        build(dataset.get_dataset_fn(), self.path(dataset), metric=metric, config=self.config)
        self.load_index(dataset)

    def load_index(self, dataset: Dataset) -> bool:
        """Open the index; return whether there is one."""
        if not self.path(dataset).exists():
            return False
        self.index = Index.open(self.path(dataset), memory_limit=self.memory)
        return True

    def path(self, dataset: Dataset) -> Path:
        """Return where the index of a data set is."""
        return self.folder / dataset.short_name()

    def set_query_arguments(self, query_args: dict[str, Any]) -> None:
        """Take the recall to aim for."""
        self.recall = query_args["recall"]

    def query(self, X: np.ndarray[Any, Any], k: int) -> None:  # noqa: N803 its name there
        """Search a batch; the answers wait for get_results."""
        self.answer = self.index.search(X, k, self.recall, stats=True)

    def get_results(self) -> np.ndarray[Any, Any]:
        """Return the ids of the last batch, (nq, k)."""
        return self.answer.ids

    def get_additional(self) -> dict[str, float]:
        """Return what the last batch cost: reads and microseconds a query, distances in all.

        A read is a posting, where the codes are not in memory, or a page of whole vectors; those
        that the page cache answers count too.
        """
        stats = self.answer.stats
        assert stats is not None  # query asks for them
        reads = stats.pages_read + (0 if self.index.tier else stats.postings_read)
        return {
            "mean_ssd_ios": reads / stats.queries,
            "dist_comps": stats.vectors_scored + stats.codes_scored,
            "mean_latency": stats.total_ms * 1e3 / stats.queries,
        }

    def done(self) -> None:
        """Close the index."""
        self.index.close()

    def __str__(self) -> str:
        return self.name
