"""What a client may have parsed at a time, and an answer that comes before its request has."""

import json
import socket
import time

import httpx
import pytest

from tests.conftest import BuildIndex
from tests.service.serving import RAW, serving, wait_until
from tests.service.test_http_server import SEARCH

GET = b"GET /livez HTTP/1.1\r\nhost: x\r\n"
POST = f"POST {SEARCH} HTTP/1.1\r\nhost: x\r\ncontent-type: {RAW}\r\n".encode()
CHUNKED = POST + b"transfer-encoding: chunked\r\n\r\n"


def connect(server: httpx.Client) -> socket.socket:
    port = server.base_url.port
    assert port is not None
    return socket.create_connection(("127.0.0.1", port), timeout=60)


def answer_to(server: httpx.Client, *sent: bytes) -> bytes:
    """Return what comes until the server closes the connection; nothing when it cuts it."""
    found = b""
    with connect(server) as connection:
        try:
            for block in sent:
                connection.sendall(block)
            while block := connection.recv(1 << 16):
                found += block
        except OSError:
            pass
    return found


@pytest.mark.parametrize(
    "sent",
    [
        [GET + b"a: b\r\n" * 300],
        [GET + b"a: ", *[b"x" * 100_000] * 20],
        [b"GET /", *[b"x" * 100_000] * 20],
        [CHUNKED + b"1\r\n\0\r\n" * 1000],
        [(GET + b"\r\n") * 5000],
    ],
    ids=["fields", "a field", "a path", "pieces of a body", "requests"],
)
def test_what_has_no_end_is_cut_off(server: httpx.Client, sent: list[bytes]) -> None:
    found = answer_to(server, *sent)
    assert not found or b" 400 " in found
    assert server.get("/livez").status_code == 200


def test_what_is_no_request_gets_a_problem(server: httpx.Client) -> None:
    head, _, body = answer_to(server, b"one two\r\n\r\n").partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 Bad Request")
    assert b"content-type: application/problem+json" in head
    said = json.loads(body)
    assert (said["status"], said["code"]) == (400, "bad_request")
    assert f"x-request-id: {said['request_id']}".encode() in head


def test_a_head_that_does_not_come_is_given_up(tiny_index: BuildIndex) -> None:
    with serving({"floats": tiny_index()}, BODY_SECONDS="0.5") as (client, _):
        found = answer_to(client, GET + b"a: b")
        assert found.startswith(b"HTTP/1.1 408 ")
        assert json.loads(found.partition(b"\r\n\r\n")[2])["code"] == "too_slow"
        with connect(client) as connection:  # one that is silent is waited for, as between two
            for _ in range(2):
                time.sleep(1)
                connection.sendall(GET)
                time.sleep(0.1)
                connection.sendall(b"\r\n")
                found = b""
                while not found.endswith(b"}"):
                    found += connection.recv(1 << 16)
                assert found.startswith(b"HTTP/1.1 200")


def test_some_requests_may_wait_on_one_connection(server: httpx.Client) -> None:
    with connect(server) as connection:
        connection.sendall((GET + b"\r\n") * 50)
        found = b""
        while found.count(b"HTTP/1.1 200") < 50:
            block = connection.recv(1 << 16)
            assert block
            found += block


def test_a_body_in_some_pieces_is_one_body(server: httpx.Client) -> None:
    with connect(server) as connection:
        connection.sendall(CHUNKED + b"6\r\n" + b"\0" * 6 + b"\r\n")
        for _ in range(15):
            connection.sendall(b"6\r\n" + b"\0" * 6 + b"\r\n")
        connection.sendall(b"0\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("path", ["/v1/indexes/nobody/search", "/nowhere", "/livez"])
def test_an_answer_comes_before_a_large_body_was_read_and_the_connection_ends(
    server: httpx.Client, path: str
) -> None:
    size = 4 << 20
    head = f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: {RAW}\r\ncontent-length: {size}\r\n"
    found = answer_to(server, head.encode() + b"\r\n", bytes(size))
    start, _, body = found.partition(b"\r\n\r\n")
    assert start.split()[1] in (b"404", b"405")
    assert b"connection: close" in start
    assert body.startswith(b"{")


def test_a_body_without_an_end_is_read_on_for_a_while_only(server: httpx.Client) -> None:
    """The answer comes at once; a client that falls silent is hung up on."""
    with connect(server) as connection:
        connection.sendall(POST + b"content-length: 100000000\r\n\r\n" + bytes(200_000))
        assert connection.recv(12) == b"HTTP/1.1 413"
        connection.settimeout(20)
        while connection.recv(1 << 16):
            pass
    wait_until(lambda: server.get("/livez").status_code == 200)
