"""Make the postings' bytes, and the directory that finds them again.

The postings of a few parts that lie together are a *shard*, one LMDB file.
"""

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from longspan.cext import posting
from longspan.indexer.planning.portions import POSTINGS
from longspan.indexer.reader import Vectors
from longspan.indexer.reader.vectors import GATHERED
from longspan.indexer.running.job import Job
from longspan.indexer.running.progress import Advance
from longspan.indexer.running.workers import Workers
from longspan.indexer.stages.entries import Entries, entries_of, sizes_of
from longspan.indexer.stages.partrows import PartRows
from longspan.indexer.stages.work_files import FINAL, NUMBER, RECORDS, STARTS, records_in
from longspan.indexer.store import postings as store
from longspan.indexer.store.arrays import write_array
from longspan.indexer.store.codec import FIRST, records_of
from longspan.indexer.store.layout import DIRECTORY, shard_name
from longspan.indexer.store.space import inverse_norms

SHARD = 1 << 30  # bytes of postings in a shard, about; a part is never split
NO_NORMS = np.empty(0, np.float32)


@dataclass(frozen=True, slots=True)
class Source:
    """What the postings of a part are made from.

    vectors of the part, by slot
    first   their first head
    number  (n,)  the row of each slot
    codes   the first record of every row, in tiles; None for raw postings
    """

    job: Job
    entries: Entries
    vectors: PartRows
    first: int
    number: NDArray[np.uint32]
    codes: Vectors | None


def count_pages(job: Job) -> None:
    """Write the directory as far as it is known before the postings are: counts and pages."""
    records = []
    for part in job.filled:
        count, primary = sizes_of(job, part)
        record = np.zeros(len(primary), store.RECORD)
        record["count"], record["primary"] = count, primary
        record["pages"] = job.form.pages(primary, count - primary)
        records.append(record)
    job.save(RECORDS, np.concatenate(records))


def shards_of(job: Job) -> list[list[int]]:
    """Return the parts of each shard."""
    pages, first = job.load(RECORDS)["pages"].astype(np.int64), job.load_all(FINAL)["first_head"]
    shards: list[list[int]] = []
    size = SHARD
    for part in job.filled:
        if size >= SHARD:
            shards.append([])
            size = 0
        shards[-1].append(part)
        size += int(pages[first[part] : first[part + 1]].sum()) * store.PAGE
    return shards


def postings_of(job: Job) -> list[int]:
    """Return how many postings each shard has."""
    heads = int(job.load_all(FINAL)["first_head"][-1])
    sizes: list[int] = np.diff([*first_heads(job), heads]).tolist()
    return sizes


def first_heads(job: Job) -> list[int]:
    """Return the first head of each shard."""
    first = job.load_all(FINAL)["first_head"]
    return [int(first[parts[0]]) for parts in shards_of(job)]


def pack(job: Job, shard: int, pool: Workers, advance: Advance) -> None:
    """Write a shard, and the directory of its postings."""
    parts, first = shards_of(job)[shard], job.load_all(FINAL)["first_head"]
    low, high = int(first[parts[0]]), int(first[parts[-1] + 1])
    records = np.array(job.load(RECORDS)[low:high])
    number = job.load(NUMBER)
    step = max(1, POSTINGS // (job.dials.posting_pages * store.PAGE))
    codes = job.mapped(job.draft / FIRST) if job.form.groups else None

    def made() -> Iterator[list[bytes]]:
        for part in parts:
            entries, vectors = entries_of(job, part), PartRows.read(job, part)
            source = Source(job, entries, vectors, int(first[part]), number, codes)
            count = len(source.entries.primary)
            steps = [range(at, min(at + step, count)) for at in range(0, count, step)]
            yield from pool.each(partial(values_of, source, records[source.first - low :]), steps)
            advance(count)

    with job.making(job.draft / shard_name(shard)) as path:
        store.load(path, low, chain.from_iterable(made()), int(records["pages"].sum()))
        records["offset"] = store.locate(path, low, high)
    job.save(records_in(shard), records)


def values_of(source: Source, records: NDArray[np.void], postings: range) -> list[bytes]:
    """Return the values of some postings; note their checksums in the part's records."""
    blobs = raw(source, postings) if source.codes is None else coded(source, postings)
    pages = records["pages"][postings.start : postings.stop].tolist()
    values = [padded(blob, count) for blob, count in zip(blobs, pages, strict=True)]
    records["checksum"][postings.start : postings.stop] = [zlib.crc32(value) for value in values]
    return values


def join_directory(job: Job) -> None:
    """Write the directory of all shards into the index."""
    shards = range(len(shards_of(job)))
    with job.replacing(job.draft / DIRECTORY) as file:
        found = [np.array(job.load(records_in(shard))) for shard in shards]
        write_array(file, np.concatenate(found))


def padded(blob: NDArray[np.uint8], pages: int) -> bytes:
    """Return the blob with zeros to the end of its last page."""
    return blob.tobytes().ljust(pages * store.PAGE - store.HEADER, b"\0")


def raw(source: Source, postings: range) -> Iterator[NDArray[np.uint8]]:
    """Yield each posting, all of its entries vectors."""
    form = source.job.form
    entries = [source.entries.of(index) for index in postings]
    for members, rows in zip(entries, together(source.vectors.take, entries), strict=True):
        inverses = inverse_norms(rows) if form.cosine else NO_NORMS
        blob = np.zeros(form.size(len(members), 0), np.uint8)
        posting.encode(rows.view(np.uint8), source.number[members], inverses, blob)
        yield blob


def coded(source: Source, postings: range) -> Iterator[NDArray[np.uint8]]:
    """Yield each posting, its copies codes."""
    form, codes = source.job.form, source.codes
    if codes is None:
        return
    halves = [
        np.split(source.entries.of(index), [source.entries.primary[index]]) for index in postings
    ]
    vectors = together(source.vectors.take, [primary for primary, _ in halves])
    copies = [source.number[copied] for _, copied in halves]
    records = together(partial(first_records, source.job, codes), copies)
    for rows, numbers, record in zip(vectors, copies, records, strict=True):
        inverses = inverse_norms(rows) if form.cosine else NO_NORMS
        blob = np.zeros(form.size(len(rows), len(numbers)), np.uint8)
        posting.encode_coded(rows.view(np.uint8), inverses, numbers, record, blob)
        yield blob


def first_records(job: Job, codes: Vectors, rows: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Return the first records of rows, and leave no page of theirs resident."""
    starts, found = job.load(STARTS), np.empty((len(rows), codes.dim), np.uint8)
    for at in range(0, len(rows), GATHERED):
        some = slice(at, at + GATHERED)
        found[some] = records_of(codes.rows(0, codes.n), starts, rows[some])
        codes.release(0, codes.n)
    return found


def together(
    take: Callable[[NDArray[np.int64]], NDArray[Any]], runs: list[NDArray[np.uint32]]
) -> list[NDArray[Any]]:
    """Return what is taken for each run of numbers, all of them at once."""
    every = np.concatenate(runs).astype(np.int64)
    return np.split(take(every), np.cumsum([len(run) for run in runs])[:-1])
