"""Bodies of requests on their way in: the bytes and the time that they may take.

A client decides how much it sends and how slowly. So large bodies take from a budget before they
are read, or as they come when they do not say how large they are, and one that finds none left is
refused; small ones need none, or a few large ones that stall would shut everybody out. A body that
stalls, or takes too long, is refused as well.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress

from fastapi import Request

from longspan.service.http.wire.problems import Refused

SMALL = 64 << 10  # bytes of a body that take from no budget: those of a query, nearly always
STALL = 5  # seconds in which something of a body must come
LINGER = 2  # seconds that a refused body is read on and dropped, so that its client sees why
CLOSING = 2  # seconds that a body has left once the server was told to stop


class Intake:
    """The bodies that are being read, and those of searches that wait or run.

    most     bytes of all large ones together
    seconds  that one may take to come
    """

    def __init__(self, most: int, seconds: float) -> None:
        self._most, self._seconds = most, seconds
        self._held = 0
        self._clocks: set[asyncio.Timeout] = set()
        self._stopping = False

    @contextmanager
    def body(self) -> Iterator["Body"]:
        """Give a body to read; what it takes of the budget is given back at the end."""
        body = Body(self)
        try:
            yield body
        finally:
            self._held -= body.taken

    def take(self, body: "Body", size: int) -> None:
        """Let a body have size bytes, or grow to them; refuse it when no more are left."""
        more = max(size - SMALL - body.taken, 0)
        if self._held + more > self._most:
            raise Refused(
                "overloaded",
                f"bodies of {self._held:,} bytes are being read, the most is {self._most:,}",
                headers={"Retry-After": "1"},
            )
        self._held += more
        body.taken += more

    @contextmanager
    def clock(self) -> Iterator["Clock"]:
        """Give the time that a body has; refuse it when that is over."""
        clock = Clock(CLOSING if self._stopping else self._seconds)
        self._clocks.add(clock.timeout)
        try:
            yield clock
        except TimeoutError as error:
            if self._stopping:
                raise Refused("not_ready", "the server is stopping") from error
            raise Refused(
                "too_slow",
                f"the body is not there after {self._seconds:g} s, or nothing came for {STALL} s",
            ) from error
        finally:
            self._clocks.discard(clock.timeout)

    def stop(self) -> None:
        """Give the bodies that are being read a moment more."""
        self._stopping = True
        soon = asyncio.get_running_loop().time() + CLOSING
        for timeout in self._clocks:
            timeout.reschedule(min(soon, timeout.when() or soon))


class Clock:
    """The time that one body has: a while for each piece of it, and an end."""

    def __init__(self, seconds: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._end = self._loop.time() + seconds
        self.timeout = asyncio.timeout_at(self._next())

    def wind(self) -> None:
        """Go on: something came."""
        self.timeout.reschedule(self._next())

    def _next(self) -> float:
        return min(self._end, self._loop.time() + STALL)


class Body:
    """A body that may be read once.

    taken  bytes of the budget that it holds
    """

    def __init__(self, intake: Intake) -> None:
        self._intake = intake
        self.taken = 0

    async def read(self, request: Request, limit: int) -> bytes:
        """Return the body; refuse it as soon as it is known to be too large, or is too slow."""
        stream = request.stream()
        try:
            announced = int(request.headers.get("content-length", 0))
            self._check(announced, limit)
            self._intake.take(self, announced)
            return await self._read(stream, limit)
        except Refused as refused:
            if refused.code in ("too_large", "overloaded") and "expect" not in request.headers:
                await drop(stream)
            raise

    async def _read(self, stream: AsyncIterator[bytes], limit: int) -> bytes:
        chunks, size = [], 0
        with self._intake.clock() as clock:
            async with clock.timeout:
                async for chunk in stream:
                    size += len(chunk)
                    self._check(size, limit)
                    self._intake.take(self, size)
                    chunks.append(chunk)
                    clock.wind()
        return b"".join(chunks)

    def _check(self, size: int, limit: int) -> None:
        if size > limit:
            raise Refused(
                "too_large", f"the body has {size} bytes or more, at most {limit} are read"
            )


async def drop(stream: AsyncIterator[bytes]) -> None:
    """Read on for a while and keep nothing: an answer that comes amid sending is lost to many."""
    with suppress(TimeoutError):
        async with asyncio.timeout(LINGER):
            async for _ in stream:
                pass
