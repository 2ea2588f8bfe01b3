"""Check every promise of a published index: each byte, and that its parts agree."""

import mmap
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from longspan.cext import posting
from longspan.indexer.errors import DamagedIndex
from longspan.indexer.planning.form import Form, form_of
from longspan.indexer.running.progress import SILENT, Progress
from longspan.indexer.store import heads, payload, postings
from longspan.indexer.store.access import access
from longspan.indexer.store.arrays import map_array, read_array
from longspan.indexer.store.checks import CHECKS, PageSums, checked
from longspan.indexer.store.codec import FIRST, records_of
from longspan.indexer.store.layout import DIRECTORY, IDS, shard_name
from longspan.indexer.store.manifest import NAME, Manifest, file_problem
from longspan.indexer.store.space import DTYPES, HeadSpace


def verify(index: str | Path, progress: Progress = SILENT) -> list[str]:
    """Return what is wrong with an index, a line each; nothing when all is well.

    BadIndex when there is no index, DamagedIndex when its manifest cannot be trusted.
    """
    directory = Path(index)
    manifest = Manifest.read(directory)
    with access(directory):
        problems = list(check_files(directory, manifest, progress))
        if not problems:  # what the files say is only worth a look when they are as published
            problems += check_pages(directory, len(manifest.shards))
            problems += check_tree(directory, manifest)
            problems += check_postings(directory, manifest, progress)
            if payload.is_in(manifest):
                problems += check_payload(directory, manifest.n, progress)
    return problems


def check_files(directory: Path, manifest: Manifest, progress: Progress) -> Iterator[str]:
    """Yield the files that are missing, foreign, or not as the manifest says."""
    if (directory / NAME).read_text() != manifest.text():
        yield f"{NAME}: is not written as longspan writes it"
    for path in sorted(directory.iterdir()):
        if path.name != NAME and path.name not in manifest.files:
            yield f"{path.name}: is no file of the index"
    with progress.stage("checksums", manifest.size_bytes, "bytes") as advance:
        for name, record in manifest.files.items():
            problem = file_problem(directory / name, record)
            if problem:
                yield f"{name}: {problem}"
            advance(record["bytes"])


def check_pages(directory: Path, shards: int) -> Iterator[str]:
    """Yield the files whose pages have other checksums than searches compare them with."""
    try:
        sums = PageSums(directory, shards)
    except DamagedIndex as error:
        yield str(error)
        return
    for path in checked(directory, shards):
        if not sums.agree(path):
            yield f"{CHECKS}: is not of the pages of {path.name}"


def check_tree(directory: Path, manifest: Manifest) -> list[str]:
    """Return what is wrong with heads, tree and ids."""
    space = HeadSpace(manifest.metric, manifest.dtype, manifest.dim, manifest.radius)
    try:
        tree = heads.Heads(directory, space, manifest.levels)
    except ValueError as error:
        return [f"{heads.TREE}: {error}"]
    ids = map_array(directory / IDS, np.int64)
    wrong = []
    if tree.levels[-1] != manifest.heads:
        wrong.append(f"{heads.HEADS}: {tree.levels[-1]} heads, the manifest says {manifest.heads}")
    if ids.shape != (manifest.n,) or len(np.unique(ids)) != manifest.n:
        wrong.append(f"{IDS}: not {manifest.n} different ids")
    return wrong


def check_postings(directory: Path, manifest: Manifest, progress: Progress) -> Iterator[str]:
    """Yield the postings that LMDB and the directory tell differently, or that lack a row."""
    records = read_array(directory / DIRECTORY, postings.RECORD)
    if len(records) != manifest.heads:
        yield f"{DIRECTORY}: {len(records)} postings, the manifest says {manifest.heads}"
        return
    first_row = np.cumsum(records["primary"], dtype=np.int64) - records["primary"]
    checked = Checked(directory, manifest)
    with progress.stage("postings", len(records), "postings") as advance:
        for shard, first in enumerate(manifest.shards):
            last = [*manifest.shards, len(records)][shard + 1]
            found = checked.shard(shard_name(shard), first, records[first:last], first_row)
            yield from (f"{shard_name(shard)}: {problem}" for problem in found)
            advance(last - first)
    if not (checked.primary == 1).all():
        row = int(np.argmax(checked.primary != 1))
        yield f"postings: row {row} is the primary entry of {checked.primary[row]} of them"


class Checked:
    """The rows that were met as primary entries so far, and what postings are compared with."""

    def __init__(self, directory: Path, manifest: Manifest) -> None:
        size = DTYPES[manifest.dtype].itemsize
        self.directory = directory
        self.form = form_of(manifest.dim, size, manifest.metric, manifest.codec["kind"])
        self.codes = map_array(directory / FIRST, np.uint8, 2) if self.form.groups else None
        self.primary = np.zeros(manifest.n, np.uint8)

    def shard(
        self, name: str, head: int, records: NDArray[Any], first_row: NDArray[np.int64]
    ) -> Iterator[str]:
        """Yield what is wrong with the postings of one file, those of head, head + 1, ..."""
        with postings.reading(self.directory / name) as txn, mapping(self.directory / name) as file:
            if txn.stat()["entries"] != len(records):
                yield f"{txn.stat()['entries']} postings, the directory has {len(records)}"
                return
            for number, record in enumerate(records, start=head):
                value = postings.get(txn, number)
                problem = check_value(value, file, record)
                if not problem and self.codes is None:
                    problem = check_raw(value, record, self.form, self.primary)
                elif not problem and self.codes is not None:
                    first = int(first_row[number])
                    coded = partial(records_of, self.codes, first_row)
                    problem = check_coded(value, record, self.form, self.primary, first, coded)
                if problem:
                    yield f"posting {number}: {problem}"


@contextmanager
def mapping(path: Path) -> Iterator[mmap.mmap]:
    """Give a file's bytes, mapped."""
    with (
        path.open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped,
    ):
        yield mapped


def check_value(value: memoryview, mapped: mmap.mmap, record: NDArray[Any]) -> str:
    """Return how a posting's bytes differ from what the directory says, or nothing."""
    offset = int(record["offset"])
    if len(value) != int(record["pages"]) * postings.PAGE - postings.HEADER:
        return f"has {len(value)} bytes, the directory says {record['pages']} pages"
    if zlib.crc32(value) != record["checksum"]:
        return "its checksum does not hold"
    if mapped[offset : offset + len(value)] != value:
        return f"is not at byte {offset}, where the directory has it"
    return ""


def check_raw(
    value: memoryview, record: NDArray[Any], form: Form, primary: NDArray[np.uint8]
) -> str:
    """Return what is wrong with the entries of a raw posting; count its primary rows."""
    try:
        _, numbers, _ = posting.decode(value, int(record["count"]), form.row_bytes, form.cosine)
    except ValueError as error:
        return str(error)
    if len(np.unique(numbers)) != len(numbers) or numbers.max() >= len(primary):
        return "holds a row twice, or one that is not in the index"
    primary[numbers[: record["primary"]]] += 1
    return ""


def check_coded(
    value: memoryview,
    record: NDArray[Any],
    form: Form,
    primary: NDArray[np.uint8],
    first: int,
    coded: Callable[[NDArray[np.uint32]], NDArray[np.uint8]],
) -> str:
    """Return what is wrong with the entries of a coded posting; count its primary rows."""
    own = int(record["primary"])
    copies = int(record["count"]) - own
    try:
        _, _, numbers, records = posting.decode_coded(
            value, own, copies, form.row_bytes, form.cosine, form.groups
        )
    except ValueError as error:
        return str(error)
    if len(np.unique(numbers)) != copies or (copies and numbers.max() >= len(primary)):
        return "holds a row twice, or one that is not in the index"
    if ((numbers >= first) & (numbers < first + own)).any():
        return "holds a copy of its own"
    if not np.array_equal(records, coded(numbers)):
        return f"its codes are not those of {FIRST}"
    primary[first : first + own] += 1
    return ""


def check_payload(directory: Path, n: int, progress: Progress) -> Iterator[str]:
    """Yield the rows whose object is missing, is none, or lies elsewhere than its table says."""
    places = read_array(directory / payload.PLACES, payload.PLACE)
    with (
        mapping(directory / payload.OBJECTS) as mapped,
        progress.stage("payload", n, "objects") as advance,
        postings.reading(directory / payload.OBJECTS) as txn,
    ):
        if txn.stat()["entries"] != n or places.shape != (n,) or places.dtype != payload.PLACE:
            yield f"{payload.OBJECTS}: {txn.stat()['entries']} objects, {len(places)} places, n {n}"
            return
        for row, (offset, size, checksum) in enumerate(places.tolist()):
            value = txn.get(postings.key(row), default=b"")
            if mapped[offset : offset + size] != value:
                yield f"{payload.OBJECTS}: row {row} is not where {payload.PLACES} has it"
            elif not is_object(value):
                yield f"{payload.OBJECTS}: row {row} has no JSON object"
            elif zlib.crc32(value) != checksum:
                yield f"{payload.OBJECTS}: row {row} has not the checksum of {payload.PLACES}"
            advance(1)


def is_object(value: bytes | memoryview) -> bool:
    """Return whether bytes are a JSON object."""
    try:
        return isinstance(orjson.loads(value), dict)
    except orjson.JSONDecodeError:
        return False
