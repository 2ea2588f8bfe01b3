"""How far a build is: the stage, its rate, the time left and the memory, on stderr.

On a terminal rich draws one bar a stage. Elsewhere, and on a dumb terminal, a stage is a line
when it begins, at most one every 10 seconds while it runs, and one when it ends: a log stays
readable. A stage's lines come from its own calls of advance, so no thread is needed for them.

The memory is that of the process's own pages, which `build --memory` bounds; it is read when it is
shown.
"""

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import TYPE_CHECKING, Protocol, TextIO

from longspan.indexer.running.proc import own_memory
from longspan.indexer.sizes import show_size

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


class Stage:
    """How far one stage is; any thread may advance it.

    Its rate counts from the first advance on: in a build that goes on, that one tells of what was
    done before.
    """

    def __init__(
        self, name: str, total: int, unit: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.name, self.total, self.unit, self.done = name, total, unit, 0
        self._clock, self._begun, self._lock = clock, clock(), threading.Lock()
        self._first: tuple[float, int] | None = None  # seconds and units at the first advance
        self._taken: float | None = None

    def advance(self, n: int) -> None:
        """Note that n more units are done."""
        with self._lock:
            self.done += n
            self._first = self._first or (self.seconds, self.done)
            if self.done >= self.total:
                self._taken = self.seconds

    @property
    def seconds(self) -> float:
        """How long it has taken, until now or until all was done."""
        return self._clock() - self._begun if self._taken is None else self._taken

    @property
    def percent(self) -> float:
        """The share that is done."""
        return 100 * self.done / max(self.total, 1)

    @property
    def rate(self) -> float | None:
        """Units a second, as soon as it is known."""
        since, before = self._first or (0.0, self.done)
        seconds, done = self.seconds - since, self.done - before
        return done / seconds if done > 0 and seconds > 0 else None

    @property
    def seconds_left(self) -> float | None:
        """Seconds until all is done, at the same rate."""
        rate = self.rate
        return max(self.total - self.done, 0) / rate if rate else None

    def how_far(self) -> str:
        """Return done and total, and once they are known the rate and the time left or taken."""
        text = f"{self.done:,} of {self.total:,} {self.unit}"
        if self.done:
            text += f" ({int(self.percent)} %)"
        rate, left = self.rate, self.seconds_left
        if rate:
            text += f", {rate:,.0f} {self.unit}/s"
        if self._taken is not None:
            return f"{text}, {duration(self._taken)}"
        return text if left is None else f"{text}, {duration(left)} left"


class Terminal:
    """Tells a person: bars on a terminal, plain lines in a log, nothing where there is neither.

    stream  default: stderr
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        stream = stream or sys.stderr
        self._display = SILENT
        if stream is None:  # of a process without one
            return
        animated = stream.isatty() and os.environ.get("TERM") != "dumb"
        self._display = Bars(stream) if animated else Lines(stream)

    def stage(self, name: str, total: int, unit: str) -> AbstractContextManager[Advance]:
        """Begin a stage of `total` units; yield advance(n), which any thread may call."""
        return self._display.stage(name, total, unit)


class Lines:
    """Plain lines: `cluster: 420,000 of 1,000,000 vectors (42 %), 51,220 vectors/s, 11 s left, …`.

    clock, memory  where seconds, and bytes, are had from
    """

    def __init__(
        self,
        stream: TextIO,
        clock: Callable[[], float] = time.monotonic,
        memory: Callable[[], int | None] = own_memory,
    ) -> None:
        self._stream, self._clock, self._memory = stream, clock, memory

    @contextmanager
    def stage(self, name: str, total: int, unit: str) -> Iterator[Advance]:
        """Yield advance(n); write the lines of one stage."""
        stage, lock = Stage(name, total, unit, self._clock), threading.Lock()
        written = self._clock()

        def advance(n: int) -> None:
            nonlocal written
            with lock:
                stage.advance(n)
                now = self._clock()
                if now - written >= SECONDS_BETWEEN_LINES and stage.done < total:
                    written = now
                    self._write(f"{name}: {stage.how_far()}{and_memory(self._memory())}")

        self._write(f"{name}: {total:,} {unit}")
        try:
            yield advance
        except BaseException:
            self._write(f"{name}: stopped at {stage.done:,} of {total:,} {unit}")
            raise
        taken = duration(stage.seconds)
        self._write(f"{name}: {stage.done:,} {unit} in {taken}{and_memory(self._memory())}")

    def _write(self, line: str) -> None:
        with suppress(OSError):  # a log that has gone ends no work
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
        stage = Stage(name, total, unit)
        task = rich.add_task(name, total=total, stage=stage)

        def advance(n: int) -> None:
            stage.advance(n)
            rich.advance(task, n)

        try:
            yield advance
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
    from rich.table import Column
    from rich.text import Text

    class HowFar(ProgressColumn):
        def render(self, task: Task) -> Text:
            return Text(task.fields["stage"].how_far() + and_memory(own_memory()))

    name = TextColumn("{task.description:<10}", markup=False)
    how_far = HowFar(Column(no_wrap=True))  # where there is little room, the bar is shorter
    return Progress(name, BarColumn(), how_far, console=Console(file=stream, highlight=False))


def and_memory(memory: int | None) -> str:
    """Return the memory as the end of a line; nothing when it is not known."""
    return "" if memory is None else f", {show_size(memory)}"


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
