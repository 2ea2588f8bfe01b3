"""What is wrong with a machine, or makes a figure doubtful, and what to do about it."""

from collections.abc import Iterator
from dataclasses import dataclass

from longspan.indexer.sizes import show_size
from longspan.indexer.store.manifest import Manifest
from longspan.indexer.store.postings import PAGE
from longspan.indexer.store.tiers import sizes
from longspan.service.search.memory import SHARE
from longspan.service.tools.doctor.disk import LEAST, SIZE, Disk
from longspan.service.tools.doctor.machine import Machine, Place

NOTE, WARNING, UNUSABLE = "note", "warning", "unusable"
SLOW = 1000.0  # microseconds a read: ten times what an SSD takes
FEW_FILES = 1024  # a server has one for each connection
LITTLE_MEMORY = 512 << 20  # of which the program of a build takes 220 MiB
CACHED = 0.05  # share of a file in the page cache from where reading it tells little


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding: how bad it is (note, warning, unusable), what was found, and what helps."""

    level: str
    found: str
    advice: str


def findings(
    machine: Machine, place: Place, disk: Disk | None, manifest: Manifest | None
) -> list[Finding]:
    """Return everything that there is to say."""
    return [
        *of_kernels(machine),
        *of_memory(machine, manifest),
        *of_limits(machine),
        *of_place(place, manifest),
        *(of_disk(machine, disk) if disk and not place.in_memory else ()),
    ]


def of_kernels(machine: Machine) -> Iterator[Finding]:
    """Yield what slows the distances down."""
    best = machine.kernels[0]
    if machine.active != best:
        yield Finding(
            WARNING,
            f"LONGSPAN_SIMD={machine.forced} forces the {machine.active} kernels",
            f"unset it: this processor runs {best}",
        )
    elif best == "plain":
        yield Finding(
            WARNING,
            "the plain kernels are in use, for the processor has neither AVX2 nor NEON",
            "expect distances to take several times as long; a newer machine helps",
        )


def of_memory(machine: Machine, manifest: Manifest | None) -> Iterator[Finding]:
    """Yield where memory is short, or may not be locked."""
    if manifest:
        heads, *more = sizes(manifest)
        codes = more[-1] - heads if more else 0
        if heads > machine.free:
            yield Finding(
                UNUSABLE,
                f"the heads take {show_size(heads)} of memory, {show_size(machine.free)} are free",
                "give it more memory, or build with fewer `--heads`",
            )
    else:
        codes = machine.free // SHARE
    if machine.locked is not None and machine.locked < codes and not machine.privileged:
        whose = "the codes take" if manifest else "codes that a server keeps here may take"
        yield Finding(
            WARNING,
            f"{show_size(machine.locked)} may be locked in memory, {whose} {show_size(codes)}",
            "`ulimit -l unlimited`, in a container `--ulimit memlock=-1`; else they may be dropped",
        )
    limit = machine.memory_limit
    if limit is not None and limit < min(machine.memory, LITTLE_MEMORY):
        yield Finding(
            WARNING,
            f"the control group allows {show_size(limit)} of memory",
            f"a build wants {show_size(LITTLE_MEMORY)} at least; the page cache counts too",
        )


def of_limits(machine: Machine) -> Iterator[Finding]:
    """Yield which other limits are too low."""
    if machine.threads < machine.cores:
        yield Finding(
            WARNING,
            f"the control group allows {machine.core_limit:g} of {machine.cores} cores",
            f"`--threads {machine.threads}`, LONGSPAN_THREADS={machine.threads}: more are halted",
        )
    if machine.files is not None and machine.files < FEW_FILES:
        yield Finding(
            WARNING,
            f"{machine.files:,} files may be open",
            f"`ulimit -n {FEW_FILES}` or more: each connection to a server is one",
        )
    if machine.page != PAGE:
        yield Finding(
            WARNING,
            f"pages of memory have {machine.page:,} bytes, postings are laid out for {PAGE:,}",
            "every read is larger than it need be; a kernel with 4-KB pages helps",
        )


def of_place(place: Place, manifest: Manifest | None) -> Iterator[Finding]:
    """Yield what is wrong with where the files are."""
    where = f"{place.directory} is on {place.filesystem}"
    if place.network:
        yield Finding(
            WARNING,
            f"{where}, a network file system",
            "copy the index to a local SSD: each read waits for the network, and a fault in it "
            "ends the server",
        )
    if place.in_memory:
        yield Finding(
            WARNING,
            f"{where}, which is memory: no disk was measured, and what lies there is not free",
            "name a directory on the disk that the index will be on",
        )
    if manifest is None and place.free < 2 * LEAST:
        yield Finding(
            UNUSABLE,
            f"{place.directory} has {show_size(place.free)} left",
            "no index fits; name another directory or make room",
        )


def of_disk(machine: Machine, disk: Disk) -> Iterator[Finding]:
    """Yield why the disk's figures are bad, or better than the disk."""
    if disk.latency > SLOW:
        yield Finding(
            WARNING,
            f"a read takes {disk.latency:,.0f} us: this is no local SSD, or a busy one",
            "keep both codes in memory (`--memory`), or move the index",
        )
    if machine.virtual:
        yield Finding(
            NOTE,
            "the machine is virtual, and its host may answer reads from its own memory",
            "take the disk's figures for the best case; after a restart of the host they show",
        )
    if disk.cached > CACHED:
        yield Finding(
            NOTE,
            f"{disk.cached:.0%} of the file stayed in the page cache: a process has it mapped",
            "stop its server and measure again; the figures are better than the disk",
        )
    if disk.size < SIZE // 2:
        yield Finding(
            NOTE,
            f"only {show_size(disk.size)} were read, which a drive may hold in its own memory",
            "measure a directory with more room, or a larger index",
        )
