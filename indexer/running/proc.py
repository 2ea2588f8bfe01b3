"""What the kernel says of this process."""

from pathlib import Path

from longspan.indexer.errors import LongspanError

STATUS = "/proc/self/status"


def field(path: str | Path, name: str) -> int:
    """Return a number from a `name: number unit` line of a /proc file."""
    for line in Path(path).read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1])
    raise LongspanError(f"{path}: has no {name}")


def own_memory(status: str | Path = STATUS) -> int | None:
    """Return the bytes of this process's own pages in memory; None where the kernel hides them.

    Those are what a build bounds (longspan.indexer.planning.memory), without the pages of the
    files that it maps.
    """
    try:
        return field(status, "RssAnon") * 1024
    except (OSError, LongspanError):
        return None
