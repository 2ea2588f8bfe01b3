"""How fast a disk reads at random, the way longspan reads.

The file is thrown out of the page cache and mapped without reading ahead; the pages of a wave are
all asked for with MADV_WILLNEED, then touched. No page is read twice. A wave of 1 is what a read
waits for; a wave of 32 is what a query's reads have together, and three sizes of those give the
time of a read as READ + KILOBYTE * its KB, by which queries are reckoned (docs/measurements.md).

A file that is smaller than a drive's or a host's own memory can be read faster than the disk is.
"""

import mmap
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from longspan.service.tools.pagecache import evict_file

SIZE = 256 << 20  # bytes of a temporary file, at most
LEAST = 16 << 20  # and at least: written at once
WRITING = 3.0  # seconds after which no more of it is written
READING = 1.2  # seconds of each measurement
DEEP = 32
SIZES = (4, 16, 64)  # KB of the reads that the model is fitted to


@dataclass(frozen=True, slots=True)
class Disk:
    """Figures of random reads, all measured.

    size          bytes of the file that was read; cached: share of it still in the page cache
    latency       microseconds of a 4-KB read alone, the median
    alone, deep   4-KB reads a second, one at a time and 32 at a time
    bandwidth     MB/s of reads of so many KB, 32 at a time
    read          microseconds of a read 32 at a time, whatever its size, and ...
    kilobyte      ... of each KB of it
    """

    size: int
    cached: float
    latency: float
    alone: float
    deep: float
    bandwidth: dict[int, float]
    read: float
    kilobyte: float


@dataclass(frozen=True, slots=True)
class Waves:
    """Reads that were made: how many a wave, and the seconds of each wave."""

    depth: int
    seconds: NDArray[np.float64]
    cached: float

    @property
    def rate(self) -> float:
        """Reads a second."""
        return float(self.depth * len(self.seconds) / self.seconds.sum())


def measure(path: Path) -> Disk:
    """Return the figures of the disk that a file is on, from reading that file."""
    alone = waves(path, SIZES[0], 1)
    deep = {size: waves(path, size, DEEP) for size in SIZES}
    microseconds = {size: 1e6 / found.rate for size, found in deep.items()}
    read, kilobyte = line(microseconds)
    return Disk(
        size=path.stat().st_size,
        cached=max(found.cached for found in (alone, *deep.values())),
        latency=float(np.median(alone.seconds)) * 1e6,
        alone=alone.rate,
        deep=deep[SIZES[0]].rate,
        bandwidth={size: size * 1024 * found.rate / 1e6 for size, found in deep.items()},
        read=read,
        kilobyte=kilobyte,
    )


@contextmanager
def temporary_file(directory: Path, room: int) -> Iterator[Path]:
    """Give a file of noise on the directory's disk, of SIZE bytes at most.

    It has no name there, so that nothing is left of it however the process ends. On a disk that
    writes slowly it is smaller, and where there is not room for twice as much.
    """
    noise = np.random.default_rng()
    with tempfile.TemporaryFile(dir=directory) as file:
        began = time.monotonic()
        while file.tell() < min(SIZE, room // 2) and time.monotonic() - began < WRITING:
            file.write(noise.bytes(LEAST))
            file.flush()
        yield Path(f"/proc/self/fd/{file.fileno()}")


def waves(path: Path, kilobytes: int, depth: int) -> Waves:
    """Read a file at random for a while, or until each part of it was read once."""
    cached = evict_file(path) / path.stat().st_size
    taken = []
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as mapped:
        mapped.madvise(mmap.MADV_RANDOM)
        size = min(max(kilobytes * 1024, mmap.PAGESIZE), len(mapped))
        starts = np.random.default_rng().permutation(len(mapped) // size) * size
        depth = min(depth, len(starts))
        end = time.perf_counter() + READING
        for first in range(0, len(starts) - depth + 1, depth):
            begin = time.perf_counter()
            if begin > end:
                break
            read_wave(mapped, starts[first : first + depth].tolist(), size)
            taken.append(time.perf_counter() - begin)
    return Waves(depth, np.array(taken), cached)


def read_wave(mapped: mmap.mmap, starts: list[int], size: int) -> int:
    """Ask for parts of a mapping all at once, then touch each page; return what was there."""
    for start in starts:
        mapped.madvise(mmap.MADV_WILLNEED, start, size)
    return sum(
        mapped[page] for start in starts for page in range(start, start + size, mmap.PAGESIZE)
    )


def line(microseconds: dict[int, float]) -> tuple[float, float]:
    """Return a and b, 0 or more, of the line a + b * KB that is nearest to the times, by share."""
    sizes, times = np.array(list(microseconds)), np.array(list(microseconds.values()))
    slope, start = np.polyfit(sizes, times, 1, w=1 / times)
    return max(float(start), 0.0), max(float(slope), 0.0)
