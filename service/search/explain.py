"""Why a search reads which postings: what each of the ranked ones promises, and where the line is.

The same ranking and the same rule as in a search (longspan.cext.prune), done once more to be told.
"""

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from longspan.cext import prune
from longspan.service.search.request import SearchParams

if TYPE_CHECKING:
    from longspan.service.search.index import Index


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
    postings  those that were ranked, nearest first
    """

    resident: str
    recall: float
    needed: float
    at_least: int
    depth: int
    postings: list[Posting]

    def as_dict(self) -> dict[str, Any]:
        """Return JSON types."""
        return asdict(self)


def explain(
    index: "Index", query: NDArray[Any], k: int, recall: float, params: SearchParams
) -> Explanation:
    """Return why a checked query (1, dim) reads what it reads."""
    plan = index.plan(k, recall)
    m = min(params.probes or plan.ranked, index.manifest.heads)
    heads, dist, _ = index.heads.nearest(query, m, params.beam)
    known = heads[0] < index.manifest.heads
    heads, dist = heads[:, known], np.ascontiguousarray(dist[:, known])
    promise = np.empty_like(dist)
    prune.promises(dist, np.array(index.law, np.float32), promise)
    records = index.parts.records[heads[0]]
    primary = records["primary"].astype(np.int64)
    at_least = 1 + int(np.searchsorted(np.cumsum(primary), k))
    count = max(int((promise[0] >= plan.threshold).sum()), at_least)
    if params.probes:
        count, at_least = len(heads[0]), len(heads[0])
    return Explanation(
        resident=index.resident,
        recall=recall,
        needed=0.0 if params.probes else float(np.exp(plan.threshold)),
        at_least=min(at_least, len(heads[0])),
        depth=params.depth or plan.depth,
        postings=[
            Posting(
                head=int(head),
                distance=float(near),
                promise=float(np.exp(hits)),
                vectors=int(own),
                copies=int(total - own),
                read=rank < count,
            )
            for rank, (head, near, hits, own, total) in enumerate(
                zip(heads[0], dist[0], promise[0], primary, records["count"], strict=True)
            )
        ],
    )
