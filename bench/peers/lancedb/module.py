"""LanceDB: inverted lists of PQ or RaBitQ codes on disk, whole vectors in a table beside them.

The best by code are read and scored again. What was read of the index stays in a cache of its own,
6 GiB by default, until the table is closed. Vectors are float32: from float16 its PQ takes many
times as long to train. It searches with threads of its own.
"""

import shutil
from pathlib import Path
from typing import Any

import lancedb
import numpy as np
import pyarrow as pa
from lancedb import index

TABLE, COLUMN = "vectors", "vector"


class Peer:
    """A table with an index of a named kind, and a sweep of nprobes."""

    def __init__(self, options: dict[str, Any]) -> None:
        self.options = options

    def build(self, base: Path, metric: str, workdir: Path) -> None:
        """Write the table in one fragment, so that its row ids are row numbers, and index it."""
        vectors = np.load(base).astype(np.float32)
        shutil.rmtree(workdir, ignore_errors=True)
        column = pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), vectors.shape[1])
        table = lancedb.connect(workdir).create_table(TABLE, pa.table({COLUMN: column}))
        if table.stats()["fragment_stats"]["num_fragments"] != 1:
            raise SystemExit(f"{workdir}: more than one fragment, row ids are not row numbers")
        kind = getattr(index, self.options["index"])
        table.create_index(COLUMN, config=kind(distance_type=metric, **self.options["with"]))

    def settings(self, workdir: Path) -> list[dict[str, Any]]:
        """Return the values of nprobes."""
        return [{"nprobes": count} for count in self.options["nprobes"]]

    def load(self, metric: str, workdir: Path, setting: dict[str, Any]) -> None:
        """Open the table; its index is opened by a first query."""
        self.table = lancedb.connect(workdir).open_table(TABLE)
        dim = self.table.schema.field(COLUMN).type.list_size
        self.search_one(np.ones(dim, np.float32), 1, {"nprobes": 1})

    def accept(self, queries: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """Return the queries in float32."""
        return queries.astype(np.float32)

    def search_one(
        self, query: np.ndarray[Any, Any], k: int, setting: dict[str, Any]
    ) -> np.ndarray[Any, Any]:
        """Return the ids of the k nearest, without a look for rows that are not indexed."""
        found = (
            self.table.search(query, vector_column_name=COLUMN, query_type="vector")
            .nprobes(setting["nprobes"])
            .refine_factor(self.options["refine_factor"])
            .fast_search()
            .limit(k)
            .with_row_id(True)
            .select(["_rowid", "_distance"])
            .to_arrow()
        )
        return found["_rowid"].to_numpy()

    def close(self) -> None:
        """Let go of the table and its caches."""
        del self.table
