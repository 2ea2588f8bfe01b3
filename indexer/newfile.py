"""A file that appears whole or not at all, and never in the place of another."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from longspan.indexer.errors import BadFile, IndexExists, LongspanError, shortage


def check_new(path: Path) -> None:
    """Refuse a file that could not be written in the end, before the work begins.

    IndexExists when something is there, BadFile when its folder is not.
    """
    if os.path.lexists(path):
        raise IndexExists(f"{path}: already exists, remove it or name another file")
    if not path.absolute().parent.is_dir():
        raise BadFile(f"{path}: its folder does not exist")


@contextmanager
def new_file(path: Path, size: int = 0) -> Iterator[BinaryIO]:
    """Give a file to write into, which appears at path when the block ends well.

    size  bytes that it will have, where that is known: room for them is taken at once
    BadFile and IndexExists as `check_new`; DoesNotFit when the disk is full.
    """
    check_new(path)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with unfinished.open("xb") as file:
            if size:
                os.posix_fallocate(file.fileno(), 0, size)
            yield file
            file.flush()
            os.fsync(file.fileno())
        check_new(path)
        unfinished.replace(path)
    except LongspanError:
        raise
    except OSError as exc:
        exc.filename = str(path)  # and not that of the unfinished one
        refused = BadFile(f"{path}: cannot be written: {exc.strerror or exc}")
        raise shortage(exc, path) or refused from exc
    finally:
        unfinished.unlink(missing_ok=True)
