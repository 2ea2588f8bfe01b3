"""Run the units of a build that are not done yet, note each in the journal, say how far it is."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

from longspan.indexer.journal import Journal
from longspan.indexer.progress import Advance, Progress
from longspan.indexer.work import Job
from longspan.indexer.workers import Workers

SAFE_EVERY = 5.0  # seconds: what a kill or a power cut may cost, besides the units at work

Unit = Callable[[Job, int], None]


class Stages:
    """The stages of one build; seconds has how long each took in this process."""

    def __init__(self, job: Job, journal: Journal, pool: Workers, progress: Progress) -> None:
        self.job, self.journal, self.pool, self.progress = job, journal, pool, progress
        self.seconds: dict[str, float] = {}
        self.pending: list[tuple[str, int]] = []
        self.safe_at = time.monotonic()

    def each(
        self, name: str, unit: Unit, units: Sequence[int], size_of: Callable[[int], int], what: str
    ) -> None:
        """Run a unit of work for each number, side by side; sizes are told as so many of what."""
        total = sum(map(size_of, units))
        left = self.journal.left(name, units)
        with self.progress.stage(name, total, what) as advance:
            advance(total - sum(map(size_of, left)))
            for number in self.pool.as_done(partial(unit, self.job), left):
                self.note(name, number)
                advance(size_of(number))

    def once(self, name: str, step: Callable[[], Any]) -> None:
        """Run a step that is one unit."""
        if self.journal.left(name, [0]):
            step()
            self.job.written.extend(self.job.draft.iterdir())
            self.note(name, 0)

    def in_turn(
        self,
        name: str,
        unit: Callable[[Job, int, Workers, Advance], None],
        sizes: Sequence[int],
        what: str,
    ) -> None:
        """Run units one after the other, each of which is done by all workers."""
        left = self.journal.left(name, range(len(sizes)))
        with self.progress.stage(name, sum(sizes), what) as advance:
            advance(sum(sizes) - sum(sizes[number] for number in left))
            for number in left:
                unit(self.job, number, self.pool, advance)
                self.note(name, number)

    def note(self, name: str, number: int) -> None:
        """Note that a unit is done, in the journal as soon as what is done is made safe."""
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
        kept = [path for path in written if not path.match(pattern)]
        written.clear()
        written.extend(kept)
        self.make_safe()
        for path in self.job.work.glob(pattern):
            path.unlink(missing_ok=True)  # or a process taken for dead has just renamed it

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """Note how many seconds the block took."""
        start = time.monotonic()
        yield
        self.seconds[name] = round(time.monotonic() - start, 3)
