"""What answers look like, for OpenAPI.

Answers to searches are not made from these models, which would cost more than the search; a test
compares real answers with the schema instead.
"""

from typing import Any, Literal

from pydantic import BaseModel, Field

from longspan.service.http.wire.form import DtypeName
from longspan.service.search.answer import SearchStats
from longspan.service.search.explain import Explanation


class Hit(BaseModel):
    """A vector that was found."""

    id: int | str = Field(description="a string with ?ids=string")
    distance: float = Field(description="smaller is nearer, whatever the metric")
    payload: dict[str, Any] | None = Field(None, description="only when it is included")


class _Answer(BaseModel):
    """What all answers to a search share."""

    index: str
    took_ms: float = Field(description="from the arrival of the body to the answer")
    recall_limit: float | None = Field(
        None, description="the recall to expect, where the index is known to give less than asked"
    )
    stats: SearchStats | None = Field(None, description="only when asked for")


class SearchAnswer(_Answer):
    """The hits of one query, nearest first; fewer than k when there are no more."""

    hits: list[Hit]
    explain: Explanation | None = Field(None, description="only when it is included")


class Row(BaseModel):
    """The hits of one query of a batch."""

    hits: list[Hit]


class RowsAnswer(_Answer):
    """The answer to a batch, format "rows": one result a query, in order."""

    results: list[Row]


class ColumnsAnswer(_Answer):
    """The answer to a batch, format "columns": `counts[i]` hits of query i, in order."""

    ids: list[list[int | str]]
    distances: list[list[float]]
    counts: list[int]
    payload: list[list[dict[str, Any]]] | None = Field(None, description="only when it is included")


class Server(BaseModel):
    """What answers here."""

    name: Literal["longspan"] = "longspan"
    version: str
    api: list[str] = ["v1"]
    docs: str = "/openapi.json"


class Health(BaseModel):
    """A probe that passes."""

    status: Literal["ok"] = "ok"


class IndexSummary(BaseModel):
    """An index in the list; all but name and status are missing until it is open."""

    name: str
    status: Literal["opening", "open", "failed"]
    metric: Literal["l2", "ip", "cosine"] | None = None
    dtype: DtypeName | None = None
    dim: int | None = None
    n: int | None = Field(None, description="vectors, not counting copies")


class IndexList(BaseModel):
    """The indexes served."""

    indexes: list[IndexSummary]


class Limits(BaseModel):
    """The most that one request may ask for."""

    k: int
    batch: int = Field(description="vectors in a batch")
    body_bytes: int = Field(description="of a JSON body")
    raw_body_bytes: int
    payload_bytes: int = Field(description="payload in an answer")
    hits: int = Field(description="hits of all vectors of a batch together")
    payload_hits: int = Field(description="of them, with payload")
    reads: int = Field(description="probes, or depth, of all vectors of a batch together")


class MeasuredRecall(BaseModel):
    """The recall of a search as it was measured when the index was built."""

    k: int
    target: float = Field(description="the recall asked for")
    recall: float = Field(description="found by queries that did not choose how: see recall_of")
    error: float = Field(description="standard error of it")
    tenth: float = Field(description="found by the tenth of the queries that fared worst")


class TierCost(BaseModel):
    """What stays in memory, and what a search for the ten nearest then reads on average."""

    resident: str
    bytes: int
    postings: float = Field(description="postings read at the index's own recall")
    pages: float = Field(description="pages of 4 KB read besides")
    measured: list[MeasuredRecall] = Field(description="empty in indexes of older builds")


class Memory(BaseModel):
    """The memory dial: what is resident, and what more would buy."""

    resident: str
    bytes: int
    locked: bool = Field(description="whether the system let the codes be locked in memory")
    tiers: list[TierCost]


class QueryKind(BaseModel):
    """Whether the queries of this process so far are like those of the calibration."""

    queries: int = Field(description="so many are known; old ones count ever less")
    farther: float = Field(
        description="share of them that is farther from the vectors than the calibration's queries"
    )
    is_another: bool = Field(
        description="whether that are so many that the recall may be another than is asked for; "
        "`longspan calibrate` with such queries mends it"
    )


class IndexDetails(BaseModel):
    """An open index: what it holds, and what may be asked of it."""

    name: str
    status: Literal["open"] = "open"
    metric: Literal["l2", "ip", "cosine"]
    dtype: DtypeName
    dim: int
    n: int = Field(description="vectors, not counting copies")
    heads: int = Field(description="postings")
    entries: int = Field(description="vectors stored, counting copies")
    codec: str = Field(description="raw, or the codec of the copies")
    size_bytes: int
    payload_bytes: int = Field(description="of them payload; 0 when the index has none")
    memory: Memory
    created: str
    format: int = Field(description="version of the index's format")
    built_by: str = Field(description="version of longspan that built it")
    recall_of: str = Field(
        description="who has the recall asked for: the `mean` query, or nine in ten (`decile`)"
    )
    limits: Limits
    queries: QueryKind
    damaged: list[str] = Field(
        description="what searches found not to have its checksum; they got an error, not an answer"
    )


class Place(BaseModel):
    """A place in the request that is wrong: in its JSON body, or in its query string."""

    pointer: str | None = Field(None, description="RFC 6901, as a URI fragment")
    parameter: str | None = None
    detail: str


class Problem(BaseModel):
    """An error (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    code: str = Field(description="the last part of `type`, for programs")
    request_id: str
    errors: list[Place] | None = None
