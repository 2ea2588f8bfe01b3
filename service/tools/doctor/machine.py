"""What the machine is: processor, memory, limits, versions, and the file system at a path."""

import math
import os
import platform
import re
import resource
import shutil
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from longspan.cext import kernels
from longspan.service.search import cgroup, memory

CPUINFO, STATUS = Path("/proc/cpuinfo"), Path("/proc/self/status")
MOUNTS, DEVICES = Path("/proc/self/mountinfo"), Path("/sys/dev/block")
IPC_LOCK = 14  # the number of the capability to lock more than RLIMIT_MEMLOCK
FEATURES = (
    "avx2", "fma", "f16c", "avx512f", "avx512bw", "avx512vl", "avx512_vnni", "asimd", "asimddp"
)  # fmt: skip
PACKAGES = {"longspan": "longspan", "numpy": "numpy", "faiss": "faiss-cpu", "lmdb": "lmdb"}
NETWORK = (
    "nfs", "nfs4", "cifs", "smb3", "smbfs", "ceph", "lustre", "glusterfs", "beegfs", "afs", "9p",
    "virtiofs",
)  # fmt: skip
IN_MEMORY = ("tmpfs", "ramfs")


@dataclass(frozen=True, slots=True)
class Machine:
    """Bytes are of memory; None: no limit.

    features      of the processor, those that kernels are made for
    kernels       that it can run, best first; active: in use; forced: by LONGSPAN_SIMD
    cores         that the process may use; core_limit and memory_limit: of its control groups
    locked, files most bytes that may be locked in memory, and files that may be open
    privileged    whether it may lock more
    virtual       whether it runs on a host that it does not see
    """

    cpu: str
    features: list[str]
    kernels: list[str]
    active: str
    forced: str | None
    cores: int
    core_limit: float | None
    memory: int
    free: int
    memory_limit: int | None
    locked: int | None
    privileged: bool
    files: int | None
    page: int
    virtual: bool
    versions: dict[str, str]

    @property
    def threads(self) -> int:
        """Cores that can be busy at once."""
        return min(self.cores, math.ceil(self.core_limit or self.cores))


@dataclass(frozen=True, slots=True)
class Place:
    """A directory: the kind of its file system, the device it is on, and the bytes left there."""

    directory: Path
    filesystem: str
    device: str
    free: int

    @property
    def network(self) -> bool:
        """Whether another machine holds the files."""
        return self.filesystem in NETWORK or self.filesystem.startswith("fuse.")

    @property
    def in_memory(self) -> bool:
        """Whether no disk holds the files."""
        return self.filesystem in IN_MEMORY


def examine() -> Machine:
    """Return what this machine and its limits are."""
    told = dict(_pairs(CPUINFO))
    flags = (told.get("flags") or told.get("Features") or "").split()
    allowed = cgroup.limits()
    return Machine(
        cpu=told.get("model name") or platform.machine(),
        features=[name for name in FEATURES if name in flags],
        kernels=kernels.available(),
        active=kernels.active_name(),
        forced=os.environ.get("LONGSPAN_SIMD"),
        cores=len(os.sched_getaffinity(0)),
        core_limit=allowed.cores,
        memory=memory.meminfo("MemTotal"),
        free=memory.free(),
        memory_limit=allowed.memory,
        locked=_limit(resource.RLIMIT_MEMLOCK),
        privileged=bool(int(dict(_pairs(STATUS))["CapEff"], 16) >> IPC_LOCK & 1),
        files=_limit(resource.RLIMIT_NOFILE),
        page=resource.getpagesize(),
        virtual="hypervisor" in flags,
        versions={"python": platform.python_version()}
        | {name: version(package) for name, package in PACKAGES.items()},
    )


def place_of(directory: Path) -> Place:
    """Return what a directory is on, by the longest mount that it is below."""
    real, best = directory.resolve(), ("", "unknown", "unknown")
    for line in MOUNTS.read_text().splitlines():
        place, _, kind = line.partition(" - ")
        number, _, mount = place.split()[2:5]
        mount = re.sub(r"\\([0-7]{3})", lambda code: chr(int(code[1], 8)), mount)  # a space is \040
        if real.is_relative_to(mount) and len(mount) >= len(best[0]):
            best = (mount, kind.split()[0], number)
    _, filesystem, number = best
    device = (DEVICES / number).resolve().name  # the number itself where there is no device
    return Place(directory, filesystem, device, shutil.disk_usage(directory).free)


def _pairs(path: Path) -> list[tuple[str, str]]:
    """Return the `name : value` lines of a file, of the last processor where it lists several."""
    lines = (line.partition(":") for line in path.read_text().splitlines())
    return [(name.strip(), value.strip()) for name, _, value in lines]


def _limit(kind: int) -> int | None:
    soft, _ = resource.getrlimit(kind)
    return None if soft == resource.RLIM_INFINITY else soft
