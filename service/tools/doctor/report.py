"""The whole examination: machine, place, disk, what that carries, and what is wrong."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from longspan.indexer.errors import BadFile
from longspan.indexer.store.layout import shard_name
from longspan.indexer.store.manifest import NAME, Manifest
from longspan.indexer.store.tiers import Tier, tiers
from longspan.service.tools.doctor import advice, capacity
from longspan.service.tools.doctor import disk as disks
from longspan.service.tools.doctor.advice import UNUSABLE, Finding
from longspan.service.tools.doctor.capacity import USUAL, Carried
from longspan.service.tools.doctor.disk import LEAST, Disk
from longspan.service.tools.doctor.machine import Machine, Place, examine, place_of


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that an examination found.

    disk      None when there is no disk at the place, or no room for a file to read
    carried   by the usual shapes
    index     the tiers of the index at the place, if one is there, and its queries a second
    """

    machine: Machine
    place: Place
    disk: Disk | None
    carried: list[Carried]
    index: list[tuple[Tier, float | None]]
    findings: list[Finding]

    @property
    def usable(self) -> bool:
        """Whether longspan can be used on the machine."""
        return all(finding.level != UNUSABLE for finding in self.findings)

    def as_dict(self) -> dict[str, Any]:
        """Return JSON types; what is measured and what projected is said beside it."""
        tiers_of = [{**tier.as_dict(), "queries_per_second": rate} for tier, rate in self.index]
        return {
            "usable": self.usable,
            "machine": asdict(self.machine),
            "place": asdict(self.place) | {"directory": str(self.place.directory)},
            "disk": {"basis": "measured", **asdict(self.disk)} if self.disk else None,
            "index": {"basis": "projected", "tiers": tiers_of} if tiers_of else None,
            "carries": {"basis": "projected", "shapes": [asdict(one) for one in self.carried]},
            "findings": [asdict(finding) for finding in self.findings],
        }


def examine_all(path: Path) -> Report:
    """Examine the machine, and the disk at a path: a directory, or an index, which is read then.

    BadFile when it is neither, or cannot be written into; takes up to ten seconds.
    """
    if not path.is_dir():
        raise BadFile(f"{path}: is not there or no directory, wanted one, or an index")
    manifest = Manifest.read(path) if (path / NAME).is_file() else None
    machine, place = examine(), place_of(path)
    disk = None if place.in_memory else measured(place, manifest)
    index: list[tuple[Tier, float | None]] = []
    if manifest:
        found = tiers(manifest)
        known = capacity.rates(manifest, disk, machine.threads) if disk else [None] * len(found)
        index = list(zip(found, known, strict=True))
    return Report(
        machine,
        place,
        disk,
        [
            capacity.carried(shape, machine.free, place.free, disk, machine.threads)
            for shape in USUAL
        ],
        index,
        advice.findings(machine, place, disk, manifest),
    )


def measured(place: Place, manifest: Manifest | None) -> Disk | None:
    """Return the disk's figures, from the index's postings or from a file made for it."""
    if manifest:
        return disks.measure(place.directory / shard_name(0))
    if place.free < 2 * LEAST:
        return None
    try:
        with disks.temporary_file(place.directory, place.free) as file:
            return disks.measure(file)
    except OSError as exc:
        raise BadFile(f"{place.directory}: cannot be written: {exc.strerror or exc}") from exc
