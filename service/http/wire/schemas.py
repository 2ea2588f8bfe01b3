"""What requests and answers look like: the checks at the door, and the models of OpenAPI.

Requests are checked by these models. Answers to searches are not made from theirs, which would
cost more than the search; a test compares real answers with the schema instead.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from longspan.service.search.explain import Explanation
from longspan.service.search.request import SearchRequest, settings

DtypeName = Literal["f32", "f16", "u8", "i8"]
Float = Annotated[float, Field(allow_inf_nan=False)]
# After the first wrong number the others are not looked at: there may be millions.
Floats = Annotated[list[Float], Field(min_length=1, fail_fast=True)]
Base64 = Annotated[str, Field(json_schema_extra={"contentEncoding": "base64"})]
Rows = Annotated[list[Floats], Field(min_length=1, fail_fast=True)]
Include = list[Literal["payload", "explain"]]

_SETTINGS = {spec.name: spec for spec in settings(SearchRequest)}


def _setting(name: str) -> Any:
    """Return the field of a setting of a search, as `SearchRequest` has it."""
    spec = _SETTINGS[name]
    low, high = spec.metadata.get("low"), spec.metadata.get("high")
    above = spec.metadata.get("above")
    return Field(
        list(spec.default) if "among" in spec.metadata else spec.default,  # type: ignore[arg-type]
        description=spec.metadata["help"],
        ge=None if above else low,
        gt=low if above else None,
        le=high,
    )


class _Settings(BaseModel):
    """What a search may ask for. A field that is not known is refused, never ignored."""

    model_config = ConfigDict(extra="forbid")

    def given(self) -> dict[str, Any]:
        """Return the settings of a search by name."""
        return {name: getattr(self, name) for name in _SETTINGS if hasattr(self, name)}


class Wanted(_Settings):
    """What most searches name."""

    k: int = _setting("k")
    recall: float | None = _setting("recall")
    max_distance: Float | None = _setting("max_distance")
    stats: bool = _setting("stats")
    include: Include = _setting("include")


class Params(_Settings):
    """Expert overrides in place of `recall`."""

    probes: int | None = _setting("probes")
    beam: int | None = _setting("beam")
    depth: int | None = _setting("depth")
    exact: bool = _setting("exact")


class _Body(Wanted):
    """What the JSON bodies of both routes share."""

    encoding: Literal["base64"] | None = Field(None, description="how a string holds vectors")
    dtype: DtypeName | None = Field(
        None, description="type of the values in the string, little-endian; default the index's"
    )
    params: Params | None = None

    def given(self) -> dict[str, Any]:
        """Return the settings of a search by name, those of params among them."""
        return super().given() | (self.params.given() if self.params else {})


class SearchBody(_Body):
    """One query."""

    vector: Floats | Base64 = Field(description="the query: numbers, or their bytes in base64")


class BatchBody(_Body):
    """Many queries with the same settings."""

    vectors: Rows | Base64 = Field(description="the queries: rows of numbers, or a block in base64")
    n: int | None = Field(None, ge=1, description="vectors in the base64 block, to check its size")
    format: Literal["rows", "columns"] = Field(
        "rows", description='"columns" is smaller: one array of ids and one of distances a query'
    )


class AnswerQuery(BaseModel):
    """The query string beside a JSON body."""

    model_config = ConfigDict(extra="forbid")

    ids: Literal["number", "string"] = Field(
        "number", description="JavaScript needs strings for ids above 2^53"
    )


class RawQuery(Wanted, Params, AnswerQuery):
    """The query string beside a raw body: all settings of the search."""

    include: Annotated[Include, BeforeValidator(lambda text: text.split(","))] = _setting("include")
    dtype: DtypeName | None = Field(
        None, description="type of the values in the body, little-endian; default the index's"
    )


class RawBatchQuery(RawQuery):
    """The query string beside a raw body of many vectors."""

    format: Literal["rows", "columns"] = "rows"


class Hit(BaseModel):
    """A vector that was found."""

    id: int | str = Field(description="a string with ?ids=string")
    distance: float = Field(description="smaller is nearer, whatever the metric")
    payload: dict[str, Any] | None = Field(None, description="only when it is included")


class Stats(BaseModel):
    """What the search cost, all its queries together."""

    model_config = ConfigDict(extra="allow")

    queries: int
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
    recall_target: float | None


class _Answer(BaseModel):
    """What all answers to a search share."""

    index: str
    took_ms: float = Field(description="from the arrival of the body to the answer")
    stats: Stats | None = Field(None, description="only when asked for")


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
    docs: str = "/docs"


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
    body_bytes: int
    payload_bytes: int = Field(description="payload in an answer")


class TierCost(BaseModel):
    """What stays in memory, and what a search for the ten nearest then reads on average."""

    resident: str
    bytes: int
    postings: float = Field(description="postings read at the index's own recall")
    pages: float = Field(description="pages of 4 KB read besides")


class Memory(BaseModel):
    """The memory dial: what is resident, and what more would buy."""

    resident: str
    bytes: int
    locked: bool = Field(description="whether the system let the codes be locked in memory")
    tiers: list[TierCost]


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
    limits: Limits


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
