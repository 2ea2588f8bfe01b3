"""Check every promise of a published index: each byte, and that its parts agree."""

import mmap
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from longspan.cext import posting
from longspan.indexer.progress import SILENT, Progress
from longspan.indexer.store import heads, postings
from longspan.indexer.store.layout import DIRECTORY, IDS, SHARD
from longspan.indexer.store.manifest import NAME, Manifest, file_problem
from longspan.indexer.store.space import DTYPES, HeadSpace


def verify(index: str | Path, progress: Progress = SILENT) -> list[str]:
    """Return what is wrong with an index, a line each; nothing when all is well.

    BadIndex when there is no index, DamagedIndex when its manifest cannot be trusted.
    """
    directory = Path(index)
    manifest = Manifest.read(directory)
    problems = list(check_files(directory, manifest, progress))
    if not problems:  # what the files say is only worth a look when they are as published
        problems += check_tree(directory, manifest)
        problems += check_postings(directory, manifest, progress)
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


def check_tree(directory: Path, manifest: Manifest) -> list[str]:
    """Return what is wrong with heads, tree and ids."""
    space = HeadSpace(manifest.metric, manifest.dtype, manifest.dim, manifest.radius)
    try:
        tree = heads.Heads(directory, space, manifest.levels)
    except ValueError as error:
        return [f"{heads.TREE}: {error}"]
    ids = np.load(directory / IDS, mmap_mode="r")
    wrong = []
    if tree.levels[-1] != manifest.heads:
        wrong.append(f"{heads.HEADS}: {tree.levels[-1]} heads, the manifest says {manifest.heads}")
    if ids.shape != (manifest.n,) or len(np.unique(ids)) != manifest.n:
        wrong.append(f"{IDS}: not {manifest.n} different ids")
    return wrong


def check_postings(directory: Path, manifest: Manifest, progress: Progress) -> Iterator[str]:
    """Yield the postings that LMDB and the directory tell differently, or that lack a row."""
    records = np.load(directory / DIRECTORY)
    mapped = postings.map_file(directory / SHARD)
    primary = np.zeros(manifest.n, np.uint8)
    row_bytes = manifest.dim * DTYPES[manifest.dtype].itemsize
    cosine = manifest.metric == "cosine"
    with (
        progress.stage("postings", len(records), "postings") as advance,
        postings.reading(directory / SHARD) as txn,
    ):
        if txn.stat()["entries"] != len(records) or len(records) != manifest.heads:
            yield f"{SHARD}: {txn.stat()['entries']} postings, the directory has {len(records)}"
            return
        for number, record in enumerate(records):
            value = postings.get(txn, number)
            problem = check_posting(value, mapped, record, row_bytes, cosine, primary)
            if problem:
                yield f"{SHARD}: posting {number}: {problem}"
            advance(1)
    if not (primary == 1).all():
        row = int(np.argmax(primary != 1))
        yield f"{SHARD}: row {row} is the primary entry of {primary[row]} postings"


def check_posting(
    value: memoryview,
    mapped: mmap.mmap,
    record: NDArray[Any],
    row_bytes: int,
    cosine: bool,
    primary: NDArray[np.uint8],
) -> str:
    """Return what is wrong with one posting, or nothing; count its primary rows."""
    offset = int(record["offset"])
    if len(value) != int(record["pages"]) * postings.PAGE - postings.HEADER:
        return f"has {len(value)} bytes, the directory says {record['pages']} pages"
    if zlib.crc32(value) != record["checksum"]:
        return "its checksum does not hold"
    if mapped[offset : offset + len(value)] != value:
        return f"is not at byte {offset}, where the directory has it"
    try:
        _, numbers, _ = posting.decode(value, int(record["count"]), row_bytes, cosine)
    except ValueError as error:
        return str(error)
    if len(np.unique(numbers)) != len(numbers) or numbers.max() >= len(primary):
        return "holds a row twice, or one that is not in the index"
    primary[numbers[: record["primary"]]] += 1
    return ""
