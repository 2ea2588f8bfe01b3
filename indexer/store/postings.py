"""Postings in LMDB: load them in key order, note where each one lies, and map them for reading.

LMDB's caveats that shape this file: a value that fills n * 4096 - 16 bytes fills its pages exactly
(engine 0.9, page header 16 bytes) and starts at byte 16 of one; a loaded file that is never
written again keeps its values in place, so their offsets may be noted once; a reader that walks
the B-tree faults its pages in one at a time, so queries use the offsets and LMDB stays the
container. The file is opened without a lock file: nobody writes a published index.
"""

import errno
import mmap
import os
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from itertools import chain
from pathlib import Path

import lmdb
import numpy as np
from numpy.typing import NDArray

from longspan.indexer.errors import NO_HANDLES, NO_ROOM, DamagedIndex, LongspanError
from longspan.indexer.store import lmdb_tree
from longspan.indexer.store.whole import naming

PAGE = 4096
HEADER = lmdb_tree.HEADER  # of an overflow page in engine 0.9
BATCH = 64 << 20  # bytes of postings a transaction: its dirty pages stay in memory

ENGINE = 0  # py-lmdb 3 carries two engines; 0 is LMDB 0.9, data format 1

# The directory: one record a posting, in key order. `checksum` is the CRC-32 of the whole value.
Pair = tuple[bytes, bytes]  # a key and its value

RECORD = np.dtype(
    [("offset", "<u8"), ("count", "<u4"), ("primary", "<u4"), ("checksum", "<u4"), ("pages", "<u4")]
)


def pages_for(size: int) -> int:
    """Return the pages that a value of size bytes takes."""
    return (size + HEADER + PAGE - 1) // PAGE


def key(head: int) -> bytes:
    """Return the key of a head's posting: big-endian, so that keys sort as numbers."""
    return head.to_bytes(4, "big")


def batches(pairs: Iterator[Pair], size: int) -> Iterator[Iterator[Pair]]:
    """Yield keys and values in batches of about size bytes, none of them held."""
    for first in pairs:
        yield batch(chain([first], pairs), size)


def batch(pairs: Iterable[Pair], size: int) -> Iterator[Pair]:
    """Yield the first keys and values, until the values have size bytes."""
    held = 0
    for pair in pairs:
        yield pair
        held += len(pair[1])
        if held >= size:
            return


def load(
    path: Path, head: int, postings: Iterable[bytes], pages: int, transaction: int = BATCH
) -> None:
    """Write the postings of head, head + 1, ..., or other values, into a new LMDB file at path.

    pages        how many they take together; OSError when the disk is full
    transaction  bytes a transaction, which LMDB holds until its end
    """
    keyed = ((key(number), value) for number, value in enumerate(postings, start=head))
    path.unlink(missing_ok=True)  # left by a build that was cut off
    # The B-tree adds under 1 % to values of a page or more.
    # LMDB's page is the system's, which may be larger than ours.
    room = (pages + pages // 50 + 2048) * max(PAGE, mmap.PAGESIZE)
    with (
        lmdb_errors(path),
        closing(
            lmdb.open(
                str(path), subdir=False, lock=False, map_size=room, sync=False, lib_version=ENGINE
            )
        ) as env,
    ):
        for pairs in batches(keyed, transaction):
            with env.begin(write=True) as txn, txn.cursor() as cursor:
                cursor.putmulti(pairs, append=True)
        env.sync(True)


@contextmanager
def lmdb_errors(path: Path) -> Iterator[None]:
    """Raise what LMDB says of the system as OSError, and all else as LongspanError."""
    try:
        yield
    except lmdb.MapFullError as error:
        raise LongspanError(
            f"{path}: the values outgrew their map; please report: {error}"
        ) from error
    except lmdb.Error as error:
        if os.strerror(errno.EIO) in str(error):  # what it also makes of a short write
            grow(path)
        for number in (*NO_ROOM, *NO_HANDLES, errno.EIO):
            if os.strerror(number) in str(error):  # of most it gives no number
                raise OSError(number, os.strerror(number), str(path)) from error
        raise LongspanError(f"{path}: {error}") from error


def grow(path: Path) -> None:
    """Take room for one more page at the end of a file; OSError when there is none."""
    with naming(path), path.open("r+b") as file:
        os.posix_fallocate(file.fileno(), path.stat().st_size, PAGE)


@contextmanager
def reading(path: Path) -> Iterator[lmdb.Transaction]:
    """Give a read transaction on a loaded file; values are views of its mapped pages."""
    env = lmdb.open(
        str(path),
        subdir=False,
        lock=False,
        readonly=True,
        readahead=False,
        create=False,
        lib_version=ENGINE,
    )
    try:
        with env.begin(buffers=True) as txn:
            yield txn
    finally:
        env.close()


def locate(path: Path, first: int, last: int) -> NDArray[np.uint64]:
    """Return where each value of the heads [first, last) starts in the file.

    DamagedIndex when there is no value of one.
    """
    found = np.zeros(last - first, np.uint64)
    for keys, starts in lmdb_tree.offsets(path):
        known = (first <= keys) & (keys < last)
        found[keys[known] - first] = starts[known]
    if not found.all():
        raise DamagedIndex(f"{path}: posting {first + int(found.argmin())} is missing")
    return found


def get(txn: lmdb.Transaction, head: int) -> memoryview:
    """Return the mapped posting of a head; DamagedIndex when there is none."""
    value = txn.get(key(head))
    if value is None:
        raise DamagedIndex(f"posting {head} is missing")
    return memoryview(value)
