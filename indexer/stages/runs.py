"""Runs: what a unit leaves for every part, in one file, of which each part reads its own run.

A file begins with where the run of each part begins and the last one ends, parts + 1 int64; the
records of all runs follow. Nothing stays open or mapped between two reads: with thousands of parts
that would be thousands of descriptors. A part opens the files alone that have something for it: a
table on the disk, a bit a pair of parts, says which.
"""

import struct
from collections.abc import Iterable, Iterator
from itertools import compress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from longspan.indexer.running.job import Job
from longspan.indexer.store.whole import bytes_of, read_exactly

BOUND = np.dtype("<i8")


def save(job: Job, name: str, records: NDArray[Any], bounds: NDArray[np.int64]) -> None:
    """Write records, of which [bounds[i], bounds[i + 1]) are the run of part i."""
    with job.replacing(job.work / name) as file:
        file.write(bytes_of(bounds.astype(BOUND)))
        file.write(bytes_of(records))


def note_filled(job: Job, names: list[str], table: str) -> NDArray[np.int64]:
    """Write the table of which of some files have a run for each part; return the runs' records."""
    records = np.zeros(job.parts, np.int64)
    filled = job.create(table, np.uint8, (job.parts, -(-len(names) // 8)))
    for column in range(filled.shape[1]):
        sizes = [np.diff(all_bounds(job, name)) for name in names[8 * column : 8 * column + 8]]
        filled[:, column] = np.packbits(np.stack(sizes) > 0, axis=0)[0]
        records += np.sum(sizes, axis=0)
    filled.flush()
    return records


def all_bounds(job: Job, name: str) -> NDArray[np.int64]:
    """Return where the run of each part begins in a file, and the last one ends."""
    with job.reading(name) as handle:
        return np.frombuffer(read_exactly(handle, 0, (job.parts + 1) * BOUND.itemsize), BOUND)


def with_run(job: Job, names: list[str], table: str, part: int) -> Iterator[str]:
    """Yield the files, of those in the table, that have a run for a part."""
    return compress(names, np.unpackbits(job.load(table)[part]))


def run_of(job: Job, names: Iterable[str], part: int, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return the runs of one part in some files, one after the other."""
    found = bytearray()
    for name in names:
        with job.reading(name) as handle:
            first, last = bounds_of(handle, part, 2)
            found += records_of(handle, job.parts, first, last, dtype.itemsize)
    return np.frombuffer(found, dtype)


def all_of(job: Job, name: str, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return the runs of all parts in one file."""
    with job.reading(name) as handle:
        (count,) = bounds_of(handle, job.parts, 1)
        return np.frombuffer(records_of(handle, job.parts, 0, count, dtype.itemsize), dtype)


def bounds_of(handle: int, part: int, count: int) -> tuple[int, ...]:
    """Return where the runs of a part and of those after it begin, count of them."""
    found = read_exactly(handle, part * BOUND.itemsize, count * BOUND.itemsize)
    return struct.unpack(f"<{count}q", found)


def records_of(handle: int, parts: int, first: int, last: int, size: int) -> bytes:
    """Return the records [first, last) of a file, each of some size."""
    start = (parts + 1) * BOUND.itemsize + first * size
    return read_exactly(handle, start, (last - first) * size)
