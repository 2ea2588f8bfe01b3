"""The user's own names of the vectors, read and checked, or written.

An id is an integer from 0 to 2^63 - 1; -1 is kept for "no vector" in an answer.
"""

import io
import os
import re
import tempfile
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from longspan.indexer.errors import BadFile
from longspan.indexer.newfile import new_file
from longspan.indexer.reader import parquet
from longspan.indexer.reader.address import Address, parse
from longspan.indexer.reader.copies import stage
from longspan.indexer.reader.files import files_of, open_file
from longspan.indexer.reader.flat import read_npy_header
from longspan.indexer.reader.optional import refusing
from longspan.indexer.reader.stamp import unchanged
from longspan.indexer.reader.unique import first_twice
from longspan.indexer.running.progress import SILENT

LARGEST = 2**63 - 1
AT_ONCE = 1 << 20  # ids that are read together,
LINES = 1 << 17  # ... and as text, of which Python makes ten times as much
LONGEST = 64  # characters of a line


def read_ids(path: str | Path, n: int, tmp: Path | None = None) -> NDArray[np.int64]:
    """Return the ids of n vectors, (n,) int64, in the order of the vectors, mapped.

    A .npy file holds a 1-d array of any integer type, .parquet a column of integers, any other
    file is text with one integer a line; a folder holds several .parquet. They lie in a file
    without a name in tmp, default the system's folder for such. BadFile unless there are n ids,
    each once and none negative; DoesNotFit when the disk is full.
    """
    address, folder = parse(path), tmp or Path(tempfile.gettempdir())
    found = (block.data for block in _checked(address, n, tmp))
    with stage(address, found, None, folder, lambda n: None) as file:
        ids: NDArray[np.int64] = np.memmap(file, np.int64, "r")
    if twice := first_twice(ids, address, folder):
        value, first, second = twice
        raise BadFile(f"{address}: vectors {first} and {second} have the same id {value}")
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


def _checked(address: Address, n: int, tmp: Path | None) -> Iterator[NDArray[np.int64]]:
    """Yield n ids some at a time, none of them out of range."""
    found = 0
    for each in files_of(address, (".parquet",)):
        with (
            open_file(each, tmp, SILENT) as file,
            unchanged(each, file),
            refusing(each, OSError),
        ):
            for block in READERS.get(each.suffix, _from_text)(each, file):
                _check_range(address, block, found)
                found += len(block)
                yield np.ascontiguousarray(block, dtype=np.int64)
    if found != n:
        raise BadFile(f"{address}: {found} ids, wanted {n}, one for each vector")


def _from_npy(address: Address, file: BinaryIO) -> Iterator[NDArray[Any]]:
    """Read the header, and no more values than it says; none is ever unpickled."""
    try:
        shape, _, dtype = read_npy_header(file)
    except OSError:
        raise
    except Exception as exc:  # the header is a Python literal, parsed in many ways
        raise BadFile(f"{address}: not a .npy array of integers: {exc}") from exc
    if len(shape) != 1 or dtype.kind not in "iu":
        raise BadFile(f"{address}: an array {shape} of {dtype}, wanted (n,) of integers")
    size = os.fstat(file.fileno()).st_size - file.tell()
    if size != shape[0] * dtype.itemsize:
        wanted = f"{shape[0] * dtype.itemsize} for {shape[0]} ids"
        raise BadFile(f"{address}: not a .npy array of integers: {size} bytes, wanted {wanted}")
    for at in range(0, shape[0], AT_ONCE):
        yield np.fromfile(file, dtype, min(AT_ONCE, shape[0] - at))


def _from_text(address: Address, file: BinaryIO) -> Iterator[NDArray[Any]]:
    lines, row = io.TextIOWrapper(file, "ascii"), 0
    try:
        while block := list(islice(_lines(lines), LINES)):
            yield np.array([_number(address, row + i, line) for i, line in enumerate(block)])
            row += len(block)
    except UnicodeDecodeError as exc:
        raise BadFile(
            f"{address}: neither .npy, .parquet nor text with one integer a line"
        ) from exc
    finally:
        lines.detach()  # the file is its opener's to close


def _lines(text: io.TextIOWrapper) -> Iterator[str]:
    """Yield lines; one that is too long for a number comes in pieces, which are none."""
    while line := text.readline(LONGEST):
        yield line.removesuffix("\n")


def _number(address: Address, row: int, line: str) -> int:
    if not re.fullmatch(r"\s*-?[0-9]{1,19}\s*", line):
        raise BadFile(f"{address}: line {row + 1} is {line[:40]!r}, wanted one integer")
    number = int(line)
    if number > LARGEST:
        raise BadFile(f"{address}: id {number} is too large, wanted at most {LARGEST}")
    if number < 0:
        raise BadFile(f"{address}: the id of vector {row} is {number}, wanted 0 or more")
    return number


def _check_range(address: Address, ids: NDArray[Any], first: int) -> None:
    if len(ids) and ids.min() < 0:
        row = int(ids.argmin())
        raise BadFile(f"{address}: the id of vector {first + row} is {ids[row]}, wanted 0 or more")
    if len(ids) and ids.max() > LARGEST:
        raise BadFile(f"{address}: id {ids.max()} is too large, wanted at most {LARGEST}")


READERS: dict[str, Callable[[Address, BinaryIO], Iterator[NDArray[Any]]]] = {
    ".npy": _from_npy,
    ".parquet": parquet.integers,
}
