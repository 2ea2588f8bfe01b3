"""The indexes of one server process, by name: opened, promoted, watched and tried again.

Threads of its own do that, so that a server answers `/livez` from its first moment and searches as
soon as heads are in memory: each index is opened with these alone, and opened once more with as
many codes as its share of the memory holds, while the first one answers. One that fails is tried
again, later and later; one whose files shrink, which would end the process, is closed. Nothing of
this waits for anything else of it: a disk may be slow, or hang.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Lock, Thread
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
    shares  bytes of each by name, where somebody has divided them for several processes; default:
            they are divided here, as the indexes are opened
    """

    def __init__(
        self,
        paths: Mapping[str, Path],
        memory: int | None = None,
        shares: Mapping[str, int] | None = None,
    ) -> None:
        self._entries = {name: Entry(Path(path)) for name, path in paths.items()}
        self._memory, self._shares = memory, shares or {}
        self._stop = Event()
        self._lock = Lock()  # held to put another index in the place of one
        self._promoting: Thread | None = None

    def start(self) -> None:
        """Begin to open the indexes, in threads that nobody waits for."""
        for task, name in ((self._keep, "catalog"), (self._watch, "watch")):
            Thread(target=task, name=name, daemon=True).start()

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
        """Open the indexes, and take their codes into memory: what the catalog's thread does."""
        while not self._stop.is_set():
            for name, entry in self._entries.items():
                if entry.index is None and monotonic() >= entry.due and not entry.is_being_opened:
                    entry.opening = Thread(target=self._open, args=(name, entry), daemon=True)
                    entry.opening.start()
                    entry.opening.join(PATIENCE)
            if self._new and not (self._promoting and self._promoting.is_alive()):
                self._promoting = Thread(target=self._promote_all, name="promote", daemon=True)
                self._promoting.start()
            self._stop.wait(TICK)

    def _watch(self) -> None:
        """Look at the files every now and then: what a second thread does."""
        while not self._stop.wait(TICK):
            for name, entry in self._entries.items():
                self._check_files(name, entry)

    def _check_files(self, name: str, entry: Entry) -> None:
        """Close an index whose files have shrunk: reading behind their ends ends the process."""
        index, files = entry.index, entry.files
        if index and files and (shrunk := files.shrunk()) and self._replace(entry, index, None):
            index.close()  # to searches that have it and have not begun
            _fail(name, entry, LongspanError(f"{shrunk} was cut off while it was served"))

    def _replace(self, entry: Entry, index: Index, by: Index | None) -> bool:
        """Put another index, or none, in the place of one; say whether that was still there."""
        with self._lock:
            if entry.index is not index:
                return False
            entry.index = by
        return True

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
    def _new(self) -> dict[str, Sequence[int]]:
        """Bytes with each tier of the indexes that were opened, and had no codes offered since."""
        return {
            name: entry.index.budget.sizes
            for name, entry in self._entries.items()
            if entry.index and not entry.promoted
        }

    def _promote_all(self) -> None:
        """Take the codes of indexes that were opened into memory, as far as that goes."""
        new = self._new
        shares = self._shares or self._divide(new)
        for name, sizes in new.items():
            share = max(shares.get(name, 0), sizes[0])
            self._promote(name, self._entries[name], share)

    def _divide(self, new: Mapping[str, Sequence[int]]) -> dict[str, int]:
        """Return the shares of indexes in what others have left of the memory."""
        heads = sum(sizes[0] for sizes in new.values())
        if self._memory is None:
            self._memory = memory.default_limit(heads)
        open_now = [entry.index for entry in self._entries.values() if entry.index]
        left = self._memory - sum(index.budget.bytes for index in open_now)
        return memory.divide(new, max(left, 0) + heads)

    def _promote(self, name: str, entry: Entry, share: int) -> None:
        index = entry.index
        if not index or self._stop.is_set():
            return
        entry.promoted = True
        try:
            better = index.promoted(share, lambda: entry.index is index and not self._stop.is_set())
        except memory.Stopped:
            return
        except Exception as exc:  # it answers all the same
            _log.error("index %s keeps its heads alone in memory: %s", name, exc)
            return
        if better is index:
            return
        if not self._replace(entry, index, better):
            better.close()
            return
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


def _why_not(name: str, entry: Entry) -> str:
    return f"index {name} {entry.problem or 'is being opened'}"
