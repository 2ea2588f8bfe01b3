"""The parts of an index that a search runs on, opened from its files."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from longspan.cext.codes_tier import CodesTier
from longspan.cext.files import Files
from longspan.cext.heads_tier import HeadsTier
from longspan.cext.mapped import Ids, Mapping
from longspan.cext.postings import COSINE, IP, L2, Postings, RawPostings
from longspan.cext.search import QueryBatch, Searcher
from longspan.indexer.store import postings as store
from longspan.indexer.store.arrays import map_array, map_scattered, mapped_file, read_array
from longspan.indexer.store.checks import PageSums
from longspan.indexer.store.codec import FIRST, SECOND, Codec
from longspan.indexer.store.heads import Heads
from longspan.indexer.store.layout import DIRECTORY, IDS
from longspan.indexer.store.shards import open_shards
from longspan.indexer.store.space import CODES, DTYPES, HeadSpace, inverse_norms

Floats = NDArray[np.float32]

METRIC_CODES = {"l2": L2, "ip": IP, "cosine": COSINE}
BYTES = 4  # which of the numbers that a search returns says how much it read
NO_CODES = np.empty((0, 0), np.uint8)
NO_FLOATS, NO_TURNED = np.empty(0, np.float32), np.empty((0, 0), np.float32)


@dataclass(frozen=True)
class Parts:
    """An index's files as arrays and mappings.

    codec   None when its postings are raw
    shards  the first head of each file of postings
    """

    directory: Path
    space: HeadSpace
    heads: Heads
    codec: Codec | None
    shards: list[int]

    @cached_property
    def records(self) -> NDArray[Any]:
        """The directory of postings."""
        return read_array(self.directory / DIRECTORY, store.RECORD)

    @cached_property
    def mapped(self) -> tuple[Mapping, NDArray[np.uint64]]:
        """The postings, mapped, and where each begins."""
        return open_shards(self.directory, self.shards, self.records)

    @cached_property
    def ids(self) -> Ids:
        """The ids, mapped."""
        ids = map_scattered(self.directory / IDS, np.int64)
        return Ids(ids, mapped_file(ids), self.sums.of(IDS))

    @cached_property
    def sums(self) -> PageSums:
        """The checksums of the pages of postings, ids and codes."""
        return PageSums(self.directory, len(self.shards))

    @cached_property
    def primary(self) -> NDArray[np.uint32]:
        """How many vectors each posting is the nearest of."""
        return np.ascontiguousarray(self.records["primary"])

    def codes(self, tier: int) -> list[NDArray[np.uint8]]:
        """Return the codes that a tier keeps resident, mapped."""
        names = (FIRST, SECOND)[:tier]
        return [map_array(self.directory / name, np.uint8, ndim=2) for name in names]

    def check_codes(self, codes: list[NDArray[np.uint8]], before_each: Callable[[], None]) -> None:
        """Raise DamagedIndex unless the codes of a tier have their checksums.

        before_each  called before each 16 MiB; what it raises ends the comparing
        """
        for name, array in zip((FIRST, SECOND), codes, strict=False):
            self.sums.compare(name, mapped_file(array), before_each)

    def postings(self, codes: list[NDArray[np.uint8]]) -> Postings:
        """Return the postings, opened for searching with the codes of a tier."""
        mapped, offsets = self.mapped
        space = self.space
        shape = (CODES[space.dtype], space.dim, METRIC_CODES[space.metric])
        if self.codec is None:
            counts = np.ascontiguousarray(self.records["count"])
            return RawPostings(mapped, offsets, counts, *shape, self.sums.postings)
        coded: dict[str, Any] = {
            "copies": np.ascontiguousarray(self.records["count"] - self.primary),
            "books": self.codec.books,
            "groups": self.codec.groups,
            "scales": self.codec.meaning.scales,
            "unit": self.codec.meaning.unit,
            "ratio": self.codec.meaning.ratio,
            "tree": self.heads.tree,
            "sums": self.sums.postings,
        }
        if not codes:
            return HeadsTier(mapped, offsets, self.primary, *shape, **coded)
        first, second = [*codes, NO_CODES][:2]
        return CodesTier(mapped, offsets, self.primary, *shape, **coded, first=first, second=second)

    @property
    def n(self) -> int:
        """How many vectors there are."""
        return int(self.primary.sum(dtype=np.int64))

    def searcher(
        self, postings: Postings, law: Sequence[float] | Floats, files: Files | None = None
    ) -> Searcher:
        """Return the whole search on opened postings; it looks at files before it reads them."""
        tree = self.heads.tree
        return Searcher(tree, postings, self.ids, np.array(law, np.float32), self.primary, files)

    def has_read(self, spent: tuple[int | float, ...] | None) -> None:
        """Give pages of postings back now and then; spent is what a search has returned."""
        if spent is not None:
            self.mapped[0].has_read(int(spent[BYTES]))

    def batch(self, queries: NDArray[Any]) -> QueryBatch:
        """Return queries (nq, dim) in every form that a search takes them in."""
        lifted = np.ascontiguousarray(self.space.lift_queries(queries))
        turned = NO_TURNED if self.codec is None else self.codec.turn(lifted)
        slopes, shifts = self.line(queries, lifted)
        return QueryBatch(
            queries.view(np.uint8),
            lifted.view(np.uint8),
            self.inverses(queries),
            turned,
            slopes,
            shifts,
        )

    def line(self, queries: NDArray[Any], lifted: NDArray[Any]) -> tuple[Floats, Floats]:
        """Return slope and shift that make -dot a distance of the head space; none but with ip."""
        if self.codec is None or self.space.metric != "ip":
            return NO_FLOATS, NO_FLOATS
        slopes = np.minimum(2 * self.space.stretches(queries), np.finfo(np.float32).max)
        shifts = np.einsum("ij,ij->i", lifted, lifted) + np.float32(self.space.radius**2)
        return slopes.astype(np.float32), shifts

    def inverses(self, queries: NDArray[Any]) -> NDArray[np.float32]:
        """Return 1 / |query| for cosine, nothing for the other metrics."""
        return inverse_norms(queries) if self.space.metric == "cosine" else NO_FLOATS

    @property
    def query_dtype(self) -> np.dtype[Any]:
        """Return the type that the postings' kernels take queries in."""
        dtype = DTYPES[self.space.dtype]
        return np.dtype(np.float32) if dtype.kind == "f" else dtype
