"""Payload: a JSON object for every row, in an LMDB file, and a table of where each one lies.

The table is what the directory is to the postings: a walk of LMDB's B-tree would fault in one
page after the other, so a search looks its hits up in the table, in one wave, and reads their
objects in a second: 3 us of CPU a hit, measured here. LMDB stays the container and the
source of truth; `longspan verify` checks that the two agree. Neighbours have neighbouring rows, so
hits often share a page.

Every object that is read is compared with its checksum: an answer never holds what a disk changed.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from longspan.indexer.errors import DamagedIndex
from longspan.indexer.store import postings
from longspan.indexer.store.arrays import map_array, save_array
from longspan.indexer.store.manifest import Manifest
from longspan.indexer.store.wave import Pieces

FILES = OBJECTS, PLACES = "payload.lmdb", "payload.npy"
BATCH = 4 << 20  # bytes of objects a transaction: as Python holds them small ones take far more

LEAST_BYTES, MOST_BYTES = 2, 65_536  # of an object: an answer may hold thousands of them

# Where one object lies in the LMDB file, and its CRC-32; the table has one a row.
PLACE = np.dtype([("offset", "<u8"), ("size", "<u4"), ("checksum", "<u4")])

NODE = 8 + 4 + 2 + 1  # of LMDB's page beside a value: header, key, pointer, rounding to even
FITS = 2026  # a larger value gets pages of its own, and a node of NODE + 8 bytes that names them

Places = NDArray[Any]


def is_in(manifest: Manifest) -> bool:
    """Return whether an index has payload."""
    return OBJECTS in manifest.files


def size(manifest: Manifest) -> int:
    """Return the bytes that an index's payload takes."""
    return sum(int(manifest.files[name]["bytes"]) for name in FILES if is_in(manifest))


def most_pages(sizes: NDArray[np.int64]) -> int:
    """Return the most pages of 4 KB that objects of at most these sizes take in LMDB.

    A page is full when the next node does not fit, so it may lack as much as the largest takes.
    """
    fits = sizes <= FITS
    small, large = sizes[fits], sizes[~fits]
    held = int(small.sum()) + NODE * len(sizes) + 8 * len(large)
    wasted = int(small.max(initial=8)) + NODE
    return held // (postings.PAGE - postings.HEADER - wasted) + 1 + pages_of_their_own(large)


def pages_of_their_own(sizes: NDArray[np.int64]) -> int:
    """Return the pages that values take which share none."""
    return int((-(-(sizes + postings.HEADER) // postings.PAGE)).sum())


def save(directory: Path, objects: Iterable[bytes], n: int, pages: int) -> None:
    """Write the objects of rows 0 to n - 1, and the table of their places.

    pages  the most that they take; OSError when the disk is full
    """
    table = np.zeros(n, PLACE)
    postings.load(directory / OBJECTS, 0, noted(objects, table), pages, BATCH)
    table["offset"] = postings.locate(directory / OBJECTS, 0, n)
    save_array(directory / PLACES, table)


def noted(objects: Iterable[bytes], table: Places) -> Iterator[bytes]:
    """Yield the objects; note in the table how many bytes each has, and its checksum."""
    sizes, checksums = table["size"], table["checksum"]
    for row, value in enumerate(objects):
        sizes[row], checksums[row] = len(value), crc32(value)
        yield value


class Payload:
    """The opened payload of an index; safe to use from many threads."""

    def __init__(self, directory: Path, n: int) -> None:
        table = map_array(directory / PLACES, PLACE)
        if len(table) != n:
            raise DamagedIndex(f"{directory / PLACES}: not the places of {n} objects")
        self._path = directory / OBJECTS
        self._first = (directory / PLACES).stat().st_size - table.nbytes  # behind its header
        self._table, self._objects = Pieces(directory / PLACES), Pieces(directory / OBJECTS)

    def places(self, rows: NDArray[np.uint32]) -> Places:
        """Return where the objects of rows lie, (len(rows),) of PLACE.

        DamagedIndex for one that no object could have.
        """
        offsets = self._first + rows.astype(np.int64) * PLACE.itemsize
        places = self._table.gather(offsets, np.full(len(rows), PLACE.itemsize)).view(PLACE)
        sizes, last = places["size"], np.uint64(self._objects.size - LEAST_BYTES)
        wrong = rows[(sizes < LEAST_BYTES) | (sizes > MOST_BYTES) | (places["offset"] > last)]
        if len(wrong):
            raise DamagedIndex(f"{self._path.with_name(PLACES)}: row {wrong[0]} has no object")
        return places

    def read(self, places: Places) -> list[bytes]:
        """Return the objects, UTF-8 JSON as they were stored, in the order of their places.

        DamagedIndex for one that has not its checksum.
        """
        found = self._objects.read(places["offset"], places["size"])
        checksums = places["checksum"].tolist()
        for value, checksum, offset in zip(found, checksums, places["offset"], strict=True):
            if crc32(value) != checksum:
                raise DamagedIndex(f"{self._path}: object at byte {offset} has not its checksum")
        return found
