"""What was measured of longspan: the figures of measured.json, by which searches are forecast.

`bench/keep.py` writes that file from a run of `bench/targets.py`, and the tables of
docs/measurements.md are made from it.
"""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("measured.json")
RECALLS = (0.9, 0.95, 0.99)


@dataclass(frozen=True, slots=True)
class Tier:
    """What was measured of an index at one step of the memory dial, by recall@10.

    memory           bytes a vector that stay in memory
    disk             bytes a vector of the index
    recall           that was found where each of RECALLS was asked for
    postings, pages  read by a query at each of RECALLS
    kilobytes        of all of these at .95
    warm             at .95, all in the page cache: `qps` on 1 and 2 threads, `p50` in ms on 1
    cold             at .95, none of it there: `qps` and `p50` on 1, 2 and 4 threads, and on 2 the
                     share of what fio reads; None, as warm is, where it was not timed
    """

    memory: float
    disk: int
    recall: tuple[float, ...]
    postings: tuple[float, ...]
    pages: tuple[float, ...]
    kilobytes: float
    warm: dict[str, Any] | None
    cold: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class Corpus:
    """One set of vectors: its tiers with raw postings, and with coded ones."""

    n: int
    dim: int
    raw: tuple[Tier, ...]
    coded: tuple[Tier, ...]


@dataclass(frozen=True, slots=True)
class Measured:
    """All of it.

    sets    "sift" and "text"
    disks   microseconds of a read, and of each KB of it, by the disk's name
    growth  exponents of reads and of work in the number of vectors, by tier
    """

    sets: dict[str, Corpus]
    disks: dict[str, tuple[float, float]]
    growth: dict[str, tuple[float, ...]]


@cache
def measured() -> Measured:
    """Return what the file has."""
    known = json.loads(FILE.read_text("utf-8"))
    return Measured(
        {name: _corpus(**corpus) for name, corpus in known["sets"].items()},
        {name: (disk["read"], disk["kilobyte"]) for name, disk in known["disks"].items()},
        {name: tuple(exponents) for name, exponents in known["growth"].items()},
    )


def _corpus(n: int, dim: int, **kinds: list[dict[str, Any]]) -> Corpus:
    raw, coded = (tuple(Tier(**tier) for tier in kinds[kind]) for kind in ("raw", "coded"))
    return Corpus(n, dim, raw, coded)
