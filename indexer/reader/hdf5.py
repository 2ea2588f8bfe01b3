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
from longspan.indexer.reader.layout import NAMES, Layout, Rows, not_taken
from longspan.indexer.reader.optional import need, refusing

USUAL = "train"  # ann-benchmarks' name of the vectors to index
LISTED = 20  # datasets in a message, of each kind
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
            raise BadFile(f"{address}: {name} is an array of {not_taken(dtype)}")
        _refuse_elsewhere(address, name, data)
        n, dim = data.shape
        offset = data.id.get_offset()  # None: the rows lie in chunks, or nowhere yet
        as_numpy = data.id.get_type() == h5py.h5t.py_create(dtype)  # else only HDF5 can read them
    if offset is not None and as_numpy:
        return Rows(Layout(dtype, n, dim, offset))
    return Rows(Layout(dtype, n, dim), lambda: _chunks(address, h5py, file, name))


def _chosen(address: Address, h5py: Any, opened: Any) -> str:
    """Return the name of the dataset to read; BadFile says which there are.

    Those that lie in the file itself: a link may lead to another file.
    """
    shapes: dict[str, Any] = {}

    def note(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            shapes[name] = item.shape  # None: it has no values at all

    opened.visititems(note)
    tables = [name for name, shape in shapes.items() if shape is not None and len(shape) == 2]
    wanted = address.part.strip("/") if address.part is not None else USUAL
    if wanted in tables:
        return wanted
    if address.part is None and len(tables) == 1:
        return tables[0]
    there = ", ".join(tables[:LISTED]) or "none"
    others = [f"{name} {shape}" for name, shape in shapes.items() if name not in tables]
    if others:
        there += f"; of other shapes: {', '.join(others[:LISTED])}"
    link = ""
    if isinstance(opened.get(wanted, getlink=True), h5py.SoftLink | h5py.ExternalLink):
        link = f"; {wanted} is a link, name what it leads to"
    raise BadFile(
        f"{address}: wanted a 2-d dataset, named FILE::DATASET; in the file: {there}{link}"
    )


def _refuse_elsewhere(address: Address, name: str, data: Any) -> None:
    """Refuse a dataset whose rows lie in other files: of those nobody knows whether they change."""
    if data.is_virtual or data.external:
        kind = "virtual" if data.is_virtual else "stored outside"
        raise BadFile(
            f"{address}: {name} is {kind}, its rows lie in other files; "
            "name these (a folder of them), or write one file of its own (h5py: f[name][:])"
        )


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
