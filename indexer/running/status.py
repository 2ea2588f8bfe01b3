"""A file that tells other programs how far a build is; docs/status.md has its fields.

A new file is renamed onto the old one, so whoever reads it finds a whole one. A thread writes it,
every second and whenever a stage begins or ends: a build never waits for the disk that the file is
on, and a stage whose units take minutes does not look dead. Once a build is under way nothing about
the file ends it: what cannot be written then is tried again a second later.
"""

import json
import os
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from longspan.indexer.errors import BadFile, LongspanError
from longspan.indexer.running.proc import own_memory
from longspan.indexer.running.progress import SILENT, Advance, Progress, Stage, Terminal

SECONDS_BETWEEN_WRITES = 1.0
OF_A_STAGE = ("done", "total", "unit", "percent", "rate", "seconds_left")
BEGIN = b'{"state": "'  # of every status file, and of hardly any other


def progress_for(status: Path | None, index: Path) -> AbstractContextManager[Progress]:
    """Give the progress of a build: on the terminal, and in a status file when one is named."""
    return status_file(status, index, Terminal()) if status else nullcontext(Terminal())


@contextmanager
def status_file(
    path: str | Path, index: str | Path, progress: Progress = SILENT
) -> Iterator[Progress]:
    """Give a progress that tells another one the same, and keeps the file until the block ends.

    index  the index that is built
    BadFile, before anything is done, when something else is there or the file cannot be written.
    """
    refuse_other(Path(path), Path(index))
    status = Status(Path(path), Path(index), progress)
    state, message = "stopped", None  # by a key or a signal, unless what follows tells otherwise
    try:
        status.begin()
        yield status
        state = "done"
    except Exception as error:
        state = "failed"
        message = str(error) if isinstance(error, LongspanError) else repr(error)
        raise
    finally:
        status.end(state, message)


def refuse_other(path: Path, index: Path) -> None:
    """Raise BadFile when anything but a status file or an empty one is at the path.

    So it is when the path is the index's or in it.
    """
    if index.absolute() in (path.absolute(), *path.absolute().parents):
        raise BadFile(f"{path}: belongs to the index, name another file for its status")
    if not os.path.lexists(path):
        return
    if not path.is_file():
        raise BadFile(f"{path}: is no file, name another for the status")
    try:
        with path.open("rb") as file:
            begin = file.read(len(BEGIN))
    except OSError as error:
        raise BadFile(f"{path}: cannot be read: {error.strerror or error}") from error
    if begin not in (BEGIN, b""):
        raise BadFile(f"{path}: is no status file, remove it or name another")


class Status:
    """A progress that keeps account of one build, and its file."""

    def __init__(self, path: Path, index: Path, progress: Progress) -> None:
        self._path, self._progress = path, progress
        self._index, self._started = str(index.absolute()), now()
        self._open: list[Stage] = []
        self._seconds: dict[str, float] = {}
        self._peak: int | None = None
        self._changed, self._over = threading.Event(), False
        self._lock, self._writing = threading.Lock(), threading.Lock()

    @contextmanager
    def stage(self, name: str, total: int, unit: str) -> Iterator[Advance]:
        """Yield advance(n), which tells the other progress too.

        A stage that is cut off stays the one that the file names: there the build has ended.
        """
        stage = Stage(name, total, unit)
        with self._lock:
            self._open.append(stage)
        self._changed.set()
        with self._progress.stage(name, total, unit) as tell:

            def advance(n: int) -> None:
                stage.advance(n)
                tell(n)

            yield advance
        with self._lock:
            self._open.remove(stage)
            self._seconds[name] = round(self._seconds.get(name, 0.0) + stage.seconds, 3)
        self._changed.set()

    def begin(self) -> None:
        """Write the file for the first time, and go on in a thread; BadFile when that cannot be."""
        try:
            self._write("running")
        except OSError as error:
            text = f"{self._path}: cannot be written: {error.strerror or error}"
            raise BadFile(text) from error
        threading.Thread(target=self._keep, name="longspan-status", daemon=True).start()

    def end(self, state: str, error: str | None) -> None:
        """Write the file for the last time."""
        self._over = True
        self._changed.set()
        with self._writing, suppress(OSError):
            self._write(state, error)

    def _keep(self) -> None:
        while not self._over:
            with self._writing, suppress(OSError):
                if not self._over:
                    self._write("running")
            self._changed.wait(SECONDS_BETWEEN_WRITES)
            self._changed.clear()

    def _write(self, state: str, error: str | None = None) -> None:
        text = json.dumps(self._record(state, error)) + "\n"
        unfinished = self._path.with_name(f".{self._path.name}.{os.getpid()}.tmp")
        try:
            unfinished.write_text(text, encoding="ascii")
            unfinished.replace(self._path)
        finally:
            with suppress(OSError):
                unfinished.unlink()

    def _record(self, state: str, error: str | None) -> dict[str, Any]:
        memory = own_memory()
        if memory is not None:
            self._peak = max(self._peak or 0, memory)
        with self._lock:
            stage, seconds = self._open[-1] if self._open else None, dict(self._seconds)
        return {
            "state": state,
            "error": error,
            "index": self._index,
            "pid": os.getpid(),
            "started": self._started,
            "updated": now(),
            "stage": stage.name if stage else None,
            **{name: rounded(getattr(stage, name, None)) for name in OF_A_STAGE},
            "memory_bytes": memory,
            "peak_memory_bytes": self._peak,
            "stages": seconds,
        }


def rounded(value: Any) -> Any:
    """Return a float with three digits after the point, and anything else as it is."""
    return round(value, 3) if isinstance(value, float) else value


def now() -> str:
    """Return the time, UTC, as ISO 8601 has it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")
