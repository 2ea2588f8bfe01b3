"""What the kernel says of this process."""

import resource
from pathlib import Path

from longspan.indexer.errors import DoesNotFit, LongspanError
from longspan.indexer.sizes import show_size

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


def check_address_space(more: int) -> None:
    """Raise DoesNotFit when a limit of address space (`ulimit -v`) leaves less than so many bytes.

    The libraries of a build, and its threads, end the process without a word where they get none.
    """
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    wanted = field(STATUS, "VmSize") * 1024 + more
    if limit != resource.RLIM_INFINITY and limit < wanted:
        raise DoesNotFit(
            f"the address space is limited to {show_size(limit)} (`ulimit -v`), "
            f"this takes {show_size(wanted)} of it"
        )
