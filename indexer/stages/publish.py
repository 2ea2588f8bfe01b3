"""Publishing: an index exists or it does not.

A build works in a hidden directory beside its index: the index is written there, and what the
build needs for itself. At the end each file is flushed to the disk, the manifest is written last,
one rename makes the index appear, and the rest is removed. A build that was cut off, by a kill, a
full disk or a key, leaves the directory for one that goes on with it; one that starts afresh
removes it first.
"""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from longspan.indexer.errors import (
    BadFile,
    BadInput,
    DoesNotFit,
    IndexExists,
    LongspanError,
    shortage,
)
from longspan.indexer.running.job import UNFINISHED, Job, flush
from longspan.indexer.stages import encode, pack, rows
from longspan.indexer.store.calibration import Calibration
from longspan.indexer.store.layout import DIRECTORY
from longspan.indexer.store.manifest import FORMAT, Manifest, file_record
from longspan.indexer.store.manifest import NAME as MANIFEST

MARK = ".building"
DRAFT, WORK = "draft", "work"


def workplace(index: Path) -> Path:
    """Return the directory that a build of an index works in."""
    return index.parent / f".{index.name}{MARK}"


@contextmanager
def publishing(index: Path, resume: bool = False) -> Iterator[Path]:
    """Give the directory to build in, `draft` and `work` in it; publish draft when all ends well.

    resume  keep what a build that was cut off has left there
    IndexExists when the index is there already or is being built, DoesNotFit when the disk is full.
    """
    with beside(index, MARK, resume=resume, lasting=True) as place:
        draft = place / DRAFT
        for directory in (draft, place / WORK):
            directory.mkdir(exist_ok=True)
            for unfinished in directory.glob(f"*{UNFINISHED}"):
                unfinished.unlink()
        yield place
        for path in sorted(draft.iterdir()):
            flush(path)
        flush(draft)
        refuse_existing(index)
        draft.rename(index)
        flush(index.parent)


@contextmanager
def beside(
    index: Path, mark: str, *, resume: bool = False, lasting: bool = False
) -> Iterator[Path]:
    """Give a hidden directory beside an index that is to be; empty, and gone in the end.

    resume   leave in it what is there
    lasting  leave it there when the block is cut off, but not for input that is refused
    IndexExists when the index is there already or the directory in use, DoesNotFit when the disk
    is full.
    """
    refuse_existing(index)
    place = index.parent / f".{index.name}{mark}"
    try:
        index.parent.mkdir(parents=True, exist_ok=True)
        handle = claim(place, resume)
    except OSError as error:
        raise BadFile(f"{index}: cannot be written: {error}") from error
    over = not lasting
    try:
        yield place
        over = True
    except BadInput:
        over = True  # to go on would meet the same
        raise
    except LongspanError:
        raise
    except OSError as error:
        raise shortage(error, index) or error from error
    finally:
        if over:
            shutil.rmtree(place, ignore_errors=True)
        os.close(handle)


def claim(place: Path, resume: bool) -> int:
    """Return a handle that holds the directory for this process alone, as long as it is open.

    IndexExists when another build holds it. Unless resumed, what one that was cut off left goes.
    """
    place.mkdir(exist_ok=True)
    handle = os.open(place, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        for left in () if resume else place.iterdir():
            if left.is_dir():
                shutil.rmtree(left)
            else:
                left.unlink()
    except BlockingIOError:
        os.close(handle)
        raise IndexExists(f"{place}: another build is writing there") from None
    except OSError:
        os.close(handle)
        raise
    return handle


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
    return {path.name: file_record(path) for path in sorted(job.draft.iterdir())}


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
        levels=job.load_all(rows.FINAL)["levels"].tolist(),
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
