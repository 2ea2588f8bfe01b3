"""Remote files, by fsspec: streamed down once, then read as local ones are.

Addresses come from the command line and from callers of `longspan.indexer`, never from a request:
what answers requests cannot import this module (`lint-imports` checks it).
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from longspan.indexer.reader.address import Address
from longspan.indexer.reader.copies import CHUNK, folder_for, stage
from longspan.indexer.reader.optional import need, refusing
from longspan.indexer.running.progress import SILENT, Progress


def fetch(address: Address, tmp: Path | None, progress: Progress) -> BinaryIO:
    """Return a nameless local copy of a remote file.

    BadFile when it cannot be read or ends early; DoesNotFit when the disk has no room for it.
    """
    fsspec = need("fsspec", address)
    with refusing(address):
        files, path = fsspec.url_to_fs(address.location)
        size = files.size(path)  # None where the server does not tell
    folder = folder_for(tmp, address, size or 0)
    told = progress if size else SILENT
    with told.stage("fetch", size or 0, "bytes") as advance:
        return stage(address, _chunks(files, path, address), size, folder, advance)


def _chunks(files: Any, path: str, address: Address) -> Iterator[memoryview]:
    with refusing(address), files.open(path, "rb") as remote:
        while chunk := remote.read(CHUNK):
            yield memoryview(chunk)
