"""Why a search reads which postings: what each of the ranked ones promises, and where the line is.

The same ranking and the same rule as in a search (longspan.cext.prune), done once more to be told.
"""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from longspan.cext import prune
from longspan.indexer.errors import BadQuery
from longspan.indexer.store.tiers import NAMES
from longspan.service.search.opened import Opened, effort_of
from longspan.service.search.request import SearchRequest

LISTED = 500  # postings of an explanation: each takes a hundred bytes of an answer


@dataclass(frozen=True, slots=True)
class Posting:
    """A ranked posting.

    distance  of its head, squared L2 in the head space
    promise   expected new hits, by the law of the index; what is below `needed` is not read
    vectors   whose nearest head this is
    copies    of other vectors
    """

    head: int
    distance: float
    promise: float
    vectors: int
    copies: int
    read: bool


@dataclass(frozen=True, slots=True)
class Explanation:
    """How one query was, or would be, answered.

    resident  what is in memory: with codes, to read a posting is to look at its codes
    needed    hits that a posting must promise to be read; 0 when the number of postings was given
    at_least  postings that are read whatever they promise, so that k vectors are found
    depth     candidates by code that get an exact distance; 0 with raw postings
    postings  those that were ranked, nearest first: the first 500
    more      that were ranked and are not listed
    """

    resident: str
    recall: float
    needed: float
    at_least: int
    depth: int
    postings: list[Posting]
    more: int

    def as_dict(self) -> dict[str, Any]:
        """Return JSON types."""
        return asdict(self)


def explain(
    opened: Opened, query: NDArray[Any], request: SearchRequest, recall: float
) -> Explanation:
    """Return why a checked query (1, dim) reads what it reads; BadQuery when that is everything."""
    effort = effort_of(opened, request, recall)
    if effort is None:
        raise BadQuery("every posting is read: there is nothing to explain")
    heads, dist, _ = opened.heads.nearest(query, effort.ranked, effort.beam)
    known = heads[0] < opened.manifest.heads
    heads, dist = heads[:, known], np.ascontiguousarray(dist[:, known])
    promise = np.empty_like(dist)
    prune.promises(dist, np.array(opened.law, np.float32), promise)
    records, ranked = opened.parts.records[heads[0]], heads.shape[1]
    at_least = 1 + int(np.searchsorted(np.cumsum(records["primary"], dtype=np.int64), request.k))
    at_least = ranked if request.probes else min(at_least, ranked)
    read = max(int((promise[0] >= effort.threshold).sum()), at_least)
    return Explanation(
        resident=NAMES[opened.tier],
        recall=recall,
        needed=0.0 if request.probes else float(np.exp(effort.threshold)),
        at_least=at_least,
        depth=effort.depth,
        postings=[
            Posting(
                head=int(head),
                distance=float(near),
                promise=float(np.exp(hits)),
                vectors=int(record["primary"]),
                copies=int(record["count"]) - int(record["primary"]),
                read=rank < read,
            )
            for rank, (head, near, hits, record) in enumerate(
                zip(heads[0, :LISTED], dist[0], promise[0], records, strict=False)
            )
        ],
        more=max(ranked - LISTED, 0),
    )
