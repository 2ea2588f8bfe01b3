"""Opening an input: see that its files are alike, and map what lies in them as rows."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from longspan.indexer.errors import BadFile
from longspan.indexer.reader import flat, hdf5, parquet
from longspan.indexer.reader.address import Address, parse
from longspan.indexer.reader.checked import Checked
from longspan.indexer.reader.copies import folder_for, stage
from longspan.indexer.reader.files import allow_handles, files_of, open_file
from longspan.indexer.reader.layout import NAMES, Rows
from longspan.indexer.reader.mapped import mapped
from longspan.indexer.reader.optional import refusing
from longspan.indexer.reader.stamp import Stamp, digest_of, stamp_of, unchanged
from longspan.indexer.reader.vectors import Vectors
from longspan.indexer.reader.watched import Watched, watched
from longspan.indexer.running.progress import SILENT, Advance, Progress

FORMATS: dict[str, Callable[[Address, BinaryIO], Rows]] = {
    **dict.fromkeys(flat.LAYOUTS, flat.read),
    **dict.fromkeys((".hdf5", ".h5"), hdf5.read),
    ".parquet": parquet.read,
}


@dataclass(frozen=True, slots=True)
class Found:
    """An open file as it was when it was opened, and what its format says of its rows."""

    address: Address
    file: BinaryIO
    stamp: Stamp
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
        stamp = digest_of([each.stamp for each in found if not each.address.remote])
        return Vectors(address, _files(address, found, tmp, progress), copied, stamp)


def map_vectors(path: Path) -> Vectors:
    """Open a file of this process's own, which nobody writes to, by mapping it; else BadFile."""
    address = parse(path)
    with ExitStack() as files:
        found = _found(address, files, None, SILENT)
        return Vectors(address, [mapped(address, found.rows.layout, found.file)], copied=False)


def _found(address: Address, files: ExitStack, tmp: Path | None, progress: Progress) -> Found:
    read = FORMATS.get(address.suffix)
    if read is None:
        known = " ".join(FORMATS)
        raise BadFile(f"{address}: unknown format {address.suffix!r}, wanted one of {known}")
    file = files.enter_context(open_file(address, tmp, progress))
    stamp = stamp_of(file.fileno())
    if stamp[0] == 0:
        raise BadFile(f"{address}: the file is empty, wanted vectors")
    with refusing(address, OSError):
        return Found(address, file, stamp, read(address, file))


def _check_shape(found: Found, first: Found) -> None:
    layout, wanted = found.rows.layout, first.rows.layout
    if layout.n == 0 or layout.dim == 0:
        shape = f"{layout.n} vectors of {layout.dim} dims"
        raise BadFile(f"{found.address}: {shape}, wanted at least 1 of each")
    if (layout.dim, layout.dtype) != (wanted.dim, wanted.dtype):
        like = f"{wanted.dim} dims in {NAMES[wanted.dtype]} as in {first.address.name}"
        raise BadFile(f"{found.address}: {layout.shape}, wanted {like}")


def _files(
    address: Address, found: list[Found], tmp: Path | None, progress: Progress
) -> Sequence[Checked]:
    """Return the rows of every file, or of a copy of them."""
    size = sum(each.rows.layout.end for each in found if each.rows.chunks)
    if size == 0:
        return [_watched(each) for each in found]
    folder = folder_for(tmp, address, size)
    with progress.stage("copy", size, "bytes") as advance:
        return [_copied(each, folder, advance) for each in found]


def _copied(found: Found, folder: Path, advance: Advance) -> Checked:
    layout, chunks = found.rows.layout, found.rows.chunks
    if chunks is None:
        return _watched(found)
    data = (chunk.data for chunk in chunks())
    with unchanged(found.address, found.file):
        copy = stage(found.address, data, layout.end, folder, advance)
    with copy:
        return mapped(found.address, layout, copy)


def _watched(found: Found) -> Watched:
    with refusing(found.address, OSError):
        return watched(found.address, found.rows.layout, found.file, found.stamp)
