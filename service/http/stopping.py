"""Hear at once that the server is told to stop, which uvicorn tells an application at the end."""

import asyncio
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

SIGNALS = (signal.SIGTERM, signal.SIGINT)


@contextmanager
def told_to_stop(then: Callable[[], None]) -> Iterator[None]:
    """Have the running event loop do something as soon as a signal says stop.

    Whoever handled the signal before handles it still. Only the main thread hears of signals;
    elsewhere nothing is done.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()
    before = {number: signal.getsignal(number) for number in SIGNALS}

    def handle(number: int, frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(then)
        handler: Any = before[signal.Signals(number)]
        if callable(handler):
            handler(number, frame)

    for number in SIGNALS:
        signal.signal(number, handle)
    try:
        yield
    finally:
        for number in SIGNALS:
            if signal.getsignal(number) is handle:
                signal.signal(number, before[number])
