"""A pool of threads for the stages: native code and BLAS run without the GIL, one core each.

Why threads: the stages spend their time in GEMM and in our own loops, which release the GIL, and
share the heads and the mapped input. Each unit of work is cut by the data and not by the number
of workers, so the result is the same for any number of them.
"""

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice
from queue import SimpleQueue
from typing import Any, TypeVar

from threadpoolctl import threadpool_limits

from longspan.indexer.running import heap

Item = TypeVar("Item")
Result = TypeVar("Result")

AHEAD = 4  # units a thread that may be under way or waiting to be taken


class Workers:
    """Runs a function over items, `threads` at a time."""

    def __init__(self, pool: ThreadPoolExecutor, threads: int) -> None:
        self._pool, self.threads = pool, threads

    def each(
        self, work: Callable[[Item], Result], items: Iterable[Item], ahead: int = AHEAD
    ) -> Iterator[Result]:
        """Yield work(item) in the order of the items; the first error ends it.

        Results wait for whoever takes them, but never more than `ahead` a thread.
        """
        waiting: deque[Future[Result]] = deque()
        for item in items:
            waiting.append(self._pool.submit(work, item))
            if len(waiting) > ahead * self.threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()

    def as_done(
        self, work: Callable[[Item], object], items: Iterable[Item], most: int | None = None
    ) -> Generator[Item, None, None]:
        """Yield each item as soon as it is worked on, in any order; the first error ends it.

        most  items at work at once; default: one a thread, and more that wait for it
        """
        most = most if most and most < self.threads else AHEAD * self.threads
        return as_done(lambda item: self._pool.submit(work, item), items, most)


def as_done(
    submit: Callable[[Item], Future[Any]], items: Iterable[Item], most: int
) -> Generator[Item, None, None]:
    """Yield each item as soon as its future is done, in any order; the first error ends it.

    submit  gives the future of an item; no more than most are under way

    Why not `concurrent.futures.wait`: it holds the locks of all futures for a while, and where an
    interrupt (Ctrl-C) comes then, they stay locked and the threads at work on them never end.
    """
    left, done = iter(items), SimpleQueue[Future[Any]]()
    running: dict[Future[Any], Item] = {}

    def start(count: int) -> None:
        for item in islice(left, count):
            future = submit(item)
            running[future] = item
            future.add_done_callback(done.put)

    start(most)
    while running:
        future = done.get()
        future.result()
        yield running.pop(future)
        start(1)


@contextmanager
def workers(threads: int | None = None) -> Iterator[Workers]:
    """Give a pool; BLAS keeps to one thread in it. Default: every core this process may use."""
    count = threads or len(os.sched_getaffinity(0))
    heap.share()
    with threadpool_limits(1), ThreadPoolExecutor(count, "longspan-build") as pool:
        try:
            yield Workers(pool, count)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
