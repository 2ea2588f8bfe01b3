"""Whether the server lives, and whether it is ready."""

from importlib.metadata import version

from fastapi import Request

from longspan.service.http.routes.serving import serving_of
from longspan.service.http.wire.schemas import Health, Server


async def root() -> Server:
    """Say name and version."""
    return Server(version=version("longspan"))


async def livez() -> Health:
    """Pass as long as requests are answered at all."""
    return Health()


async def readyz(request: Request, index: str | None = None) -> Health:
    """Pass when the indexes are open: all, any (`LONGSPAN_READY`), or the one that is named."""
    serving = serving_of(request)
    serving.catalog.check_ready(serving.settings.ready, index)
    return Health()
