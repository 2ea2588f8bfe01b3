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
from longspan.indexer.store.layout import DIRECTORY
from longspan.indexer.store.manifest import NAME as MANIFEST

HANDLES = 3  # of each file while it is opened: itself and its two mappings
OTHER_HANDLES = 256  # of the rest of the program


def files_of(address: Address, formats: Collection[str]) -> list[Address]:
    """Return the file itself, or those of a folder: part-2 before part-10.

    BadFile unless there are some and all are of one of the formats. What a folder holds besides,
    hidden files and those of other suffixes, is none of the input.
    """
    with refusing(address, OSError):
        if address.remote or address.path.is_file():
            return [address]
        if not address.path.is_dir():
            found = "not a regular file" if address.path.exists() else "no such file"
            raise BadFile(f"{address}: {found}, wanted a file or a folder")
        _refuse_index(address)
        return _files_in(address, formats)


def _files_in(address: Address, formats: Collection[str]) -> list[Address]:
    shown = sorted((path for path in address.path.iterdir() if path.name[0] != "."), key=natural)
    named = [path for path in shown if path.suffix.lower() in formats and not path.is_dir()]
    for path in named:
        if not path.is_file():
            found = "not a regular file" if path.exists() else "a link to a file that is not there"
            raise BadFile(f"{path}: {found}, wanted a file, as its name says")
        if path.suffix.lower() != named[0].suffix.lower():
            raise BadFile(f"{path}: in one folder with {named[0].name}, wanted files of one format")
    if not named:
        known, folders = " ".join(formats), sum(path.is_dir() for path in shown)
        inner = f" ({folders} folders in it are not looked into)" if folders else ""
        raise BadFile(
            f"{address}: a folder without a file of a known format{inner}, wanted {known}"
        )
    return [Address(str(path), address.part) for path in named]


def _refuse_index(address: Address) -> None:
    """Refuse the folder of an index: its arrays are no vectors of the user's."""
    if all((address.path / name).is_file() for name in (MANIFEST, DIRECTORY)):
        raise BadFile(
            f"{address}: an index, wanted vectors; `longspan merge` makes one index of several, "
            "`longspan convert` writes the vectors of one"
        )


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
