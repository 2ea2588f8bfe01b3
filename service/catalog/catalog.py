"""The indexes of one server process, by name: opened, promoted, watched and tried again.

A thread of its own does that, so that a server answers `/livez` from its first moment and searches
as soon as heads are in memory: each index is opened with these alone, and opened once more with as
many codes as its share of the memory holds, while the first one answers. One that fails is tried
again, later and later; one whose files shrink, which would end the process, is closed.
"""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread
from time import monotonic
from typing import Literal

from longspan.indexer.errors import LongspanError, NotReady, UnknownIndex
from longspan.service.catalog.files import Files
from longspan.service.search import memory
from longspan.service.search.index import Index

Status = Literal["opening", "open", "failed"]
Policy = Literal["all", "any"]

TICK = 1.0  # seconds between two looks at the indexes
PATIENCE = 5.0  # seconds that the others wait for one that is being opened
LONGEST_WAIT = 60.0  # seconds until an index that failed is tried again; it begins with a TICK

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Entry:
    """One index of a server.

    index    open, or None
    problem  why it is not, in words that name no path of this machine
    files    as they were when it was opened
    opening  the thread that opens it, which a disk may hold up for ever
    due      when to try again, and how long to wait then if that fails too
    """

    path: Path
    index: Index | None = None
    problem: str | None = None
    files: Files | None = None
    opening: Thread | None = None
    promoted: bool = False
    due: float = 0.0
    wait: float = TICK

    @property
    def is_being_opened(self) -> bool:
        """Whether a thread is at it."""
        return self.opening is not None and self.opening.is_alive()

    @property
    def status(self) -> Status:
        """How far it is."""
        return "open" if self.index else "failed" if self.problem else "opening"


class Catalog:
    """Indexes by name.

    memory  bytes that all of them may keep in memory; default: a quarter of what is free now
    """

    def __init__(self, paths: Mapping[str, Path], memory: int | None = None) -> None:
        self._entries = {name: Entry(Path(path)) for name, path in paths.items()}
        self._memory = memory
        self._stop = Event()

    def start(self) -> None:
        """Begin to open the indexes, in a thread that nobody waits for."""
        Thread(target=self._keep, name="catalog", daemon=True).start()

    def stop(self) -> None:
        """Be ready no more, and open nothing more; what is open answers until it is closed."""
        self._stop.set()

    def close(self) -> None:
        """Close all; searches under way hold their files until they end."""
        self.stop()
        for entry in self._entries.values():
            if entry.index:
                entry.index.close()
            entry.index = None

    def _keep(self) -> None:
        """Look after the indexes until the end: what the catalog's thread does."""
        while not self._stop.is_set():
            for name, entry in self._entries.items():
                if entry.index:
                    _check_files(name, entry)
                elif monotonic() >= entry.due and not entry.is_being_opened:
                    entry.opening = Thread(target=self._open, args=(name, entry), daemon=True)
                    entry.opening.start()
                    entry.opening.join(PATIENCE)
            self._promote_all()
            self._stop.wait(TICK)

    def _open(self, name: str, entry: Entry) -> None:
        """Open an index with its heads alone; note why when that fails."""
        try:
            files = Files.of(entry.path)
            # One that comes late is not refused for the codes that others took before it.
            index = Index.open(entry.path, self._memory, codes=False)
        except Exception as exc:
            _fail(name, entry, exc)
            return
        if self._stop.is_set():
            index.close()
            return
        entry.files, entry.problem, entry.promoted, entry.wait = files, None, False, TICK
        entry.index = index
        _log.info("index %s is open: %s vectors of %s dims", name, f"{index.n:,}", index.dim)

    @property
    def _used(self) -> int:
        """Bytes that the open indexes keep in memory."""
        return sum(one.index.budget.bytes for one in self._entries.values() if one.index)

    def _promote_all(self) -> None:
        """Take the codes of indexes that were opened into memory, as far as that goes."""
        new = {
            name: entry.index.budget.sizes
            for name, entry in self._entries.items()
            if entry.index and not entry.promoted
        }
        if not new:
            return
        heads = sum(sizes[0] for sizes in new.values())
        if self._memory is None:
            self._memory = memory.default_limit(heads)
        shares = memory.divide(new, max(self._memory - self._used, 0) + heads)
        for name, share in shares.items():
            self._promote(name, self._entries[name], share)

    def _promote(self, name: str, entry: Entry, share: int) -> None:
        if not entry.index or self._stop.is_set():
            return
        entry.promoted = True
        try:
            better = entry.index.promoted(share, lambda: not self._stop.is_set())
        except memory.Stopped:
            return
        except Exception as exc:  # it answers all the same
            _log.error("index %s keeps its heads alone in memory: %s", name, exc)
            return
        if better is not entry.index:
            entry.index = better
            how = "locked" if better.locked else "not locked: the system did not allow it"
            _log.info("index %s has %s in memory, %s", name, better.resident, how)

    def get(self, name: str) -> Index:
        """Return an open index; UnknownIndex for an unknown name, NotReady for one not open."""
        entry = self._entries.get(name)
        if entry is None:
            raise UnknownIndex(f"{name}: no such index")
        index = entry.index
        if index is None:
            raise NotReady(_why_not(name, entry))
        return index

    def __iter__(self) -> Iterator[tuple[str, Status, Index | None]]:
        for name, entry in self._entries.items():
            yield name, entry.status, entry.index

    def check_ready(self, policy: Policy, name: str | None = None) -> None:
        """Raise NotReady unless the indexes are open: all of them, any, or the one named."""
        if self._stop.is_set():
            raise NotReady("the server is stopping")
        if name is not None:
            self.get(name)
            return
        waiting = {name: entry for name, entry in self._entries.items() if not entry.index}
        if waiting and not (policy == "any" and len(waiting) < len(self._entries)):
            why = "; ".join(_why_not(name, entry) for name, entry in waiting.items())
            raise NotReady(why)


def _fail(name: str, entry: Entry, error: Exception) -> None:
    """Note that an index cannot be opened, and when to try again."""
    problem = str(error) or type(error).__name__
    if entry.problem is None:
        expected = isinstance(error, LongspanError | OSError)
        _log.error("index %s cannot be opened: %s", name, problem, exc_info=not expected)
    for path in {str(entry.path), str(entry.path.resolve())}:
        problem = problem.replace(path, name)
    entry.problem = f"cannot be opened: {problem}"
    entry.due, entry.wait = monotonic() + entry.wait, min(2 * entry.wait, LONGEST_WAIT)


def _check_files(name: str, entry: Entry) -> None:
    """Close an index whose files have shrunk: reading behind their ends would end the process."""
    if entry.index and entry.files and (shrunk := entry.files.shrunk()):
        entry.index.close()
        entry.index = None
        _fail(name, entry, LongspanError(f"{shrunk} was cut off while it was served"))


def _why_not(name: str, entry: Entry) -> str:
    return f"index {name} {entry.problem or 'is being opened'}"
