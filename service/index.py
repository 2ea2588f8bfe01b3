"""An opened index: its files mapped, its calibration at hand. `search` is all that a user needs."""

from functools import lru_cache, partial
from pathlib import Path
from typing import Any, Self

import numpy as np

from longspan.indexer.errors import BadQuery, DamagedIndex
from longspan.indexer.store import heads as store_heads
from longspan.indexer.store.calibration import Calibration
from longspan.indexer.store.codec import CODEC, Codec
from longspan.indexer.store.codec import FILES as CODED
from longspan.indexer.store.heads import Heads
from longspan.indexer.store.layout import DIRECTORY, IDS, shard_name
from longspan.indexer.store.manifest import Manifest, file_problem
from longspan.indexer.store.opened import Parts
from longspan.indexer.store.space import DTYPES, HeadSpace
from longspan.service import engine, memory
from longspan.service import queries as door
from longspan.service.engine import Answer, SearchParams
from longspan.service.memory import Budget

PLANS = 256  # pairs of k and recall whose settings are kept: looking one up takes 10 us
RESIDENT = (*store_heads.FILES, DIRECTORY)  # read whole at opening, into the page cache
FILES = (*RESIDENT, IDS)


def is_coded(manifest: Manifest) -> bool:
    """Return whether an index's copies are codes."""
    return str(manifest.codec["kind"]) != "raw"


def files_of(manifest: Manifest) -> set[str]:
    """Return the names of the files that an index consists of."""
    shards = map(shard_name, range(len(manifest.shards)))
    return {*FILES, *shards, *(CODED if is_coded(manifest) else ())}


class Index:
    """An index that is open for searching; safe to use from many threads.

    Made by `Index.open`. Heads, tree, ids and postings are mapped and shared between processes;
    the postings are read from the disk as queries need them.
    """

    def __init__(self, path: Path, manifest: Manifest, budget: Budget) -> None:
        self.path, self.manifest, self._closed = path, manifest, False
        self.n, self.dim, self.metric = manifest.n, manifest.dim, manifest.metric
        self.dtype_name = manifest.dtype
        self.dtype = DTYPES[manifest.dtype]
        space = HeadSpace(manifest.metric, manifest.dtype, manifest.dim, manifest.radius)
        self.heads = Heads(path, space, manifest.levels)
        codec = Codec.load(path, manifest.codec) if is_coded(manifest) else None
        self.parts = Parts(path, space, self.heads, codec, manifest.shards)
        self.budget = budget
        self.tier = budget.tier
        codes = self.parts.codes(self.tier)
        self.locked = memory.hold(codes)
        calibration = Calibration.from_dict(manifest.calibration)
        self.plan = lru_cache(PLANS)(partial(calibration.plan, self.tier))
        self.postings = self.parts.scanner(codes)
        self.searcher = self.parts.searcher(self.postings, calibration.tiers[self.tier].law)

    @classmethod
    def open(cls, path: str | Path, memory_limit: int | None = None) -> Self:
        """Open a published index.

        memory_limit  bytes of it that may stay in memory: heads always, and codes as far as they
                      fit; default: a quarter of what is free. The page cache comes on top and
                      gives way to everybody else


        BadIndex when the directory holds none, DamagedIndex when a file is missing, has not the
        size that the manifest says, or, of the files that every search uses, not the content.
        Postings, codes and ids, which are not read whole here, are checked by `longspan verify`.
        DoesNotFit when the heads alone take more than memory_limit.
        """
        directory = Path(path)
        manifest = Manifest.read(directory)
        if set(manifest.files) != files_of(manifest):
            raise DamagedIndex(f"{directory}: the manifest lists {', '.join(manifest.files)}")
        for name, record in manifest.files.items():
            whole = name in RESIDENT or name == CODEC
            problem = file_problem(directory / name, record, whole=whole)
            if problem:
                raise DamagedIndex(f"{directory / name}: {problem}")
        chosen = memory.choose(directory, manifest, memory_limit)
        try:
            return cls(directory, manifest, chosen)
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
        try:
            answer = engine.search(self, accepted, k, recall, params or SearchParams())
        except ValueError as error:  # a posting named a row that the index has not
            raise DamagedIndex(f"{self.path}: {error}; try `longspan verify`") from error
        if max_distance is not None:
            far = answer.distances > max_distance
            answer.ids[far], answer.distances[far] = -1, np.inf
        return answer if stats else Answer(answer.ids, answer.distances, None)

    def close(self) -> None:
        """Let go of the mapped files once no search uses them; it cannot be searched again."""
        self._closed = True
        for name in ("searcher", "postings", "parts", "heads"):
            self.__dict__.pop(name, None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
