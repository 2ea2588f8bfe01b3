"""What clients that mean no good cost a server and the others: `python bench/abuse.py INDEX`.

Starts `longspan serve` with one worker and a memory limit on a free port, and lets clients

    stall   send most of a large body and then nothing
    flood   post JSON that is far too large
    fill    post batches of JSON as large as the index allows
    hits    ask for as many hits as one request may have
    pieces  send a body in pieces of a byte each

while others ask single queries, and `/livez` is asked every 5 ms by a process of its own. Prints a
JSON line for each: how `/livez` and the others fared, what the clients got, for how long the event
loop ran and wanted a core that others had (the clients are on the same machine), and the most
memory that the server had of its own (RssAnon) and all told (VmHWM).
"""

import argparse
import http.client
import json
import multiprocessing
import socket
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
from numpy.typing import NDArray
from process import field
from rest import server

from longspan.service import Index

STALLING = 64  # clients
LARGE = 32 << 20  # bytes of their bodies, and of JSON that is too large
FLOODS, FILLS, HITS = 200, 40, 10  # posts
PIECES = 1 << 18  # of a body
HOST = "127.0.0.1"


def main() -> None:
    """Measure, printing one JSON line for each kind of client."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("index", type=Path)
    parser.add_argument("--memory", default="256MiB", help="the server's --memory")
    parser.add_argument("--bodies", type=int, default=64 << 20, help="LONGSPAN_MAX_BODIES")
    args = parser.parse_args()
    with Index.open(args.index, codes=False) as index:
        shape = index.dim, index.dtype
    for kind in (quiet, stall, flood, fill, hits, pieces):
        flags, settings = ("--memory", args.memory), {"MAX_BODIES": str(args.bodies)}
        with server(args.index, *flags, **settings) as (url, process):
            time.sleep(2)  # codes come into memory
            port = int(url.rpartition(":")[2])
            print(json.dumps(measured(kind, port, process.pid, *shape)), flush=True)


def measured(
    kind: Callable[..., Counter[Any]], port: int, process: int, dim: int, dtype: np.dtype[Any]
) -> dict[str, Any]:
    """Return how a server and the others fare while clients of a kind are at it."""
    spawn, end = multiprocessing.get_context("spawn"), Event()
    queue, over, begun = spawn.Queue(), spawn.Event(), spawn.Event()
    prober = spawn.Process(target=probe, args=(port, begun, over, queue))
    prober.start()
    begun.wait()
    with ThreadPoolExecutor(2) as pool:
        others = pool.submit(ask, port, np.ones(dim, dtype).tobytes(), end)
        memory = pool.submit(most_memory, process, end)
        time.sleep(1)
        before = loop_seconds(process)
        answers = kind(port, dim)
        ran, waited = loop_seconds(process) - before
        time.sleep(1)
        end.set()
        over.set()
        live, asked = queue.get(), others.result()
    prober.join()
    return {
        "clients": kind.__name__,
        "answers": {str(code): count for code, count in answers.most_common()},
        "livez_ms": quantiles(live),
        "others_ms": quantiles([took for code, took in asked if code == 200]),
        "others_refused": sum(code != 200 for code, _ in asked),
        "loop_s": {"ran": round(float(ran), 2), "waited_for_a_core": round(float(waited), 2)},
        "own_MiB": memory.result() >> 20,
        "peak_MiB": field(f"/proc/{process}/status", "VmHWM") >> 10,
    }


def probe(port: int, begun: Any, over: Any, queue: Any) -> None:
    """Ask /livez over and over; put the milliseconds of each answer into the queue."""
    connection, took = http.client.HTTPConnection(HOST, port), []
    begun.set()
    while not over.is_set():
        start = time.perf_counter()
        connection.request("GET", "/livez")
        connection.getresponse().read()
        took.append(1e3 * (time.perf_counter() - start))
        time.sleep(0.005)
    queue.put(took)


def ask(port: int, query: bytes, end: Event) -> list[tuple[int, float]]:
    """Ask single queries until the end; return the status and the milliseconds of each."""
    found = []
    while not end.is_set():
        start = time.perf_counter()
        found.append((post(port, "search", query), 1e3 * (time.perf_counter() - start)))
    return found


def most_memory(process: int, end: Event) -> int:
    """Return the most bytes that a process had of its own until the end."""
    most = 0
    while not end.wait(0.02):
        most = max(most, field(f"/proc/{process}/status", "RssAnon") * 1024)
    return most


def loop_seconds(process: int) -> NDArray[np.float64]:
    """Return for how long a process's first thread, its event loop, ran, and waited for a core."""
    ran, waited, _ = Path(f"/proc/{process}/schedstat").read_text().split()
    return np.array([float(ran), float(waited)]) / 1e9


def quiet(port: int, dim: int) -> Counter[Any]:
    """Do nothing for a while."""
    time.sleep(5)
    return Counter()


def stall(port: int, dim: int) -> Counter[Any]:
    """Send as much of large bodies as is taken, then nothing, until the server gives up."""
    head = f"POST /v1/indexes/x/search/batch HTTP/1.1\r\nhost: x\r\ncontent-length: {LARGE}\r\n"
    head += "content-type: application/octet-stream\r\n\r\n"
    most = bytes(LARGE - 1)  # of all, or the machine were busy with zeros

    def one(_: int) -> Any:
        with socket.create_connection((HOST, port), timeout=1) as connection:
            connection.sendall(head.encode())
            with suppress(OSError):
                connection.sendall(most)
            connection.settimeout(60)
            return status_of(connection)

    with ThreadPoolExecutor(STALLING) as pool:
        return Counter(pool.map(one, range(STALLING)))


def flood(port: int, dim: int) -> Counter[Any]:
    """Post JSON that is larger than any body that is read."""
    body = b'{"vectors": [[' + b"1," * (LARGE // 2) + b"1]]}"
    with ThreadPoolExecutor(8) as pool:
        return Counter(pool.map(lambda _: post(port, "search/batch", body, True), range(FLOODS)))


def fill(port: int, dim: int) -> Counter[Any]:
    """Post batches of as many vectors as a body may hold, with all their digits."""
    rows = np.random.default_rng(0).uniform(0, 100, (1024, dim)).tolist()
    body = json.dumps({"vectors": rows, "k": 1, "params": {"probes": 1}}).encode()
    with ThreadPoolExecutor(4) as pool:
        return Counter(pool.map(lambda _: post(port, "search/batch", body, True), range(FILLS)))


def hits(port: int, dim: int) -> Counter[Any]:
    """Ask for the most hits of one request, over and over."""
    rows = np.random.default_rng(0).uniform(0, 100, (262, dim)).tolist()
    bodies = [
        json.dumps({"vectors": rows, "k": 1000, "format": form}).encode()
        for form in ("rows", "columns")
    ]
    with ThreadPoolExecutor(4) as pool:
        posted = pool.map(lambda body: post(port, "search/batch", body, True), bodies * HITS)
        return Counter(posted)


def pieces(port: int, dim: int) -> Counter[Any]:
    """Send bodies in pieces of a byte, as fast as they are taken."""
    head = "POST /v1/indexes/x/search/batch HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n"
    head += "content-type: application/octet-stream\r\n\r\n"

    def one(_: int) -> Any:
        with socket.create_connection((HOST, port), timeout=10) as connection:
            with suppress(OSError):
                connection.sendall(head.encode() + b"1\r\n\0\r\n" * PIECES)
            return status_of(connection)

    with ThreadPoolExecutor(16) as pool:
        return Counter(pool.map(one, range(16)))


def post(port: int, path: str, body: bytes, as_json: bool = False) -> Any:
    """Return the status of a search, or the name of what became of the connection."""
    media = "application/json" if as_json else "application/octet-stream"
    connection = http.client.HTTPConnection(HOST, port, timeout=60)
    try:
        connection.request("POST", f"/v1/indexes/x/{path}", body, {"content-type": media})
        answer = connection.getresponse()
        answer.read()
        return answer.status
    except OSError as error:
        return type(error).__name__
    finally:
        connection.close()


def status_of(connection: socket.socket) -> Any:
    """Return the status of the answer that comes, or the name of what came instead."""
    try:
        return int(connection.recv(100)[9:12] or 0)
    except OSError as error:
        return type(error).__name__


def quantiles(values: list[float]) -> dict[str, float]:
    """Return the median, the 99th percentile and the largest."""
    named = {"p50": 50, "p99": 99, "max": 100}
    return {name: round(float(np.percentile(values, of)), 2) for name, of in named.items()}


if __name__ == "__main__":
    main()
