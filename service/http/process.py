"""A server process around the application, and the question whether one is ready."""

import json
import os
import signal
from collections.abc import Mapping
from http.client import HTTPException
from pathlib import Path
from urllib.error import URLError
from urllib.parse import urlsplit
from urllib.request import urlopen

from longspan.indexer.errors import BadConfig, LongspanError
from longspan.indexer.store import tiers
from longspan.indexer.store.access import access
from longspan.indexer.store.manifest import Manifest
from longspan.service.http.settings import PREFIX, by_name, checked_name, read_settings
from longspan.service.search.index import check_files
from longspan.service.search.memory import default_limit, divide

_HEALTH_TIMEOUT = 4  # seconds; containers give a health check 5


def serve(
    indexes: list[tuple[str, Path]], host: str, port: int, workers: int, memory: int | None = None
) -> None:
    """Serve the indexes by name until the process is interrupted or terminated.

    memory  bytes of all indexes together that may stay in memory; default: LONGSPAN_MEMORY, or a
            quarter of what is free. It is decided here, once, for all workers

    Requests under way are finished first. What is wrong with an index at first sight is an error
    here and not a worker that never gets ready: BadIndex, DamagedIndex for files that are missing
    or have another size, DoesNotFit. BadConfig for a bad or doubled name, or a bad LONGSPAN_*
    variable; LongspanError when the server cannot start, because its port is in use, say.
    """
    import uvicorn  # here, because `health` runs every few seconds and does not need it

    named = by_name(indexes)
    for name, path in named.items():
        checked_name(name, f"{name}={path}")
    # Workers are spawned: they take the settings from the environment.
    os.environ[f"{PREFIX}INDEXES"] = json.dumps([f"{n}={p.resolve()}" for n, p in indexes])
    if memory is not None:
        os.environ[f"{PREFIX}MEMORY"] = f"{memory}B"
    settings = read_settings()
    os.environ[f"{PREFIX}MEMORY"] = f"{memory_for(named, settings.memory)}B"
    # uvicorn raises the signal again when it is done; like an interrupt it then ends the call.
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        uvicorn.run(
            "longspan.service.http.app:create_app",
            factory=True,
            host=host,
            port=port,
            workers=workers,
            loop="uvloop",
            http="httptools",
            ws="none",
            lifespan="on",
            access_log=False,
            server_header=False,
            proxy_headers=False,  # nothing here depends on who asks
            timeout_keep_alive=75,  # longer than clients and proxies keep a connection idle
            timeout_graceful_shutdown=settings.grace,
            timeout_worker_healthcheck=30,  # 5 by default: a long call with the GIL would kill it
        )
    except SystemExit as exc:  # with an exit code of its own
        raise LongspanError(f"no server on {host}:{port}, the messages above say why") from exc
    finally:
        signal.signal(signal.SIGTERM, before)


def memory_for(paths: Mapping[str, Path], limit: int | None) -> int:
    """Return the bytes that indexes may keep in memory together, after a first look at them.

    BadIndex, DamagedIndex and DoesNotFit as far as they can be seen without reading the files.
    """
    sizes = {}
    for name, path in paths.items():
        manifest = Manifest.read(path)
        with access(path):
            check_files(path, manifest, read=False)
        sizes[name] = tiers.sizes(manifest)
    total = limit or default_limit(sum(each[0] for each in sizes.values()))
    divide(sizes, total)
    return total


def health(url: str) -> bool:
    """Return whether the server at this URL, such as http://127.0.0.1:8000, is ready."""
    if urlsplit(url).scheme not in ("http", "https"):
        raise BadConfig(f"{url}: no HTTP URL, want one like http://127.0.0.1:8000")
    try:
        with urlopen(f"{url.rstrip('/')}/readyz", timeout=_HEALTH_TIMEOUT) as answer:  # noqa: S310
            return bool(answer.status == 200)
    except (URLError, HTTPException, OSError, ValueError):
        return False
