"""Sizes in bytes, as people write them: 1GiB, 512 MB, 1.5TiB."""

import re

from longspan.indexer.bounds import MOST_BYTES
from longspan.indexer.errors import BadConfig

UNITS = {
    **{"B": 1, "kB": 1000, "MB": 1000**2, "GB": 1000**3, "TB": 1000**4},
    **{"KiB": 1024, "MiB": 1024**2, "GiB": 1024**3, "TiB": 1024**4},
}


def parse_size(text: str) -> int:
    """Return the bytes that text names. BadConfig unless it is a positive number and a unit.

    A bare number is refused: its writer may have meant any unit.
    """
    match = re.fullmatch(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z]+)\s*", text)
    if match is None or match[2] not in UNITS:
        raise BadConfig(f"{text[:40]!r} is no size, wanted a number and one of {' '.join(UNITS)}")
    size = float(match[1]) * UNITS[match[2]]
    if not 1 <= size <= MOST_BYTES:
        raise BadConfig(f"{text[:40]!r} is no size, wanted from 1 byte to {show_size(MOST_BYTES)}")
    return int(size)


def show_size(size: int) -> str:
    """Return the size with three digits and the largest binary unit that leaves 1 or more."""
    for unit in ("TiB", "GiB", "MiB", "KiB"):
        if size >= UNITS[unit]:
            whole = size / UNITS[unit]
            return f"{whole:,.0f} {unit}" if whole >= 100 else f"{whole:.3g} {unit}"
    return f"{size} B"
