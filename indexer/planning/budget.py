"""The memory that a build may take, and how many units of a stage that leaves room for."""

from dataclasses import dataclass
from typing import Any

from longspan.indexer.errors import DoesNotFit
from longspan.indexer.planning import memory
from longspan.indexer.planning.need import Need
from longspan.indexer.planning.plan import misfits
from longspan.indexer.running import proc
from longspan.indexer.running.job import Job

A_THREAD = 72 << 20  # address space that a thread maps besides: its stack and its heap


@dataclass(frozen=True, slots=True)
class Budget:
    """What the stages of a job take, within a limit.

    queries  how many it is calibrated with
    payload  whether every vector has an object
    limit    bytes of the process; None: as much as they take
    threads  that work, at most
    held     bytes of it that the caller has besides
    """

    job: Job
    queries: int
    payload: bool
    limit: int | None
    threads: int = 1
    held: int = 0

    def check(self) -> None:
        """Raise DoesNotFit when a stage may take more than the limit with one unit at work."""
        self._refuse(self.expected)

    def check_address_space(self) -> None:
        """Raise DoesNotFit when `ulimit -v` leaves less than the stages map."""
        needs = self.expected.values()
        most = max(need.of(need.units(self.limit, self.threads)) for need in needs)
        proc.check_address_space(most - self.held + (self.threads + 1) * A_THREAD)

    def at_once(self, stage: str, wanted: int) -> int:
        """Return how many units of a stage may be at work, at most as many as wanted.

        DoesNotFit when there is no room for one: a part came out larger than was expected.
        """
        needs = self.needs
        self._refuse(needs)
        return needs[stage].units(self.limit, wanted)

    @property
    def expected(self) -> dict[str, Need]:
        """What every stage takes, as far as it is known before any work."""
        return self._needs()

    @property
    def needs(self) -> dict[str, Need]:
        """What every stage takes, as far as it is known now."""
        return self._needs(largest=self.job.largest, stored=self.job.most_stored)

    def _needs(self, **known: int | None) -> dict[str, Need]:
        given: dict[str, Any] = {"threads": self.threads, "held": self.held, **known}
        return memory.needs(self.job, self.queries, objects=self.payload, **given)

    def _refuse(self, needs: dict[str, Need]) -> None:
        if wrong := misfits(needs, self.limit):
            held = f"; {self.held:,} of them this process has already" if self.held else ""
            raise DoesNotFit(f"{self.job.source}: {self.job.n:,} vectors: {'; '.join(wrong)}{held}")
