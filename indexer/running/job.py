"""The working directory of a build: what its stages leave for each other, each file whole or none.

A build is cut into units, by the data and not by the machine: a stage is a function of the job and
the number of a unit, which reads files and writes files. So units may run in any order, on threads
or elsewhere, and again after a kill, and what they write is the same.
"""

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from threading import RLock
from typing import IO, Any
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from longspan.indexer.errors import DamagedBuild
from longspan.indexer.planning.shape import Shape
from longspan.indexer.reader import Vectors, open_vectors
from longspan.indexer.reader.opening import map_vectors
from longspan.indexer.store.arrays import create_array, write_array, writing_rows
from longspan.indexer.store.whole import naming

INPUT = "input"
Unit = Callable[["Job", int], None]

UNFINISHED = ".tmp"  # ends the names of files that are being written
STAGED = "vectors.npy"  # the input's vectors, those of one part together
BOUNDS = "bounds.npy"  # where each part begins among them
UNDER = "records-under.npy"  # how many vectors and copies are stored under the heads of each part

# numpy reads an array's header by ast, which up to Python 3.11.7 fails in two threads at a time:
# https://github.com/python/cpython/issues/106905
PARSING = RLock()

LACKING = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)  # of a process, not of a file


@dataclass(frozen=True)
class Job(Shape):
    """What every unit of a build knows; small, and the same for all of them.

    source  file of the vectors; of those that are a copy which only one process has, where another
            copy lies when others need it
    work    directory of the files that are for the build alone
    draft   directory of the files of the index
    """

    source: str
    work: Path
    draft: Path

    def save(self, name: str, array: NDArray[Any]) -> None:
        """Write an array into the working directory."""
        with self.replacing(self.work / name) as file:
            write_array(file, array)

    def load(self, name: str) -> NDArray[Any]:
        """Return an array of the working directory, mapped."""
        with PARSING, kept_file(self.work / name):
            array: NDArray[Any] = np.load(self.work / name, mmap_mode="r")
        return array

    @contextmanager
    def reading(self, name: str) -> Iterator[int]:
        """Give the handle of a file of the working directory that is opened for reading."""
        path = self.work / name
        with kept_file(path):
            handle = os.open(path, os.O_RDONLY)
            try:
                yield handle
            finally:
                os.close(handle)

    def create(
        self, name: str, dtype: type[np.generic], shape: tuple[int, ...]
    ) -> "np.memmap[Any, Any]":
        """Return a new array of the working directory, mapped for writing."""
        path = self.work / name
        array = create_array(path, dtype, shape)
        self.written.add(path)
        return array

    @contextmanager
    def writing(
        self, path: Path, dtype: type[np.generic], shape: tuple[int, ...]
    ) -> Iterator[Callable[[NDArray[Any]], None]]:
        """Give write(rows) of an array file; it appears at path when the block ends well."""
        with self.replacing(path) as file, writing_rows(file, dtype, shape) as write:
            yield write

    def save_all(self, name: str, **arrays: NDArray[Any]) -> None:
        """Write several arrays into one file of the working directory."""
        with self.replacing(self.work / name) as file:
            np.savez(file, allow_pickle=False, **arrays)

    def load_all(self, name: str, *wanted: str) -> dict[str, NDArray[Any]]:
        """Return the arrays of one file of the working directory, those that are wanted or all."""
        path = self.work / name
        with PARSING, kept_file(path), path.open("rb") as opened, np.load(opened) as file:
            return {each: file[each] for each in wanted or file.files}

    @contextmanager
    def replacing(self, path: Path) -> Iterator[IO[bytes]]:
        """Give a file to write; it appears at path when the block ends well."""
        with self.making(path) as unfinished, unfinished.open("wb") as file:
            yield file

    @contextmanager
    def making(self, path: Path) -> Iterator[Path]:
        """Give the path of a file to make; it appears at path when the block ends well.

        Why a name that no other has: a unit may be run again while a process that was taken for
        dead still writes. And in the working directory, as all that lies in the draft is published.
        """
        unfinished = self.work / f"{path.name}.{uuid4().hex}{UNFINISHED}"
        with naming(path):
            yield unfinished
        unfinished.replace(path)
        self.written.add(path)

    def make_safe(self) -> None:
        """Make sure that what this process has written for the job is on the disk."""
        while self.written:
            path = self.written.pop()
            if path.exists():  # or a later stage has read and removed it
                flush(path)
        flush(self.work)
        flush(self.draft)

    def keep(self, name: str, make: Callable[[], Any]) -> Any:
        """Return what make gives, made once in this process for all units of this job."""
        with PARSING:
            if name not in self._kept:
                self._kept[name] = make()
        return self._kept[name]

    def forget(self) -> None:
        """Let go of what was made for all units, but for the input: it may map files that go."""
        with PARSING:
            for name in self._kept.keys() - {INPUT}:
                del self._kept[name]

    @cached_property
    def written(self) -> set[Path]:
        """Files that were written and may not be on the disk yet."""
        return set()

    @cached_property
    def _kept(self) -> dict[str, Any]:
        return {}

    @cached_property
    def bounds(self) -> NDArray[np.int64]:
        """Where each part begins among the staged vectors; one longer than the parts."""
        return np.asarray(self.load(BOUNDS))

    @property
    def largest(self) -> int | None:
        """The vectors of the largest part, as soon as they are known."""
        return int(np.diff(self.bounds).max()) if (self.work / BOUNDS).exists() else None

    @property
    def most_stored(self) -> int | None:
        """What is stored under the heads of a part at most, as soon as that is known."""
        return int(self.load(UNDER).max()) if (self.work / UNDER).exists() else None

    @cached_property
    def filled(self) -> list[int]:
        """The parts that hold vectors."""
        found: list[int] = np.flatnonzero(np.diff(self.bounds)).tolist()
        return found

    def vectors_of(self, part: int) -> int:
        """Return how many vectors a part has."""
        return int(self.bounds[part + 1] - self.bounds[part])

    @property
    def input(self) -> Vectors:
        """The vectors that the index is built of."""
        vectors: Vectors = self.keep(INPUT, lambda: open_vectors(self.source))
        return vectors

    @cached_property
    def staged(self) -> Vectors:
        """The staged vectors; the number of one is its slot."""
        return self.mapped(self.work / STAGED)

    def mapped(self, path: Path) -> Vectors:
        """Return the vectors, or records, of a file of this build."""
        with PARSING, kept_file(path):
            return map_vectors(path)


@contextmanager
def kept_file(path: Path) -> Iterator[None]:
    """Say of what fails that it is a file of the build, whole when it was written.

    DamagedBuild for all but what this process lacks, which OSError says.
    """
    try:
        yield
    except (MemoryError, DamagedBuild):
        raise
    except OSError as error:
        if error.errno in LACKING:
            raise
        raise DamagedBuild(f"{path}: cannot be read back: {error.strerror or error}") from error
    except Exception as error:  # an array's header and a zip archive fail in many ways
        found = str(error).removeprefix(f"{path}: ")
        raise DamagedBuild(f"{path}: cannot be read back, it was damaged: {found}") from error


def flush(path: Path) -> None:
    """Make sure that a file's content, or a directory's names, are on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
