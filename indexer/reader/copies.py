"""Copies of inputs that cannot be mapped where they are.

A copy has no name: the kernel frees it when its last user closes it or dies, by any signal. So
nothing is left behind, nothing has to be removed, and no two builds can meet. `df` shows it, `ls`
does not.

Why beside the index and not in its draft: everything in a draft is published. Why not in /tmp: it
is often memory, while users choose the disk of an index for its room.
"""

import errno
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from longspan.indexer.errors import BadFile, DoesNotFit
from longspan.indexer.reader.address import Address
from longspan.indexer.running.progress import Advance

CHUNK = 8 << 20  # bytes that are read, and then written, together


def beside(path: str | Path) -> Path:
    """Return the folder that a path is in, or of those above it the nearest that exists."""
    return next(folder for folder in Path(path).absolute().parents if folder.is_dir())


def folder_for(tmp: Path | None, address: Address, size: int) -> Path:
    """Return the folder for a copy of size bytes. DoesNotFit when its disk has no room for it."""
    if tmp is None:
        raise BadFile(f"{address}: cannot be mapped, wanted a folder for a copy of it (tmp)")
    if not tmp.is_dir():
        raise BadFile(f"{tmp}: no such folder, wanted one for a copy of {address}")
    free = shutil.disk_usage(tmp).free
    if free < size:
        raise DoesNotFit(
            f"{tmp}: a copy of {address} takes {size:,} bytes, the disk has {free:,}; "
            "name another folder (--tmp)"
        )
    return tmp


def stage(
    address: Address,
    chunks: Iterable[memoryview],
    size: int | None,
    folder: Path,
    advance: Advance,
) -> BinaryIO:
    """Return a nameless file in folder that holds the chunks; advance gets the bytes of each.

    BadFile unless they are size bytes, where that is known; DoesNotFit when the disk is full.
    """
    with _writing(folder), ExitStack() as unfinished:
        file = unfinished.enter_context(tempfile.TemporaryFile(dir=folder))
        for chunk in chunks:
            file.write(chunk)
            advance(chunk.nbytes)
        found = file.tell()
        if size is not None and found != size:
            raise BadFile(f"{address}: {found} bytes came, wanted {size}")
        file.seek(0)  # which also flushes
        unfinished.pop_all()
        return cast(BinaryIO, file)


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        if exc.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DoesNotFit(f"{folder}: the disk is full, nothing was kept") from exc
        raise BadFile(f"{folder}: cannot be written: {exc.strerror or exc}") from exc
