"""A file of vectors, memory-mapped, as rows that have been checked.

    .npy                   2-d, C order, float32, float16, uint8 or int8
    .fbin .u8bin .i8bin    u32 n, u32 dim, then the rows (the format of big-ann-benchmarks)
    .fvecs .bvecs          each row after its own i32 dim (http://corpus-texmex.irisa.fr)

All are little-endian. Whatever a header can tell is checked when the file is opened, and its
size must be exactly what the header promises: a cut download and a foreign file both show there.
The values are checked as they are read, because that costs a pass over the file.
"""

import hashlib
import mmap
import os
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from longspan.indexer.errors import BadFile
from longspan.indexer.store.space import DTYPES

NAMES = {dtype: name for name, dtype in DTYPES.items()}

CHECKED_AT_ONCE = 1 << 20  # values; the mask of the finite ones stays in cache
FAR_APART = 1 << 16  # bytes between two rows, from where reading ahead costs more than it saves
SAMPLES, SAMPLE_BYTES = 16, 1 << 16  # of the fingerprint: 1 MiB in all, however large the file


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the rows lie: row i begins at offset + i * stride, its values `lead` bytes later."""

    dtype: np.dtype[Any]
    n: int
    dim: int
    offset: int = 0
    lead: int = 0

    @property
    def stride(self) -> int:
        """Bytes from one row to the next."""
        return self.lead + self.dim * self.dtype.itemsize


class Vectors:
    """An open file of `n` vectors of `dim` values; made by `open_vectors`.

    Reading is thread-safe. The pages read are the kernel's to take back, but count as resident
    until it does: a reader of a whole file calls `release` behind itself.

    The file is mapped twice: once as usual, for reading in order, and once without reading ahead,
    which may be 8 MB a row when rows are taken from here and there.
    """

    def __init__(self, path: Path, layout: Layout, maps: tuple[mmap.mmap, mmap.mmap]) -> None:
        self.path = path
        self.n, self.dim, self.dtype = layout.n, layout.dim, layout.dtype
        self.dtype_name = NAMES[layout.dtype]
        self._layout, self._maps = layout, maps
        self._table, self._scattered = (self._rows_of(mapped) for mapped in maps)
        maps[1].madvise(mmap.MADV_RANDOM)

    def rows(self, start: int, stop: int) -> NDArray[Any]:
        """Return rows start to stop, (stop - start, dim), read-only; a view where that can be.

        BadFile names the row that is not finite or has another dim.
        """
        return self._checked(self._table[start:stop], range(start, stop))

    def take(self, rows: NDArray[np.int64]) -> NDArray[Any]:
        """Return the numbered rows, (len(rows), dim); ascending numbers read the file in order."""
        if len(rows) == 0:
            return np.empty((0, self.dim), self.dtype)
        apart = self._layout.stride * int(rows[-1] - rows[0]) // len(rows)
        table = self._scattered if apart > FAR_APART else self._table
        return self._checked(table[rows], rows)

    def release(self, start: int, stop: int) -> None:
        """Give the pages of rows start to stop back to the kernel; they can be read again."""
        page, layout = mmap.PAGESIZE, self._layout
        begin = -(-(layout.offset + start * layout.stride) // page) * page
        end = (layout.offset + stop * layout.stride) // page * page
        if begin < end:
            for mapped in self._maps:
                mapped.madvise(mmap.MADV_DONTNEED, begin, end - begin)

    def fingerprint(self) -> dict[str, Any]:
        """Return what tells this input from another: name, shape, size, digest of a sample.

        The sample is 16 blocks of 64 KiB at equal distances, first and last bytes among them.
        """
        mapped, digest = self._maps[1], hashlib.sha256()
        size = len(mapped)
        for at in np.linspace(0, max(0, size - SAMPLE_BYTES), SAMPLES).astype(np.int64).tolist():
            digest.update(mapped[at : at + SAMPLE_BYTES])
        return {
            "name": self.path.name,
            "n": self.n,
            "dim": self.dim,
            "dtype": self.dtype_name,
            "bytes": size,
            "sample_sha256": digest.hexdigest(),
        }

    def _rows_of(self, mapped: mmap.mmap) -> NDArray[np.uint8]:
        layout = self._layout
        values = np.frombuffer(mapped, np.uint8, layout.n * layout.stride, layout.offset)
        return values.reshape(layout.n, layout.stride)

    def _checked(self, table: NDArray[np.uint8], rows: Any) -> NDArray[Any]:
        lead = self._layout.lead
        if lead:
            self._check_dims(table[:, :lead].view("<i4")[:, 0], rows)
        values = np.require(table[:, lead:].view(self.dtype), requirements=["C", "A"])
        if self.dtype.kind == "f":
            self._check_finite(values, rows)
        return values

    def _check_dims(self, dims: NDArray[Any], rows: Any) -> None:
        wrong = np.flatnonzero(dims != self.dim)
        if len(wrong):
            found = f"row {rows[wrong[0]]} has {dims[wrong[0]]} dims"
            raise BadFile(f"{self.path}: {found}, wanted {self.dim} as in row 0")

    def _check_finite(self, values: NDArray[Any], rows: Any) -> None:
        step = max(1, CHECKED_AT_ONCE // self.dim)
        for start in range(0, len(values), step):
            finite = np.isfinite(values[start : start + step])
            if not finite.all():
                row, column = np.argwhere(~finite)[0]
                found = values[start + row, column]
                raise BadFile(
                    f"{self.path}: row {rows[start + row]} has {found} in dimension {column}, "
                    "wanted finite numbers"
                )


def open_vectors(path: str | Path) -> Vectors:
    """Open a file of vectors by its suffix. BadFile says what is wrong with it."""
    path = Path(path)
    if not path.is_file():
        found = "not a regular file" if path.exists() else "no such file"
        raise BadFile(f"{path}: {found}, wanted a file of vectors")
    read_layout = FORMATS.get(path.suffix.lower())
    if read_layout is None:
        raise BadFile(f"{path}: unknown format {path.suffix!r}, wanted one of {' '.join(FORMATS)}")
    try:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_size == 0:
                raise BadFile(f"{path}: the file is empty, wanted vectors")
            layout = read_layout(path, file)
            once, again = (mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) for _ in range(2))
    except OSError as exc:
        raise BadFile(f"{path}: cannot be read: {exc.strerror or exc}") from exc
    _check_shape(path, layout, len(once))
    return Vectors(path, layout, (once, again))


def _check_shape(path: Path, layout: Layout, size: int) -> None:
    if layout.n == 0 or layout.dim == 0:
        raise BadFile(f"{path}: {layout.n} vectors of {layout.dim} dims, wanted at least 1 of each")
    wanted = layout.offset + layout.n * layout.stride
    if size != wanted:
        what = "truncated" if size < wanted else "too long"
        shape = f"{layout.n} x {layout.dim} {NAMES[layout.dtype]}"
        raise BadFile(f"{path}: {what}: {size} bytes, wanted {wanted} for {shape}")


def _npy(path: Path, file: BinaryIO) -> Layout:
    """Read the header alone: no value of the file is ever unpickled."""
    read_header = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }
    try:
        version = np.lib.format.read_magic(file)
        shape, fortran, dtype = read_header[version](file)
    except OSError:
        raise
    except Exception as exc:  # the header is a Python literal, parsed in many ways
        raise BadFile(f"{path}: no header of .npy version 1 or 2: {exc}") from exc
    if dtype not in NAMES:
        wanted = "float32, float16, uint8 or int8, little-endian"
        raise BadFile(f"{path}: an array of {dtype!r}, wanted {wanted}")
    if len(shape) != 2:
        raise BadFile(f"{path}: an array of shape {shape}, wanted (n, dim)")
    if fortran:
        raise BadFile(f"{path}: in Fortran order, wanted C order (np.ascontiguousarray)")
    return Layout(dtype, shape[0], shape[1], offset=file.tell())


def _bin(dtype: np.dtype[Any]) -> Callable[[Path, BinaryIO], Layout]:
    def layout(path: Path, file: BinaryIO) -> Layout:
        n, dim = struct.unpack("<II", _exactly(path, file, 8))
        return Layout(dtype, n, dim, offset=8)

    return layout


def _vecs(dtype: np.dtype[Any]) -> Callable[[Path, BinaryIO], Layout]:
    def layout(path: Path, file: BinaryIO) -> Layout:
        (dim,) = struct.unpack("<i", _exactly(path, file, 4))
        size, stride = os.fstat(file.fileno()).st_size, 4 + dim * dtype.itemsize
        if dim < 1:
            raise BadFile(f"{path}: row 0 has {dim} dims, wanted at least 1")
        if size % stride:
            raise BadFile(
                f"{path}: truncated or no such file: {size} bytes, "
                f"wanted a multiple of {stride} for rows of {dim} dims like row 0"
            )
        return Layout(dtype, size // stride, dim, lead=4)

    return layout


def _exactly(path: Path, file: BinaryIO, count: int) -> bytes:
    header = file.read(count)
    if len(header) < count:
        raise BadFile(f"{path}: truncated: {len(header)} bytes, wanted a header of {count}")
    return header


FORMATS: dict[str, Callable[[Path, BinaryIO], Layout]] = {
    ".npy": _npy,
    ".fbin": _bin(DTYPES["f32"]),
    ".u8bin": _bin(DTYPES["u8"]),
    ".i8bin": _bin(DTYPES["i8"]),
    ".fvecs": _vecs(DTYPES["f32"]),
    ".bvecs": _vecs(DTYPES["u8"]),
}
