"""A server process to test against, and requests in the shapes that clients send."""

import base64
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import httpx
import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

RAW = "application/octet-stream"
START_SECONDS = 60  # a loaded machine may take long to import everything twice
STOP_SECONDS = 40  # more than a server gives to the requests under way


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def process(
    command: Sequence[str], port: int, **settings: str
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server until its port answers; stop it at the end of the block."""
    environment = {**os.environ, **{f"LONGSPAN_{name}": value for name, value in settings.items()}}
    with subprocess.Popen([sys.executable, "-m", *command], env=environment) as started:
        try:
            _wait_for(port, started)
            yield started
        finally:
            started.terminate()
            try:
                started.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                started.kill()


def _wait_for(port: int, started: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and started.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise AssertionError(f"no server on port {port}, exit code {started.poll()}")


@contextmanager
def serving(
    indexes: Mapping[str, object], *flags: str, **settings: str
) -> Iterator[tuple[httpx.Client, subprocess.Popen[bytes]]]:
    """Run `longspan serve` until it is ready; give a client of it, and the process."""
    port = free_port()
    named = [f"{name}={path}" for name, path in indexes.items()]
    command = ["longspan.service", "serve", *named, "--port", str(port), *flags]
    with process(command, port, **settings) as started:
        url = f"http://127.0.0.1:{port}"
        with httpx.Client(base_url=url, timeout=START_SECONDS) as client:
            wait_until_ready(client)
            yield client, started


def wait_until_ready(client: httpx.Client, **query: str) -> None:
    wait_until(lambda: client.get("/readyz", params=query).status_code == 200)


def wait_until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + START_SECONDS
    while not true():
        assert time.monotonic() < end, f"not so after {START_SECONDS} s"
        time.sleep(0.05)


def as_base64(vectors: Array) -> str:
    return base64.b64encode(np.ascontiguousarray(vectors).tobytes()).decode()


def post_raw(
    client: httpx.Client, path: str, body: Array | bytes, accept: str = RAW, **query: Any
) -> httpx.Response:
    """Send vectors as they lie in memory."""
    content = body if isinstance(body, bytes) else np.ascontiguousarray(body).tobytes()
    headers = {"content-type": RAW, "accept": accept}
    return client.post(path, content=content, headers=headers, params=query)


def raw_answer(answer: httpx.Response) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return the ids and the distances, each (n, k), of a raw answer."""
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == RAW
    n, k = map(int, answer.headers["longspan-shape"].split(","))
    assert len(answer.content) == n * k * 12
    ids = np.frombuffer(answer.content, "<i8", n * k).reshape(n, k)
    return ids, np.frombuffer(answer.content, "<f4", offset=n * k * 8).reshape(n, k)


def hits(found: Sequence[Mapping[str, Any]]) -> tuple[list[Any], list[float]]:
    """Return the ids and the distances of a list of JSON hits."""
    return [hit["id"] for hit in found], [hit["distance"] for hit in found]
