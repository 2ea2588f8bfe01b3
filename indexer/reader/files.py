"""The files of an input: one, or those of a folder; local, or fetched."""

import resource
from collections.abc import Collection
from pathlib import Path
from typing import BinaryIO

from longspan.indexer.errors import BadFile
from longspan.indexer.reader.address import Address, natural
from longspan.indexer.reader.optional import refusing
from longspan.indexer.reader.remote import fetch
from longspan.indexer.running.progress import Progress

HANDLES = 3  # of each file while it is opened: itself and its two mappings
OTHER_HANDLES = 256  # of the rest of the program


def files_of(address: Address, formats: Collection[str]) -> list[Address]:
    """Return the file itself, or those of a folder: part-2 before part-10.

    BadFile unless there are some and all are of one of the formats. What a folder holds besides,
    hidden files and those of other suffixes, is none of the input.
    """
    if address.remote or address.path.is_file():
        return [address]
    if not address.path.is_dir():
        found = "not a regular file" if address.path.exists() else "no such file"
        raise BadFile(f"{address}: {found}, wanted a file or a folder")
    with refusing(address, OSError):
        shown = [path for path in address.path.iterdir() if path.is_file() and path.name[0] != "."]
    files = [Address(str(path), address.part) for path in sorted(shown, key=natural)]
    files = [each for each in files if each.suffix in formats]
    if not files:
        known = " ".join(formats)
        raise BadFile(f"{address}: a folder without a file of a known format, wanted {known}")
    for each in files:
        if each.suffix != files[0].suffix:
            raise BadFile(f"{each}: in one folder with {files[0].name}, wanted files of one format")
    return files


def open_file(address: Address, tmp: Path | None, progress: Progress) -> BinaryIO:
    """Open a local file, or a copy in tmp of a remote one."""
    if address.remote:
        return fetch(address, tmp, progress)
    with refusing(address, OSError):
        return address.path.open("rb")


def allow_handles(files: int) -> None:
    """Raise this process's limit of open files, as far as it may, for a folder of so many."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = min(OTHER_HANDLES + HANDLES * files, hard)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
