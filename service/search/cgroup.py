"""What the control groups of this process allow it, of version 1 and 2: cores and memory.

A limit holds for all groups below, so each group from the process's own up to the top counts. A
container sees its own group as the top, and under version 1 a path that is not there: then the top
is the container's.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path("/")
NO_LIMIT = 1 << 60  # version 1 writes the largest number of pages when there is none


@dataclass(frozen=True, slots=True)
class Limits:
    """Cores and bytes; None where there is no limit.

    memory       most that the groups may have
    memory_left  what is left of it now; page cache that can be taken back counts as left
    """

    cores: float | None
    memory: int | None
    memory_left: int | None


def limits(root: Path = ROOT) -> Limits:
    """Return the least limits of all groups that this process is in.

    root  where /proc and the mounted groups are found
    """
    groups = list(_groups(root))
    cores = [found for group in groups if (found := _cores(group)) is not None]
    memory = [(most, most - _used(group)) for group in groups if (most := _memory(group))]
    return Limits(
        min(cores, default=None),
        min((most for most, _ in memory), default=None),
        min((max(left, 0) for _, left in memory), default=None),
    )


def _groups(root: Path) -> Iterator[Path]:
    """Yield the directory of each group of this process, and of those above it."""
    own = _own_paths(root / "proc/self/cgroup")
    for line in _lines(root / "proc/self/mountinfo"):
        place, _, kind = line.partition(" - ")
        filesystem, _, options = kind.split(" ", 2)
        if filesystem not in ("cgroup", "cgroup2"):
            continue
        top, mount = place.split()[3:5]
        controllers = [""] if filesystem == "cgroup2" else options.split(",")
        for group in {own[name] for name in controllers if name in own}:
            yield from _upwards(root / mount.lstrip("/"), group.removeprefix(top.rstrip("/")))


def _own_paths(path: Path) -> dict[str, str]:
    """Return the process's group by controller; version 2 has one for all, named nothing."""
    paths = {}
    for line in _lines(path):
        _, controllers, group = line.split(":", 2)
        paths.update(dict.fromkeys(controllers.split(","), group))
    return paths


def _upwards(mount: Path, group: str) -> Iterator[Path]:
    """Yield the directory of a group, then of the groups above it, the mount last."""
    at = mount / group.strip("/")
    while at != mount and at.is_relative_to(mount):
        yield at
        at = at.parent
    yield mount


def _cores(group: Path) -> float | None:
    old = " ".join(_first_line(group / f"cpu.cfs_{name}_us") for name in ("quota", "period"))
    quota, _, period = (_first_line(group / "cpu.max") or old).partition(" ")
    return int(quota) / int(period) if quota.isdigit() and period.isdigit() else None


def _memory(group: Path) -> int | None:
    """Return the least that the kernel takes memory back at, or refuses more."""
    texts = (_first_line(group / f"memory.{name}") for name in ("max", "high", "limit_in_bytes"))
    numbers = [int(text) for text in texts if text.isdigit()]
    return min((number for number in numbers if number < NO_LIMIT), default=None)


def _used(group: Path) -> int:
    """Return the bytes that a group has now, without the page cache that is not in use."""
    text = _first_line(group / "memory.current") or _first_line(group / "memory.usage_in_bytes")
    stat = dict(line.split() for line in _lines(group / "memory.stat") if line.count(" ") == 1)
    cache = stat.get("total_inactive_file") or stat.get("inactive_file") or "0"
    return max(int(text) - int(cache), 0) if text.isdigit() else 0


def _first_line(path: Path) -> str:
    return next(iter(_lines(path)), "")


def _lines(path: Path) -> list[str]:
    """Return a file's lines; none when it is not there or not ours to read."""
    try:
        return path.read_text().splitlines()
    except OSError:
        return []
