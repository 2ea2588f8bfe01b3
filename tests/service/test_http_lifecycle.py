"""Indexes of a running server: opened step by step, tried again, watched; and how it stops."""

import os
import shutil
import socket
import time
from contextlib import suppress
from functools import partial
from pathlib import Path

import httpx
import numpy as np
import pytest

from longspan.indexer.store.manifest import NAME as MANIFEST
from longspan.indexer.store.manifest import Manifest
from longspan.indexer.store.tiers import sizes
from tests.conftest import BuildIndex
from tests.data import Corpus
from tests.service.serving import RAW, free_port, post_raw, process, serving, wait_until
from tests.service.test_http_server import FACTORY, SEARCH


def has(client: httpx.Client, name: str, resident: str) -> bool:
    """Return whether an index has that in memory."""
    return bool(client.get(f"/v1/indexes/{name}").json()["memory"]["resident"] == resident)


def test_the_codes_come_into_memory_while_heads_alone_answer(
    coded: Path, clustered: Corpus
) -> None:
    with serving({"a": coded, "b": coded}, "--memory", "1GiB", "--workers", "2") as (client, _):
        assert post_raw(client, "/v1/indexes/a/search", clustered.queries[0]).status_code == 200
        for name in ("a", "b"):
            wait_until(partial(has, client, name, "heads and both codes"))


def test_the_memory_of_all_indexes_is_decided_once(coded: Path) -> None:
    heads, first, _ = sizes(Manifest.read(coded))
    limit = heads + first  # heads of both, and the first codes of one
    with serving({"a": coded, "b": coded}, MEMORY=f"{limit}B") as (client, _):
        wait_until(partial(has, client, "a", "heads and first codes"))
        time.sleep(1.5)
        assert has(client, "b", "heads")


def test_an_index_that_comes_late_finds_room_for_its_heads(coded: Path, tmp_path: Path) -> None:
    """Though the codes of another have taken all the memory that there was."""
    port, late, each = free_port(), tmp_path / "late", sizes(Manifest.read(coded))
    settings = {"INDEXES": f'["a={coded}", "late={late}"]', "MEMORY": f"{each[2]}B"}
    with (
        process([*FACTORY, "--port", str(port)], port, **settings),
        httpx.Client(base_url=f"http://127.0.0.1:{port}") as client,
    ):
        wait_until(lambda: client.get("/readyz", params={"index": "a"}).status_code == 200)
        wait_until(partial(has, client, "a", "heads and both codes"))
        shutil.copytree(coded, late)
        wait_until(lambda: client.get("/readyz").status_code == 200)


def test_an_index_that_comes_late_is_tried_again(tiny_index: BuildIndex, tmp_path: Path) -> None:
    port, late = free_port(), tmp_path / "late"
    settings = {"INDEXES": f'["late={late}", "floats={tiny_index()}"]', "READY": "any"}
    with (
        process([*FACTORY, "--port", str(port)], port, **settings),
        httpx.Client(base_url=f"http://127.0.0.1:{port}") as client,
    ):
        wait_until(lambda: client.get("/readyz").status_code == 200)
        assert client.get("/readyz", params={"index": "late"}).status_code == 503
        shutil.copytree(tiny_index(), late)
        wait_until(lambda: client.get("/readyz", params={"index": "late"}).status_code == 200)


def test_an_index_that_is_cut_off_while_it_is_served_costs_nobody_else(
    tiny_index: BuildIndex, tmp_path: Path, clustered: Corpus
) -> None:
    cut = tmp_path / "cut"
    shutil.copytree(tiny_index(), cut)
    with serving({"cut": cut, "floats": tiny_index()}) as (client, started):
        os.truncate(cut / "postings-0000.lmdb", 4096)
        for query in clustered.queries[:20]:  # before the catalog has looked at the file
            answer = post_raw(client, "/v1/indexes/cut/search", query, accept="application/json")
            assert answer.json()["code"] in ("damaged_index", "not_ready")
        wait_until(lambda: client.get("/v1/indexes/cut").status_code == 503)
        detail = client.get("/v1/indexes/cut").json()["detail"]
        assert "postings-0000.lmdb" in detail
        assert post_raw(client, SEARCH, clustered.queries[0]).status_code == 200
        assert started.poll() is None
        shutil.rmtree(cut)
        shutil.copytree(tiny_index(), cut)
        wait_until(lambda: client.get("/readyz").status_code == 200)


def test_an_index_that_is_removed_or_replaced_is_served_as_it_was(
    tiny_index: BuildIndex, tmp_path: Path, clustered: Corpus
) -> None:
    path = tmp_path / "index"
    shutil.copytree(tiny_index(), path)
    with serving({"x": path}) as (client, _):
        before = post_raw(client, "/v1/indexes/x/search", clustered.queries[0])
        shutil.rmtree(path)
        time.sleep(1.5)
        (path / "sub").mkdir(parents=True)
        (path / MANIFEST).write_bytes(b"{}")
        time.sleep(1.5)
        after = post_raw(client, "/v1/indexes/x/search", clustered.queries[0])
    assert before.content == after.content


def half_sent(client: httpx.Client) -> socket.socket:
    """Return a connection on which half of a request was sent."""
    head = f"POST {SEARCH} HTTP/1.1\r\nhost: x\r\ncontent-type: {RAW}\r\n"
    port = client.base_url.port
    assert port is not None
    connection = socket.create_connection(("127.0.0.1", port), timeout=60)
    connection.sendall(f"{head}content-length: 96\r\n\r\n".encode() + bytes(48))
    return connection


def test_half_a_request_does_not_hold_up_a_server_that_is_to_stop(tiny_index: BuildIndex) -> None:
    with serving({"floats": tiny_index()}) as (client, started), half_sent(client) as connection:
        time.sleep(0.2)
        started.terminate()
        assert started.wait(timeout=10) == 0
        assert connection.recv(100).startswith(b"HTTP/1.1 503")


def test_a_refused_body_that_still_comes_does_not_hold_up_a_server_that_is_to_stop(
    tiny_index: BuildIndex,
) -> None:
    head = f"POST {SEARCH} HTTP/1.1\r\nhost: x\r\ncontent-type: {RAW}\r\n"
    with serving({"floats": tiny_index()}) as (client, started):
        port = client.base_url.port
        assert port is not None
        with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
            connection.sendall(f"{head}content-length: 1000000000\r\n\r\n".encode())
            assert connection.recv(100).startswith(b"HTTP/1.1 413")
            started.terminate()
            end = time.monotonic() + 10
            while started.poll() is None and time.monotonic() < end:
                with suppress(OSError):
                    connection.sendall(bytes(1000))
                time.sleep(0.1)
            assert started.poll() == 0


def test_a_body_that_does_not_come_is_given_up(tiny_index: BuildIndex) -> None:
    with (
        serving({"floats": tiny_index()}, BODY_SECONDS="0.5") as (client, _),
        half_sent(client) as connection,
    ):
        assert connection.recv(100).startswith(b"HTTP/1.1 408")


def test_bodies_that_stall_cost_no_more_than_their_budget_and_nobody_else(
    tiny_index: BuildIndex, clustered: Corpus
) -> None:
    """Twice as many as the budget holds: half are refused, and small searches are answered."""
    size, most = 96 * 10_000, 1 << 22  # four fit: each but for 64 KiB
    head = f"POST {SEARCH}/batch?k=1 HTTP/1.1\r\nhost: x\r\ncontent-type: {RAW}\r\n"
    request = f"{head}content-length: {size}\r\n\r\n".encode() + bytes(size - 8)
    with serving({"floats": tiny_index()}, MAX_BODIES=str(most), MAX_BATCH="100000") as (client, _):
        port = client.base_url.port
        assert port is not None
        stalled = [socket.create_connection(("127.0.0.1", port), timeout=60) for _ in range(8)]
        for connection in stalled:
            connection.sendall(request)
        time.sleep(0.5)
        answer = post_raw(client, SEARCH, clustered.queries[0])
        assert answer.status_code == 200
        for connection in stalled:
            connection.sendall(bytes(8))
        codes = sorted(connection.recv(100)[9:12] for connection in stalled)
        for connection in stalled:
            connection.close()
    assert codes == [b"200"] * 4 + [b"503"] * 4


@pytest.mark.parametrize("expect", [False, True])
def test_a_body_that_is_too_large_is_refused_in_words_that_arrive(
    server: httpx.Client, expect: bool
) -> None:
    """A client that sends first and listens then must not see a connection that was cut."""
    port, size = server.base_url.port, 8 << 20
    assert port is not None
    head = f"POST {SEARCH} HTTP/1.1\r\nhost: x\r\ncontent-type: {RAW}\r\ncontent-length: {size}\r\n"
    head += "expect: 100-continue\r\n" if expect else ""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        connection.sendall(head.encode() + b"\r\n")
        if not expect:
            connection.sendall(np.zeros(size, np.uint8).tobytes())
        assert connection.recv(100).startswith(b"HTTP/1.1 413")


def test_damage_is_an_error_for_who_reads_it_and_a_mark_for_the_operator(
    coded: Path, clustered: Corpus, tmp_path: Path
) -> None:
    path = tmp_path / "index"
    shutil.copytree(coded, path)
    record = np.load(path / "directory.npy")[7]
    with serving({"x": path}, "--memory", f"{sizes(Manifest.read(path))[0]}B") as (client, _):
        assert client.get("/v1/indexes/x").json()["damaged"] == []
        with (path / "postings-0000.lmdb").open("r+b") as file:
            file.seek(int(record["offset"]))
            file.write(bytes(64))
        url = "/v1/indexes/x/search"
        broken = post_raw(client, url, clustered.queries[0], probes=150, accept="application/json")
        assert (broken.status_code, broken.json()["code"]) == (500, "damaged_index")
        assert client.get("/v1/indexes/x").json()["damaged"] == ["posting 7"]
        answers = [post_raw(client, url, query, probes=1) for query in clustered.queries[:20]]
    assert 200 in {answer.status_code for answer in answers}
