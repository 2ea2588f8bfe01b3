"""HTTP as uvicorn speaks it, with bounds on what a client may have parsed at a time.

All that a socket gives, up to 256 KB, is parsed in one go on the event loop. As one piece of a body
that takes 0.1 ms; as 40,000 pieces of a byte each, or 6,000 requests, it took 40 ms and more, on
each of however many connections. And a head without an end was kept in memory for as long as it
came. What cannot be read as a request is refused here, before the application.
"""

import secrets
from asyncio import TimerHandle, Transport
from http import HTTPStatus
from typing import Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from longspan.service.http.wire.problems import MEDIA_TYPE, PROBLEMS, Refused, body_of

HEAD: Final = 512 << 10  # bytes of what begins with a head: at most twice what a socket gives
FIELDS: Final = 256  # of a head
WAITING: Final = 64  # requests of one connection that wait for the one before
PIECES: Final = 256  # of a body, however small they are
PIECE: Final = 512  # bytes that those beyond must have on average
HEAD_SECONDS: Final = "head_seconds"  # in the lifespan's state: the time that a head may take


class TooMuch(Exception):  # noqa: N818  what a client did, and no error of ours
    """More than a client may send; the parser makes a 400 of it and closes the connection."""


class Protocol(HttpToolsProtocol):
    """One connection."""

    _head = 0  # bytes since the last request ended, while no whole head has come
    _in_head = True
    _pieces = _bytes = 0  # of the body that comes
    _late: TimerHandle | None = None  # while a head comes

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        """Wait for a first request as long as for another one."""
        super().connection_made(transport)
        self.timeout_keep_alive_task = self.loop.call_later(
            self.timeout_keep_alive, self.timeout_keep_alive_handler
        )

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing any more."""
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse what came, unless a head has become too large."""
        if self._in_head:
            self._head += len(data)
            if self._head > HEAD:
                self.send_400_response("the head of the request is too large")
                return
            if self._late is None:
                self._wait()
        super().data_received(data)

    def on_message_begin(self) -> None:
        """Note that a request begins."""
        if len(self.pipeline) >= WAITING:
            raise TooMuch
        self._pieces = self._bytes = 0
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a field of a head."""
        if len(self.headers) >= FIELDS:
            raise TooMuch
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Note that a head is whole."""
        self._in_head, self._head = False, 0
        self._stop_waiting()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Keep a piece of a body."""
        self._pieces += 1
        self._bytes += len(body)
        if self._pieces > PIECES + self._bytes // PIECE:
            raise TooMuch
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Note that a request is whole."""
        self._in_head = True
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Refuse what cannot be read."""
        self._refuse("bad_request", msg)

    def _wait(self) -> None:
        """Give the head that comes its time."""
        self._late = self.loop.call_later(self.app_state[HEAD_SECONDS], self._give_up)

    def _give_up(self) -> None:
        """Refuse a head that did not come in time; of one that was not read nobody knows."""
        if self.flow.read_paused:
            self._wait()
        else:
            self._refuse("too_slow", "the head of the request did not come in time")

    def _refuse(self, code: str, detail: str) -> None:
        """Answer with a problem, unless another answer is under way, and close the connection."""
        name, status = secrets.token_hex(8), PROBLEMS[code].status
        body = body_of(Refused(code, detail), "", name)
        head = (
            f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\ncontent-type: {MEDIA_TYPE}\r\n"
            f"content-length: {len(body)}\r\nx-request-id: {name}\r\nconnection: close\r\n\r\n"
        )
        if self.cycle is None or self.cycle.response_complete:
            self.transport.write(head.encode() + body)
        self.transport.close()

    def _stop_waiting(self) -> None:
        """Let what comes next take its time."""
        if self._late is not None:
            self._late.cancel()
            self._late = None
