"""Searches as they lie in memory, in and out: vectors as a body, settings in the query string."""

from typing import Annotated

import orjson
from pydantic import BeforeValidator, Field

from longspan.service.http.wire.form import (
    AnswerQuery,
    DtypeName,
    Format,
    OfMany,
    OfOne,
    Params,
    Reply,
    Search,
    Wanted,
    check_batch,
    check_one,
    read_query,
    request_of,
    setting,
    vectors_in,
)
from longspan.service.http.wire.limits import Limits
from longspan.service.http.wire.media import RAW
from longspan.service.search.answer import Found

_COMMAS = BeforeValidator(lambda text: text.split(","))


class _Query(Wanted, Params, AnswerQuery):
    """What the query strings of both routes share."""

    dtype: DtypeName | None = Field(
        None, description="type of the values in the body, little-endian; default the index's"
    )


class RawQuery(_Query):
    """The query string beside a raw body: all settings of the search."""

    include: Annotated[OfOne, Field(min_length=1), _COMMAS] = setting("include")


class RawBatchQuery(_Query):
    """The query string beside a raw body of many vectors."""

    include: Annotated[OfMany, Field(min_length=1), _COMMAS] = setting("include")
    format: Format = "rows"


def decode_one(body: bytes, query: str, limits: Limits) -> Search:
    """Decode one vector; `RawQuery` is in the query string."""
    given = read_query(RawQuery, query)
    queries = vectors_in(body, given.dtype, limits, "the body")
    check_one(queries, limits)
    return Search(queries, request_of(given.given(), "the parameters"), given.ids == "string")


def decode_many(body: bytes, query: str, limits: Limits) -> Search:
    """Decode vectors, one after the other; `RawBatchQuery` is in the query string."""
    given = read_query(RawBatchQuery, query)
    queries = vectors_in(body, given.dtype, limits, "the body")
    check_batch(len(queries), limits)
    request = request_of(given.given(), "the parameters")
    return Search(queries, request, given.ids == "string", given.format == "columns")


def encode(found: Found) -> Reply:
    """Return n·k little-endian u64 ids, then n·k f32 distances.

    A missing hit is id 2^64-1 (-1, for who reads i64) at distance +inf.
    """
    block = found.ids.astype("<i8", copy=False).tobytes()
    block += found.distances.astype("<f4", copy=False).tobytes()
    n, k = found.ids.shape
    headers = {"content-type": RAW, "longspan-shape": f"{n},{k}"}
    if found.recall_limit is not None:
        headers["longspan-recall-limit"] = str(found.recall_limit)
    if found.stats is not None:
        headers["longspan-stats"] = orjson.dumps(found.stats.as_dict()).decode()
    return Reply(block, headers)
