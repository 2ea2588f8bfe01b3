"""The way in and out of a search, whatever its form: bytes to a checked search, hits to bytes.

Shape, type and limits are checked here, from the bytes and the limits alone. The values themselves
(finite, in the range of the index's type, not zero for cosine) are checked by `Index.find`, for all
its callers.
"""

from collections.abc import Callable
from typing import Final

from longspan.service.http.wire import json, raw
from longspan.service.http.wire.form import Reply, Search
from longspan.service.http.wire.limits import Limits
from longspan.service.http.wire.media import JSON, RAW, Media
from longspan.service.http.wire.problems import Refused
from longspan.service.search.answer import Found
from longspan.service.search.explain import Explanation
from longspan.service.search.request import PAYLOAD

DECODERS: Final[dict[tuple[Media, bool], Callable[[bytes, str, Limits], Search]]] = {
    (JSON, False): json.decode_one,
    (JSON, True): json.decode_many,
    (RAW, False): raw.decode_one,
    (RAW, True): raw.decode_many,
}


def decode(
    limits: Limits, many: bool, body: bytes, media: Media, accept: Media, query: str
) -> Search:
    """Return the search in a body and its query string; refuse what the limits do not allow.

    many    a batch
    media   of the body; accept: of the answer
    """
    search = DECODERS[media, many](body, query, limits)
    check_form(search, accept)
    check_size(search, limits)
    return search


def check_form(search: Search, accept: Media) -> None:
    """Refuse what an answer of this media type cannot hold."""
    include = search.request.include
    if accept == RAW and (search.ids_as_text or search.columns or include):
        what = "ids, format and include are for JSON"
        raise Refused("invalid_request", f"{what}, Accept asks for {RAW}")


def check_size(search: Search, limits: Limits) -> None:
    """Refuse more than the queries may have together: hits, payload, what is read."""
    request, count = search.request, len(search.queries)
    for name, value, most in (
        ("k", request.k, limits.objects if PAYLOAD in request.include else limits.hits),
        ("probes", request.probes or 0, limits.reads),
        ("depth", request.depth or 0, limits.reads),
    ):
        if count * value > most:
            also = " with payload" if most == limits.objects else ""
            raise Refused(
                "invalid_request",
                f"{count:,} vectors with {name} {value:,} are {count * value:,}, "
                f"at most {most:,} in one request{also}",
            )


def encode(
    found: Found,
    search: Search,
    index: str,
    took_ms: float,
    *,
    many: bool,
    accept: Media,
    explained: Explanation | None = None,
) -> Reply:
    """Return the answer to a search of an index."""
    if accept == RAW:
        return raw.encode(found)
    if many:
        return json.encode_many(found, search, index, took_ms)
    return json.encode_one(found, search, index, took_ms, explained)
