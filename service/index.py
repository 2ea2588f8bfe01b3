"""An opened index: its files mapped, its calibration at hand. `search` is all that a user needs."""

from functools import lru_cache
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from longspan.cext.ids import Ids
from longspan.cext.scan import Postings
from longspan.indexer.errors import BadQuery, DamagedIndex
from longspan.indexer.store import heads as store_heads
from longspan.indexer.store import postings as store
from longspan.indexer.store.calibration import Calibration
from longspan.indexer.store.heads import Heads
from longspan.indexer.store.layout import DIRECTORY, IDS, SHARD
from longspan.indexer.store.manifest import Manifest, file_problem
from longspan.indexer.store.space import CODES, DTYPES, HeadSpace, inverse_norms
from longspan.service import engine
from longspan.service import queries as door
from longspan.service.engine import Answer, SearchParams

PLANS = 256  # pairs of k and recall whose settings are kept: looking one up takes 10 us
NO_NORMS = np.empty(0, np.float32)
RESIDENT = (*store_heads.FILES, DIRECTORY)  # read whole at opening, into the page cache
FILES = (*RESIDENT, SHARD, IDS)
METRIC_CODES = {"l2": 0, "ip": 1, "cosine": 2}  # as in cext/scan.pyx


class Index:
    """An index that is open for searching; safe to use from many threads.

    Made by `Index.open`. Heads, tree, ids and postings are mapped and shared between processes;
    the postings are read from the disk as queries need them.
    """

    def __init__(self, path: Path, manifest: Manifest) -> None:
        self.path, self.manifest, self._closed = path, manifest, False
        self.n, self.dim, self.metric = manifest.n, manifest.dim, manifest.metric
        self.dtype_name = manifest.dtype
        self.dtype = DTYPES[manifest.dtype]
        space = HeadSpace(manifest.metric, manifest.dtype, manifest.dim, manifest.radius)
        directory = np.load(path / DIRECTORY)
        self.heads = Heads(path, space, manifest.levels)
        calibration = Calibration.from_dict(manifest.calibration)
        self.law = np.array(calibration.law, np.float32)
        self.plan = lru_cache(PLANS)(calibration.plan)
        self.primary = np.ascontiguousarray(directory["primary"])
        self.fewest = int(self.primary.min())
        self.postings = Postings(
            store.map_file(path / SHARD),
            np.ascontiguousarray(directory["offset"]),
            np.ascontiguousarray(directory["count"]),
            CODES[manifest.dtype],
            manifest.dim,
            METRIC_CODES[manifest.metric],
        )
        self._ids = Ids(store.map_array(path / IDS))

    @classmethod
    def open(cls, path: str | Path) -> Self:
        """Open a published index.

        BadIndex when the directory holds none, DamagedIndex when a file is missing, has not the
        size that the manifest says, or, of the files that every search uses, not the content.
        Postings and ids, which are not read whole here, are checked by `longspan verify`.
        """
        directory = Path(path)
        manifest = Manifest.read(directory)
        if sorted(manifest.files) != sorted(FILES):
            raise DamagedIndex(f"{directory}: the manifest lists {', '.join(manifest.files)}")
        for name, record in manifest.files.items():
            problem = file_problem(directory / name, record, whole=name in RESIDENT)
            if problem:
                raise DamagedIndex(f"{directory / name}: {problem}")
        try:
            return cls(directory, manifest)
        except Exception as error:  # whatever contents that fit no checksum of ours may cause
            raise DamagedIndex(f"{directory}: {error}; try `longspan verify`") from error

    def search(
        self,
        queries: Any,
        k: int = 10,
        recall: float | None = None,
        *,
        params: SearchParams | None = None,
        max_distance: float | None = None,
        stats: bool = False,
    ) -> Answer:
        """Return the k nearest vectors of each query.

        queries       (nq, dim), or (dim,) for one, in values that the index's dtype holds
        k             at most 1000
        recall        the share of the true neighbours to find, on average; default as built.
                      1.0 reads every posting
        params        settings in place of the calibrated ones
        max_distance  leave out what is farther
        BadQuery when any of it cannot be answered.
        """
        if self._closed:
            raise BadQuery(f"{self.path}: the index was closed")
        engine.check_k(k)
        recall = float(self.manifest.config["recall"]) if recall is None else recall
        if not 0 < recall <= 1:
            raise BadQuery(f"recall is {recall}, must be above 0 and at most 1")
        accepted = door.accept(queries, self.dtype, self.dim, self.metric)
        answer = engine.search(self, accepted, k, recall, params or SearchParams())
        if max_distance is not None:
            far = answer.distances > max_distance
            answer.ids[far], answer.distances[far] = -1, np.inf
        return answer if stats else Answer(answer.ids, answer.distances, None)

    def inverse_norms(self, queries: NDArray[Any]) -> NDArray[np.float32]:
        """Return 1 / |query| for cosine, nothing for the other metrics."""
        if self.metric != "cosine":
            return NO_NORMS
        return inverse_norms(queries)

    def ids_of(self, rows: NDArray[np.uint32]) -> NDArray[np.int64]:
        """Return the ids of rows of the index; DamagedIndex when a posting named no row of it."""
        ids = np.empty(rows.shape, np.int64)
        try:
            self._ids.look_up(rows, ids)
        except ValueError as error:
            raise DamagedIndex(f"{self.path}: {error}; try `longspan verify`") from error
        return ids

    def close(self) -> None:
        """Let go of the mapped files once no search uses them; it cannot be searched again."""
        self._closed = True
        for name in ("postings", "heads", "_ids"):
            self.__dict__.pop(name, None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
