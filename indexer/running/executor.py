"""Where the units of a build run: on threads of this process, or on a cluster.

Units that run elsewhere share nothing with this process but the files of the build, and leave the
same files there.
"""

from collections.abc import Callable, Generator, Iterable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import Protocol

from longspan.indexer.config import EXECUTORS, LOCAL, RAY, check_among
from longspan.indexer.errors import BadConfig
from longspan.indexer.running.job import Job, Unit
from longspan.indexer.running.workers import Workers


class Executor(Protocol):
    """Runs units of a build side by side.

    elsewhere  whether in other processes than this one
    """

    elsewhere: bool

    def each(
        self, unit: Unit, job: Job, numbers: Iterable[int], most: int | None = None
    ) -> Generator[int, None, None]:
        """Run a unit for each number; yield the number as soon as it is done, in any order.

        most  units at work at once; default: as many as there are cores for
        The first error of a unit ends it, and so does closing it.
        """
        ...


class Threads:
    """Runs units on the threads of a pool."""

    elsewhere = False

    def __init__(self, pool: Workers) -> None:
        self._pool = pool

    def each(
        self, unit: Unit, job: Job, numbers: Iterable[int], most: int | None = None
    ) -> Generator[int, None, None]:
        """Run a unit for each number; yield the number as soon as it is done, in any order."""
        return self._pool.as_done(partial(unit, job), numbers, most)


Connect = Callable[[Path, str | None], AbstractContextManager[Executor | None]]


def connection(executor: str, address: str | None, threads: int | None) -> Connect:
    """Return connect(folder, source), which gives the executor elsewhere; None for `local`.

    address  of the cluster; threads: most units at a time in all of it
    folder   that the build writes in, source of the vectors: what every machine must see; the
             source may be None when it need not be seen
    BadConfig, now, for an executor that there is not, or that lacks its library, and for an
    address without a cluster; on connecting, for a cluster that cannot be used.
    """
    check_among("executor", executor, EXECUTORS)
    if executor == LOCAL:
        if address is not None:
            raise BadConfig(f"address is {address!r}, which only executor {RAY} has")
        return lambda folder, source: nullcontext()
    try:
        from longspan.indexer.running import on_ray
    except ImportError as exc:
        raise BadConfig(f"executor {RAY} needs Ray: pip install 'longspan[ray]'") from exc
    return partial(on_ray.connected, address, threads)
