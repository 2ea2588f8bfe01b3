"""What a search found, and what it cost."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from numpy import float32, int64, uint32
from numpy.typing import NDArray

from longspan.service.search.explain import Explanation


@dataclass(slots=True)
class SearchStats:
    """What a search cost, summed over its queries; milliseconds of wall time."""

    queries: int
    recall_target: float
    heads_scored: int
    postings_read: int
    postings_pruned: int
    vectors_scored: int
    codes_scored: int
    bytes_read: int
    pages_read: int
    head_ms: float
    scan_ms: float
    total_ms: float

    def as_dict(self) -> dict[str, Any]:
        """Return the figures by name."""
        return asdict(self)


class Found(NamedTuple):
    """What a search found, with all that the rest of an answer is read by.

    ids        (nq, k) int64, nearest first; -1 where there are fewer
    distances  (nq, k) float32, smaller is nearer; inf where there are fewer
    rows       (nq, k) uint32, where the index has them; means nothing where there are fewer
    stats      what it cost
    payload    the JSON object of each hit, query by query, when it was read
    recall_limit  as in `Answer`
    """

    ids: NDArray[int64]
    distances: NDArray[float32]
    rows: NDArray[uint32]
    stats: SearchStats | None
    payload: list[list[bytes]] | None = None
    recall_limit: float | None = None

    def each(self) -> "Iterator[Found]":
        """Give what was found for each query, without what all of them cost and have."""
        for ids, distances, rows in zip(self.ids, self.distances, self.rows, strict=True):
            yield Found(
                ids[None], distances[None], rows[None], None, recall_limit=self.recall_limit
            )


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """What a search found, for who asked; `ids, distances, stats = answer` takes it apart.

    ids        (nq, k) int64, nearest first; -1 where there are fewer
    distances  (nq, k) float32, smaller is nearer; inf where there are fewer
    stats      when asked for
    payload    when included: k objects a query, None where there are fewer
    explain    when included: which postings were ranked, and why they were read or not
    recall_limit  the recall to expect, where the index was measured to give less than is asked for
    """

    ids: NDArray[int64]
    distances: NDArray[float32]
    stats: SearchStats | None = None
    payload: list[list[dict[str, Any] | None]] | None = None
    explain: Explanation | None = None
    recall_limit: float | None = None

    def __iter__(self) -> Iterator[Any]:
        return iter((self.ids, self.distances, self.stats))
