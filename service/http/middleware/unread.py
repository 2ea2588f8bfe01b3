"""An answer that comes before its request has: most clients send first and listen then.

A connection that is closed amid sending costs them the answer, and one that is kept has the server
read on for as long as they send, as fast as they can. So the answer is sent, what still comes is
read at a pace and dropped for a while, and then the connection is closed.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from longspan.service.http.pace import SMALL, Pace

LINGER: Final = 20.0  # seconds for which more is read
QUIET: Final = 2.0  # seconds in which something must come


class Unread:
    """Middleware: reads on where a route did not read its request to the end.

    is_stopping  says whether the server was told to stop: then nothing more is read
    """

    def __init__(self, app: ASGIApp, is_stopping: Callable[[], bool]) -> None:
        self._app, self._pace, self._is_stopping = app, Pace(), is_stopping

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and watch how far it is read."""
        if scope["type"] != "http" or not _is_large(headers := Headers(scope=scope)):
            await self._app(scope, receive, send)
            return
        begun, ended = "expect" not in headers, False  # who asks whether to send has not begun

        async def hear() -> Message:
            nonlocal begun, ended
            begun, message = True, await receive()
            ended = not message.get("more_body")
            return message

        async def say(message: Message) -> None:
            if not ended and message["type"] == "http.response.start":
                message["headers"].append((b"connection", b"close"))
            if not ended and begun and _is_last(message):
                await send({**message, "more_body": True})
                await self._read_on(receive)
                message = {"type": "http.response.body"}
            await send(message)

        await self._app(scope, hear, say)

    async def _read_on(self, receive: Receive) -> None:
        """Read and drop what comes, until nothing does or it has been long enough."""
        with suppress(TimeoutError):
            async with asyncio.timeout(LINGER):
                more = True
                while more and not self._is_stopping():
                    async with asyncio.timeout(QUIET):
                        message = await receive()
                    more = message.get("more_body", False)
                    await self._pace.keep(len(message.get("body", b"")))


def _is_large(headers: Headers) -> bool:
    """Return whether a body may come that is not small."""
    size = headers.get("content-length", "0")
    return "transfer-encoding" in headers or not (size.isdecimal() and int(size) <= SMALL)


def _is_last(message: Message) -> bool:
    return message["type"] == "http.response.body" and not message.get("more_body")
