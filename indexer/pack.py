"""Make the postings' bytes, and the directory that finds them again."""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from longspan.cext import posting
from longspan.indexer import codec as codecs
from longspan.indexer.entries import Entries
from longspan.indexer.form import Form
from longspan.indexer.progress import Progress
from longspan.indexer.reader import Vectors
from longspan.indexer.store import postings as store
from longspan.indexer.store.codec import FIRST, SCALARS, SECOND, Codec
from longspan.indexer.store.layout import DIRECTORY, SHARD
from longspan.indexer.store.space import HeadSpace, inverse_norms
from longspan.indexer.workers import Workers

UNIT = 64  # postings that are made together
CODED_AT_ONCE = 1 << 20  # values of the vectors that are coded together
NO_NORMS = np.empty(0, np.float32)


@dataclass(frozen=True, slots=True)
class Source:
    """What postings are made from.

    heads  (h, width) float32, as stored
    codec  None for raw postings
    """

    vectors: Vectors
    entries: Entries
    space: HeadSpace
    heads: NDArray[np.float32]
    form: Form
    codec: Codec | None


def pack(source: Source, directory: Path, pool: Workers, progress: Progress) -> None:
    """Write the postings, their directory, and with a codec the codes of every vector."""
    entries, count = source.entries, len(source.entries.primary)
    records = np.zeros(count, store.RECORD)
    records["count"] = np.diff(entries.starts)
    records["primary"] = entries.primary
    records["pages"] = source.form.pages(entries.primary, records["count"] - entries.primary)
    number = np.empty(source.vectors.n, np.uint32)
    number[entries.order] = np.arange(source.vectors.n, dtype=np.uint32)
    codes = encode(source, source.codec, directory, pool, progress) if source.codec else None

    def unit(start: int) -> list[bytes]:
        part = range(start, min(start + UNIT, count))
        made = raw(source, part, number) if codes is None else coded(source, part, number, codes)
        pages = records["pages"][start : part.stop].tolist()
        values = [padded(*pair) for pair in zip(made, pages, strict=True)]
        records["checksum"][start : part.stop] = [zlib.crc32(value) for value in values]
        advance(len(part))
        return values

    with progress.stage("pack", count, "postings") as advance:
        values = chain.from_iterable(pool.each(unit, range(0, count, UNIT)))
        store.load(directory / SHARD, values, int(records["pages"].sum()))
    records["offset"] = store.locate(directory / SHARD, count)
    np.save(directory / DIRECTORY, records)


def padded(blob: NDArray[np.uint8], pages: int) -> bytes:
    """Return the blob with zeros to the end of its last page."""
    return blob.tobytes().ljust(pages * store.PAGE - store.HEADER, b"\0")


def raw(source: Source, postings: range, number: NDArray[np.uint32]) -> Iterator[NDArray[np.uint8]]:
    """Yield each posting, all of its entries vectors."""
    for members in map(source.entries.of, postings):
        rows = source.vectors.take(members)
        inverses = inverse_norms(rows) if source.form.cosine else NO_NORMS
        blob = np.zeros(source.form.size(len(members), 0), np.uint8)
        posting.encode(rows.view(np.uint8), number[members], inverses, blob)
        yield blob


def encode(
    source: Source, codec: Codec, directory: Path, pool: Workers, progress: Progress
) -> NDArray[np.uint8]:
    """Write the codes of every vector, by row; return the first tier's, mapped."""
    entries, n = source.entries, source.vectors.n
    under = np.repeat(np.arange(len(entries.primary)), entries.primary)
    first, second = (
        np.lib.format.open_memmap(directory / name, "w+", np.uint8, (n, codec.groups + scalars))
        for name, scalars in zip((FIRST, SECOND), SCALARS, strict=True)
    )
    step = max(1, CODED_AT_ONCE // source.space.width)

    def unit(start: int) -> None:
        part = slice(start, min(start + step, n))
        lifted = source.space.lift(source.vectors.take(entries.order[part]))
        first[part], second[part] = codecs.encode(
            codec, source.space, lifted, source.heads[under[part]]
        )
        advance(part.stop - start)

    with progress.stage("encode", n, "vectors") as advance:
        for _ in pool.each(unit, range(0, n, step)):
            pass
    first.flush()
    second.flush()
    return first


def coded(
    source: Source, postings: range, number: NDArray[np.uint32], codes: NDArray[np.uint8]
) -> Iterator[NDArray[np.uint8]]:
    """Yield each posting, its copies codes."""
    for index in postings:
        members, primary = source.entries.of(index), int(source.entries.primary[index])
        rows, copies = source.vectors.take(members[:primary]), number[members[primary:]]
        inverses = inverse_norms(rows) if source.form.cosine else NO_NORMS
        blob = np.zeros(source.form.size(primary, len(copies)), np.uint8)
        posting.encode_coded(rows.view(np.uint8), inverses, copies, codes[copies], blob)
        yield blob
