"""An index that is open for searching. `search` is all that a user needs."""

from collections.abc import Callable, Collection
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any, Self

import numpy as np
import orjson

from longspan.indexer.errors import BadQuery, DamagedIndex, IndexClosed, LongspanError
from longspan.indexer.store import heads as store_heads
from longspan.indexer.store import payload as objects
from longspan.indexer.store.access import access
from longspan.indexer.store.checks import CHECKS
from longspan.indexer.store.codec import CODEC
from longspan.indexer.store.codec import FILES as CODED
from longspan.indexer.store.layout import DIRECTORY, IDS, shard_name
from longspan.indexer.store.manifest import Manifest, file_problem
from longspan.indexer.store.space import DTYPES
from longspan.indexer.store.tiers import NAMES
from longspan.service.search import engine, memory
from longspan.service.search import queries as door
from longspan.service.search.answer import Answer, Found
from longspan.service.search.explain import Explanation, explain
from longspan.service.search.memory import Budget
from longspan.service.search.opened import Opened, is_coded, open_files
from longspan.service.search.request import EXPLAIN, PAYLOAD, SearchParams, SearchRequest, asked
from longspan.service.search.watch import Kind

FILES = (*store_heads.FILES, DIRECTORY, IDS)
# Read whole at opening, into the page cache.
RESIDENT = (*store_heads.FILES, *store_heads.ON_GRID, DIRECTORY)


def files_of(manifest: Manifest) -> set[str]:
    """Return the names of the files that an index of this kind has."""
    shards = map(shard_name, range(len(manifest.shards)))
    coded = CODED if is_coded(manifest) else ()
    checks = {CHECKS} & manifest.files.keys()  # indexes were published without, once
    grid = set(store_heads.ON_GRID) if store_heads.GRID in manifest.files else set()
    payload = objects.FILES if objects.is_in(manifest) else ()
    return {*FILES, *grid, *shards, *coded, *checks, *payload}


def check_files(directory: Path, manifest: Manifest, read: bool = True) -> None:
    """Raise DamagedIndex unless the files are there, whole, and those read here as published.

    read  whether files that every search uses are read and compared with their checksums
    """
    if set(manifest.files) != files_of(manifest):
        raise DamagedIndex(f"{directory}: the manifest lists {', '.join(manifest.files)}")
    for name, record in manifest.files.items():
        whole = read and name in (*RESIDENT, CHECKS, CODEC)
        problem = file_problem(directory / name, record, whole=whole)
        if problem:
            raise DamagedIndex(f"{directory / name}: {problem}")


class Index:
    """An index that is open for searching; safe to use from many threads.

    Made by `Index.open`. Heads, tree, ids and postings are mapped and shared between processes;
    the postings are read from the disk as queries need them.
    """

    def __init__(self, opened: Opened, budget: Budget) -> None:
        self._opened: Opened | None = opened
        self.path, self.manifest, self.budget = opened.path, opened.manifest, budget
        self.tier, self.locked = opened.tier, opened.locked
        self.n, self.dim, self.metric = self.manifest.n, self.manifest.dim, self.manifest.metric
        self.dtype_name = self.manifest.dtype
        self.dtype = DTYPES[self.dtype_name]

    @classmethod
    def open(cls, path: str | Path, memory_limit: int | None = None, *, codes: bool = True) -> Self:
        """Open a published index.

        memory_limit  bytes of it that may stay in memory: heads always, and codes as far as they
                      fit, locked there where the system allows it; default: a quarter of what
                      is free, and nothing is locked. The page cache comes on top and gives way to
                      everybody else
        codes         whether any may stay in memory: without them it opens at once (`promoted`)
        BadIndex when the directory holds none, DamagedIndex when a file is missing, has not the
        size that the manifest says, or, of the files that every search uses, not the content.
        Codes are checked as they are taken into memory; postings, ids and payload as searches read
        them (`damaged`), and all by `longspan verify`.
        DoesNotFit when the heads alone take more than memory_limit, or the system gives no memory;
        NoAccess when it gives a file not: no right to read it, too many open files.
        """
        directory = Path(path)
        manifest = Manifest.read(directory)
        with access(directory):
            check_files(directory, manifest)
            chosen = memory.choose(directory, manifest, memory_limit)
            chosen = chosen if codes else chosen.heads_alone()
            try:
                opened = open_files(directory, manifest, chosen.tier, memory_limit is not None)
                return cls(opened, chosen)
            except (LongspanError, OSError, MemoryError):
                raise
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
        k             at most 10,000
        recall        the share of the true neighbours to find, on average; default as built.
                      1.0 reads every posting
        params        settings in place of the calibrated ones, and of recall
        max_distance  leave out what is farther
        include       "payload" gives each vector's object in `answer.payload`, "explain" (of one
                      query) which postings were ranked in `answer.explain`
        BadQuery when any of it cannot be answered.
        """
        return self.answer(queries, asked(k, recall, params, max_distance, stats, include))

    def answer(self, queries: Any, request: SearchRequest) -> Answer:
        """Return what `search` does, for a request as one object."""
        index = self.lease() if request.include else self
        index.check_include(request.include)
        found = index.find(queries, request)
        return Answer(
            found.ids,
            found.distances,
            found.stats if request.stats else None,
            index.objects_of(found) if PAYLOAD in request.include else None,
            index.explain_request(queries, request) if EXPLAIN in request.include else None,
            found.recall_limit,
        )

    def find(self, queries: Any, request: SearchRequest) -> Found:
        """Return what was found, with the rows by which `payload_of` reads the rest."""
        opened = self._held()
        accepted = door.accept(queries, self.dtype, self.dim, self.metric)
        try:
            return engine.search(opened, accepted, request, self.recall_of(request))
        except ValueError as error:  # a posting named a row that the index has not
            raise DamagedIndex(f"{self.path}: {error}; try `longspan verify`") from error

    def recall_of(self, request: SearchRequest) -> float:
        """Return the recall that a request aims for: its own, or as the index was built."""
        return float(self.manifest.config["recall"]) if request.recall is None else request.recall

    def work_of(self, request: SearchRequest) -> float:
        """Return about how many vectors a search looks at for each query."""
        return engine.work_of(self._held(), request, self.recall_of(request))

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
        return self.explain_request(query, asked(k, recall, params))

    def explain_request(self, query: Any, request: SearchRequest) -> Explanation:
        """Return what `explain` does, for a request as one object."""
        opened, recall = self._held(), self.recall_of(request)
        accepted = door.accept(query, self.dtype, self.dim, self.metric)
        if len(accepted) != 1:
            raise BadQuery(f"{len(accepted)} queries: one is explained at a time")
        return explain(opened, accepted, request, recall)

    @property
    def damaged(self) -> list[str]:
        """What searches found not to have its checksum, such as `posting 12`; they got an error."""
        return sorted(set[str]().union(*self._held().damaged))

    @property
    def resident(self) -> str:
        """What is in memory of the index."""
        return NAMES[self.tier]

    @property
    def kind(self) -> Kind:
        """Whether the queries so far are of the kind that the index was calibrated with."""
        return self._held().watch.kind

    def check_include(self, include: Collection[str]) -> None:
        """Raise BadQuery unless this index has what a search is to include."""
        if PAYLOAD in include:
            self._payload()

    def _payload(self) -> objects.Payload:
        payload = self._held().payload
        if payload is None:
            raise BadQuery("the index has no payload; `longspan build --payload` gives it some")
        return payload

    def payload_of(self, found: Found, most: int | None = None) -> list[list[bytes]]:
        """Return the JSON objects of each query's hits, as they are stored.

        most  BadQuery when they have more bytes than this together
        """
        payload, hits = self._payload(), found.ids >= 0
        places = payload.places(found.rows[hits])
        total = int(places["size"].sum(dtype=np.int64))
        if most is not None and total > most:
            raise BadQuery(
                f"the hits have {total:,} bytes of payload, at most {most:,} fit an answer: "
                "want a smaller k or fewer queries at once"
            )
        values = iter(payload.read(places))
        return [list(islice(values, count)) for count in hits.sum(axis=1).tolist()]

    def objects_of(self, found: Found) -> list[list[dict[str, Any] | None]]:
        """Return the object of each hit, parsed; None where there are fewer than k."""
        k = found.ids.shape[1]
        return [
            [*map(self.parsed, values), *[None] * (k - len(values))]
            for values in self.payload_of(found)
        ]

    def parsed(self, value: bytes) -> dict[str, Any]:
        """Return an object of the payload; DamagedIndex when it is none."""
        try:
            parsed: dict[str, Any] = orjson.loads(value)
        except orjson.JSONDecodeError as error:
            raise DamagedIndex(f"{self.path}: payload is {error}; try `longspan verify`") from error
        return parsed

    def promoted(self, memory_limit: int, wanted: Callable[[], bool] = lambda: True) -> "Index":
        """Return this index with as many codes in memory as fit; itself, when it has them.

        It is opened once more, without another look at what was checked; this one goes on.

        memory_limit  bytes of it that may stay in memory
        wanted        says, every now and then, whether it is still wanted; memory.Stopped when not
        """
        chosen = memory.choose(self.path, self.manifest, memory_limit)
        if chosen.tier == self.tier:
            return self
        held = self._held()
        with access(self.path):
            better = open_files(self.path, self.manifest, chosen.tier, True, wanted)
        # What searches have found on the one, and those under way may still find, is damaged.
        return Index(replace(better, damaged=better.damaged + held.damaged), chosen)

    def lease(self) -> "Index":
        """Return this index under a handle of its own, open until that one is closed or gone."""
        return Index(self._held(), self.budget)

    def close(self) -> None:
        """Let go of the files; it cannot be searched again.

        Searches under way, and leases, hold them until they end.
        """
        self._opened = None

    def _held(self) -> Opened:
        """Return the opened files; IndexClosed when there are none any more."""
        opened = self._opened
        if opened is None:
            raise IndexClosed("the index was closed")
        return opened

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Index) and other.manifest is self.manifest  # leases are equal

    def __hash__(self) -> int:
        return id(self.manifest)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
