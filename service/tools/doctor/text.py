"""The report as a person reads it."""

from collections.abc import Iterator

from longspan.indexer.bounds import MOST_ROWS
from longspan.indexer.commands.console import aligned
from longspan.indexer.sizes import show_size
from longspan.service.tools.doctor.capacity import Carried
from longspan.service.tools.doctor.disk import DEEP, Disk
from longspan.service.tools.doctor.machine import Machine, Place
from longspan.service.tools.doctor.report import Report

COLUMNS = ("heads", "+ first codes", "+ both codes", "disk")
WIDTH = 18
UNITS = (("G", 1e9), ("M", 1e6), ("k", 1e3))


def lines(report: Report) -> Iterator[str]:
    """Yield every line."""
    yield from of_machine(report.machine, report.place)
    yield ""
    yield from of_disk(report.disk)
    yield ""
    if report.index:
        yield "the index, projected: memory, and queries/s cold at its own recall"
        for tier, rate in report.index:
            yield f"  {tier.resident:<21}  {show_size(tier.bytes):>9}  {per_second(rate)}"
        yield ""
    yield from of_shapes(report.carried, report.machine, report.place)
    for finding in report.findings:
        yield ""
        yield f"{finding.level}: {finding.found}"
        yield f"  {finding.advice}"


def of_machine(machine: Machine, place: Place) -> list[str]:
    """Return what the machine is, and where the files would be."""
    versions = ", ".join(f"{name} {number}" for name, number in machine.versions.items())
    features = " ".join(machine.features) or "no vector units that kernels are made for"
    core_limit = "none" if machine.core_limit is None else f"{machine.core_limit:g}"
    return aligned(
        {
            "versions": versions,
            "processor": f"{machine.cpu} ({features})",
            "kernels": f"{machine.active} in use, of {' '.join(machine.kernels)}",
            "cores": f"{machine.cores}; limit of the control group: {core_limit}",
            "memory": f"{show_size(machine.memory)}, {show_size(machine.free)} free; "
            f"limit of the control group: {size_or(machine.memory_limit, 'none')}",
            "ulimit": f"{size_or(machine.locked, 'no limit')} locked (-l"
            f"{', more is allowed here' if machine.privileged else ''}), "
            f"{'no limit' if machine.files is None else f'{machine.files:,}'} open files (-n)",
            "place": f"{place.directory}: {place.filesystem} on {place.device}, "
            f"{show_size(place.free)} free",
        }
    )


def of_disk(disk: Disk | None) -> list[str]:
    """Return the figures of the disk."""
    if disk is None:
        return ["the disk: not measured"]
    bandwidth = ", ".join(f"{size} KB {rate:,.0f} MB/s" for size, rate in disk.bandwidth.items())
    return [
        f"the disk, measured: random reads of {show_size(disk.size)}, mapped",
        f"  one at a time   4 KB in {disk.latency:,.1f} us (p50), {disk.alone:,.0f} a second",
        f"  {DEEP} at a time    4 KB, {disk.deep:,.0f} a second; {bandwidth}",
        f"  a read of these {disk.read:.3g} us + {disk.kilobyte:.2g} us/KB",
    ]


def of_shapes(carried: list[Carried], machine: Machine, place: Place) -> Iterator[str]:
    """Yield a table: a line for each shape."""
    yield (
        f"what that carries, projected: vectors in {show_size(machine.free)} of memory or "
        f"{show_size(place.free)} of disk, and queries/s cold at recall@10 .95"
    )
    yield f"  {'vectors':<9}" + "".join(f"{name:>{WIDTH}}" for name in COLUMNS)
    for one in carried:
        rates = one.rates or (None,) * len(one.by_memory)
        cells = [
            f"{count(n)}, {per_second(rate)}" for n, rate in zip(one.by_memory, rates, strict=True)
        ]
        cells.append(count(one.by_disk))
        yield f"  {one.shape:<9}" + "".join(f"{cell:>{WIDTH}}" for cell in cells)


def count(n: int) -> str:
    """Return 4.29 G, 310 M, 12.5 k or 7; with a sign in front when no index may have more."""
    for unit, size in UNITS:
        if n >= size:
            return f"{'max ' if n == MOST_ROWS else ''}{n / size:.3g} {unit}"
    return str(n)


def per_second(rate: float | None) -> str:
    """Return 1,200/s, or what stands for an unknown rate."""
    return "-" if rate is None else f"{rate:,.0f}/s"


def size_or(size: int | None, otherwise: str) -> str:
    """Return a size, or a word for none."""
    return otherwise if size is None else show_size(size)
