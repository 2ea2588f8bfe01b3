"""A server process, or several, around the application."""

import json
import os
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from socket import socket

import uvicorn
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess

from longspan.indexer.errors import BadConfig, LongspanError
from longspan.indexer.store import tiers
from longspan.indexer.store.access import access
from longspan.indexer.store.manifest import Manifest
from longspan.service.http import log
from longspan.service.http.protocol import Protocol
from longspan.service.http.settings import PREFIX, by_name, checked_name, read_settings
from longspan.service.search.index import check_files
from longspan.service.search.memory import default_limit, divide


def serve(
    indexes: list[tuple[str, Path]],
    host: str,
    port: int,
    workers: int,
    memory: int | None = None,
    announce: Callable[[str], None] = lambda url: None,
) -> None:
    """Serve the indexes by name until the process is interrupted or terminated.

    memory    bytes of all indexes together that may stay in memory; default: LONGSPAN_MEMORY, or a
              quarter of what is free. It is decided here, once, for all workers
    announce  told the URL as soon as the port is bound

    Requests under way are finished first. What is wrong with an index at first sight is an error
    here and not a worker that never gets ready: BadIndex, DamagedIndex for files that are missing
    or have another size, DoesNotFit. BadConfig for a bad or doubled name, no host, or a bad
    LONGSPAN_* variable; LongspanError when the server cannot start: its port is in use, say.
    """
    if not host:
        raise BadConfig("the host is empty, which would be every interface; want 0.0.0.0 for that")
    named = by_name(indexes)
    for name, path in named.items():
        checked_name(name, f"{name}={path}")
    told = {"INDEXES": json.dumps([f"{n}={p.resolve()}" for n, p in indexes])}
    if memory is not None:
        told["MEMORY"] = f"{memory}B"
    with environment(told):
        settings = read_settings()
        shares = shares_of(named, settings.memory)
        config = configured(host, port, workers, settings.grace)
        with environment({"SHARES": json.dumps(shares)}), bound(config) as listening:
            announce(f"http://{host}:{listening.getsockname()[1]}")
            if not run(config, listening):
                raise LongspanError("the server did not start, the messages above say why")


@contextmanager
def environment(values: Mapping[str, str]) -> Iterator[None]:
    """Set LONGSPAN_* variables for the workers, which are spawned; put them back at the end."""
    names = [PREFIX + name for name in values]
    before = {name: os.environ.get(name) for name in names}
    os.environ.update(zip(names, values.values(), strict=True))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def configured(host: str, port: int, workers: int, grace: int) -> uvicorn.Config:
    """Return what uvicorn needs to know."""
    return uvicorn.Config(
        "longspan.service.http.app:create_app",
        factory=True,
        host=host,
        port=port,
        workers=workers,
        loop="uvloop",
        http=Protocol,
        ws="none",
        lifespan="on",
        log_config=log.CONFIG,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # nothing here depends on who asks
        timeout_keep_alive=75,  # longer than clients and proxies keep a connection idle
        timeout_graceful_shutdown=grace,
        timeout_worker_healthcheck=30,  # 5 by default: a long call with the GIL would kill it
    )


@contextmanager
def bound(config: uvicorn.Config) -> Iterator[socket]:
    """Give the socket that a server listens on; LongspanError when its port is not to be had."""
    try:
        listening = config.bind_socket()
    except SystemExit as exc:  # uvicorn has said why, and would end the process
        raise LongspanError(
            f"no server on {config.host}:{config.port}, the messages above say why"
        ) from exc
    with listening:
        yield listening


def run(config: uvicorn.Config, listening: socket) -> bool:
    """Run a server, or several, until a signal ends them; return whether they had started."""
    # uvicorn raises the signal again when it is done; like an interrupt it then ends the call.
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        if config.workers > 1:
            workers = Multiprocess(config, sockets=[listening])
            workers.run()
            return all(one.exitcode != STARTUP_FAILURE for one in workers.processes)
        server = uvicorn.Server(config)
        with suppress(KeyboardInterrupt, SystemExit):  # it has said why
            server.run(sockets=[listening])
        return server.started
    finally:
        signal.signal(signal.SIGTERM, before)


def shares_of(paths: Mapping[str, Path], limit: int | None) -> dict[str, int]:
    """Return the bytes that each index may keep in memory, after a first look at them.

    limit  bytes of all together; default: a quarter of what is free

    BadIndex, DamagedIndex and DoesNotFit as far as they can be seen without reading the files.
    """
    sizes = {}
    for name, path in paths.items():
        manifest = Manifest.read(path)
        with access(path):
            check_files(path, manifest, read=False)
        sizes[name] = tiers.sizes(manifest)
    total = limit or default_limit(sum(each[0] for each in sizes.values()))
    return divide(sizes, total)
