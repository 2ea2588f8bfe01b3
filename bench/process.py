"""What the kernel says about this process, this machine and the page cache; numpy is not needed."""

import os
import platform
from pathlib import Path


def disk_bytes() -> int:
    """Return the bytes that this process has had read from disks so far."""
    return field("/proc/self/io", "read_bytes")


def resident(process: int | str = "self") -> dict[str, int]:
    """Return the resident bytes of a process, this one: its own, and pages of mapped files."""
    status = f"/proc/{process}/status"
    return {
        "anon": field(status, "RssAnon") * 1024,
        "file": field(status, "RssFile") * 1024,
    }


def peak() -> int:
    """Return the most bytes that were resident; ru_maxrss would have the parent's from the fork."""
    return field("/proc/self/status", "VmHWM") * 1024


def field(path: str, name: str) -> int:
    """Return a number from a `name: number unit` line of a /proc file."""
    for line in Path(path).read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1])
    raise SystemExit(f"{path} has no {name}")


def machine() -> dict[str, object]:
    """Return what a reader must know of the machine to judge a speed."""
    models = [
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    return {
        "cpu": models[0] if models else platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "memory": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "kernel": platform.release(),
        "python": platform.python_version(),
    }


def files_of(folder: Path) -> list[Path]:
    """Return every file below a folder."""
    return [path for path in sorted(folder.rglob("*")) if path.is_file()]


def size_of(folder: Path) -> int:
    """Return the bytes of all files below a folder."""
    return sum(path.stat().st_size for path in files_of(folder))


def evict(folder: Path) -> None:
    """Throw the files below a folder out of the page cache; no process may have them mapped."""
    for path in files_of(folder):
        with path.open("rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
