"""Calibrate a published index anew, by queries of one's own: a new index of the same files.

What is read for a wanted recall is chosen by queries, and a build without any takes vectors of the
index. Users' queries may be of another kind, and then get less than they ask for. So their true
neighbours are found among the vectors of the index, and all is chosen, and judged, as a build does
it. Only the manifest differs; all other files are linked, and take no room.
"""

import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import numpy as np

from longspan.indexer.config import RECALL_OF, BuildConfig, check_among
from longspan.indexer.errors import DoesNotFit
from longspan.indexer.inputs import open_queries
from longspan.indexer.planning import memory
from longspan.indexer.planning.plan import misfits
from longspan.indexer.planning.shape import shape_of
from longspan.indexer.reader.copies import beside
from longspan.indexer.running.progress import SILENT, Progress
from longspan.indexer.running.workers import Workers, workers
from longspan.indexer.stages import publish
from longspan.indexer.stages.calibrate import calibrate
from longspan.indexer.stages.entries import Entries
from longspan.indexer.stages.holders import holders_in
from longspan.indexer.stages.samples import Samples, samples_of, taken
from longspan.indexer.store.calibration import Calibration
from longspan.indexer.store.codec import Codec
from longspan.indexer.store.heads import Heads
from longspan.indexer.store.manifest import Manifest
from longspan.indexer.store.opened import Parts
from longspan.indexer.store.space import HeadSpace
from longspan.indexer.tools.stored import Stored, open_stored

MARK, DRAFT = ".calibrating", "draft"
AT_ONCE = 4096  # postings whose members are held


def recalibrate(
    index: Path,
    output: Path,
    queries: str | Path,
    *,
    recall_of: str | None = None,
    threads: int | None = None,
    memory_limit: int | None = None,
    tmp: Path | None = None,
    progress: Progress = SILENT,
) -> Manifest:
    """Write an index of the same vectors at output, calibrated with a file of queries.

    recall_of     who is to have a recall, as BuildConfig has it; default: as the index has it
    memory_limit  bytes of the process, without the pages of files; default: as much as it takes
    tmp           folder for a copy of queries that cannot be mapped; default: beside the output

    DoesNotFit when the limit is less than one thread takes; BadFile when the queries do not fit the
    index, before anything is written; DamagedIndex when files of it are not as they were published;
    IndexExists when there is something at output.
    """
    publish.refuse_existing(output)
    stored = open_stored(index)
    manifest = stored.manifest
    space = HeadSpace(manifest.metric, manifest.dtype, manifest.dim, manifest.radius)
    recall_of = recall_of or manifest.recall_of
    check_among("recall_of", recall_of, RECALL_OF)
    given = open_queries(queries, stored, space, tmp or beside(output))
    threads = threads_fitting(memory_limit, manifest, space, given.n, threads)
    with workers(threads) as pool, publish.beside(output, MARK, (DRAFT,)) as place:
        asked, own, more = taken(given)
        samples = samples_of(
            stored, asked, own, more, given.path.name, space.metric, pool.threads, progress
        )
        draft = place / DRAFT
        draft.mkdir()
        calibration = calibrated(stored, space, samples, recall_of, pool, progress)
        made = replace(
            manifest,
            config={**manifest.config, "recall_of": recall_of},
            longspan=version("longspan"),
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            name=output.name,
            calibration=calibration.as_dict(),
        )
        for name in manifest.files:
            link(index / name, draft / name)
        made.write(draft)
        publish.publish(draft, output)
    return made


def threads_fitting(
    limit: int | None, manifest: Manifest, space: HeadSpace, queries: int, threads: int | None
) -> int:
    """Return how many threads may work within a limit of memory.

    limit    bytes of the process
    queries  that are given
    threads  at most; default: every core this process may use
    """
    dials = {"codec": manifest.codec["kind"], "heads": manifest.heads}
    shape = shape_of(manifest.n, space, BuildConfig(**{**manifest.config, **dials}))
    wanted = memory.threads_within(limit, shape, threads or len(os.sched_getaffinity(0)))
    held = memory.held_by_caller()
    every = memory.needs(shape, queries, threads=wanted, held=held)
    needs = {name: every[name] for name in ("truth", "calibrate")}
    if wrong := misfits(needs, limit):
        raise DoesNotFit(f"{manifest.name}: {'; '.join(wrong)}")
    return min(need.units(limit, wanted) for need in needs.values())


def calibrated(
    stored: Stored,
    space: HeadSpace,
    samples: Samples,
    recall_of: str,
    pool: Workers,
    progress: Progress,
) -> Calibration:
    """Return the calibration of an index by some samples."""
    path, manifest = stored.path, stored.manifest
    codec = None if manifest.codec["kind"] == "raw" else Codec.load(path, manifest.codec)
    parts = Parts(path, space, Heads(path, space, manifest.levels), codec, manifest.shards)
    copies = int(manifest.config["max_copies"])
    return calibrate(
        parts,
        samples,
        lambda rows: holders_in(postings_of(stored), rows, copies),
        pool,
        progress,
        recall_of,
    )


def postings_of(stored: Stored) -> Iterator[Entries]:
    """Yield which rows the postings of an index hold, some postings at a time."""
    primary = stored.primary
    for start in range(0, len(primary), AT_ONCE):
        some = range(start, min(start + AT_ONCE, len(primary)))
        members = [stored.members(number) for number in some]
        starts = np.concatenate([[0], np.cumsum([len(rows) for rows in members])])
        yield Entries(np.concatenate(members), starts, primary[some.start : some.stop])
        stored.release_postings(some.start, some.stop)


def link(source: Path, target: Path) -> None:
    """Give a file a second name; a copy of it, where the file system has no such links."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
