"""Requests a second that a server answers: `python bench/rest.py INDEX --queries FILE`.

Starts `longspan serve` with one worker on a free port, then lets wrk send single queries, as JSON
numbers and as raw bytes in turn, over `--connections` connections that each wait for an answer
before they ask again. Prints one JSON line a run: what was asked, requests per second, latency,
errors, the server's CPU time a request and its own memory (without the mapped files). wrk runs on
the same machine and takes its share of it.

wrk is no Python package: `apt-get install wrk`.
"""

import argparse
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from longspan.indexer.reader import open_vectors
from longspan.service.http.health import health

RAW = "application/octet-stream"
MOST_QUERIES = 1000  # in wrk's memory; it goes round
START_SECONDS = 60

# What one wrk thread runs. Requests are made once, so that the load costs little.
LUA = """
local bodies = dofile(%(bodies)s)
local requests, i = {}, 0
function init()
  for n, body in ipairs(bodies) do
    requests[n] = wrk.format("POST", %(path)s, %(headers)s, body)
  end
end
function request()
  i = i %% #requests + 1
  return requests[i]
end
function done(summary, latency)
  local e = summary.errors
  io.stderr:write(string.format(
    '{"requests": %%d, "seconds": %%f, "errors": %%d, "p50_ms": %%f, "p99_ms": %%f}',
    summary.requests, summary.duration / 1e6, e.connect + e.read + e.write + e.status + e.timeout,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end
"""


def main() -> None:
    """Measure, printing one JSON line a run."""
    args = arguments()
    if shutil.which("wrk") is None:
        raise SystemExit("wrk is not installed: apt-get install wrk")
    with tempfile.TemporaryDirectory() as directory, server(args.index) as (url, process):
        scripts = {body: write_script(Path(directory), body, args) for body in ("json", "raw")}
        for script in scripts.values():
            load(url, script, 1, args.connections)  # warm
        for run in range(args.rounds):
            for body, script in scripts.items():
                before = cpu_seconds(process.pid)
                result = load(url, script, args.seconds, args.connections)
                cpu = cpu_seconds(process.pid) - before
                print(json.dumps(record(args, body, run, result, cpu, process.pid)), flush=True)


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("index", type=Path)
    parser.add_argument("--queries", type=Path, required=True, help="file of query vectors")
    parser.add_argument("-k", type=int, default=10)
    parser.add_argument("--recall", type=float, default=0.95)
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--seconds", type=int, default=10, help="of each run")
    parser.add_argument("--rounds", type=int, default=3)
    return parser.parse_args()


@contextmanager
def server(
    index: Path, *flags: str, **settings: str
) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Serve the index as "x" until it is ready; give the server's URL, and the process.

    settings  LONGSPAN_* variables
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "longspan.service", "serve", f"x={index}", "--port", str(port)]
    command += flags
    environment = os.environ | {f"LONGSPAN_{name}": value for name, value in settings.items()}
    with subprocess.Popen(command, stderr=subprocess.DEVNULL, env=environment) as process:
        try:
            end = time.monotonic() + START_SECONDS
            while not health(url):
                if process.poll() is not None or time.monotonic() > end:
                    raise SystemExit(f"the server did not start; try: {' '.join(command)}")
                time.sleep(0.1)
            yield url, process
        finally:
            process.terminate()


def write_script(directory: Path, body: str, args: argparse.Namespace) -> Path:
    """Write wrk's script with the queries as bodies of this kind; return its path."""
    vectors = open_vectors(args.queries)
    queries = vectors.rows(0, min(vectors.n, MOST_QUERIES))
    settings = {"k": args.k, "recall": args.recall}
    path, headers = "/v1/indexes/x/search", {"content-type": "application/json"}
    if body == "json":
        bodies = [json.dumps({"vector": plain(query), **settings}).encode() for query in queries]
    else:
        bodies = [query.tobytes() for query in queries]
        parameters = {**settings, "dtype": vectors.dtype_name}
        path += "?" + "&".join(f"{name}={value}" for name, value in parameters.items())
        headers = {"content-type": RAW, "accept": RAW}
    table = directory / f"{body}-bodies.lua"
    table.write_text("return {" + ",\n".join(map(lua_string, bodies)) + "}")
    values = {
        "bodies": lua_string(str(table).encode()),
        "path": lua_string(path.encode()),
        "headers": lua_table(headers),
    }
    script = directory / f"{body}.lua"
    script.write_text(LUA % values)
    return script


def plain(query: np.ndarray[Any, Any]) -> list[float]:
    """Return a vector as the numbers a client would write: 0.1, not 0.10000000149011612."""
    if query.dtype.kind in "iu":
        return [int(value) for value in query]
    return [float(str(value)) for value in query]


def lua_string(value: bytes) -> str:
    """Return bytes as a Lua string; every byte escaped, so that any may be in it."""
    return '"' + "".join(f"\\{byte:03d}" for byte in value) + '"'


def lua_table(values: dict[str, str]) -> str:
    """Return a Lua table of strings."""
    return "{" + ", ".join(f'["{name}"] = "{value}"' for name, value in values.items()) + "}"


def load(url: str, script: Path, seconds: int, connections: int) -> dict[str, float]:
    """Run wrk; return what its script wrote at the end."""
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-s", str(script), url]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"wrk failed: {done.stderr or done.stdout}")
    result: dict[str, float] = json.loads(done.stderr)
    return result


def record(
    args: argparse.Namespace, body: str, run: int, result: dict[str, float], cpu: float, pid: int
) -> dict[str, Any]:
    """Return one line of the output."""
    requests = int(result["requests"])
    return {
        "index": str(args.index),
        "queries": str(args.queries),
        "k": args.k,
        "recall_target": args.recall,
        "body": body,
        "connections": args.connections,
        "run": run,
        "requests": requests,
        "errors": int(result["errors"]),
        "requests_per_s": round(requests / result["seconds"], 1),
        "p50_ms": round(result["p50_ms"], 3),
        "p99_ms": round(result["p99_ms"], 3),
        "server_cpu_us": round(cpu / max(requests, 1) * 1e6, 1),
        "server_own_bytes": own_bytes(pid),
        "cores": len(os.sched_getaffinity(0)),
        "load_average": os.getloadavg()[0],
    }


def cpu_seconds(pid: int) -> float:
    """Return the CPU time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def own_bytes(pid: int) -> int:
    """Return the memory of a process that is not a cache of files."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Anonymous:"):
            return int(line.split()[1]) * 1024
    raise SystemExit("the kernel does not tell anonymous memory")


if __name__ == "__main__":
    main()
