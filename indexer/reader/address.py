"""Where an input is: a local file, a folder of files or a remote file, and which part of it."""

import re
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from longspan.indexer.errors import BadFile

PARTED = (".hdf5", ".h5", ".parquet")  # files that hold several arrays, each with a name


@dataclass(frozen=True, slots=True)
class Address:
    """A path or a URL, and the name of a part of it: what follows `::`, or None."""

    location: str
    part: str | None = None

    def __str__(self) -> str:
        return self.location if self.part is None else f"{self.location}::{self.part}"

    @property
    def remote(self) -> bool:
        """Whether fsspec must fetch it."""
        return "://" in self.location

    @property
    def path(self) -> Path:
        """The local path."""
        return Path(self.location)

    @property
    def name(self) -> str:
        """The last component, with the part: it tells nothing about the machine."""
        return str(replace(self, location=self._file.name))

    @property
    def suffix(self) -> str:
        """The format, in lower case."""
        return self._file.suffix.lower()

    @property
    def _file(self) -> PurePosixPath:
        if not self.remote:
            return PurePosixPath(self.path.absolute())  # "." has a name too
        # A signed URL ends with its signature, and a file may lie right below the scheme.
        return PurePosixPath(self.location.partition("://")[2].partition("?")[0])


def parse(text: str | Path) -> Address:
    """Return the address that a text names; `::` divides only formats that have parts.

    BadFile for an empty name: as a path it would be the working directory.
    """
    if str(text).partition("::")[0] == "":
        raise BadFile(f"{str(text)!r}: an empty name, wanted a file, a folder or a URL")
    whole = Address(str(text))
    location, mark, part = whole.location.rpartition("::")
    parent = Address(location)
    if mark and (parent.suffix in PARTED or (not parent.remote and parent.path.is_dir())):
        return Address(location, part)
    return whole


def natural(path: Path) -> tuple[str, str]:
    """Return a key that sorts part-2 before part-10."""
    return re.sub("[0-9]+", lambda digits: digits[0].zfill(20), path.name), path.name
