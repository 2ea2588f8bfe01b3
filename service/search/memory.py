"""The memory dial: which codes of an index stay in memory, within a budget.

Heads are always in memory. The codes of both tiers (longspan.cext.coded) may be, the first before
the second; what is chosen is read at once and, where the system lets us, locked. All of it is
mapped from the index's files, so several workers share one copy.
"""

import ctypes
import errno
import mmap
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from longspan.indexer.errors import DamagedIndex, DoesNotFit
from longspan.indexer.sizes import show_size
from longspan.indexer.store import tiers
from longspan.indexer.store.manifest import Manifest
from longspan.service.search import cgroup

SHARE = 4  # of the memory that is free, one part, when nobody says how much
POPULATE_READ = 22  # MADV_POPULATE_READ, since Linux 5.14; Python has no name for it yet
PIECE = 64 << 20  # bytes read at a time: a server that is to stop does not wait for more
MEMINFO = Path("/proc/meminfo")

libc = ctypes.CDLL(None, use_errno=True)  # its functions run without the GIL


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

    def heads_alone(self) -> "Budget":
        """Return the least that can be searched with."""
        return Budget(0, self.sizes)


def divide(sizes: Mapping[str, Sequence[int]], limit: int) -> dict[str, int]:
    """Return what each of several indexes may keep of one limit: heads of all, then codes in order.

    sizes  bytes that stay in memory with each tier of an index, ascending
    DoesNotFit when their heads alone take more.
    """
    left = limit - sum(each[0] for each in sizes.values())
    if left < 0:
        raise DoesNotFit(
            f"the heads of {', '.join(sizes)} take {show_size(limit - left)} of memory, "
            f"the limit is {show_size(limit)}"
        )
    shares: dict[str, int] = {}
    for name, each in sizes.items():
        share = max(size for size in each if size <= each[0] + left)
        shares[name], left = share, left - (share - each[0])
    return shares


def default_limit(heads: int) -> int:
    """Return the memory that indexes get when nobody says how much: a quarter of what is free.

    heads  bytes of theirs, without which there is no search: never less
    """
    return max(free() // SHARE, heads)


def choose(path: Path, manifest: Manifest, limit: int | None) -> Budget:
    """Return the highest tier that fits; DoesNotFit when the heads alone do not.

    limit  bytes; default: a quarter of what is free, or the heads
    """
    each = tiers.sizes(manifest)
    if limit is not None and limit < each[0]:
        raise DoesNotFit(
            f"{path}: its heads take {show_size(each[0])} of memory, "
            f"the limit is {show_size(limit)}"
        )
    room = default_limit(each[0]) if limit is None else limit
    return Budget(sum(size <= room for size in each) - 1, each)


def free() -> int:
    """Return the bytes that this machine, or this container, can still give."""
    available, left = meminfo("MemAvailable"), cgroup.limits().memory_left
    return available if left is None else min(available, left)


def meminfo(name: str) -> int:
    """Return a figure of the machine's memory in bytes, such as MemTotal."""
    words = dict(line.split(":") for line in MEMINFO.read_text().splitlines())
    return int(words[name].split()[0]) * 1024


class Stopped(Exception):  # noqa: N818  nothing went wrong
    """Reading into memory was given up, because it is not wanted any more."""


def unless_stopped(wanted: Callable[[], bool]) -> Callable[[], None]:
    """Return what raises Stopped as soon as something is wanted no more."""

    def check() -> None:
        if not wanted():
            raise Stopped

    return check


def hold(codes: list[NDArray[Any]], lock: bool, before_each: Callable[[], None]) -> bool:
    """Read mapped arrays into memory; return whether they are locked there.

    lock         ask the system to lock them
    before_each  called before each piece; what it raises ends the reading
    The GIL is given away meanwhile: all of it may take minutes.
    """
    locked = lock
    for array in codes:
        start = array.ctypes.data // mmap.PAGESIZE * mmap.PAGESIZE
        end = array.ctypes.data + array.nbytes
        for at in range(start, end, PIECE):
            before_each()
            size = min(PIECE, end - at)
            populate(at, size)
            locked = locked and libc.mlock(ctypes.c_void_p(at), ctypes.c_size_t(size)) == 0
    return locked


def populate(at: int, size: int) -> None:
    """Read the mapped bytes [at, at + size) into memory; DamagedIndex when a file lacks them."""
    given = ctypes.c_void_p(at), ctypes.c_size_t(size)
    libc.madvise(*given, mmap.MADV_WILLNEED)
    if libc.madvise(*given, POPULATE_READ) != 0:
        error = ctypes.get_errno()
        if error == errno.EFAULT:  # touching the pages would end the process
            raise DamagedIndex("a file was cut off, or cannot be read, while it was mapped")
        if error != errno.EINVAL:
            raise OSError(error, os.strerror(error))
        # An older kernel: touch every page.
        pages = np.ctypeslib.as_array((ctypes.c_uint8 * size).from_address(at))[:: mmap.PAGESIZE]
        np.add.reduce(pages, dtype=np.int64)
