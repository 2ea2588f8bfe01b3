"""A pool of threads for the stages: native code and BLAS run without the GIL, one core each.

Why threads: the stages spend their time in GEMM and in our own loops, which release the GIL, and
share the heads and the mapped input. Each unit of work is cut by the data and not by the number
of workers, so the result is the same for any number of them.
"""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from threadpoolctl import threadpool_limits

Item = TypeVar("Item")
Result = TypeVar("Result")

AHEAD = 4  # units a thread that may be under way or waiting to be taken


class Workers:
    """Runs a function over items, `threads` at a time."""

    def __init__(self, pool: ThreadPoolExecutor, threads: int) -> None:
        self._pool, self.threads = pool, threads

    def each(
        self, work: Callable[[Item], Result], items: Iterable[Item], ahead: int | None = None
    ) -> Iterator[Result]:
        """Yield work(item) in the order of the items; the first error ends it.

        ahead  items at most that are at work or wait to be taken; default: a few a thread
        """
        most = ahead or AHEAD * self.threads
        waiting: deque[Future[Result]] = deque()
        for item in items:
            waiting.append(self._pool.submit(work, item))
            if len(waiting) >= most:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


@contextmanager
def workers(threads: int | None = None) -> Iterator[Workers]:
    """Give a pool; BLAS keeps to one thread in it. Default: every core this process may use."""
    count = threads or len(os.sched_getaffinity(0))
    with threadpool_limits(1), ThreadPoolExecutor(count, "longspan-build") as pool:
        try:
            yield Workers(pool, count)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
