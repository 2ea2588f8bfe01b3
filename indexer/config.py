"""Every dial of a build: name, default, range and help, once.

The command line's flags, the checks, the manifest and the table of docs/build.md are made from
these fields. A default of None means "chosen from the data": `longspan.indexer.planning.dials` says
how.
"""

from dataclasses import asdict, dataclass, field, fields
from typing import Any

from longspan.indexer.errors import BadConfig

METRICS = ("l2", "ip", "cosine")
CODECS = ("auto", "raw", "pq", "rabitq")
RECALL_OF = MEAN, DECILE = "mean", "decile"
EXECUTORS = LOCAL, RAY = "local", "ray"


def knob(default: Any, low: float, high: float, help: str) -> Any:
    """Return a dataclass field with its default, its inclusive range and its help text."""
    return field(default=default, metadata={"low": low, "high": high, "help": help})


def choice(default: str, among: tuple[str, ...], help: str) -> Any:
    """Return a dataclass field with its default, the words that it may be, and its help text."""
    return field(default=default, metadata={"among": among, "help": help})


def check_among(name: str, value: str, among: tuple[str, ...]) -> None:
    """Raise BadConfig unless a value is one of some words."""
    if value not in among:
        raise BadConfig(f"{name} is {value!r}, must be one of {', '.join(among)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildConfig:
    """The dials of one build. BadConfig when one is out of its range."""

    codec: str = choice(
        "auto", CODECS, "form of the copies: codes, or raw vectors; auto by n and dim"
    )
    heads: int | None = knob(None, 1, 2**31 - 1, "postings to make; default from n and dim")
    posting_pages: int | None = knob(
        None, 1, 4096, "hard cap of a posting, in 4-KB pages; default from heads and copies"
    )
    max_copies: int = knob(8, 1, 64, "most postings that one vector is stored in")
    closure_ratio: float = knob(
        2.0, 1.0, 100.0, "a copy's head may lie this many times as far as the nearest head"
    )
    closure_spread: float = knob(
        0.6, 0.0, 10.0, "drop a copy when a kept head is nearer to its head than this times itself"
    )
    recall: float = knob(0.95, 0.01, 1.0, "recall that a search aims for when it names none")
    recall_of: str = choice(
        MEAN, RECALL_OF, "who has the recall that is asked for: the mean query, or nine in ten"
    )
    calibration: int = knob(
        1000,
        10,
        10_000,
        "vectors of the base used as calibration queries; beyond 2,000 they judge k = 1",
    )
    seed: int = knob(1, 0, 2**32 - 1, "seed of every random choice")

    def __post_init__(self) -> None:
        for spec in fields(self):
            value = getattr(self, spec.name)
            if "among" in spec.metadata:
                check_among(spec.name, value, spec.metadata["among"])
                continue
            low, high = spec.metadata["low"], spec.metadata["high"]
            if value is None and spec.default is None:
                continue
            if not low <= value <= high:  # also catches NaN
                raise BadConfig(
                    f"{spec.name} is {value}, must be in [{low}, {high}]: {spec.metadata['help']}"
                )

    def as_dict(self) -> dict[str, Any]:
        """Return the dials by name, for the manifest."""
        return asdict(self)
