"""One index of the vectors of several: they are read back and built afresh.

Why the trees are not joined, although that would read nothing: a vector near a border is stored in
several postings, but in none of another index, and without such copies a search reads four times as
many (docs/measurements.md: 116 postings with 1.6 copies a vector, 31 with 5.5). The law that ranks
postings goes by rank, distance and crowding of the heads; where the heads of one index are denser,
the same figures promise different things, and no table holds for both. Each index has trained
codebooks of its own. A fresh build has none of these faults, and its recall is measured on all of
the vectors.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from longspan.indexer.config import BuildConfig
from longspan.indexer.errors import BadIndex
from longspan.indexer.pipeline import build
from longspan.indexer.running.journal import begun
from longspan.indexer.running.progress import SILENT, Progress
from longspan.indexer.stages import publish
from longspan.indexer.store import payload
from longspan.indexer.store.arrays import save_array
from longspan.indexer.store.layout import IDS
from longspan.indexer.store.manifest import Manifest
from longspan.indexer.tools.stored import Stored, open_stored
from longspan.indexer.tools.writer import copy, writing

MARK = ".merging"
MERGED = "merged.npy"  # the name that the new index gives for its input


def merge(
    sources: Sequence[Path],
    index: Path,
    *,
    dials: Mapping[str, Any],
    queries: Path | None = None,
    threads: int | None = None,
    memory_limit: int | None = None,
    progress: Progress = SILENT,
) -> Manifest:
    """Build an index of the vectors of several, under the ids that they have there.

    dials    in place of those that the first index was built with; `heads`, a number that was right
             for its vectors, is left open unless it is among them
    queries, threads, memory_limit, progress  as for `build`
    The vectors are copied beside the new index meanwhile. BadIndex, before anything is written,
    when the indexes are of different kinds or an id is in two of them.
    """
    publish.refuse_existing(index)
    if not is_of_a_merge(index):
        publish.refuse_cut_off(index)
    opened = [open_stored(path) for path in sources]
    first, n = opened[0], sum(one.n for one in opened)
    for other in opened[1:]:
        check_alike(first, other)
    ids = disjoint_ids(opened)
    config = BuildConfig(**{**first.manifest.config, "heads": None, **dials})
    with publish.beside(index, MARK, (MERGED, IDS)) as folder:
        with (
            writing(folder / MERGED, n, first.dim, first.dtype_name) as write,
            progress.stage("gather", n, "vectors") as advance,
        ):
            for one in opened:
                copy(one, range(one.n), first.dtype_name, write, advance)
        save_array(folder / IDS, ids)
        return build(
            folder / MERGED,
            index,
            metric=first.manifest.metric,
            ids=folder / IDS,
            queries=queries,
            threads=threads,
            memory_limit=memory_limit,
            restart=is_of_a_merge(index),
            config=config,
            progress=progress,
        )


def is_of_a_merge(index: Path) -> bool:
    """Return whether a build that was cut off was of a merge: its vectors are gone."""
    cut_off = begun(publish.workplace(index))
    return cut_off is not None and cut_off["input"]["name"] == MERGED


def check_alike(first: Stored, other: Stored) -> None:
    """Raise BadIndex unless two indexes have one metric, type and dim, and no payload."""
    for name in ("metric", "dtype", "dim"):
        wanted, found = (getattr(one.manifest, name) for one in (first, other))
        if found != wanted:
            raise BadIndex(f"{other.path}: {name} is {found}, {first.path} has {wanted}")
    for one in (first, other):
        if payload.is_in(one.manifest):
            raise BadIndex(f"{one.path}: has payload, which would be lost; build from the sources")


def disjoint_ids(opened: Sequence[Stored]) -> NDArray[np.int64]:
    """Return the ids of all, one index after the other; BadIndex names one that is in two."""
    ids = np.concatenate([one.ids for one in opened])
    order = np.argsort(ids, kind="stable")
    again = np.flatnonzero(ids[order[1:]] == ids[order[:-1]])
    if len(again):
        ends = np.cumsum([one.n for one in opened])
        places = order[again[0] : again[0] + 2]
        first, second = (opened[at] for at in np.searchsorted(ends, places, side="right"))
        raise BadIndex(
            f"{second.path}: has the id {ids[places[0]]}, and so has {first.path}; "
            "an id may be in one of the indexes only (`build --ids` names vectors)"
        )
    return ids
