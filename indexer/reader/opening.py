"""Opening an input: see that its files are alike, and map what lies in them as rows."""

import os
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from longspan.indexer.errors import BadFile
from longspan.indexer.reader import flat, hdf5, parquet
from longspan.indexer.reader.address import Address, parse
from longspan.indexer.reader.copies import folder_for, stage
from longspan.indexer.reader.files import allow_handles, files_of, open_file
from longspan.indexer.reader.layout import NAMES, Rows
from longspan.indexer.reader.mapped import Mapped, mapped
from longspan.indexer.reader.optional import refusing
from longspan.indexer.reader.vectors import Vectors
from longspan.indexer.running.progress import SILENT, Advance, Progress

FORMATS: dict[str, Callable[[Address, BinaryIO], Rows]] = {
    **dict.fromkeys(flat.LAYOUTS, flat.read),
    **dict.fromkeys((".hdf5", ".h5"), hdf5.read),
    ".parquet": parquet.read,
}


@dataclass(frozen=True, slots=True)
class Found:
    """An open file, and what its format says of its rows."""

    address: Address
    file: BinaryIO
    rows: Rows


def open_vectors(path: str | Path, tmp: Path | None = None, progress: Progress = SILENT) -> Vectors:
    """Open vectors by the suffix of their file, or all files of a folder as one.

    tmp  folder for a copy of what cannot be mapped; the copy takes its disk for as long as the
         vectors are used. Without tmp such an input is refused.

    BadFile says what is wrong with a file; DoesNotFit when tmp has no room.
    """
    address = parse(path)
    addresses = files_of(address, FORMATS)
    allow_handles(len(addresses))
    with ExitStack() as files:
        found = [_found(each, files, tmp, progress) for each in addresses]
        found = [each for each in found if each.rows.layout.n] or found[:1]  # a shard may be empty
        for each in found:
            _check_shape(each, found[0])
        copied = any(each.rows.chunks or each.address.remote for each in found)
        return Vectors(address, _mapped(address, found, tmp, progress), copied)


def _found(address: Address, files: ExitStack, tmp: Path | None, progress: Progress) -> Found:
    read = FORMATS.get(address.suffix)
    if read is None:
        known = " ".join(FORMATS)
        raise BadFile(f"{address}: unknown format {address.suffix!r}, wanted one of {known}")
    file = files.enter_context(open_file(address, tmp, progress))
    if os.fstat(file.fileno()).st_size == 0:
        raise BadFile(f"{address}: the file is empty, wanted vectors")
    with refusing(address, OSError):
        return Found(address, file, read(address, file))


def _check_shape(found: Found, first: Found) -> None:
    layout, wanted = found.rows.layout, first.rows.layout
    if layout.n == 0 or layout.dim == 0:
        shape = f"{layout.n} vectors of {layout.dim} dims"
        raise BadFile(f"{found.address}: {shape}, wanted at least 1 of each")
    if (layout.dim, layout.dtype) != (wanted.dim, wanted.dtype):
        like = f"{wanted.dim} dims in {NAMES[wanted.dtype]} as in {first.address.name}"
        raise BadFile(f"{found.address}: {layout.shape}, wanted {like}")


def _mapped(
    address: Address, found: list[Found], tmp: Path | None, progress: Progress
) -> list[Mapped]:
    """Map every file, or a copy of its rows."""
    size = sum(each.rows.layout.end for each in found if each.rows.chunks)
    if size == 0:
        return [_map(each, each.file) for each in found]
    folder = folder_for(tmp, address, size)
    with progress.stage("copy", size, "bytes") as advance:
        return [_map_copy(each, folder, advance) for each in found]


def _map_copy(found: Found, folder: Path, advance: Advance) -> Mapped:
    layout, chunks = found.rows.layout, found.rows.chunks
    if chunks is None:
        return _map(found, found.file)
    data = (chunk.data for chunk in chunks())
    with stage(found.address, data, layout.end, folder, advance) as copy:
        return _map(found, copy)


def _map(found: Found, file: BinaryIO) -> Mapped:
    with refusing(found.address, OSError):
        return mapped(found.address, found.rows.layout, file)
