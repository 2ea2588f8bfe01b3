"""The files of an index that is served, as they were when it was opened."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Files:
    """Where the files are, and of each the number that the disk knows it by, and its bytes."""

    directory: Path
    stamps: Mapping[str, tuple[int, int]]

    @classmethod
    def of(cls, directory: Path) -> "Files":
        """Return the files of a directory as they are now."""
        found = {path.name: path.stat() for path in directory.iterdir()}
        return cls(directory, {name: (at.st_ino, at.st_size) for name, at in found.items()})

    def shrunk(self) -> str | None:
        """Return the name of a file that has fewer bytes than it had, None when there is none.

        One that was removed or replaced is still there for who has it open.
        """
        for name, (number, size) in self.stamps.items():
            try:
                now = (self.directory / name).stat()
            except OSError:
                continue
            if now.st_ino == number and now.st_size < size:
                return name
        return None
