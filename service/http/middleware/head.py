"""HEAD wherever GET is: what `wget --spider` and some health checks ask."""

from starlette.types import ASGIApp, Receive, Scope, Send


class Head:
    """Has a HEAD request answered as GET; the server below sends no body for it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] == "http" and scope["method"] == "HEAD":
            scope = {**scope, "method": "GET"}
        await self._app(scope, receive, send)
