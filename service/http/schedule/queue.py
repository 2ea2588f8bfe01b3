"""How many searches run, how many wait, and who is sent away.

Searches run in threads of their own, because they leave the GIL and may wait for the disk; the
event loop only talks HTTP. What does not fit the queue is refused at once, so that a client hears
in a millisecond what would otherwise be a timeout.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from longspan.service.http.schedule.work import Call
from longspan.service.http.wire.form import Reply
from longspan.service.http.wire.problems import Refused

Perform = Callable[[Sequence[Call]], Sequence[Reply | Exception]]
Waiting = tuple[Call, "asyncio.Future[Reply]"]

_MOST = 32  # calls that one thread takes at once
_PATIENCE = 0.0003  # seconds that calls wait before another thread is sent for them


class Admission:
    """Threads that perform calls, and room for `queue` more to wait for one.

    perform  gives the reply to each of some calls, or the exception that it met

    One thread takes several calls at once, and while it works the next ones gather. Another is
    sent when some have waited for 0.3 ms: the first may be waiting for the disk, or be busy with
    a batch. All bookkeeping is done by the event loop.
    """

    def __init__(self, perform: Perform, threads: int, queue: int) -> None:
        self._perform = perform
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="search")
        self._threads, self._room = threads, threads + queue
        self._waiting: deque[Waiting] = deque()
        self._inside = 0  # calls that wait or run
        self._busy = 0  # threads
        self._alarm: asyncio.TimerHandle | None = None

    def check(self) -> None:
        """Refuse when the queue is full."""
        if self._inside >= self._room:
            raise Refused(
                "overloaded",
                f"{self._inside} searches run or wait, the most that this server takes",
                headers={"Retry-After": "1"},
            )

    async def run(self, call: Call) -> Reply:
        """Return the reply to a call; refuse when the queue is full."""
        self.check()
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Reply] = loop.create_future()
        self._waiting.append((call, future))
        self._inside += 1
        if not self._busy:
            self._send(loop)
        else:
            self._set_alarm(loop)
        return await future

    def _set_alarm(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._alarm is None and self._busy < self._threads:
            self._alarm = loop.call_later(_PATIENCE, self._on_alarm, loop)

    def _on_alarm(self, loop: asyncio.AbstractEventLoop) -> None:
        self._alarm = None
        if self._waiting and self._busy < self._threads:
            self._send(loop)
            if self._waiting:
                self._set_alarm(loop)

    def _send(self, loop: asyncio.AbstractEventLoop) -> None:
        """Send a thread to perform some of what waits.

        A quarter of what is inside, so that the event loop has others to talk to meanwhile and
        other threads have some left. A batch goes alone: nobody shall wait until it is done.
        """
        taken = [self._waiting.popleft()]
        most = min(_MOST, 1 + self._inside // 4)
        while self._waiting and len(taken) < most:
            if taken[0][0].many or self._waiting[0][0].many:
                break
            taken.append(self._waiting.popleft())
        self._busy += 1
        self._pool.submit(self._work, loop, taken)

    def _work(self, loop: asyncio.AbstractEventLoop, taken: list[Waiting]) -> None:
        """Perform the calls: what the threads do.

        The outcomes go straight to the event loop instead of through `run_in_executor`, whose
        chain of two futures took 0.1 ms of CPU, measured here.
        """
        outcomes: Sequence[Reply | Exception]
        try:
            outcomes = self._perform([call for call, _ in taken])
        except Exception as exc:
            outcomes = [exc] * len(taken)
        loop.call_soon_threadsafe(self._finish, loop, taken, outcomes)

    def _finish(
        self,
        loop: asyncio.AbstractEventLoop,
        taken: list[Waiting],
        outcomes: Sequence[Reply | Exception],
    ) -> None:
        self._busy -= 1
        self._inside -= len(taken)
        if self._waiting:
            self._send(loop)
        for (_, future), outcome in zip(taken, outcomes, strict=True):
            if future.cancelled():
                continue
            if isinstance(outcome, Exception):
                future.set_exception(outcome)
            else:
                future.set_result(outcome)

    def close(self) -> None:
        """Drop the searches that wait, let those that run finish."""
        self._waiting.clear()
        self._pool.shutdown()
