"""The vectors of a published index, read back by row as from a file.

Every vector stands whole in the posting of its nearest head, and rows are numbered in the order of
these entries (docs/format.md), so rows in order are the file in order.
"""

import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from longspan.cext import posting
from longspan.indexer.errors import DamagedIndex
from longspan.indexer.planning.form import form_of
from longspan.indexer.store.access import access
from longspan.indexer.store.arrays import map_array, read_array
from longspan.indexer.store.layout import DIRECTORY, IDS, shard_name
from longspan.indexer.store.manifest import Manifest, file_problem
from longspan.indexer.store.postings import HEADER, PAGE, RECORD
from longspan.indexer.store.shards import open_shards
from longspan.indexer.store.space import DTYPES


class Stored:
    """An index's `n` vectors of `dim` values, with their `ids`; made by `open_stored`.

    primary  (h,) how many of them each posting is the nearest of

    Postings are mapped, and checked as they are read. The pages count as resident until `release`.
    """

    def __init__(self, path: Path, manifest: Manifest) -> None:
        self.path, self.manifest = path, manifest
        self.n, self.dim, self.dtype_name = manifest.n, manifest.dim, manifest.dtype
        self.dtype = DTYPES[manifest.dtype]
        self.ids: NDArray[np.int64] = map_array(path / IDS, np.int64)
        self._records = read_array(path / DIRECTORY, RECORD)
        self.primary = self._records["primary"].astype(np.int64)
        self._starts = np.concatenate([[0], np.cumsum(self.primary)])
        size = DTYPES[manifest.dtype].itemsize
        self._form = form_of(manifest.dim, size, manifest.metric, manifest.codec["kind"])
        self._mapped, self._offsets = open_shards(path, manifest.shards, self._records)

    def rows(self, start: int, stop: int) -> NDArray[Any]:
        """Return the vectors of rows start to stop, (stop - start, dim)."""
        return self.take(np.arange(start, stop))

    def take(self, rows: NDArray[np.int64]) -> NDArray[Any]:
        """Return the vectors of ascending rows, at least one: (len(rows), dim)."""
        owners = np.searchsorted(self._starts, rows, side="right") - 1
        postings, first = np.unique(owners, return_index=True)
        runs = zip(postings.tolist(), np.split(rows, first[1:]), strict=True)
        parts = [self._vectors(number)[run - self._starts[number]] for number, run in runs]
        return np.concatenate(parts).view(self.dtype)

    def release(self, start: int, stop: int) -> None:
        """Give the pages of rows start to stop back to the kernel; they can be read again."""
        first, last = np.searchsorted(self._starts, [start, stop - 1], side="right") - 1
        self.release_postings(first, last + 1)

    def release_postings(self, first: int, last: int) -> None:
        """Give the pages of the postings [first, last) back, as `release` does."""
        starts, pages = self._offsets[first:last], self._records["pages"][first:last]
        ends = starts + pages * np.uint64(PAGE) - np.uint64(HEADER)
        self._mapped.release(int(starts.min()), int(ends.max()))

    def members(self, number: int) -> NDArray[np.uint32]:
        """Return the rows in a posting: those whose nearest head is its own, then the others."""
        own = np.arange(self._starts[number], self._starts[number + 1], dtype=np.uint32)
        _, numbers = self._posting(number)
        return np.concatenate([own, numbers]) if self._form.groups else numbers

    def _vectors(self, number: int) -> NDArray[np.uint8]:
        """Return the vectors whose nearest head is this posting's, as bytes."""
        rows, _ = self._posting(number)
        return rows[: self._starts[number + 1] - self._starts[number]]

    def _posting(self, number: int) -> tuple[NDArray[np.uint8], NDArray[np.uint32]]:
        """Return the vectors in a posting, as bytes, and its numbers: with codes the copies'."""
        _, count, own, checksum, pages = self._records[number].tolist()
        offset = int(self._offsets[number])
        value = memoryview(self._mapped)[offset : offset + pages * PAGE - HEADER]
        if zlib.crc32(value) != checksum:
            raise DamagedIndex(f"{self.path}: posting {number}: its checksum does not hold")
        form = self._form
        if form.groups:
            rows, _, numbers, _ = posting.decode_coded(
                value, own, count - own, form.row_bytes, form.cosine, form.groups
            )
        else:
            rows, numbers, _ = posting.decode(value, count, form.row_bytes, form.cosine)
        return rows, numbers


def open_stored(path: str | Path) -> Stored:
    """Open the vectors of an index.

    BadIndex when the directory holds none, DamagedIndex when a file that is read here is missing or
    not as it was published; of the postings the size is looked at, the content as it is read.
    """
    directory = Path(path)
    manifest = Manifest.read(directory)
    shards = [*map(shard_name, range(len(manifest.shards)))]
    with access(directory):
        for name in (*shards, DIRECTORY, IDS):
            problem = file_problem(directory / name, manifest.files[name], whole=name not in shards)
            if problem:
                raise DamagedIndex(f"{directory / name}: {problem}")
        return Stored(directory, manifest)
