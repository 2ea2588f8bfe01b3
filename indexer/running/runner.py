"""Run the units of a build that are not done yet, note each in the journal, say how far it is."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from functools import partial
from typing import Any

from longspan.indexer.running import heap
from longspan.indexer.running.executor import Executor, Threads
from longspan.indexer.running.job import Job, Unit
from longspan.indexer.running.journal import Journal
from longspan.indexer.running.progress import Advance, Progress
from longspan.indexer.running.workers import Workers, workers

SAFE_EVERY = 5.0  # seconds: what a kill or a power cut may cost, besides the units at work

Shared = Callable[[Job, int, Workers, Advance], None]  # a unit that all workers do together


class Stages:
    """The stages of one build; seconds has how long each took in this process.

    pool       of this process
    at_once    gives how many units of a stage may be at work in it, of so many threads
    elsewhere  runs the units of most stages; None: the pool does
    """

    def __init__(
        self,
        job: Job,
        journal: Journal,
        pool: Workers,
        progress: Progress,
        at_once: Callable[[str, int], int],
        elsewhere: Executor | None = None,
    ) -> None:
        self.job, self.journal, self.pool, self.progress = job, journal, pool, progress
        self.at_once = at_once
        self.here: Executor = Threads(pool)
        self.executor = elsewhere or self.here
        self.seconds: dict[str, float] = {}
        self.pending: list[tuple[str, int]] = []
        self.safe_at = time.monotonic()
        heap.trim()  # what was read and tried before

    def each(
        self,
        name: str,
        unit: Unit,
        units: Sequence[int],
        size_of: Callable[[int], int],
        what: str,
        *,
        here: bool = False,
    ) -> None:
        """Run a unit of work for each number, side by side; sizes are told as so many of what.

        here  on threads of this process, wherever other units run
        """
        executor = self.here if here else self.executor
        total = sum(map(size_of, units))
        left = self.journal.left(name, units)
        most = None if executor.elsewhere else self.at_once(name, self.pool.threads)
        with (
            self.progress.stage(name, total, what) as advance,
            closing(executor.each(unit, self.job, left, most)) as done,
        ):
            advance(total - sum(map(size_of, left)))
            for number in done:
                self.note(name, number)
                advance(size_of(number))

    def once(self, name: str, step: Callable[[], Any]) -> None:
        """Run a step that is one unit."""
        if self.journal.left(name, [0]):
            step()
            self.job.written.update(self.job.draft.iterdir())
            self.note(name, 0)

    def in_turn(self, name: str, unit: Shared, sizes: Sequence[int], what: str) -> None:
        """Run units one after the other, each by all workers; elsewhere each by one worker."""
        if self.executor.elsewhere:
            alone = partial(run_alone, unit)
            self.each(name, alone, range(len(sizes)), sizes.__getitem__, what)
            return
        left = self.journal.left(name, range(len(sizes)))
        with (
            self.progress.stage(name, sum(sizes), what) as advance,
            self.pool_for(name) as pool,
        ):
            advance(sum(sizes) - sum(sizes[number] for number in left))
            for number in left:
                unit(self.job, number, pool, advance)
                self.note(name, number)

    @contextmanager
    def pool_for(self, name: str) -> Iterator[Workers]:
        """Give the workers of a stage that they do together, as many as there is memory for."""
        count = self.at_once(name, self.pool.threads)
        if count == self.pool.threads:
            yield self.pool
        else:
            with workers(count) as few:
                yield few

    def note(self, name: str, number: int) -> None:
        """Note that a unit is done, in the journal as soon as what is done is made safe."""
        heap.trim()  # what it had, of which pieces lie between those of other units
        self.pending.append((name, number))
        if time.monotonic() - self.safe_at > SAFE_EVERY:
            self.make_safe()

    def make_safe(self) -> None:
        """Put what was written on the disk, then into the journal which units it is of."""
        self.job.make_safe()
        self.journal.note(self.pending)
        self.pending.clear()
        self.safe_at = time.monotonic()

    def discard(self, pattern: str) -> None:
        """Remove files of the working directory that no stage will read any more.

        First it is noted that those that have read them are done: they could not be done again.
        """
        written = self.job.written
        written -= {path for path in written if path.match(pattern)}
        self.make_safe()
        self.job.forget()
        for path in self.job.work.glob(pattern):
            path.unlink(missing_ok=True)  # or a process taken for dead has just renamed it

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """Note how many seconds the block took."""
        start = time.monotonic()
        yield
        self.seconds[name] = round(time.monotonic() - start, 3)


def run_alone(unit: Shared, job: Job, number: int) -> None:
    """Run a unit with one worker of its own."""
    with workers(1) as pool:
        unit(job, number, pool, lambda n: None)
