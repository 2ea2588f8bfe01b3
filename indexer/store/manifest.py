"""The manifest: what an index says about itself, in one JSON file.

The manifest is written last and read first. A reader refuses an unknown format version and any
missing or additional key: an index is read as it was meant, or not at all.
"""

import hashlib
import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Self

from longspan.indexer.errors import BadIndex, DamagedIndex
from longspan.indexer.store.access import access

FORMAT = 1
NAME = "manifest.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """All that is known about an index without reading its vectors.

    entries      vectors stored, copies included
    config       the dials as given; dials: the values that were chosen for those left open
    codec        its kind, why it was chosen, and its numbers (longspan.indexer.store.codec)
    shards       the first head of each file of postings
    stages       seconds of each build stage
    input        name, size and fingerprint of the file it was built from
    calibration  see longspan.indexer.store.calibration
    files        bytes and SHA-256 of every other file
    """

    format: int
    longspan: str
    created: str
    name: str
    metric: str
    dtype: str
    dim: int
    n: int
    heads: int
    entries: int
    levels: list[int]
    radius: float
    config: dict[str, Any]
    dials: dict[str, Any]
    codec: dict[str, Any]
    shards: list[int]
    stages: dict[str, float]
    input: dict[str, Any]
    calibration: dict[str, Any]
    files: dict[str, dict[str, Any]]

    @property
    def size_bytes(self) -> int:
        """Bytes of all files but the manifest."""
        return sum(int(file["bytes"]) for file in self.files.values())

    @property
    def recall_of(self) -> str:
        """Who has the recall that is asked for: the mean query, as once always, or nine in ten."""
        return str(self.config.get("recall_of", "mean"))

    @classmethod
    def read(cls, directory: Path | str) -> Self:
        """Return the manifest of an index.

        BadIndex when the directory holds none that we know, DamagedIndex when it is cut off or
        overwritten, NoAccess when the system does not give it.
        """
        path = Path(directory) / NAME
        with access(path):
            try:
                text = path.read_bytes()
            except (FileNotFoundError, NotADirectoryError):
                raise BadIndex(
                    f"{directory}: no {NAME} there, this is not a longspan index"
                ) from None
        try:
            data = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise DamagedIndex(f"{path}: is not whole: {error}") from error
        return cls.from_dict(data, path)

    @classmethod
    def from_dict(cls, data: Any, path: Path) -> Self:
        """Return the manifest that as_dict() gave; BadIndex when it is another version's."""
        if not isinstance(data, dict) or "format" not in data:
            raise BadIndex(f"{path}: is not the manifest of a longspan index")
        if data["format"] != FORMAT:
            raise BadIndex(f"{path}: format {data['format']}, this longspan reads {FORMAT}")
        wanted = {field.name for field in fields(cls)}
        if set(data) - {"checksum"} != wanted:
            wrong = sorted((set(data) - {"checksum"}) ^ wanted)
            raise BadIndex(f"{path}: unknown or missing keys {', '.join(wrong)}")
        checksum = data.pop("checksum", None)
        if checksum != digest(data):
            raise DamagedIndex(f"{path}: its own checksum does not hold")
        return cls(**data)

    def as_dict(self) -> dict[str, Any]:
        """Return the manifest as JSON types."""
        return asdict(self)

    def text(self) -> str:
        """Return the file's content."""
        data = self.as_dict()
        return json.dumps({**data, "checksum": digest(data)}, indent=1) + "\n"

    def write(self, directory: Path) -> None:
        """Write the manifest into a directory that has none."""
        with (directory / NAME).open("x") as file:
            file.write(self.text())


def digest(data: dict[str, Any]) -> str:
    """Return the SHA-256 of a manifest's content."""
    text = json.dumps(data, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def file_record(path: Path) -> dict[str, Any]:
    """Return the bytes and the SHA-256 of a file, as they stand in the manifest."""
    with path.open("rb") as file:
        return record(path, hashlib.file_digest(file, "sha256").hexdigest())


def record(path: Path, sha256: str) -> dict[str, Any]:
    """Return what stands in the manifest of a file with such a SHA-256."""
    return {"bytes": path.stat().st_size, "sha256": sha256}


def file_problem(path: Path, record: dict[str, Any], whole: bool = True) -> str:
    """Return how a file differs from its record, or ""; its content is compared only when whole."""
    if not path.is_file():
        return "is missing"
    size = path.stat().st_size
    if size != record["bytes"]:
        return f"has {size} bytes, the manifest says {record['bytes']}"
    return "its checksum does not hold" if whole and file_record(path) != record else ""
