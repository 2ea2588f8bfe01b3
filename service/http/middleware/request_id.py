"""A name for each request, `X-Request-Id`: the client's own, or one that is made here."""

import re
import secrets
from itertools import count

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# What may be echoed: nothing that could break a header, a log line or a JSON viewer.
_GOOD = re.compile(r"[A-Za-z0-9_.:/+=-]{1,128}")


class RequestId:
    """Middleware: sets `request.state.request_id`, and the header of the answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._process, self._count = secrets.token_hex(4), count(1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on under its name."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get("x-request-id", "")
        name = given if _GOOD.fullmatch(given) else self._make()
        scope.setdefault("state", {})["request_id"] = name

        async def named(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"].append((b"x-request-id", name.encode()))
            await send(message)

        await self._app(scope, receive, named)

    def _make(self) -> str:
        """Return a new name: the process, then a count, which is cheaper than random bytes."""
        return f"{self._process}-{next(self._count)}"
