"""HDF5, as ann-benchmarks has it: one file with the datasets train, test, neighbors, distances.

A dataset that is neither chunked nor compressed lies in the file row by row and is mapped there.
"""

from collections.abc import Iterator
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from longspan.indexer.errors import BadFile
from longspan.indexer.reader.address import Address
from longspan.indexer.reader.copies import CHUNK
from longspan.indexer.reader.layout import NAMES, WANTED, Layout, Rows
from longspan.indexer.reader.optional import need, refusing

USUAL = "train"  # ann-benchmarks' name of the vectors to index
MOST = 16 * CHUNK  # of a dataset's own chunks that are read together, so that each is unpacked once


def read(address: Address, file: BinaryIO) -> Rows:
    """Return where the rows of the named dataset lie, or how to read them.

    Default: the only dataset of two dimensions, or `train` where there are several.
    """
    h5py = need("h5py", address)
    with refusing(address), h5py.File(file, "r") as opened:
        name = _chosen(address, h5py, opened)
        data = opened[name]
        dtype = data.dtype
        if dtype not in NAMES:
            raise BadFile(f"{address}: {name} is an array of {dtype!r}, wanted {WANTED}")
        n, dim = data.shape
        offset = data.id.get_offset()  # None: the rows lie in chunks, or nowhere yet
    if offset is not None:
        return Rows(Layout(dtype, n, dim, offset))
    return Rows(Layout(dtype, n, dim), lambda: _chunks(address, h5py, file, name))


def _chosen(address: Address, h5py: Any, opened: Any) -> str:
    """Return the name of the dataset to read; BadFile says which there are."""
    tables: list[str] = []

    def note(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset) and item.ndim == 2:
            tables.append(name)

    opened.visititems(note)
    wanted = address.part.strip("/") if address.part is not None else USUAL
    if wanted in tables:
        return wanted
    if address.part is None and len(tables) == 1:
        return tables[0]
    there = ", ".join(tables) or "none"
    raise BadFile(f"{address}: wanted a 2-d dataset, named FILE::DATASET; in the file: {there}")


def _chunks(address: Address, h5py: Any, file: BinaryIO, name: str) -> Iterator[NDArray[Any]]:
    with refusing(address), h5py.File(file, "r") as opened:
        data = opened[name]
        step = _rows_at_once(data)
        for start in range(0, len(data), step):
            yield np.ascontiguousarray(data[start : start + step])


def _rows_at_once(data: Any) -> int:
    """Return the rows of CHUNK bytes, in whole chunks of the dataset where they are not huge."""
    row = int(data.shape[1] * data.dtype.itemsize)
    fitting = max(1, CHUNK // row)
    own = int(data.chunks[0]) if data.chunks else 1
    return fitting // own * own or min(own, max(1, MOST // row))
