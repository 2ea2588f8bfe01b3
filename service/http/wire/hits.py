"""What was found, as JSON has it: the hits of each query, the missing ones left out.

orjson writes numpy's float32 with their own short digits ("0.1", not "0.10000000149011612"), and
splices an object of the payload in as it is stored: nothing of it is parsed on the way.
"""

from collections.abc import Iterator
from itertools import repeat
from typing import Any, NamedTuple

import orjson
from numpy.typing import NDArray

from longspan.service.search.answer import Found

Hit = dict[str, Any]


class OfQuery(NamedTuple):
    """The hits of one query; payload only when it was read."""

    ids: NDArray[Any]
    distances: NDArray[Any]
    payload: list[orjson.Fragment] | None


def by_query(found: Found) -> Iterator[OfQuery]:
    """Give each query's hits; the missing ones, which come last, are cut off."""
    counts = (found.ids >= 0).sum(axis=1).tolist()
    objects = repeat(None) if found.payload is None else found.payload
    for ids, distances, count, values in zip(
        found.ids, found.distances, counts, objects, strict=False
    ):
        payload = None if values is None else [*map(orjson.Fragment, values)]
        yield OfQuery(ids[:count], distances[:count], payload)


def hits(query: OfQuery, as_text: bool = False) -> list[Hit]:
    """Return the hits of a query one by one; as_text: their ids are strings."""
    made: list[Hit] = [
        {"id": id_, "distance": distance}
        for id_, distance in zip(ids(query, as_text), query.distances, strict=True)
    ]
    for hit, value in zip(made, query.payload or (), strict=False):
        hit["payload"] = value
    return made


def ids(query: OfQuery, as_text: bool) -> list[int] | list[str]:
    """Return the ids of a query's hits."""
    return list(map(str, query.ids.tolist())) if as_text else query.ids.tolist()


def line(query: OfQuery) -> bytes:
    """Return the hits of a query as one line of JSON."""
    return orjson.dumps(
        {"hits": hits(query)}, option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_APPEND_NEWLINE
    )
