"""How far a build is: the stage, its rate and the time left, on stderr.

On a terminal rich draws one bar a stage. Elsewhere, and on a dumb terminal, a stage is a line
when it begins, at most one every 10 seconds while it runs, and one when it ends: a log stays
readable. A stage's lines come from its own calls of advance, so no thread is needed for them.
"""

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Protocol, TextIO

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress

Advance = Callable[[int], None]

SECONDS_BETWEEN_LINES = 10.0


class Progress(Protocol):
    """Whatever is told how far the work is."""

    def stage(self, name: str, total: int, unit: str) -> AbstractContextManager[Advance]:
        """Begin a stage of `total` units; yield advance(n), which any thread may call."""
        ...


class Silent:
    """Tells nobody."""

    @contextmanager
    def stage(self, name: str, total: int, unit: str) -> Iterator[Advance]:
        """Yield an advance that does nothing."""
        yield lambda n: None


SILENT: Progress = Silent()


class Terminal:
    """Tells a person: bars on a terminal, plain lines in a log. The stream is stderr by default."""

    def __init__(self, stream: TextIO | None = None) -> None:
        stream = stream or sys.stderr
        animated = stream.isatty() and os.environ.get("TERM") != "dumb"
        self._display: Progress = Bars(stream) if animated else Lines(stream)

    def stage(self, name: str, total: int, unit: str) -> AbstractContextManager[Advance]:
        """Begin a stage of `total` units; yield advance(n), which any thread may call."""
        return self._display.stage(name, total, unit)


class Lines:
    """Plain lines: `cluster: 420,000 of 1,000,000 vectors (42 %), 51,220 vectors/s, 11 s left`."""

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream, self._clock = stream, clock

    @contextmanager
    def stage(self, name: str, total: int, unit: str) -> Iterator[Advance]:
        """Yield advance(n); write the lines of one stage."""
        start = written = self._clock()
        done, lock = 0, threading.Lock()

        def advance(n: int) -> None:
            nonlocal done, written
            with lock:
                done += n
                now = self._clock()
                if now - written >= SECONDS_BETWEEN_LINES and done < total:
                    written = now
                    self._write(f"{name}: {how_far(done, total, unit, now - start)}")

        self._write(f"{name}: {total:,} {unit}")
        try:
            yield advance
        except BaseException:
            self._write(f"{name}: stopped at {done:,} of {total:,} {unit}")
            raise
        self._write(f"{name}: {done:,} {unit} in {duration(self._clock() - start)}")

    def _write(self, line: str) -> None:
        print(line, file=self._stream, flush=True)


class Bars:
    """One bar a stage, drawn by rich; it leaves out colours when NO_COLOR is set.

    Stages may overlap: rich allows one live display a terminal, so all share it, and it is
    closed with the last open stage.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream, self._open, self._lock = stream, 0, threading.Lock()
        self._rich: RichProgress | None = None

    @contextmanager
    def stage(self, name: str, total: int, unit: str) -> Iterator[Advance]:
        """Yield advance(n); show the bar of one stage."""
        with self._lock:
            if self._rich is None:
                self._rich = _rich_progress(self._stream)
                self._rich.start()
            rich, self._open = self._rich, self._open + 1
        task = rich.add_task(name, total=total, unit=unit)
        try:
            yield lambda n: rich.advance(task, n)
        finally:
            rich.stop_task(task)
            with self._lock:
                self._open -= 1
                if self._open == 0:
                    rich.stop()
                    self._rich = None


def _rich_progress(stream: TextIO) -> "RichProgress":
    from rich.console import Console
    from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn
    from rich.text import Text

    class HowFar(ProgressColumn):
        def render(self, task: Task) -> Text:
            seconds, total = task.elapsed or 0.0, int(task.total or 0)
            return Text(how_far(int(task.completed), total, task.fields["unit"], seconds))

    name = TextColumn("{task.description:<10}", markup=False)
    return Progress(name, BarColumn(), HowFar(), console=Console(file=stream, highlight=False))


def how_far(done: int, total: int, unit: str, seconds: float) -> str:
    """Return done and total, and once they are known the rate and the time left or taken."""
    text = f"{done:,} of {total:,} {unit}"
    if done == 0 or seconds <= 0:
        return text
    rate = done / seconds
    end = f"{duration((total - done) / rate)} left" if done < total else duration(seconds)
    return f"{text} ({100 * done // max(total, 1)} %), {rate:,.0f} {unit}/s, {end}"


def duration(seconds: float) -> str:
    """Return 0.4 s, 42 s, 3 min 20 s or 2 h 5 min."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
