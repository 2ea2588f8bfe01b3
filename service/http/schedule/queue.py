"""How many searches run, how many wait, and who is sent away.

Searches run in threads of their own, because they leave the GIL and may wait for the disk; the
event loop only talks HTTP. What does not fit the queue is refused at once, so that a client hears
in a millisecond what would otherwise be a timeout.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, NamedTuple

from starlette.requests import ClientDisconnect

from longspan.service.http.schedule.threads import Threads
from longspan.service.http.schedule.work import LATER, Call, HandOver
from longspan.service.http.wire.form import Reply
from longspan.service.http.wire.problems import Refused

Perform = Callable[[Sequence[Call], HandOver], None]
Left = Callable[[], Coroutine[Any, Any, None]]

_MOST = 32  # calls that one thread takes at once
_PATIENCE = 0.0003  # seconds that calls wait before another thread is sent for them
_PASSED = 16  # times that the only thread may be sent for others while a long call waits


class Waiting(NamedTuple):
    """A call, where its reply goes, and how one hears that nobody wants it any more."""

    call: Call
    future: "asyncio.Future[Reply]"
    left: Left | None


class Admission:
    """Threads that perform calls, and room for `queue` more to wait for one.

    perform  hands over the reply to each of some calls, or the exception that it met, as it comes;
             or LATER, for one that turned out to take long

    One thread takes several calls at once, and while it works the next ones gather. Another is
    sent when some have waited for 0.3 ms: the first may be waiting for the disk. Calls that take
    long wait in a line of their own, and never have the last free thread: so one that takes a
    minute costs others a share of the machine, and not the minute. All bookkeeping is done by the
    event loop.
    """

    def __init__(self, perform: Perform, threads: int, queue: int) -> None:
        self._perform = perform
        self._pool = Threads(threads, "search")
        self._threads, self._room = threads, threads + queue
        self._waiting: deque[Waiting] = deque()
        self._long: deque[Waiting] = deque()
        self._inside = 0  # calls that wait or run
        self._busy = 0  # threads
        self._busy_long = 0  # those of them that perform a long call
        self._passed = 0  # times that a thread was sent and a long call waited on
        self._alarm: asyncio.TimerHandle | None = None
        self._closed = False

    def check(self) -> None:
        """Refuse what would find no place inside, before its body is read."""
        if self._closed:
            raise _stopping()
        if self._inside >= self._room:
            raise Refused(
                "overloaded",
                f"{self._inside} searches run or wait, the most that this server takes",
                headers={"Retry-After": "1"},
            )

    async def run(self, call: Call, left: Left | None = None) -> Reply:
        """Return the reply to a call, whose body is there; refuse it where there is no place.

        left  ends when the client has left: a call that takes long is then dropped while it waits,
              and ClientDisconnect raised
        """
        self.check()
        self._inside += 1
        try:
            return await self._outcome(call, left)
        finally:
            self._inside -= 1

    async def _outcome(self, call: Call, left: Left | None) -> Reply:
        loop = asyncio.get_running_loop()
        waiting = Waiting(call, loop.create_future(), left)
        if call.is_long:
            self._put_off(waiting)
        else:
            self._waiting.append(waiting)
        if not self._busy:
            self._send(loop)
        else:
            self._set_alarm(loop)
        return await waiting.future

    def _put_off(self, waiting: Waiting) -> None:
        """Let a call wait among those that take long."""
        self._long.append(waiting)
        if waiting.left:
            watch = asyncio.ensure_future(_drop(waiting.future, waiting.left))
            waiting.future.add_done_callback(lambda _: watch.cancel())

    def _set_alarm(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._alarm is None and self._has_work():
            self._alarm = loop.call_later(_PATIENCE, self._on_alarm, loop)

    def _on_alarm(self, loop: asyncio.AbstractEventLoop) -> None:
        self._alarm = None
        self._send(loop)
        self._set_alarm(loop)

    def _has_work(self) -> bool:
        """Drop calls whose client has left; say whether a thread is free, and has work."""
        while self._long and self._long[0].future.done():
            self._long.popleft()
        return self._busy < self._threads and bool(self._waiting or self._may_send_long)

    @property
    def _may_send_long(self) -> bool:
        return bool(self._long) and self._busy_long < max(1, self._threads - 1)

    @property
    def _long_is_next(self) -> bool:
        """Whether it is a long call's turn: one runs whatever else comes, or it would never."""
        alone = self._busy_long == 0 and (self._busy > 0 or self._passed >= _PASSED)
        return self._may_send_long and (not self._waiting or alone)

    def _send(self, loop: asyncio.AbstractEventLoop) -> None:
        """Send a thread to perform some of what waits, or one long call when it is its turn.

        A quarter of what is inside, so that the event loop has others to talk to meanwhile and
        other threads have some left.
        """
        if not self._has_work():
            return
        is_long = self._long_is_next
        most = 1 if is_long else min(_MOST, 1 + self._inside // 4)
        self._passed = 0 if is_long else self._passed + bool(self._long)
        line = self._long if is_long else self._waiting
        taken = [line.popleft() for _ in range(min(most, len(line)))]
        self._busy += 1
        self._busy_long += is_long
        self._pool.submit(lambda: self._work(loop, taken, is_long))

    def _work(
        self, loop: asyncio.AbstractEventLoop, taken: Sequence[Waiting], is_long: bool
    ) -> None:
        """Perform the calls: what the threads do.

        The outcomes go straight to the event loop instead of through `run_in_executor`, whose
        chain of two futures took 0.1 ms of CPU, measured here.
        """
        left = dict(enumerate(taken))

        def hand_over(outcomes: dict[int, Reply | BaseException]) -> None:
            pairs = [(left.pop(number), outcome) for number, outcome in outcomes.items()]
            _tell(loop, self._settle, pairs)

        try:
            self._perform([one.call for one in taken], hand_over)
        except BaseException as exc:  # whatever it is: clients wait for an answer
            hand_over(dict.fromkeys([*left], exc))
        _tell(loop, self._free, loop, is_long)

    def _settle(self, pairs: Sequence[tuple[Waiting, Reply | BaseException]]) -> None:
        """Give each call its outcome."""
        for waiting, outcome in pairs:
            if waiting.future.done():
                continue
            if outcome is LATER:
                self._put_off(waiting._replace(call=waiting.call.as_long()))
            elif isinstance(outcome, BaseException):
                waiting.future.set_exception(_as_exception(outcome))
            else:
                waiting.future.set_result(outcome)

    def _free(self, loop: asyncio.AbstractEventLoop, is_long: bool) -> None:
        """Take a thread back, and send it for what waits."""
        self._busy -= 1
        self._busy_long -= is_long
        self._send(loop)
        self._set_alarm(loop)

    def close(self) -> None:
        """Refuse the searches that wait; those that run go on, and nobody waits for them."""
        self._closed = True
        for waiting in (*self._waiting, *self._long):
            if not waiting.future.done():
                waiting.future.set_exception(_stopping())
        self._waiting.clear()
        self._long.clear()
        self._pool.close()


async def _drop(future: "asyncio.Future[Reply]", left: Left) -> None:
    """End a call when its client has left."""
    await left()
    if not future.done():
        future.set_exception(ClientDisconnect())


def _stopping() -> Refused:
    return Refused("not_ready", "the server is stopping", headers={"Retry-After": "1"})


def _as_exception(outcome: BaseException) -> BaseException:
    """Return what a future may carry: StopIteration would end the coroutine that waits for it."""
    return RuntimeError("a search failed") if isinstance(outcome, StopIteration) else outcome


def _tell(loop: asyncio.AbstractEventLoop, what: Callable[..., None], *args: object) -> None:
    """Have the event loop do something, unless it has ended."""
    try:
        loop.call_soon_threadsafe(what, *args)
    except RuntimeError:
        if not loop.is_closed():
            raise
