"""Write vectors, chunk by chunk, in any flat format that the reader knows.

A value that the file's type cannot hold is refused with its row: whole numbers of its range go into
an integer type and no others; a float type takes what is finite in it, rounded to its precision.
"""

import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from longspan.indexer.errors import BadConfig, BadFile, LongspanError
from longspan.indexer.newfile import check_new, new_file
from longspan.indexer.reader import Source
from longspan.indexer.running.progress import Advance
from longspan.indexer.store.space import DTYPES

CHUNK = 1 << 20  # values read, converted and written together
MOST = 2**32 - 1  # rows that the u32 of a .fbin header can count


@dataclass(frozen=True, slots=True)
class Format:
    """One suffix: the types that it may hold, its header, and whether rows begin with their dim."""

    dtypes: tuple[str, ...]
    header: Callable[[int, int, np.dtype[Any]], bytes]
    lead: bool = False


def target_dtype(path: Path, wanted: str | None, given: str) -> str:
    """Return the type that a new file will hold.

    wanted  the type asked for, if one was; given: the type of what is written
    BadFile for an unknown suffix or a path that cannot be written, BadConfig when the format does
    not have the type that is wanted.
    """
    known = FORMATS.get(path.suffix.lower())
    if known is None:
        raise BadFile(
            f"{path}: cannot write format {path.suffix!r}, wanted one of {' '.join(FORMATS)}"
        )
    check_new(path)
    dtype = wanted or (given if len(known.dtypes) > 1 else known.dtypes[0])
    if dtype not in known.dtypes:
        holds = " or ".join(known.dtypes)
        raise BadConfig(f"{path}: a {path.suffix} file holds {holds}, {dtype} was wanted")
    return dtype


@contextmanager
def writing(
    path: Path, n: int, dim: int, dtype_name: str
) -> Iterator[Callable[[NDArray[Any]], None]]:
    """Give write(rows) for n vectors; the file appears whole when the block ends well.

    Rows must be of the type. BadFile, IndexExists and DoesNotFit as `new_file`.
    """
    kind, dtype = FORMATS[path.suffix.lower()], DTYPES[dtype_name]
    if n > MOST and kind.header is _bin:
        raise BadFile(f"{path}: {n:,} vectors, at most {MOST:,} fit its header; write .npy")
    header = kind.header(n, dim, dtype)
    size = len(header) + n * (4 * kind.lead + dim * dtype.itemsize)
    with new_file(path, size) as file:

        def write(rows: NDArray[Any]) -> None:
            file.write(_with_dims(rows).data if kind.lead else np.ascontiguousarray(rows).data)

        file.write(header)
        yield write
        if file.tell() != size:
            raise LongspanError(f"{path}: {file.tell()} bytes, wanted {size}; please report")


def copy(
    source: Source,
    rows: range | NDArray[np.int64],
    dtype_name: str,
    write: Callable[[NDArray[Any]], None],
    advance: Advance,
) -> None:
    """Write the vectors of ascending rows, a chunk at a time; BadFile names a row that misfits."""
    step = max(1, CHUNK // source.dim)
    for start in range(0, len(rows), step):
        part = np.asarray(rows[start : start + step], np.int64)
        write(fitted(source.take(part), dtype_name, source.path, part))
        source.release(int(part[0]), int(part[-1]) + 1)
        advance(len(part))


def fitted(
    values: NDArray[Any], dtype_name: str, path: object, rows: NDArray[np.int64]
) -> NDArray[Any]:
    """Return finite values in another type; BadFile names the first that it cannot hold."""
    dtype = DTYPES[dtype_name]
    if values.dtype == dtype:
        return values
    with np.errstate(over="ignore", invalid="ignore"):
        made: NDArray[Any] = values.astype(dtype)
    wrong = ~np.isfinite(made) if dtype.kind == "f" else made != values
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        if dtype.kind == "f":
            wanted = f"magnitudes up to {np.finfo(dtype).max:g}"
        else:
            wanted = f"whole numbers from {np.iinfo(dtype).min} to {np.iinfo(dtype).max}"
        found = f"{values[row, column]:g} in dimension {column}"
        raise BadFile(f"{path}: row {rows[row]} has {found}, {dtype_name} takes {wanted}")
    return made


def _with_dims(rows: NDArray[Any]) -> NDArray[np.uint8]:
    """Return each row's bytes after its dim."""
    values = np.ascontiguousarray(rows).view(np.uint8)
    lead = np.frombuffer(struct.pack("<i", rows.shape[1]), np.uint8)
    return np.concatenate([np.broadcast_to(lead, (len(rows), 4)), values], axis=1)


def _npy(n: int, dim: int, dtype: np.dtype[Any]) -> bytes:
    header = BytesIO()
    described = {"descr": dtype.str, "fortran_order": False, "shape": (n, dim)}
    np.lib.format.write_array_header_1_0(header, described)
    return header.getvalue()


def _bin(n: int, dim: int, dtype: np.dtype[Any]) -> bytes:
    return struct.pack("<II", n, dim)


def _vecs(n: int, dim: int, dtype: np.dtype[Any]) -> bytes:
    return b""


FORMATS = {
    ".npy": Format(tuple(DTYPES), _npy),
    ".fbin": Format(("f32",), _bin),
    ".u8bin": Format(("u8",), _bin),
    ".i8bin": Format(("i8",), _bin),
    ".fvecs": Format(("f32",), _vecs, lead=True),
    ".bvecs": Format(("u8",), _vecs, lead=True),
}
