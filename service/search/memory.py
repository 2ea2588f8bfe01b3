"""The memory dial: which codes of an index stay in memory, within a budget.

Heads are always in memory. The codes of both tiers (longspan.cext.coded) may be, the first before
the second; what is chosen is read at once and, where the system lets us, locked. All of it is
mapped from the index's files, so several workers share one copy.
"""

import ctypes
import mmap
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from longspan.indexer.errors import DoesNotFit
from longspan.indexer.sizes import show_size
from longspan.indexer.store import tiers
from longspan.indexer.store.manifest import Manifest
from longspan.service.search import cgroup

SHARE = 4  # of the memory that is free, one part, when nobody says how much
POPULATE_READ = 22  # MADV_POPULATE_READ, since Linux 5.14; Python has no name for it yet
MEMINFO = Path("/proc/meminfo")


@dataclass(frozen=True, slots=True)
class Budget:
    """What stays in memory.

    tier     0 heads alone, 1 with the first codes, 2 with both
    sizes    bytes of the index that stay in memory with each tier it has, ascending
    """

    tier: int
    sizes: tuple[int, ...]

    @property
    def bytes(self) -> int:
        """Bytes that stay in memory."""
        return self.sizes[self.tier]


def divide(paths: Mapping[str, Path], limit: int | None) -> dict[str, int | None]:
    """Return what each of several indexes may keep of one limit: heads of all, then codes in order.

    DoesNotFit when their heads alone take more. No limit, no shares.
    """
    if limit is None:
        return dict.fromkeys(paths)
    each = {name: tiers.sizes(Manifest.read(path)) for name, path in paths.items()}
    left = limit - sum(sizes[0] for sizes in each.values())
    if left < 0:
        raise DoesNotFit(
            f"the heads of {', '.join(paths)} take {show_size(limit - left)} of memory, "
            f"the limit is {show_size(limit)}"
        )
    shares: dict[str, int | None] = {}
    for name, sizes in each.items():
        share = max(size for size in sizes if size <= sizes[0] + left)
        shares[name], left = share, left - (share - sizes[0])
    return shares


def choose(path: Path, manifest: Manifest, limit: int | None) -> Budget:
    """Return the highest tier that fits; DoesNotFit when the heads alone do not.

    limit  bytes; default: a quarter of what is free
    """
    each = tiers.sizes(manifest)
    if limit is not None and limit < each[0]:
        raise DoesNotFit(
            f"{path}: its heads take {show_size(each[0])} of memory, "
            f"the limit is {show_size(limit)}"
        )
    room = free() // SHARE if limit is None else limit
    return Budget(max(sum(size <= room for size in each) - 1, 0), each)


def free() -> int:
    """Return the bytes that this machine, or this container, can still give."""
    available = meminfo("MemAvailable")
    limit = cgroup.limits().memory
    return available if limit is None else min(available, limit)


def meminfo(name: str) -> int:
    """Return a figure of the machine's memory in bytes, such as MemTotal."""
    words = dict(line.split(":") for line in MEMINFO.read_text().splitlines())
    return int(words[name].split()[0]) * 1024


def hold(codes: list[NDArray[Any]]) -> bool:
    """Read mapped arrays into memory and lock them there; return whether that could be done."""
    locked = True
    libc = ctypes.CDLL(None, use_errno=True)
    for array in codes:
        mapped = array.base
        if not isinstance(mapped, mmap.mmap):
            raise TypeError(f"{type(mapped)} is not a mapping")
        mapped.madvise(mmap.MADV_WILLNEED)
        try:
            mapped.madvise(POPULATE_READ)
        except OSError:  # an older kernel: touch every page
            np.add.reduce(np.frombuffer(mapped, np.uint8)[:: mmap.PAGESIZE], dtype=np.int64)
        start = array.ctypes.data // mmap.PAGESIZE * mmap.PAGESIZE
        size = array.ctypes.data + array.nbytes - start
        locked &= libc.mlock(ctypes.c_void_p(start), ctypes.c_size_t(size)) == 0
    return locked
