"""HTTP as uvicorn speaks it, with bounds on what a client may have parsed at a time.

All that a socket gives, up to 256 KB, is parsed in one go on the event loop. As one piece of a body
that takes 0.1 ms; as 40,000 pieces of a byte each, or 6,000 requests, it took 40 ms and more, on
each of however many connections. And a head without an end was kept in memory for as long as it
came.
"""

from typing import Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD: Final = 512 << 10  # bytes of what begins with a head: at most twice what a socket gives
FIELDS: Final = 256  # of a head
WAITING: Final = 64  # requests of one connection that wait for the one before
PIECES: Final = 256  # of a body, however small they are
PIECE: Final = 512  # bytes that those beyond must have on average


class TooMuch(Exception):  # noqa: N818  what a client did, and no error of ours
    """More than a client may send; the parser makes a 400 of it and closes the connection."""


class Protocol(HttpToolsProtocol):
    """One connection."""

    _head = 0  # bytes since the last request ended, while no whole head has come
    _in_head = True
    _pieces = _bytes = 0  # of the body that comes

    def data_received(self, data: bytes) -> None:
        """Parse what came, unless a head has become too large."""
        if self._in_head:
            self._head += len(data)
            if self._head > HEAD:
                self.send_400_response("The head of the request is too large.")
                return
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
