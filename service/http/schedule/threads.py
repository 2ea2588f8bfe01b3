"""Threads that work until the process ends, whatever they are at then.

Those of concurrent.futures are waited for when the process ends; a server that was told to stop,
and has given its searches their time, must not.
"""

from collections.abc import Callable
from queue import SimpleQueue
from threading import Thread
from typing import Any

Task = Callable[[], Any]


class Threads:
    """So many threads that perform tasks in the order in which they are given."""

    def __init__(self, count: int, name: str) -> None:
        self._tasks: SimpleQueue[Task | None] = SimpleQueue()
        self._threads = [
            Thread(target=self._work, name=f"{name}-{number}", daemon=True)
            for number in range(count)
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, task: Task) -> None:
        """Have a task performed as soon as a thread is free; it must not raise."""
        self._tasks.put(task)

    def close(self) -> None:
        """Let the threads end after the tasks that they were given; do not wait for it."""
        for _ in self._threads:
            self._tasks.put(None)

    def _work(self) -> None:
        while (task := self._tasks.get()) is not None:
            task()
