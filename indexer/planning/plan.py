"""The plan of a build: what it will take and give, said before any work is done.

Every figure is projected, from the shape of the input and from builds that were measured. `longspan
plan` shows it, and a build makes it first and refuses what does not fit.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from longspan.indexer.planning import footprint, memory, pace
from longspan.indexer.planning.need import Need
from longspan.indexer.planning.shape import Shape
from longspan.indexer.store.postings import PAGE


@dataclass(frozen=True, slots=True)
class Stage:
    """What one stage of a build takes.

    memory   bytes of the process while it runs
    units    of work at once
    seconds  it takes
    """

    name: str
    memory: int
    units: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Plan:
    """What a build takes and gives.

    copies     postings that a vector is in, as vectors of such a kind mostly are
    posting    bytes of one on average
    index      bytes of the finished index
    work       bytes of disk besides, while it is built
    resident   bytes in memory of a server, at each tier
    misfits    why it does not fit; none when it does
    """

    shape: Shape
    stages: list[Stage]
    copies: float
    posting: int
    index: int
    work: int
    resident: tuple[int, ...]
    misfits: list[str]

    @property
    def peak(self) -> int:
        """The most bytes of memory that a stage takes."""
        return max(stage.memory for stage in self.stages)

    @property
    def seconds(self) -> float:
        """The time of all stages."""
        return sum(stage.seconds for stage in self.stages)

    def as_dict(self) -> dict[str, Any]:
        """Return JSON types of all but the server's memory."""
        shape = self.shape
        return {
            "basis": "projected",
            "fits": not self.misfits,
            "misfits": self.misfits,
            "n": shape.n,
            "dim": shape.space.dim,
            "dtype": shape.space.dtype,
            "metric": shape.space.metric,
            "codec": {"kind": shape.kind, "reason": shape.reason},
            "heads": shape.dials.heads,
            "levels": shape.levels,
            "parts": shape.parts,
            "copies": self.copies,
            "posting": {"bytes": self.posting, "most": shape.dials.posting_pages * PAGE},
            "memory": self.peak,
            "disk": {"index": self.index, "work": self.work},
            "seconds": round(self.seconds, 1),
            "stages": {
                stage.name: {name: value for name, value in asdict(stage).items() if name != "name"}
                for stage in self.stages
            },
        }


def planned(
    shape: Shape,
    queries: int,
    cores: int,
    speed: float,
    limit: int | None = None,
    free: int | None = None,
    held: int = 0,
) -> Plan:
    """Return the plan of a build.

    queries  how many it is calibrated with
    cores    that may work; speed: of one, over that of the measured machine
    limit    bytes of memory; free: bytes of disk; None: as much as it takes
    held     bytes that the caller has in this process besides
    """
    cores = memory.threads_within(limit, shape, cores)
    needs = memory.needs(shape, queries, threads=cores, held=held)
    units = {name: need.units(limit, cores) for name, need in needs.items()}
    taken = pace.seconds(shape, queries, units, speed)
    stages = [
        Stage(name, need.of(units[name]), units[name], round(taken.get(name, 0.0), 1))
        for name, need in needs.items()
    ]
    copies = footprint.copies(shape)
    index, work = footprint.index(shape), footprint.work(shape)
    return Plan(
        shape,
        stages,
        copies,
        int(footprint.posting(shape, copies)),
        index,
        work,
        footprint.serving(shape),
        misfits(needs, limit, index + work, free),
    )


def misfits(
    needs: Mapping[str, Need], limit: int | None, disk: int = 0, free: int | None = None
) -> list[str]:
    """Return why a build does not fit, a sentence each."""
    found = []
    name, need = max(needs.items(), key=lambda item: item[1].of(1))
    if limit is not None and need.of(1) > limit:
        found.append(f"{name} takes up to {need.of(1):,} bytes of memory, the limit is {limit:,}")
    if free is not None and disk > free:
        found.append(f"it takes {disk:,} bytes of disk, {free:,} are free")
    return found
