"""The machine that a plan is for: this one, except for what `--machine` says."""

import os
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from longspan.indexer.bounds import MOST_THREADS
from longspan.indexer.errors import BadConfig
from longspan.indexer.sizes import parse_size
from longspan.indexer.tools.speed import speed

LEAST, MOST = 1e-3, 2.0**60  # of any of its numbers
TRANSFER = 1 / 3  # of the time of a 4-KB read among many, where no more is known of a disk


@dataclass(frozen=True, slots=True)
class Stated:
    """A machine that plans are made for.

    vcpus  that a build and a server may use
    speed  of one, over that of the machine of docs/measurements.md
    iops   reads of 4 KB a second, many at a time; None when it is not known
    disk   bytes that are free; None when it is not known
    """

    vcpus: int
    speed: float
    iops: float | None
    disk: int | None

    def as_dict(self) -> dict[str, Any]:
        """Return JSON types."""
        return asdict(self)

    @property
    def read(self) -> tuple[float, float] | None:
        """Microseconds that a read and each KB of it take the disk."""
        if self.iops is None:
            return None
        page = 1e6 / self.iops
        return (1 - TRANSFER) * page, TRANSFER * page / 4


def stated(text: str, near: Path | None) -> Stated:
    """Return the machine that `vcpus=32,iops=1e6,...` describes; what it leaves out is this one's.

    near  a directory whose free disk counts when none is stated
    BadConfig names what cannot be understood.
    """
    said = dict(pair(part) for part in text.split(",") if part)
    vcpus = int(said.pop("vcpus", len(os.sched_getaffinity(0))))
    free = shutil.disk_usage(near).free if near else None
    found = Stated(
        vcpus=vcpus,
        speed=said.pop("speed", 1.0) * speed(),
        iops=said.pop("iops", None),
        disk=int(said.pop("disk")) if "disk" in said else free,
    )
    if said:
        raise BadConfig(f"--machine has {', '.join(said)}, wanted vcpus, iops, disk, speed")
    if not 1 <= vcpus <= MOST_THREADS:
        raise BadConfig(f"--machine has vcpus={vcpus}, wanted 1 to {MOST_THREADS}")
    return found


def pair(text: str) -> tuple[str, float]:
    """Return the name and the number of `iops=1e6` or `disk=4TiB`."""
    name, _, value = text.partition("=")
    try:
        number = float(parse_size(value)) if name == "disk" else float(value)
    except ValueError:
        raise BadConfig(f"--machine has {text!r}, wanted a name, = and a number") from None
    if not LEAST <= number <= MOST:
        raise BadConfig(f"--machine has {text!r}, wanted a number from {LEAST:g} to {MOST:g}")
    return name, number
