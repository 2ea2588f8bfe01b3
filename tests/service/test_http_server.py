"""The server process: probes, names of requests, overload, starting, stopping."""

import asyncio
import json
import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import numpy as np
import pytest
from fastapi import Depends, FastAPI

from longspan.indexer.errors import BadConfig
from longspan.indexer.store.manifest import NAME as MANIFEST
from longspan.service.http import routes
from longspan.service.http.app import create_app
from longspan.service.http.health import health
from longspan.service.http.settings import Settings
from longspan.service.search.request import MAX_K
from tests.conftest import BuildIndex
from tests.data import Corpus
from tests.service.conftest import KINDS, MAX_BATCH, MAX_BODY, MAX_PAYLOAD
from tests.service.serving import (
    RAW,
    free_port,
    post_raw,
    process,
    raw_answer,
    serving,
    wait_until,
    wait_until_ready,
)

FACTORY = ["uvicorn", "--factory", "longspan.service.http.app:create_app", "--log-level", "error"]
SEARCH = "/v1/indexes/floats/search"


def test_the_root_names_the_program(server: httpx.Client) -> None:
    answer = server.get("/").json()
    assert answer["name"] == "longspan"
    assert server.get(answer["docs"]).status_code == 200


def test_probes_pass_when_all_is_well(server: httpx.Client) -> None:
    assert server.get("/livez").json() == server.get("/readyz").json() == {"status": "ok"}
    assert health(str(server.base_url))


def test_the_list_holds_every_index(server: httpx.Client) -> None:
    listed = {one["name"]: one for one in server.get("/v1/indexes").json()["indexes"]}
    kinds = {name: (one["metric"], one["dtype"]) for name, one in listed.items()}
    assert kinds == KINDS | {"objects": ("l2", "f32")}
    assert {(one["status"], one["dim"]) for one in listed.values()} == {("open", 24)}
    assert {name: one["n"] for name, one in listed.items() if one["n"] != 4000} == {"objects": 300}


def test_an_index_tells_what_it_holds_and_its_limits(server: httpx.Client) -> None:
    answer = server.get("/v1/indexes/bytes").json()
    assert (answer["metric"], answer["dtype"], answer["dim"], answer["n"]) == ("l2", "u8", 24, 4000)
    assert answer["entries"] >= answer["n"] > answer["heads"] > 0
    assert answer["size_bytes"] > 24 * 4000
    assert answer["payload_bytes"] == 0
    most = {"k": MAX_K, "batch": MAX_BATCH, "body_bytes": MAX_BODY, "payload_bytes": MAX_PAYLOAD}
    assert answer["limits"].items() >= most.items()
    assert {"hits", "payload_hits", "reads", "raw_body_bytes"} == set(answer["limits"]) - set(most)
    assert server.get("/v1/indexes/objects").json()["payload_bytes"] > 300 * 60


def test_answers_carry_the_name_of_the_request(server: httpx.Client) -> None:
    given = server.get("/livez", headers={"x-request-id": "job-7/3.a"})
    assert given.headers["x-request-id"] == "job-7/3.a"
    made = {server.get("/livez").headers["x-request-id"] for _ in range(3)}
    assert len(made) == 3
    for bad in ("two words", "x" * 129, "<b>", ""):
        assert server.get("/livez", headers={"x-request-id": bad}).headers["x-request-id"] != bad


def test_answers_do_not_name_the_software_below(server: httpx.Client) -> None:
    assert "server" not in server.get("/livez").headers


def test_a_failure_inside_is_a_problem_that_names_the_request(tiny_index: BuildIndex) -> None:
    app = create_app(Settings(indexes={"floats": tiny_index()}))

    async def fail() -> None:
        raise RuntimeError("secret")

    app.router.add_api_route("/fail", fail)

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
            return await client.get("/fail")

    answer = asyncio.run(ask())
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (500, "failed")
    assert problem["request_id"] == answer.headers["x-request-id"]
    assert "secret" not in answer.text


def test_no_route_can_forget_what_is_asked_of_every_request() -> None:
    """The routes of searches run no dependencies: an application that has some does not start."""
    with pytest.raises(TypeError, match="make them middleware"):
        routes.install(FastAPI(dependencies=[Depends(lambda: None)]))


def test_many_clients_at_once_get_their_own_answers(
    server: httpx.Client, clustered: Corpus
) -> None:
    path = "/v1/indexes/floats/search/batch"
    want, _ = raw_answer(post_raw(server, path, clustered.queries[:MAX_BATCH]))

    async def ask() -> list[httpx.Response]:
        async with httpx.AsyncClient(base_url=server.base_url, timeout=60) as client:
            return await asyncio.gather(
                *(
                    client.post(
                        SEARCH,
                        content=query.tobytes(),
                        headers={"content-type": RAW, "accept": RAW},
                    )
                    for query in clustered.queries[:MAX_BATCH]
                )
            )

    got = np.concatenate([raw_answer(answer)[0] for answer in asyncio.run(ask())])
    assert got.tolist() == want.tolist()


def test_what_does_not_fit_the_queue_is_refused_at_once_while_probes_pass(
    tiny_index: BuildIndex, clustered: Corpus
) -> None:
    batch = np.tile(clustered.queries, (10, 1)).tobytes()
    headers = {"content-type": RAW, "accept": RAW}

    async def ask(url: httpx.URL) -> list[httpx.Response]:
        path = f"{SEARCH}/batch?exact=true"
        async with httpx.AsyncClient(base_url=url, timeout=60) as client:
            searches = [client.post(path, content=batch, headers=headers) for _ in range(24)]
            probes = [client.get(path) for path in ("/livez", "/readyz") * 4]
            return await asyncio.gather(*searches, *probes)

    with serving({"floats": tiny_index()}, THREADS="1", QUEUE="1") as (client, _):
        answers = asyncio.run(ask(client.base_url))
        after = post_raw(client, SEARCH, clustered.queries[0])
    searches, probes = answers[:24], answers[24:]
    refused = [answer for answer in searches if answer.status_code == 503]
    assert {answer.status_code for answer in searches} == {200, 503}
    assert {answer.status_code for answer in probes} == {200}
    assert {answer.headers["retry-after"] for answer in refused} == {"1"}
    assert {answer.json()["code"] for answer in refused} == {"overloaded"}
    assert after.status_code == 200


def test_a_server_lives_but_is_not_ready_while_an_index_is_being_opened(
    tiny_index: BuildIndex, tmp_path: Path
) -> None:
    slow = tmp_path / "slow"
    shutil.copytree(tiny_index(), slow)
    manifest = (slow / MANIFEST).read_bytes()
    (slow / MANIFEST).unlink()
    os.mkfifo(slow / MANIFEST)  # whoever reads it waits for a writer
    port = free_port()
    indexes = f'["{tiny_index()}", "slow={slow}"]'
    with (
        process([*FACTORY, "--port", str(port)], port, INDEXES=indexes),
        httpx.Client(base_url=f"http://127.0.0.1:{port}") as client,
    ):
        assert client.get("/livez").status_code == 200
        answer = client.get("/readyz")
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        assert "index slow is being opened" in answer.json()["detail"]
        assert client.get("/v1/indexes/slow").json()["code"] == "not_ready"
        assert client.get("/v1/indexes").json()["indexes"][1]["status"] == "opening"
        assert not health(str(client.base_url))
        (slow / MANIFEST).write_bytes(manifest)
        wait_until_ready(client)
        assert client.get("/v1/indexes").json()["indexes"][1]["status"] == "open"


def test_an_index_that_cannot_be_opened_is_named_and_stops_no_other(
    tiny_index: BuildIndex, tmp_path: Path
) -> None:
    port = free_port()
    indexes = f'["gone={tmp_path}", "floats={tiny_index()}"]'
    with (
        process([*FACTORY, "--port", str(port)], port, INDEXES=indexes),
        httpx.Client(base_url=f"http://127.0.0.1:{port}") as client,
    ):
        wait_until_ready(client, index="floats")
        answer = client.get("/readyz")
        assert answer.status_code == 503
        assert "index gone cannot be opened: gone: no manifest" in answer.json()["detail"]
        assert str(tmp_path) not in answer.text  # where it lies is nobody's business
        assert client.get("/readyz", params={"index": "gone"}).status_code == 503
        assert client.get("/readyz", params={"index": "none"}).status_code == 404


def test_a_request_under_way_is_finished_when_the_server_is_told_to_stop(
    tiny_index: BuildIndex, clustered: Corpus
) -> None:
    body = clustered.queries[0].tobytes()
    head = (
        f"POST {SEARCH} HTTP/1.1\r\nhost: x\r\ncontent-type: {RAW}\r\naccept: {RAW}\r\n"
        f"content-length: {len(body)}\r\nexpect: 100-continue\r\n\r\n"
    ).encode()
    with serving({"floats": tiny_index()}) as (client, started):
        port = client.base_url.port
        assert port is not None
        with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
            connection.sendall(head)
            assert connection.recv(100).startswith(b"HTTP/1.1 100")  # it waits for the body
            started.terminate()
            with pytest.raises(subprocess.TimeoutExpired):
                started.wait(timeout=1)
            connection.sendall(body)
            assert connection.recv(100).startswith(b"HTTP/1.1 200")
        assert started.wait(timeout=60) == 0


def test_several_workers_answer_on_one_port(tiny_index: BuildIndex, clustered: Corpus) -> None:
    with serving({"floats": tiny_index()}, "--workers", "2") as (client, started):
        names = set()
        for _ in range(400):
            with httpx.Client(base_url=client.base_url, timeout=60) as other:
                answer = post_raw(other, SEARCH, clustered.queries[0])
            if answer.status_code == 200:
                names.add(answer.headers["x-request-id"].partition("-")[0])
            if len(names) == 2:
                break
        assert len(names) == 2
        started.terminate()
        assert started.wait(timeout=60) == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["a={index}", "a={index}"], "two indexes are named a"),
        (["a b={index}"], '"a b" cannot name an index'),
        ([f"{'x' * 65}={{index}}"], "cannot name an index"),
        (["{nowhere}"], "manifest.json"),
    ],
)
def test_what_cannot_be_served_is_refused_before_the_server_starts(
    tiny_index: BuildIndex, tmp_path: Path, arguments: list[str], words: str
) -> None:
    filled = [text.format(index=tiny_index(), nowhere=tmp_path) for text in arguments]
    command = [sys.executable, "-m", "longspan.service", "serve", *filled]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_a_port_in_use_is_an_error(server: httpx.Client, tiny_index: BuildIndex) -> None:
    port = str(server.base_url.port)
    command = ["longspan.service", "serve", str(tiny_index()), "--port", port]
    done = subprocess.run([sys.executable, "-m", *command], capture_output=True, text=True)
    assert done.returncode == 1
    assert "address already in use" in done.stderr.lower()


def test_health_is_false_for_what_is_no_server() -> None:
    assert not health("http://127.0.0.1:9")


@pytest.mark.parametrize(
    "url", ["localhost:8000", "", "ftp://x", "http://", "http://x:y", "http://["]
)
def test_health_refuses_what_is_no_url(url: str) -> None:
    with pytest.raises(BadConfig, match="no HTTP URL"):
        health(url)


def test_health_asks_the_server_itself_whatever_proxy_there_is(
    server: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert health(str(server.base_url))


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/", "/v1/indexes", "/v1/indexes/floats"])
def test_head_is_answered_where_get_is(server: httpx.Client, path: str) -> None:
    head, get = server.head(path), server.get(path)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-type"] == get.headers["content-type"]
    assert server.head(SEARCH).status_code == 405


def test_any_free_port_is_told_when_it_is_known(tiny_index: BuildIndex) -> None:
    command = ["longspan.service", "serve", str(tiny_index()), "--port", "0", "--json"]
    with subprocess.Popen(
        [sys.executable, "-m", *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as started:
        assert started.stdout is not None
        assert started.stderr is not None
        url = json.loads(started.stdout.readline())["url"]
        wait_until(lambda: health(url))
        started.terminate()
        log = started.stderr.read()
    assert started.returncode == 0
    assert re.search(
        r"^\d{4}-\d\d-\d\d \S+ INFO longspan\.\S+ \[\d+\]: index \S+ is open", log, re.M
    )


BROKEN = """
import uvicorn
from longspan.service.http.process import bound, run

async def app(scope, receive, send):
    await send({"type": "lifespan.startup.failed", "message": "broken"})

if __name__ == "__main__":
    config = uvicorn.Config("broken:app", host="127.0.0.1", port=0, workers=%d, lifespan="on")
    with bound(config) as listening:
        print("started:", run(config, listening))
"""


@pytest.mark.parametrize("workers", [1, 2])
def test_workers_that_cannot_start_are_a_failure(tmp_path: Path, workers: int) -> None:
    (tmp_path / "broken.py").write_text(BROKEN % workers)
    command = [sys.executable, "broken.py"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.stdout == "started: False\n", done.stderr
