"""Vectors of a file, or of an index, in another format: all of them, the first, or a sample."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from longspan.indexer.errors import BadConfig
from longspan.indexer.newfile import check_new
from longspan.indexer.reader import Source, open_vectors
from longspan.indexer.reader.copies import beside
from longspan.indexer.reader.ids import write_ids
from longspan.indexer.running.progress import SILENT, Progress
from longspan.indexer.store.manifest import NAME
from longspan.indexer.tools.stored import Stored, open_stored
from longspan.indexer.tools.writer import copy, target_dtype, writing


@dataclass(frozen=True, slots=True)
class Converted:
    """What was written."""

    n: int
    dim: int
    dtype: str


def convert(
    source: str | Path,
    output: Path,
    *,
    dtype: str | None = None,
    limit: int | None = None,
    sample: int | None = None,
    seed: int = 1,
    ids: Path | None = None,
    progress: Progress = SILENT,
) -> Converted:
    """Write vectors of source to a new file, in the order of their rows.

    dtype   of the new file; default: the format's only one, or as they are
    limit   no more than the first so many; sample: so many of these, drawn without replacement
    ids     a new file for the ids of what was written, when source is an index
    BadInput when something cannot be had, DoesNotFit when the disk is full; nothing is left then.
    """
    opened = open_source(source, beside(output), progress)
    held = target_dtype(output, dtype, opened.dtype_name)
    rows = chosen(opened, limit, sample, seed)
    if ids:
        names = names_of(opened)
        check_new(ids)
        if ids.absolute() == output.absolute():
            raise BadConfig(f"{ids}: is named for the vectors and for their ids")
    with (
        writing(output, len(rows), opened.dim, held) as write,
        progress.stage("convert", len(rows), "vectors") as advance,
    ):
        copy(opened, rows, held, write, advance)
        if ids:
            write_ids(ids, names[: rows.stop] if isinstance(rows, range) else names[rows])
    return Converted(len(rows), opened.dim, held)


def open_source(source: str | Path, tmp: Path, progress: Progress) -> Source:
    """Open an index, or vectors of any form; copies of what cannot be mapped go to tmp."""
    if (Path(source) / NAME).is_file():
        return open_stored(source)
    return open_vectors(source, tmp, progress)


def chosen(
    source: Source, limit: int | None, sample: int | None, seed: int
) -> range | NDArray[np.int64]:
    """Return the rows to write, ascending; BadConfig when there are fewer than the sample wants."""
    n = source.n if limit is None else min(limit, source.n)
    if sample is None:
        return range(n)
    if sample > n:
        raise BadConfig(f"sample is {sample:,}, {source.path} has {n:,} vectors to draw from")
    drawn = np.random.default_rng(seed).choice(n, sample, replace=False, shuffle=False)
    return np.sort(drawn)


def names_of(source: Source) -> NDArray[np.int64]:
    """Return the ids of an index; BadConfig when the source is not one."""
    if not isinstance(source, Stored):
        raise BadConfig(f"{source.path}: only an index has ids to write")
    return source.ids
