"""Publishing: an index exists or it does not.

A build works in a hidden directory beside its index: the index is written there, and what the
build needs for itself. At the end each file is flushed to the disk, the manifest is written last,
one rename makes the index appear, and the rest is removed. A build that was cut off, by a kill, a
full disk, a key or any error, leaves the directory for one that goes on with it. Another build
removes it only when it is told to.
"""

import fcntl
import os
import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from longspan.indexer.errors import (
    BadFile,
    BuildCutOff,
    DoesNotFit,
    IndexExists,
    LongspanError,
    shortage,
)
from longspan.indexer.running.job import UNFINISHED, Job, flush
from longspan.indexer.running.journal import NAME as JOURNAL
from longspan.indexer.running.journal import has_work
from longspan.indexer.stages import encode, pack
from longspan.indexer.stages.work_files import FINAL
from longspan.indexer.store.calibration import Calibration
from longspan.indexer.store.checks import CHECKS, write_checks
from longspan.indexer.store.layout import DIRECTORY
from longspan.indexer.store.manifest import FORMAT, Manifest, file_record
from longspan.indexer.store.manifest import NAME as MANIFEST

MARK = ".building"
DRAFT, WORK = "draft", "work"


def workplace(index: Path) -> Path:
    """Return the directory that a build of an index works in."""
    return index.parent / f".{index.name}{MARK}"


@contextmanager
def publishing(index: Path, resume: bool = False, restart: bool = False) -> Iterator[Path]:
    """Give the directory to build in, `draft` and `work` in it; publish draft when all ends well.

    resume   go on with what a build that was cut off has left there
    restart  throw that away
    IndexExists when the index is there already or is being built, BuildCutOff when neither is said
    and there is something, DoesNotFit when the disk is full. What is done is kept, whatever ends
    the block; where nothing is, nothing is left.
    """
    refuse_existing(index)
    place = workplace(index)
    with held(index, place):
        if not (resume or restart) and has_work(place):
            raise cut_off(index)
        if not resume:
            empty(place, {DRAFT, WORK, JOURNAL})
        try:
            with naming_shortage(index):
                for directory in (place / DRAFT, place / WORK):
                    directory.mkdir(exist_ok=True)
                    for unfinished in directory.glob(f"*{UNFINISHED}"):
                        unfinished.unlink()
                yield place
                publish(place / DRAFT, index)
        finally:
            published = not (place / DRAFT).exists()
            if published or not has_work(place):
                shutil.rmtree(place, ignore_errors=True)


def publish(draft: Path, index: Path) -> None:
    """Have the files of an index on the disk, and then the index appear."""
    for path in sorted(draft.iterdir()):
        flush(path)
    flush(draft)
    refuse_existing(index)
    draft.rename(index)
    flush(index.parent)


@contextmanager
def beside(index: Path, mark: str, names: Collection[str]) -> Iterator[Path]:
    """Give a hidden directory beside an index that is to be; empty, and gone in the end.

    names  of what will lie in it, and may have been left there
    IndexExists when the index is there already or the directory in use, DoesNotFit when the disk
    is full.
    """
    refuse_existing(index)
    place = index.parent / f".{index.name}{mark}"
    with held(index, place):
        empty(place, names)
        try:
            with naming_shortage(index):
                yield place
        finally:
            shutil.rmtree(place, ignore_errors=True)


@contextmanager
def naming_shortage(index: Path) -> Iterator[None]:
    """Raise what the system is short of as one of our errors."""
    try:
        yield
    except LongspanError:
        raise
    except OSError as error:
        raise shortage(error, index) or error from error


@contextmanager
def held(index: Path, place: Path) -> Iterator[None]:
    """Hold a directory beside an index for this process alone; it is made, with those above it.

    Those that were made go when the index is not there in the end and they are empty.
    IndexExists when another process holds it, BadFile when it cannot be made.
    """
    above = [folder for folder in place.absolute().parents if not folder.exists()]
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        refused = BadFile(f"{index}: cannot be written: {error.strerror or error}")
        raise shortage(error, index) or refused from error
    try:
        with locked(place):
            yield
    finally:
        with suppress(OSError):  # where there is something in it
            for folder in above:
                folder.rmdir()


@contextmanager
def locked(place: Path) -> Iterator[None]:
    """Hold a directory's lock; IndexExists when another process holds it."""
    handle = os.open(place, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise IndexExists(f"{place}: another build is writing there") from None
        yield
    finally:
        os.close(handle)


def empty(place: Path, names: Collection[str]) -> None:
    """Remove what was left in a directory under some names; IndexExists when there is more."""
    left = sorted(place.iterdir())
    for path in left:
        if path.name not in names:
            raise IndexExists(f"{path}: is there, and no build has left it; remove it")
    for path in left:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


def refuse_cut_off(index: Path) -> None:
    """Raise BuildCutOff when a build of an index was cut off, IndexExists while one is at work."""
    place = workplace(index)
    if place.is_dir():
        with locked(place):
            if has_work(place):
                raise cut_off(index)


def cut_off(index: Path) -> BuildCutOff:
    """Return the error of a build in whose place there is one that was cut off."""
    return BuildCutOff(
        f"{index}: a build of it was cut off and can go on: `build --resume`, or "
        "`build --restart` to throw away what it has done"
    )


def refuse_existing(index: Path) -> None:
    """Raise IndexExists when there is anything at the index's path."""
    if os.path.lexists(index):
        raise IndexExists(f"{index}: already exists; remove it or choose another name")


def require_space(directory: Path, size: int) -> None:
    """Raise DoesNotFit unless the disk has room for size bytes."""
    free = shutil.disk_usage(directory).free
    if free < size:
        raise DoesNotFit(f"{directory}: the build takes {size:,} bytes, the disk has {free:,}")


def records_of(job: Job) -> dict[str, dict[str, Any]]:
    """Return the size and the checksum of every file of the index, for its manifest."""
    (job.draft / MANIFEST).unlink(missing_ok=True)  # of a build that was cut off at the very end
    with job.replacing(job.draft / CHECKS) as file:
        records = write_checks(file, job.draft, len(pack.shards_of(job)))
    paths = sorted(job.draft.iterdir())
    return {path.name: records.get(path.name) or file_record(path) for path in paths}


def manifest_of(
    job: Job,
    name: str,
    source: dict[str, Any],
    calibration: Calibration,
    seconds: dict[str, float],
    files: dict[str, dict[str, Any]],
) -> Manifest:
    """Return the manifest of the index whose files were made.

    source   what it says of the inputs
    seconds  that each stage took
    files    what `records_of` gives
    """
    records, codec = np.load(job.draft / DIRECTORY), encode.codec_of(job)
    kind = {"kind": job.kind, "reason": job.reason}
    return Manifest(
        format=FORMAT,
        longspan=version("longspan"),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        name=name,
        metric=job.space.metric,
        dtype=job.space.dtype,
        dim=job.space.dim,
        n=job.n,
        heads=len(records),
        entries=int(records["count"].sum()),
        levels=job.load_all(FINAL)["levels"].tolist(),
        radius=job.space.radius,
        config=job.config.as_dict(),
        dials={"heads": job.dials.heads, "posting_pages": job.dials.posting_pages},
        codec=codec.meaning.as_dict() if codec else kind,
        shards=pack.first_heads(job),
        stages=seconds,
        input=source,
        calibration=calibration.as_dict(),
        files=files,
    )
