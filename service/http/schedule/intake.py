"""Bodies of requests on their way in: how many, their bytes and the time that they may take.

A client decides how much it sends and how slowly. So large bodies take from a budget of bytes
before they are read, or as they come when they do not say how large they are; small ones need none,
but only so many of any size come at once. Where there is no room for one more, those that come
slowly are given up for it: whoever dawdles keeps nobody out.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import Final

from fastapi import Request

from longspan.service.http.pace import SMALL, Pace
from longspan.service.http.wire.problems import Refused

MOST: Final = 1024  # bodies that come at once
STALL: Final = 5  # seconds in which something of a body must come
CLOSING: Final = 2  # seconds that a body has left once the server was told to stop
SPARED: Final = 1.0  # seconds in which no body is called slow
SLOW: Final = 1 << 20  # bytes a second: one that comes slower is given up for others


class Intake:
    """The bodies that are being read, and those of searches that wait or run.

    most     bytes of all large ones together
    seconds  that one may take to come
    """

    def __init__(self, most: int, seconds: float) -> None:
        self.seconds, self.stopping = seconds, False
        self.pace = Pace()
        self._most = most
        self._held = 0
        self._coming: dict[Body, None] = {}  # the oldest first

    @contextmanager
    def body(self) -> Iterator["Body"]:
        """Give a body to read; what it takes of the budget is given back at the end."""
        body = Body(self)
        try:
            yield body
        finally:
            self._release(body)

    def begin(self, body: "Body") -> None:
        """Let a body come; refuse it when too many do, and none of them slowly."""
        if len(self._coming) >= MOST and not self._give_up(lambda other: 1, 1):
            raise _overloaded(f"{len(self._coming)} bodies are being read, the most at once")
        self._coming[body] = None

    def end(self, body: "Body") -> None:
        """Note that a body comes no more: it is there, or was given up."""
        self._coming.pop(body, None)

    def take(self, body: "Body", size: int) -> None:
        """Let a body have size bytes, or grow to them; refuse it when no more are left."""
        more = max(size - SMALL - body.taken, 0)
        lacking = self._held + more - self._most
        if lacking > 0 and not self._give_up(lambda other: other.taken, lacking, body):
            raise _overloaded(
                f"bodies of {self._held:,} bytes are being read, the most is {self._most:,}"
            )
        self._held += more
        body.taken += more

    def _give_up(self, room: "Room", wanted: int, but: "Body | None" = None) -> bool:
        """Give up bodies that come slowly, until there is so much room; say whether there is.

        room  what there is more when one is given up
        """
        chosen, found = [], 0
        for body in self._coming:
            if found < wanted and body is not but and body.is_slow and room(body):
                chosen.append(body)
                found += room(body)
        if found < wanted:
            return False
        for body in chosen:
            body.give_up()
            self._release(body)
        return True

    def _release(self, body: "Body") -> None:
        self.end(body)
        self._held -= body.taken
        body.taken = 0

    def stop(self) -> None:
        """Give the bodies that are being read a moment more."""
        self.stopping = True
        for body in self._coming:
            body.hurry()


Room = Callable[["Body"], int]


class Body:
    """A body that may be read once.

    taken  bytes of the budget that it holds
    """

    def __init__(self, intake: Intake) -> None:
        self._intake, self._loop = intake, asyncio.get_running_loop()
        self._begun = self._loop.time()
        self._end = self._begun + (CLOSING if intake.stopping else intake.seconds)
        self._timeout = asyncio.timeout_at(self._next())
        self._size, self._is_given_up = 0, False
        self.taken = 0

    async def read(self, request: Request, limit: int) -> bytes:
        """Return the body; refuse it as soon as it is known to be too large, or is too slow."""
        announced = int(request.headers.get("content-length", 0))
        _check(announced, limit)
        self._intake.begin(self)
        self._intake.take(self, announced)
        try:
            async with self._timeout:
                return await self._read(request.stream(), limit)
        except TimeoutError as error:
            raise self._too_slow() from error
        finally:
            self._intake.end(self)

    async def _read(self, stream: AsyncIterator[bytes], limit: int) -> bytes:
        chunks = []
        async for chunk in stream:
            self._size += len(chunk)
            _check(self._size, limit)
            if self._is_given_up:
                raise TimeoutError
            self._intake.take(self, self._size)
            chunks.append(chunk)
            if self._size > SMALL:
                await self._intake.pace.keep(len(chunk))
            self._timeout.reschedule(self._next())
        return b"".join(chunks)

    def _next(self) -> float:
        """Return when the body is given up if nothing comes."""
        return min(self._end, self._loop.time() + STALL)

    @property
    def is_slow(self) -> bool:
        """Whether it may be given up for another."""
        age = self._loop.time() - self._begun
        return age > SPARED and self._size < SLOW * age

    def give_up(self) -> None:
        """Have it refused at once."""
        self._is_given_up = True
        self._timeout.reschedule(self._loop.time())

    def hurry(self) -> None:
        """Give it a moment more."""
        self._end = min(self._end, self._loop.time() + CLOSING)
        self._timeout.reschedule(self._next())

    def _too_slow(self) -> Refused:
        if self._intake.stopping:
            return Refused("not_ready", "the server is stopping")
        if self._is_given_up:
            why = "the body came slowly, and others wanted its room"
        else:
            seconds = self._intake.seconds
            why = f"the body is not there after {seconds:g} s, or nothing came for {STALL} s"
        return Refused("too_slow", why, headers={"Connection": "close"})


def _check(size: int, limit: int) -> None:
    if size > limit:
        raise Refused("too_large", f"the body has {size} bytes or more, at most {limit} are read")


def _overloaded(why: str) -> Refused:
    return Refused("overloaded", why, headers={"Retry-After": "1"})
