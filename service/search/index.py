"""An opened index: its files mapped, its calibration at hand. `search` is all that a user needs."""

from collections.abc import Collection
from functools import lru_cache, partial
from itertools import islice
from pathlib import Path
from typing import Any, Self

import numpy as np
import orjson
from numpy.typing import NDArray

from longspan.indexer.errors import BadQuery, DamagedIndex
from longspan.indexer.store import heads as store_heads
from longspan.indexer.store import payload as objects
from longspan.indexer.store.calibration import Calibration
from longspan.indexer.store.codec import CODEC, Codec
from longspan.indexer.store.codec import FILES as CODED
from longspan.indexer.store.heads import Heads
from longspan.indexer.store.layout import DIRECTORY, IDS, shard_name
from longspan.indexer.store.manifest import Manifest, file_problem
from longspan.indexer.store.opened import Parts
from longspan.indexer.store.space import DTYPES, HeadSpace
from longspan.indexer.store.tiers import NAMES
from longspan.service.search import engine, memory
from longspan.service.search import queries as door
from longspan.service.search.engine import Answer, Found
from longspan.service.search.explain import Explanation, explain
from longspan.service.search.memory import Budget
from longspan.service.search.request import SearchParams, check_k, shown

PLANS = 256  # pairs of k and recall whose settings are kept: looking one up takes 10 us
RESIDENT = (*store_heads.FILES, DIRECTORY)  # read whole at opening, into the page cache
FILES = (*RESIDENT, IDS)
INCLUDED = ("payload",)  # what a search gives beside ids and distances


def is_coded(manifest: Manifest) -> bool:
    """Return whether an index's copies are codes."""
    return str(manifest.codec["kind"]) != "raw"


def files_of(manifest: Manifest) -> set[str]:
    """Return the names of the files that an index of this kind has."""
    shards = map(shard_name, range(len(manifest.shards)))
    coded = CODED if is_coded(manifest) else ()
    return {*FILES, *shards, *coded, *(objects.FILES if objects.is_in(manifest) else ())}


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
        self.payload = objects.Payload(path, self.n) if objects.is_in(manifest) else None
        self.law = calibration.tiers[self.tier].law
        self.postings = self.parts.scanner(codes)
        self.searcher = self.parts.searcher(self.postings, self.law)

    @classmethod
    def open(cls, path: str | Path, memory_limit: int | None = None) -> Self:
        """Open a published index.

        memory_limit  bytes of it that may stay in memory: heads always, and codes as far as they
                      fit; default: a quarter of what is free. The page cache comes on top and
                      gives way to everybody else


        BadIndex when the directory holds none, DamagedIndex when a file is missing, has not the
        size that the manifest says, or, of the files that every search uses, not the content.
        Postings, codes, ids and payload, which are not read whole here, are checked by
        `longspan verify`.
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
        include: Collection[str] = (),
    ) -> Answer:
        """Return the k nearest vectors of each query.

        queries       (nq, dim), or (dim,) for one, in values that the index's dtype holds
        k             at most 1000
        recall        the share of the true neighbours to find, on average; default as built.
                      1.0 reads every posting
        params        settings in place of the calibrated ones
        max_distance  leave out what is farther
        include       "payload" gives each vector's object in `answer.payload`
        BadQuery when any of it cannot be answered.
        """
        self.check_include(include)
        found = self.find(queries, k, recall, params=params, max_distance=max_distance)
        answer = Answer(found.ids, found.distances, found.stats if stats else None)
        if "payload" in include:
            answer.payload = [
                [*map(self.parsed, values), *[None] * (k - len(values))]
                for values in self.payload_of(found)
            ]
        return answer

    def find(
        self,
        queries: Any,
        k: int = 10,
        recall: float | None = None,
        *,
        params: SearchParams | None = None,
        max_distance: float | None = None,
    ) -> Found:
        """Return what `search` does, with the rows by which `payload_of` reads the rest."""
        accepted, recall = self.accept(queries, k, recall)
        try:
            found = engine.search(self, accepted, k, recall, params or SearchParams())
        except ValueError as error:  # a posting named a row that the index has not
            raise DamagedIndex(f"{self.path}: {error}; try `longspan verify`") from error
        if max_distance is not None:
            far = found.distances > max_distance
            found.ids[far], found.distances[far] = -1, np.inf
        return found

    def accept(self, queries: Any, k: int, recall: float | None) -> tuple[NDArray[Any], float]:
        """Return the queries as the engine takes them, and the recall; BadQuery when unfit."""
        if self._closed:
            raise BadQuery(f"{self.path}: the index was closed")
        check_k(k)
        recall = float(self.manifest.config["recall"]) if recall is None else recall
        if not 0 < recall <= 1:
            raise BadQuery(f"recall is {shown(recall)}, must be above 0 and at most 1")
        return door.accept(queries, self.dtype, self.dim, self.metric), recall

    def explain(
        self,
        query: Any,
        k: int = 10,
        recall: float | None = None,
        *,
        params: SearchParams | None = None,
    ) -> Explanation:
        """Return why a search for one query (dim,) reads the postings that it reads.

        BadQuery as `search`, and for params.exact, which reads them all.
        """
        params = params or SearchParams()
        accepted, recall = self.accept(query, k, recall)
        if len(accepted) != 1:
            raise BadQuery(f"{len(accepted)} queries: one is explained at a time")
        if params.exact or recall >= 1:
            raise BadQuery("every posting is read: there is nothing to explain")
        return explain(self, accepted, k, recall, params)

    @property
    def resident(self) -> str:
        """What is in memory of the index."""
        return NAMES[self.tier]

    def check_include(self, include: Collection[str]) -> None:
        """Raise BadQuery unless a search of this index can give what is named."""
        for name in include:
            if name not in INCLUDED:
                raise BadQuery(f"include names {name!r}, known are {', '.join(INCLUDED)}")
            self.require_payload()

    def require_payload(self) -> objects.Payload:
        """Return the payload; BadQuery when the index has none."""
        if self.payload is None:
            raise BadQuery("the index has no payload; `longspan build --payload` gives it some")
        return self.payload

    def payload_of(self, found: Found, most: int | None = None) -> list[list[bytes]]:
        """Return the JSON objects of each query's hits, as they are stored.

        most  BadQuery when they have more bytes than this together
        """
        payload, hits = self.require_payload(), found.ids >= 0
        places = payload.places(found.rows[hits])
        total = int(places["size"].sum(dtype=np.int64))
        if most is not None and total > most:
            raise BadQuery(
                f"the hits have {total:,} bytes of payload, at most {most:,} fit an answer: "
                "want a smaller k or fewer queries at once"
            )
        values = iter(payload.read(places))
        return [list(islice(values, count)) for count in hits.sum(axis=1).tolist()]

    def parsed(self, value: bytes) -> dict[str, Any]:
        """Return an object of the payload; DamagedIndex when it is none."""
        try:
            parsed: dict[str, Any] = orjson.loads(value)
        except orjson.JSONDecodeError as error:
            raise DamagedIndex(f"{self.path}: payload is {error}; try `longspan verify`") from error
        return parsed

    def close(self) -> None:
        """Let go of the mapped files once no search uses them; it cannot be searched again."""
        self._closed = True
        for name in ("searcher", "postings", "payload", "parts", "heads"):
            self.__dict__.pop(name, None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
