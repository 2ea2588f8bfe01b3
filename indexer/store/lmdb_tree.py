"""Where the values of an LMDB file lie, from its B-tree alone.

LMDB's Python package touches every page of a value that it gives, one fault after the other: of
an index that outgrew the page cache it would all be read once more. The leaves are a hundredth of
it. The layout is that of data format 1 (lmdb 0.9, mdb.c: MDB_meta, MDB_page, MDB_node).
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from longspan.indexer.errors import DamagedIndex

MAGIC, FORMAT = 0xBEEFC0DE, 1
BRANCH, LEAF = 1, 2  # flags of a page,
BIG = 1  # ... and of a node whose value has pages of its own
HEADER = 16  # of a page, before the places of its nodes, or the value that it begins
LARGEST = 1 << 16  # page
TREE = np.dtype(
    [("pad", "<u4"), ("flags", "<u2"), ("depth", "<u2"), ("counts", "<u8", 4), ("root", "<u8")]
)
META = np.dtype(
    [
        ("page", "V16"), ("magic", "<u4"), ("version", "<u4"), ("map", "<u8", 2),
        ("trees", TREE, 2), ("last", "<u8"), ("transaction", "<u8"),
    ]
)  # fmt: skip
# Of a branch the first three are the number of a page, of a leaf the value's size and flags.
NODE = np.dtype(
    [("low", "<u2"), ("high", "<u2"), ("flags", "<u2"), ("key_size", "<u2"), ("key", ">u4"),
     ("value_page", "<u8")]
)  # fmt: skip


def offsets(path: Path) -> Iterator[tuple[NDArray[np.uint32], NDArray[np.uint64]]]:
    """Yield the keys of some values, each a big-endian number of 4 bytes, and where they start.

    DamagedIndex when the file is not as LMDB writes it.
    """
    with path.open("rb", buffering=0) as file:
        handle = file.fileno()
        first = meta(path, handle, 0)
        size = int(first["trees"]["pad"][0])  # of a page
        newest = max(first, meta(path, handle, size), key=lambda one: int(one["transaction"]))
        tree = newest["trees"][1]
        yield from below(path, handle, size, int(tree["root"]), int(tree["depth"]))


def meta(path: Path, file: int, at: int) -> Any:
    """Return one of the two heads of a file."""
    found = np.frombuffer(os.pread(file, META.itemsize, at).ljust(META.itemsize, b"\0"), META)[0]
    is_ours = found["magic"] == MAGIC and found["version"] == FORMAT
    if not is_ours or not META.itemsize <= found["trees"]["pad"][0] <= LARGEST:
        raise DamagedIndex(f"{path}: is no LMDB file of data format {FORMAT}")
    return found


def below(
    path: Path, file: int, size: int, number: int, depth: int
) -> Iterator[tuple[NDArray[np.uint32], NDArray[np.uint64]]]:
    """Yield what `offsets` does, of the page of a number and those below it."""
    page = os.pread(file, size, number * size) if depth > 0 else b""
    flags, lower = np.frombuffer(page, "<u2", 2, 10) if len(page) == size else (0, 0)
    if flags != (LEAF if depth == 1 else BRANCH) or not HEADER <= lower <= size:
        raise DamagedIndex(f"{path}: page {number} is none of its tree")
    at = np.frombuffer(page, "<u2", (int(lower) - HEADER) // 2, HEADER).astype(np.int64)
    if at.max(initial=0) >= size:
        raise DamagedIndex(f"{path}: page {number} has a node beyond its end")
    padded = np.frombuffer(page.ljust(2 * size, b"\0"), np.uint8)
    nodes = padded[at[:, None] + np.arange(NODE.itemsize)].view(NODE)[:, 0]
    if depth > 1:
        low, high, top = (nodes[name].astype(np.int64) for name in ("low", "high", "flags"))
        children = (low | high << 16 | top << 32).tolist()
        for child in children:
            os.posix_fadvise(file, child * size, size, os.POSIX_FADV_WILLNEED)
        for child in children:
            yield from below(path, file, size, child, depth - 1)
        return
    if (nodes["key_size"] != 4).any():
        raise DamagedIndex(f"{path}: page {number} has keys of another kind")
    inline = number * size + at + 8 + 4
    own = nodes["value_page"].astype(np.int64) * size + HEADER
    starts = np.where(nodes["flags"] & BIG, own, inline)
    yield nodes["key"].astype(np.uint32), starts.astype(np.uint64)
