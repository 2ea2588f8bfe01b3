"""Make the postings' bytes, and the directory that finds them again."""

import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from longspan.cext import posting
from longspan.indexer.entries import Entries
from longspan.indexer.progress import Advance, Progress
from longspan.indexer.reader import Vectors
from longspan.indexer.store import postings as store
from longspan.indexer.store.layout import DIRECTORY, SHARD
from longspan.indexer.store.space import inverse_norms


def pack(
    vectors: Vectors, entries: Entries, cosine: bool, directory: Path, progress: Progress
) -> None:
    """Write the postings and their directory."""
    count = len(entries.primary)
    records = np.zeros(count, store.RECORD)
    records["count"] = np.diff(entries.starts)
    records["primary"] = entries.primary
    row_bytes = vectors.dim * vectors.dtype.itemsize
    sizes = [posting.size(int(size), row_bytes, cosine) for size in records["count"]]
    records["pages"] = [store.pages_for(size) for size in sizes]
    pages = int(records["pages"].sum())
    with progress.stage("pack", count, "postings") as advance:
        blobs = encode(vectors, entries, cosine, records, advance)
        store.load(directory / SHARD, blobs, pages)
    records["offset"] = store.locate(directory / SHARD, count)
    np.save(directory / DIRECTORY, records)


def encode(
    vectors: Vectors, entries: Entries, cosine: bool, records: NDArray[Any], advance: Advance
) -> Iterator[bytes]:
    """Yield each posting, padded to whole pages; note its checksum in records."""
    number = np.empty(vectors.n, np.uint32)
    number[entries.order] = np.arange(vectors.n, dtype=np.uint32)
    for index, members in enumerate(entries):
        rows = vectors.take(members)
        inverses = inverse_norms(rows) if cosine else np.empty(0, np.float32)
        blob = np.zeros(int(records["pages"][index]) * store.PAGE - store.HEADER, np.uint8)
        posting.encode(rows.view(np.uint8), number[members], inverses, blob)
        value = blob.tobytes()
        records["checksum"][index] = zlib.crc32(value)
        yield value
        advance(1)
