"""The Ray cluster that a build joins, and whether each of its nodes sees what a unit needs."""

import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from logging import ERROR
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import ray
from ray.exceptions import RayError, RayTaskError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from longspan.indexer.errors import BadConfig, BadFile
from longspan.indexer.reader import open_vectors

ANSWER = 10.0  # seconds that an address has to answer; Ray tries for minutes, and ends the process
OURS = {  # what Ray reads in the environment, unless it is set there
    "RAY_USAGE_STATS_ENABLED": "0",  # who builds what is nobody's business
    "RAY_COLOR_PREFIX": "0",  # it does not ask whether stderr is a terminal
}

Fingerprint = dict[str, Any] | None


@contextmanager
def joined(address: str | None) -> Iterator[None]:
    """Join a cluster for as long as the block.

    Without an address it is the one that this process is in already; or the one that Ray finds, by
    $RAY_ADDRESS or on this machine; or else one that is started here, and ends with the block.
    BadConfig when there is none at the address.
    """
    if not ray.is_initialized():
        join(address)
        try:
            yield
        finally:
            ray.shutdown()
    elif address is None:
        yield
    else:
        raise BadConfig(f"address is {address!r}, but this process is in a Ray cluster already")


def join(address: str | None) -> None:
    """Join a cluster, or start one; BadConfig when there is none."""
    check_address(address or os.environ.get("RAY_ADDRESS") or "auto")
    for name, value in OURS.items():
        os.environ.setdefault(name, value)
    handler = signal.getsignal(signal.SIGTERM)
    try:
        ray.init(address, include_dashboard=False, log_to_driver=False, logging_level=ERROR)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise BadConfig(f"no Ray cluster at {address or 'hand'}: {error}") from error
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, handler)  # Ray has set its own


def check_address(address: str) -> None:
    """Raise BadConfig for an address of another form, or one where nobody answers."""
    if address in ("auto", "local"):
        return
    host, _, port = address.rpartition(":")
    if not host or "/" in host or not port.isdecimal():
        raise BadConfig(f"address is {address!r}, wanted HOST:PORT of a Ray cluster, or auto")
    try:
        socket.create_connection((host, int(port)), ANSWER).close()
    except (OSError, OverflowError) as error:
        raise BadConfig(f"no Ray cluster at {address}: {error}") from error


def check(folder: Path, source: str | None) -> None:
    """Raise BadConfig unless every node has this longspan, the folder and the same vectors.

    source  of the vectors; None when nodes need not see it
    BadFile when nothing can be written in the folder.
    """
    nodes = [node for node in ray.nodes() if node["Alive"] and node["Resources"].get("CPU")]
    if not nodes:
        raise BadConfig("the Ray cluster has no node with a CPU")
    wanted = fingerprint(source)
    try:
        mark = NamedTemporaryFile(dir=folder, prefix=".longspan-")  # noqa: SIM115
    except OSError as error:
        raise BadFile(f"{folder}: cannot be written: {error}") from error
    with mark:
        seen = [
            on_node(node["NodeID"]).remote(version("longspan"), Path(mark.name), source, wanted)
            for node in nodes
        ]
        for node, sight in zip(nodes, seen, strict=True):
            try:
                ray.get(sight)
            except RayError as error:
                cause = error.cause if isinstance(error, RayTaskError) else error
                found = str(cause).splitlines()[-1]
                raise BadConfig(f"Ray node {node['NodeManagerAddress']}: {found}") from error


def on_node(node: str) -> Any:
    """Return the task `see` of one node; it waits for no CPU."""
    strategy = NodeAffinitySchedulingStrategy(node, soft=False)
    return ray.remote(num_cpus=0, scheduling_strategy=strategy)(see)


def see(longspan: str, mark: Path, source: str | None, wanted: Fingerprint) -> None:
    """Raise BadInput unless this node has a version of longspan, a file, and the same vectors."""
    found = version("longspan")
    if found != longspan:
        raise BadConfig(f"has longspan {found}, wanted {longspan} as here")
    if not mark.exists():
        raise BadConfig(f"{mark.parent} is not the folder that it is here, wanted a shared one")
    if fingerprint(source) != wanted:
        raise BadConfig(f"{source} holds other vectors than here")


def fingerprint(source: str | None) -> Fingerprint:
    """Return what tells the vectors of a source from others."""
    return open_vectors(source).fingerprint() if source else None
