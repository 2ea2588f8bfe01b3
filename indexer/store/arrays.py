"""The array files of an index: read, or mapped, or a word on which one is damaged."""

import mmap
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from longspan.indexer.errors import DamagedIndex


def read_array(path: Path, dtype: DTypeLike, ndim: int = 1) -> NDArray[Any]:
    """Return an array, read into memory; DamagedIndex when the file has no such array."""
    return _checked(_load(path, None), path, dtype, ndim)


def map_array(path: Path, dtype: DTypeLike, ndim: int = 1) -> NDArray[Any]:
    """Return an array, mapped; DamagedIndex when the file has no such array."""
    return _checked(_load(path, "r"), path, dtype, ndim)


def map_scattered(path: Path, dtype: DTypeLike, ndim: int = 1) -> NDArray[Any]:
    """Return what `map_array` does, for random reading: nothing is read ahead."""
    array = map_array(path, dtype, ndim)
    if isinstance(array.base, mmap.mmap):
        array.base.madvise(mmap.MADV_RANDOM)
    return array


def _load(path: Path, mode: Any) -> NDArray[Any]:
    try:
        array: NDArray[Any] = np.load(path, mmap_mode=mode)
    except (OSError, MemoryError):
        raise
    except Exception as error:  # NumPy raises six kinds for bytes that are no array
        raise DamagedIndex(f"{path}: its bytes are no array; try `longspan verify`") from error
    return array


def _checked(array: NDArray[Any], path: Path, dtype: DTypeLike, ndim: int) -> NDArray[Any]:
    wanted = np.dtype(dtype)
    if array.dtype != wanted or array.ndim != ndim:
        raise DamagedIndex(
            f"{path}: is {array.ndim}-d {array.dtype}, an index has {ndim}-d {wanted} there"
        )
    return array
