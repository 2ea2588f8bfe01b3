"""The user's own names of the vectors, read and checked, or written.

An id is an integer from 0 to 2^63 - 1; -1 is kept for "no vector" in an answer.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from longspan.indexer.errors import BadFile
from longspan.indexer.newfile import new_file
from longspan.indexer.reader import parquet
from longspan.indexer.reader.address import Address, parse
from longspan.indexer.reader.files import files_of, open_file
from longspan.indexer.reader.optional import refusing
from longspan.indexer.running.progress import SILENT

LARGEST = 2**63 - 1


def read_ids(path: str | Path, n: int, tmp: Path | None = None) -> NDArray[np.int64]:
    """Return the ids of n vectors, (n,) int64, in the order of the vectors.

    A .npy file holds a 1-d array of any integer type, .parquet a column of integers, any other
    file is text with one integer a line; a folder holds several .parquet. tmp is for a copy of a
    remote file. BadFile unless there are n ids, each once and none negative.
    """
    address = parse(path)
    parts = []
    for each in files_of(address, (".parquet",)):
        with open_file(each, tmp, SILENT) as file, refusing(each, OSError):
            parts.append(READERS.get(each.suffix, _from_text)(each, file))
    found = parts[0] if len(parts) == 1 else np.concatenate(parts)
    if len(found) != n:
        raise BadFile(f"{address}: {len(found)} ids, wanted {n}, one for each vector")
    _check_range(address, found)
    ids = np.ascontiguousarray(found, dtype=np.int64)
    _check_unique(address, ids)
    return ids


def write_ids(path: Path, ids: NDArray[np.int64]) -> None:
    """Write ids (n,) as `read_ids` reads them: .npy, or by any other suffix text, one a line.

    BadFile, IndexExists and DoesNotFit as `new_file`.
    """
    with new_file(path) as file:
        if path.suffix.lower() == ".npy":
            np.save(file, ids)
        else:
            np.savetxt(file, ids, fmt="%d")


def _from_npy(address: Address, file: BinaryIO) -> NDArray[Any]:
    try:
        ids: NDArray[Any] = np.load(file, allow_pickle=False)
    except OSError:
        raise
    except Exception as exc:  # the header is a Python literal, parsed in many ways
        raise BadFile(f"{address}: not a .npy array of integers: {exc}") from exc
    if ids.ndim != 1 or ids.dtype.kind not in "iu":
        raise BadFile(f"{address}: an array {ids.shape} of {ids.dtype}, wanted (n,) of integers")
    return ids


def _from_text(address: Address, file: BinaryIO) -> NDArray[Any]:
    try:
        lines = file.read().decode("ascii").splitlines()
    except UnicodeDecodeError as exc:
        raise BadFile(
            f"{address}: neither .npy, .parquet nor text with one integer a line"
        ) from exc
    numbers = []
    for number, line in enumerate(lines, start=1):
        if not re.fullmatch(r"\s*-?[0-9]{1,19}\s*", line):
            raise BadFile(f"{address}: line {number} is {line[:40]!r}, wanted one integer")
        numbers.append(int(line))
    if numbers and max(numbers) > LARGEST:
        raise BadFile(f"{address}: id {max(numbers)} is too large, wanted at most {LARGEST}")
    return np.array(numbers, dtype=np.int64)


def _check_range(address: Address, ids: NDArray[Any]) -> None:
    if len(ids) and ids.min() < 0:
        row = int(ids.argmin())
        raise BadFile(f"{address}: the id of vector {row} is {ids[row]}, wanted 0 or more")
    if len(ids) and ids.max() > LARGEST:
        raise BadFile(f"{address}: id {ids.max()} is too large, wanted at most {LARGEST}")


def _check_unique(address: Address, ids: NDArray[np.int64]) -> None:
    ordered = np.sort(ids)
    again = np.flatnonzero(ordered[1:] == ordered[:-1])
    if len(again):
        twice = ordered[again[0]]
        first, second = np.flatnonzero(ids == twice)[:2]
        raise BadFile(f"{address}: vectors {first} and {second} have the same id {twice}")


READERS: dict[str, Callable[[Address, BinaryIO], NDArray[Any]]] = {
    ".npy": _from_npy,
    ".parquet": parquet.integers,
}
