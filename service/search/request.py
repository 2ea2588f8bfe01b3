"""What a search may ask for: every setting with its default, its bounds and its help, once.

A bound holds whatever the index, so that a number from outside never decides how much memory is
taken. An index may have fewer postings or vectors than a number says: then all of them are meant.
"""

from dataclasses import dataclass, field, fields
from operator import index as whole_number
from typing import Any

from longspan.indexer.errors import BadQuery

MAX_K = 1000
MAX_PROBES = MAX_BEAM = 1_000_000
MAX_DEPTH = 100 * MAX_K
SHOWN = 40  # characters of a wrong value that an error shows


def number(default: Any, low: float, high: float, help: str) -> Any:
    """Return a dataclass field with its default, its inclusive range and its help text."""
    return field(default=default, metadata={"low": low, "high": high, "help": help})


def switch(help: str) -> Any:
    """Return a dataclass field that is off unless it is asked for."""
    return field(default=False, metadata={"help": help})


@dataclass(frozen=True, slots=True)
class SearchParams:
    """Settings that take the place of the calibrated ones. BadQuery names what is out of bounds."""

    probes: int | None = number(
        None, 1, MAX_PROBES, "postings to read, whatever the query; all when there are fewer"
    )
    beam: int | None = number(
        None, 1, MAX_BEAM, "nodes of the lowest level of the head tree to expand"
    )
    depth: int | None = number(
        None,
        1,
        MAX_DEPTH,
        "candidates by code that get an exact distance; all when there are fewer",
    )
    exact: bool = switch("read every posting")

    def __post_init__(self) -> None:
        for spec in fields(self):
            value = getattr(self, spec.name)
            if "low" in spec.metadata and value is not None:
                checked = check_whole(spec.name, value, spec.metadata["low"], spec.metadata["high"])
                object.__setattr__(self, spec.name, checked)


def check_whole(name: str, value: Any, low: int, high: int) -> int:
    """Return a value as an int; BadQuery unless it is a whole number within its bounds."""
    try:
        whole = whole_number(value)
    except TypeError:
        raise BadQuery(f"{name} is {shown(value)}, must be a whole number") from None
    if isinstance(value, bool) or not low <= whole <= high:
        raise BadQuery(f"{name} is {shown(value)}, must be in [{low}, {high}]")
    return whole


def check_k(k: Any) -> int:
    """Return k as an int; BadQuery unless it is one that a search may ask for."""
    return check_whole("k", k, 1, MAX_K)


def shown(value: Any) -> str:
    """Return a value as an error shows it: its beginning when it is long."""
    try:
        text = repr(value)
    except ValueError:  # Python writes no int of more than some thousand digits
        return f"a number of {value.bit_length()} bits"
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."
