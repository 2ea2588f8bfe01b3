"""Files whose rows lie one after the other: .npy, those of big-ann-benchmarks, those of TEXMEX.

All are little-endian. The header is checked when the file is opened, and the file's size must be
exactly what the header promises: this finds downloads that were cut off and files of another kind.
Values are checked as they are read, because that costs a pass over the file.
"""

import os
import struct
from collections.abc import Callable
from typing import Any, BinaryIO

import numpy as np

from longspan.indexer.errors import BadFile
from longspan.indexer.reader.address import Address
from longspan.indexer.reader.layout import NAMES, Layout, Rows, not_taken
from longspan.indexer.store.space import DTYPES


def read(address: Address, file: BinaryIO) -> Rows:
    """Return where the rows lie; BadFile unless the file is what its header says."""
    if address.part is not None:
        raise BadFile(f"{address}: {address.suffix} holds one array, of which nothing has a name")
    layout = LAYOUTS[address.suffix](address, file)
    size = os.fstat(file.fileno()).st_size
    if size > layout.end:
        raise BadFile(f"{address}: too long: {size} bytes, wanted {layout.end} for {layout.shape}")
    return Rows(layout)


def read_npy_header(file: BinaryIO) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Return shape, whether in Fortran order, and type; any exception when they are not there."""
    read_header = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }
    version = np.lib.format.read_magic(file)
    return read_header[version](file)


def _npy(address: Address, file: BinaryIO) -> Layout:
    """Read the header alone: no value of the file is ever unpickled."""
    try:
        shape, fortran, dtype = read_npy_header(file)
    except OSError:
        raise
    except Exception as exc:  # the header is a Python literal, parsed in many ways
        raise BadFile(f"{address}: no header of .npy version 1 or 2: {exc}") from exc
    if dtype not in NAMES:
        raise BadFile(f"{address}: an array of {not_taken(dtype)}")
    if len(shape) != 2:
        raise BadFile(f"{address}: an array of shape {shape}, wanted (n, dim)")
    if fortran:
        raise BadFile(f"{address}: in Fortran order, wanted C order (np.ascontiguousarray)")
    return Layout(dtype, shape[0], shape[1], offset=file.tell())


def _bin(dtype: np.dtype[Any]) -> Callable[[Address, BinaryIO], Layout]:
    def layout(address: Address, file: BinaryIO) -> Layout:
        n, dim = struct.unpack("<II", _exactly(address, file, 8))
        return Layout(dtype, n, dim, offset=8)

    return layout


def _vecs(dtype: np.dtype[Any]) -> Callable[[Address, BinaryIO], Layout]:
    def layout(address: Address, file: BinaryIO) -> Layout:
        (dim,) = struct.unpack("<i", _exactly(address, file, 4))
        size, stride = os.fstat(file.fileno()).st_size, 4 + dim * dtype.itemsize
        if dim < 1:
            raise BadFile(f"{address}: row 0 has {dim} dims, wanted at least 1")
        if size % stride:
            raise BadFile(
                f"{address}: truncated or no such file: {size} bytes, "
                f"wanted a multiple of {stride} for rows of {dim} dims like row 0"
            )
        return Layout(dtype, size // stride, dim, lead=4)

    return layout


def _exactly(address: Address, file: BinaryIO, count: int) -> bytes:
    header = file.read(count)
    if len(header) < count:
        raise BadFile(f"{address}: truncated: {len(header)} bytes, wanted a header of {count}")
    return header


LAYOUTS: dict[str, Callable[[Address, BinaryIO], Layout]] = {
    ".npy": _npy,
    ".fbin": _bin(DTYPES["f32"]),
    ".u8bin": _bin(DTYPES["u8"]),
    ".i8bin": _bin(DTYPES["i8"]),
    ".fvecs": _vecs(DTYPES["f32"]),
    ".bvecs": _vecs(DTYPES["u8"]),
}
