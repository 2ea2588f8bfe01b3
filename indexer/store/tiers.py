"""What an index keeps in memory at each tier, and what a search then reads: the memory dial."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from itertools import accumulate
from typing import Any

from longspan.indexer.store.calibration import Calibration, Measured
from longspan.indexer.store.checks import CHECKS
from longspan.indexer.store.codec import FIRST, SECOND
from longspan.indexer.store.heads import FILES, ON_GRID
from longspan.indexer.store.manifest import Manifest

PER_POSTING = 21  # of the directory: offset, vectors, copies, first row, whether asked for
CODES = (FIRST, SECOND)
NAMES = ("heads", "heads and first codes", "heads and both codes")


@dataclass(frozen=True, slots=True)
class Tier:
    """One tier of an index (longspan.cext.coded).

    resident  what stays in memory
    bytes     of it
    postings  read a query, on average, for the ten nearest at the index's recall
    pages     of 4 KB read besides, for candidates by code
    measured  the recall that was found when it was built; nothing in an older index
    """

    resident: str
    bytes: int
    postings: float
    pages: float
    measured: list[Measured] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """Return JSON types."""
        return asdict(self)


def sizes(manifest: Manifest) -> tuple[int, ...]:
    """Return the bytes that each tier of an index keeps in memory, ascending."""
    files = {name: int(record["bytes"]) for name, record in manifest.files.items()}
    heads = sum(files.get(name, 0) for name in (*FILES, *ON_GRID))
    codes = [name for name in CODES if name in files]
    checks = files.get(CHECKS, 0)
    return resident(heads, manifest.heads, checks, [files[name] for name in codes])


def resident(heads: int, postings: int, checks: int, codes: Sequence[int]) -> tuple[int, ...]:
    """Return the bytes in memory at each tier: with none of the codes, the first, and so on.

    heads   bytes of the heads and their tree
    checks  bytes of the pages' checksums; one more for each says whether it was compared
    codes   bytes of those of each tier
    """
    return tuple(accumulate(codes, initial=heads + PER_POSTING * postings + checks * 5 // 4))


def tiers(manifest: Manifest) -> list[Tier]:
    """Return every tier of an index."""
    calibration = Calibration.from_dict(manifest.calibration)
    recall = float(manifest.config["recall"])
    found = []
    for number, size in enumerate(sizes(manifest)):
        postings, pages = calibration.reads(number, 10, recall)
        found.append(
            Tier(
                NAMES[number],
                size,
                0.0 if number else round(postings, 1),
                round(pages, 1),
                calibration.measured(number),
            )
        )
    return found
