"""Searches: one query, or many."""

from functools import partial
from time import perf_counter

from fastapi import Request, Response

from longspan.service.http.pace import SMALL
from longspan.service.http.routes.serving import serving_of
from longspan.service.http.schedule.work import Call
from longspan.service.http.wire.media import media_of


async def search(name: str, request: Request) -> Response:
    """Find the nearest vectors to one query."""
    return await _answer(name, request, many=False)


async def search_batch(name: str, request: Request) -> Response:
    """Find the nearest vectors to each of many queries, with the same settings for all."""
    return await _answer(name, request, many=True)


async def _answer(name: str, request: Request, *, many: bool) -> Response:
    """Read the request; threads do the rest."""
    serving = serving_of(request)
    index = serving.catalog.get(name)
    media, accept = media_of(request.headers)
    limits = serving.limits_of(index)
    query = request.scope["query_string"].decode("latin-1")
    serving.admission.check()
    with serving.intake.body() as body:
        read = await body.read(request, limits.body(media))
        call = Call(
            name, index, limits, many, read, media, accept, query, perf_counter(), len(read) > SMALL
        )
        reply = await serving.admission.run(call, partial(_left, request))
    return Response(reply.body, headers=reply.headers)


async def _left(request: Request) -> None:
    """Return when the client has left; its body was read."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
