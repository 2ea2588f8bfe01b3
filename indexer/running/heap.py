"""The heap of the C library: what it keeps of memory that was freed counts as a build's own.

glibc gives each thread an arena of its own, and of each it keeps tens of megabytes: with 64 threads
more than the vectors take. A build has one arena for all, which costs no time that can be measured
(its arrays are few and large), and gives back what is free in it after each unit. Another C
library has nothing of this, and nothing is done.
"""

import ctypes
from contextlib import suppress

M_ARENA_MAX = -8


def share() -> None:
    """Let threads that have no arena yet use those that there are."""
    with suppress(AttributeError):
        ctypes.CDLL(None).mallopt(M_ARENA_MAX, 1)


def trim() -> None:
    """Give the free pages back to the kernel."""
    with suppress(AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
