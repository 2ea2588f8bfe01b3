"""Array files: read, or mapped, or a word on which one is damaged; and written.

Where the disk is full a write says so: none goes through a map of a file that has no room yet, in
which a process would die without a word, and none through `np.save`, whose error has no number.
"""

import mmap
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy  # not np.load, which takes some bytes for an archive
from numpy.typing import DTypeLike, NDArray

from longspan.indexer.errors import DamagedIndex, LongspanError
from longspan.indexer.store.whole import bytes_of, naming


def read_array(path: Path, dtype: DTypeLike, ndim: int = 1) -> NDArray[Any]:
    """Return an array, read into memory; DamagedIndex when the file has no such array."""
    with path.open("rb") as file:
        return _checked(_load(path, lambda: npy.read_array(file)), path, dtype, ndim)


def map_array(path: Path, dtype: DTypeLike, ndim: int = 1) -> NDArray[Any]:
    """Return an array, mapped; DamagedIndex when the file has no such array."""
    return _checked(_load(path, lambda: npy.open_memmap(path, mode="r")), path, dtype, ndim)


def map_scattered(path: Path, dtype: DTypeLike, ndim: int = 1) -> NDArray[Any]:
    """Return what `map_array` does, for random reading: nothing is read ahead."""
    array = map_array(path, dtype, ndim)
    if isinstance(array.base, mmap.mmap):
        array.base.madvise(mmap.MADV_RANDOM)
    return array


def mapped_file(array: NDArray[Any]) -> NDArray[np.uint8]:
    """Return all bytes of the file that an array was mapped from."""
    if not isinstance(array.base, mmap.mmap):
        raise TypeError(f"{type(array.base)} is not a mapping")
    return np.frombuffer(array.base, np.uint8)


def _load(path: Path, load: Callable[[], NDArray[Any]]) -> NDArray[Any]:
    try:
        return load()
    except (OSError, MemoryError):
        raise
    except Exception as error:  # NumPy raises six kinds for bytes that are no array
        raise DamagedIndex(f"{path}: its bytes are no array; try `longspan verify`") from error


def _checked(array: NDArray[Any], path: Path, dtype: DTypeLike, ndim: int) -> NDArray[Any]:
    wanted = np.dtype(dtype)
    if array.dtype != wanted or array.ndim != ndim:
        raise DamagedIndex(
            f"{path}: is {array.ndim}-d {array.dtype}, an index has {ndim}-d {wanted} there"
        )
    return array


def write_array(file: IO[bytes], array: NDArray[Any]) -> None:
    """Write an array as a .npy file."""
    _write_header(file, array.dtype, array.shape)
    file.write(bytes_of(array))


def save_array(path: Path, array: NDArray[Any]) -> None:
    """Write an array into a .npy file at path."""
    with naming(path), path.open("wb") as file:
        write_array(file, array)


@contextmanager
def writing_rows(
    file: IO[bytes], dtype: DTypeLike, shape: tuple[int, ...]
) -> Iterator[Callable[[NDArray[Any]], None]]:
    """Give write(rows), which appends to a .npy file whose array will have the shape."""
    wanted = np.dtype(dtype)
    _write_header(file, wanted, shape)
    start = file.tell()

    def write(rows: NDArray[Any]) -> None:
        file.write(bytes_of(rows.astype(wanted, copy=False)))

    yield write
    size = wanted.itemsize * int(np.prod(shape))
    if file.tell() - start != size:
        raise LongspanError(f"{file.name}: {file.tell() - start} bytes, wanted {size}")


def create_array(path: Path, dtype: DTypeLike, shape: tuple[int, ...]) -> "np.memmap[Any, Any]":
    """Return a new array of zeros in a .npy file, mapped for writing; its room is taken."""
    wanted = np.dtype(dtype)
    with naming(path), path.open("wb") as file:
        _write_header(file, wanted, shape)
        file.flush()
        size = wanted.itemsize * int(np.prod(shape))
        os.posix_fallocate(file.fileno(), 0, file.tell() + size)
    array: np.memmap[Any, Any] = np.load(path, mmap_mode="r+")
    return array


def _write_header(file: IO[bytes], dtype: np.dtype[Any], shape: tuple[int, ...]) -> None:
    described = {
        "descr": np.lib.format.dtype_to_descr(dtype),
        "fortran_order": False,
        "shape": shape,
    }
    np.lib.format.write_array_header_1_0(file, described)
