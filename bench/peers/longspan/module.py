"""longspan, at each memory tier that its index has, with a recall target as the only setting."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np

from longspan.indexer import build
from longspan.indexer.config import BuildConfig
from longspan.indexer.store.manifest import Manifest
from longspan.indexer.store.tiers import sizes
from longspan.service import Index


class Peer:
    """longspan with the BuildConfig fields under "build" in its options."""

    def __init__(self, options: dict[str, Any]) -> None:
        self.options = options

    def build(self, base: Path, metric: str, workdir: Path) -> None:
        """Build, calibrated with queries of the kind that will be asked."""
        shutil.rmtree(workdir, ignore_errors=True)
        config = BuildConfig(**self.options["build"])
        queries = base.with_name("calibration.npy")
        build(base, workdir, metric=metric, queries=queries, config=config)

    def settings(self, workdir: Path) -> list[dict[str, Any]]:
        """Return every recall target at every tier, with the bytes that the tier holds."""
        tiers = enumerate(sizes(Manifest.read(workdir)))
        return [
            {"tier": tier, "memory": size, "recall": recall}
            for tier, size in tiers
            for recall in self.options["recall"]
        ]

    def load(self, metric: str, workdir: Path, setting: dict[str, Any]) -> None:
        """Open the index with just the memory of the tier."""
        self.index = Index.open(workdir, memory_limit=setting["memory"])
        if self.index.tier != setting["tier"]:
            raise SystemExit(f"opened tier {self.index.tier}, wanted {setting['tier']}")

    def accept(self, queries: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """Return the queries as they are."""
        return queries

    def search_one(
        self, query: np.ndarray[Any, Any], k: int, setting: dict[str, Any]
    ) -> np.ndarray[Any, Any]:
        """Return the ids of the k nearest."""
        return self.index.search(query, k, setting["recall"]).ids[0]

    def costs(
        self, queries: np.ndarray[Any, Any], k: int, setting: dict[str, Any]
    ) -> dict[str, float]:
        """Return what a query reads and scores, by longspan's own count."""
        stats = self.index.search(queries, k, setting["recall"], stats=True).stats
        names = ("postings_read", "pages_read", "bytes_read", "vectors_scored", "codes_scored")
        return {name: getattr(stats, name) / len(queries) for name in names}

    def close(self) -> None:
        """Let go of the index."""
        self.index.close()
        del self.index
