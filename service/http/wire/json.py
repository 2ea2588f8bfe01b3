"""Searches as JSON, in and out.

Bodies are checked by models. Answers are not made from theirs (`schemas`), which would cost more
than the search: orjson writes numpy columns directly, at k = 100 17 times cheaper than models of
hits; a test compares real answers with the schema instead.
"""

from typing import Annotated, Any, Literal

import numpy as np
import orjson
from pydantic import Field

from longspan.service.http.wire.form import (
    AnswerQuery,
    DtypeName,
    Float,
    Format,
    Model,
    OfMany,
    OfOne,
    Params,
    Queries,
    Reply,
    Search,
    Wanted,
    WholeOrNone,
    check_batch,
    check_one,
    read_query,
    request_of,
    setting,
    validated,
    vector_bytes,
    vectors_in,
    wrong,
)
from longspan.service.http.wire.hits import by_query, hits, ids
from longspan.service.http.wire.large import LARGE, from_base64, take_vectors
from longspan.service.http.wire.limits import Limits
from longspan.service.http.wire.media import JSON
from longspan.service.search.answer import Found
from longspan.service.search.explain import Explanation

# After the first wrong number the others are not looked at: there may be millions.
Floats = Annotated[list[Float], Field(min_length=1, fail_fast=True)]
Base64 = Annotated[str, Field(json_schema_extra={"contentEncoding": "base64"})]
Rows = Annotated[list[Floats], Field(min_length=1, fail_fast=True)]


class _Body(Wanted):
    """What the bodies of both routes share."""

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

    include: OfOne = setting("include")
    vector: Floats | Base64 = Field(description="the query: numbers, or their bytes in base64")


class BatchBody(_Body):
    """Many queries with the same settings."""

    include: OfMany = setting("include")
    vectors: Rows | Base64 = Field(description="the queries: rows of numbers, or a block in base64")
    n: WholeOrNone = Field(None, ge=1, description="vectors in the base64 block, to check its size")
    format: Format = Field(
        "rows", description='"columns" is smaller: one array of ids and one of distances a query'
    )


def decode_one(body: bytes, query: str, limits: Limits) -> Search:
    """Decode `SearchBody`, and the query string beside it."""
    given, taken = _read(SearchBody, body, "vector", limits)
    if isinstance(taken, list):
        _check_dim(taken, limits, "#/vector")
        taken = _floats([taken])
    queries = _vectors(given, taken, limits, "#/vector")
    check_one(queries, limits)
    return Search(queries, request_of(given.given(), "#/params"), _ids_as_text(query))


def decode_many(body: bytes, query: str, limits: Limits) -> Search:
    """Decode `BatchBody`, and the query string beside it."""
    given, taken = _read(BatchBody, body, "vectors", limits)
    if isinstance(taken, list):
        check_batch(len(taken), limits)
        for number, row in enumerate(taken):
            _check_dim(row, limits, f"#/vectors/{number}")
        taken = _floats(taken)
    queries = _vectors(given, taken, limits, "#/vectors")
    if given.n not in (None, len(queries)):
        raise wrong("#/n", f"n is {given.n}, the block holds {len(queries)} vectors")
    check_batch(len(queries), limits)
    request = request_of(given.given(), "#/params")
    return Search(queries, request, _ids_as_text(query), given.format == "columns")


def encode_one(
    found: Found, search: Search, index: str, took_ms: float, explained: Explanation | None
) -> Reply:
    """Return a `SearchAnswer`; missing hits are left out."""
    [query] = by_query(found)
    content: dict[str, Any] = {"hits": hits(query, search.ids_as_text)}
    if explained is not None:
        content["explain"] = explained.as_dict()
    return _reply(found, index, took_ms, content)


def encode_many(found: Found, search: Search, index: str, took_ms: float) -> Reply:
    """Return a `ColumnsAnswer` or a `RowsAnswer`; missing hits are left out."""
    if search.columns:
        return _reply(found, index, took_ms, _columns(found, search))
    # Query by query: the hits of thousands as Python objects would take ten times their bytes.
    rows = [_dumps({"hits": hits(query, search.ids_as_text)}) for query in by_query(found)]
    return _reply(found, index, took_ms, {"results": [*map(orjson.Fragment, rows)]})


def _read(model: type[Model], body: bytes, key: str, limits: Limits) -> tuple[Model, Any]:
    """Return the model in a body, without conversions: "10" is no number; and its vectors.

    The vectors are as they came, lists or base64, and of a large body an array in place of lists.
    """
    if len(body) <= LARGE:
        given = validated(lambda: model.model_validate_json(body, strict=True))
        return given, getattr(given, key)
    rest, taken = take_vectors(body, key, limits, many=model is BatchBody)
    given = validated(lambda: model.model_validate_json(rest, strict=True))
    if getattr(given, key) != "":
        raise wrong(f"#/{key}", f"{key} is given twice")
    return given, taken


def _vectors(
    given: SearchBody | BatchBody, taken: Queries | str | memoryview, limits: Limits, pointer: str
) -> Queries:
    """Return vectors that came as an array, or decode those that came as base64."""
    if isinstance(taken, np.ndarray):
        _no_base64_fields(given)
        return taken
    text = taken.encode() if isinstance(taken, str) else taken
    # Before they are decoded; the last two bytes may be padding.
    check_batch((len(text) // 4 * 3 - 2) // vector_bytes(given.dtype, limits), limits)
    return vectors_in(from_base64(text, pointer), given.dtype, limits, pointer)


def _ids_as_text(query: str) -> bool:
    return bool(query) and read_query(AnswerQuery, query).ids == "string"


def _no_base64_fields(given: SearchBody | BatchBody) -> None:
    """Refuse fields that say how a string is to be read where there are numbers."""
    for field in ("encoding", "dtype", "n"):
        if getattr(given, field, None) is not None:
            raise wrong(f"#/{field}", f"{field} goes with a base64 string, not with numbers")


def _check_dim(row: list[float], limits: Limits, pointer: str) -> None:
    if len(row) != limits.dim:
        what = f"{len(row)} dims, index has {limits.dim}"
        raise wrong(pointer, what, code="wrong_dimension")


def _floats(rows: list[list[float]]) -> Queries:
    """Return JSON numbers as float32; one too large for it becomes infinite, and is refused."""
    with np.errstate(over="ignore"):
        return np.array(rows, dtype=np.float32)


def _columns(found: Found, search: Search) -> dict[str, Any]:
    queries = list(by_query(found))
    columns = {
        "ids": [ids(query, True) if search.ids_as_text else query.ids for query in queries],
        "distances": [query.distances for query in queries],
        "counts": [len(query.ids) for query in queries],
    }
    if found.payload is not None:
        columns["payload"] = [query.payload for query in queries]
    return columns


def _reply(found: Found, index: str, took_ms: float, content: dict[str, Any]) -> Reply:
    body = {"index": index, "took_ms": round(took_ms, 3), **content}
    if found.recall_limit is not None:
        body["recall_limit"] = found.recall_limit
    if found.stats is not None:
        body["stats"] = found.stats.as_dict()
    return Reply(_dumps(body), {"content-type": JSON})


def _dumps(content: dict[str, Any]) -> bytes:
    return orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY)
