"""Units of a build as tasks of a Ray cluster whose machines share the storage of the build.

A task is one unit on one core. It gets the job and the number, reads and writes files, and is done
when these are on the disk; so a worker that is lost costs the unit that it was at, which Ray runs
again elsewhere. No vectors go through Ray.
"""

from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any
from uuid import uuid4

import ray
from ray.exceptions import RayError, RayTaskError
from threadpoolctl import threadpool_limits

from longspan.indexer.errors import LongspanError
from longspan.indexer.running import heap
from longspan.indexer.running.job import Job, Unit
from longspan.indexer.running.ray_cluster import check, joined
from longspan.indexer.running.workers import as_done

RETRIES = 3  # workers that one unit may lose, until it is taken for the reason
AHEAD = 2  # units a core that the cluster is given: one at work, and the next
ENDING = 60.0  # seconds that units at work have to end when a build is cut off


class OnRay:
    """Runs units on the cluster that this process has joined.

    threads  most units at a time; default: as many as the cluster has cores
    """

    elsewhere = True

    def __init__(self, threads: int | None = None) -> None:
        self._threads = threads

    def each(
        self, unit: Unit, job: Job, numbers: Iterable[int], most: int | None = None
    ) -> Generator[int, None, None]:
        """Run a unit for each number; yield the number as soon as it is done, in any order.

        A unit's error comes as it was raised; LongspanError when a unit's workers are lost again
        and again.
        """
        bare, stage = replace(job), uuid4().hex  # without what this process has read
        task = ray.remote(num_cpus=1, max_retries=RETRIES)(run)
        running: dict[int, Any] = {}

        def submit(number: int) -> "Future[None]":
            running[number] = task.remote(unit, bare, number, stage)
            future: Future[None] = running[number].future()
            return future

        try:
            with errors_of_tasks():
                at_once = most or self._threads or AHEAD * cores()
                for number in as_done(submit, numbers, at_once):
                    del running[number]
                    yield number
        finally:
            stop(list(running.values()))


@contextmanager
def connected(
    address: str | None, threads: int | None, folder: Path, source: str | None
) -> Iterator[OnRay]:
    """Give an executor on the cluster at an address, or on the one that Ray finds or starts.

    threads         most units at a time in the whole cluster
    folder, source  what every node must see
    BadConfig when there is no cluster, or a node of it cannot be used.
    """
    with joined(address):
        check(folder, source)
        yield OnRay(threads)


def run(unit: Unit, job: Job, number: int, stage: str) -> None:
    """Run a unit in a worker of the cluster; what it has written is then on the disk."""
    heap.share()
    mine = known(job, stage)
    with threadpool_limits(1):
        unit(mine, number)
    mine.make_safe()
    heap.trim()


@lru_cache(maxsize=1)
def known(job: Job, stage: str) -> Job:
    """Return the job as this worker knows it, with what it has read for all units of a stage.

    stage  of one build; with the next one what was read is let go, for its files may be gone
    """
    return job


def cores() -> int:
    """Return the cores that the cluster has now."""
    return max(1, int(ray.cluster_resources().get("CPU", 1)))


def stop(tasks: list[Any]) -> None:
    """Cancel tasks, and wait for those that have begun."""
    for task in tasks:
        ray.cancel(task)
    if tasks:
        ray.wait(tasks, num_returns=len(tasks), timeout=ENDING)


@contextmanager
def errors_of_tasks() -> Iterator[None]:
    """Raise what a task has raised, and what Ray says of its own as LongspanError."""
    try:
        yield
    except RayTaskError as error:
        raise error.cause from error
    except RayError as error:
        raise LongspanError(f"Ray: {str(error).splitlines()[0]}") from error
