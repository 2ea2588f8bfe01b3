"""What a search may ask for: every setting with its default, its bounds and its help, once.

The models of JSON bodies and of query strings, the flags of the command line and the table of the
documentation are made from these fields. A bound holds whatever the index, so that a number from
outside never decides how much memory is taken. An index may have fewer postings or vectors than a
number says: then all of them are meant.
"""

from collections.abc import Collection
from dataclasses import Field, dataclass, field, fields
from functools import cache, lru_cache
from numbers import Real
from operator import index as whole_number
from typing import Any

from longspan.indexer.errors import BadQuery

MAX_K = 10_000
MAX_PROBES = MAX_BEAM = 1_000_000
MAX_DEPTH = 10 * MAX_K
MAX_DISTANCE = (2 - 2**-23) * 2.0**127  # of float32
PAYLOAD, EXPLAIN = INCLUDED = "payload", "explain"
SHOWN = 40  # characters of a wrong value that an error shows


def number(default: Any, low: float, high: float, help: str, above: bool = False) -> Any:
    """Return a dataclass field with its default, its range and its help text.

    above  the value must be above low; otherwise both ends are in the range
    """
    return field(default=default, metadata={"low": low, "high": high, "above": above, "help": help})


def switch(help: str) -> Any:
    """Return a dataclass field that is off unless it is asked for."""
    return field(default=False, metadata={"help": help})


def several(among: tuple[str, ...], help: str) -> Any:
    """Return a dataclass field of none, one or several of some words."""
    return field(default=(), metadata={"among": among, "help": help})


@dataclass(frozen=True, slots=True)
class SearchParams:
    """Settings that take the place of the calibrated ones.

    BadQuery names the one that is out of its bounds, or those that do not go together.
    """

    probes: int | None = number(
        None, 1, MAX_PROBES, "postings to read, whatever the query; all when there are fewer"
    )
    beam: int | None = number(
        None, 1, MAX_BEAM, "nodes of the lowest level of the head tree to expand"
    )
    depth: int | None = number(
        None, 1, MAX_DEPTH, "candidates by code to score exactly; all when there are fewer"
    )
    exact: bool = switch("read every posting")

    def __post_init__(self) -> None:
        kind: Any = type(self)
        for spec in settings(kind):
            given = getattr(self, spec.name)
            if given is not spec.default:
                object.__setattr__(self, spec.name, CHECKS[spec.type](spec, given))
        if self.exact and (self.probes, self.beam, self.depth) != (None, None, None):
            raise BadQuery("exact reads every posting: it cannot go with probes, beam or depth")


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchRequest(SearchParams):
    """All that a search asks for, but its queries; the same for each of them."""

    k: int = number(10, 1, MAX_K, "nearest vectors wanted")
    recall: float | None = number(
        None, 0, 1, "share of the true k nearest to find; default the index's", above=True
    )
    max_distance: float | None = number(
        None, -MAX_DISTANCE, MAX_DISTANCE, "leave out hits farther than this"
    )
    stats: bool = switch("add what the search cost")
    include: tuple[str, ...] = several(
        INCLUDED,
        '"payload" adds the object that the index has of each hit, "explain" (of one query) which '
        "postings were ranked, and why they were read or not",
    )

    def __post_init__(self) -> None:
        SearchParams.__post_init__(self)
        if self.recall is not None and (self.exact or self.probes):
            raise BadQuery("recall cannot go with probes or exact: they exclude each other")


def asked(*settings: Any) -> SearchRequest:
    """Return a request of the settings that `Index.search` takes."""
    try:
        return made(*settings)
    except TypeError:  # one that cannot be looked up, such as a list of what to include
        return made.__wrapped__(*settings)


@lru_cache(256, typed=True)  # making one takes 10 us
def made(
    k: int,
    recall: float | None,
    params: SearchParams | None,
    max_distance: float | None = None,
    stats: bool = False,
    include: Collection[str] = (),
) -> SearchRequest:
    """Return a request of settings given apart; what takes the place of recall does so."""
    own = params or SearchParams()
    return SearchRequest(
        probes=own.probes,
        beam=own.beam,
        depth=own.depth,
        exact=own.exact,
        k=k,
        recall=None if own.probes or own.exact else recall,
        max_distance=max_distance,
        stats=stats,
        include=include,  # type: ignore[arg-type]  # made a tuple there
    )


@cache
def settings(kind: type[SearchParams]) -> tuple[Field[Any], ...]:
    """Return the settings of a request, or of its parameters alone, in the order that people see.

    The first are those that most searches name.
    """
    own = [spec for spec in fields(kind) if spec.name not in SearchParams.__slots__]
    return (*own, *fields(SearchParams))


def check_whole(spec: Field[Any], given: Any) -> int:
    """Return a number as an int; BadQuery unless it is whole and within its bounds."""
    try:
        whole = whole_number(given)
    except TypeError:
        raise BadQuery(f"{spec.name} is {shown(given)}, must be a whole number") from None
    if isinstance(given, bool):
        raise BadQuery(f"{spec.name} is {given}, must be a whole number")
    return int(check_range(spec, whole))


def check_real(spec: Field[Any], given: Any) -> float:
    """Return a number as a float; BadQuery unless it is within its bounds, which no NaN is."""
    if isinstance(given, bool) or not isinstance(given, Real):
        raise BadQuery(f"{spec.name} is {shown(given)}, must be a number")
    return float(check_range(spec, given))


def check_range(spec: Field[Any], given: Any) -> Any:
    """Return a number; BadQuery unless it is within its bounds."""
    low, high, above = (spec.metadata[name] for name in ("low", "high", "above"))
    if not low <= given <= high or (above and given == low):
        wanted = f"above {low} and at most {high}" if above else f"in [{low}, {high}]"
        raise BadQuery(f"{spec.name} is {shown(given)}, must be {wanted}")
    return given


def check_switch(spec: Field[Any], given: Any) -> bool:
    """Return a truth value; BadQuery when it is something else."""
    if not isinstance(given, bool):
        raise BadQuery(f"{spec.name} is {shown(given)}, must be True or False")
    return given


def check_several(spec: Field[Any], given: Collection[str]) -> tuple[str, ...]:
    """Return words as a tuple; BadQuery when one is not known."""
    try:
        words = (given,) if isinstance(given, str) else tuple(given)
    except TypeError:
        raise BadQuery(f"{spec.name} is {shown(given)}, must be a list of words") from None
    for word in words:
        if word not in spec.metadata["among"]:
            known = ", ".join(spec.metadata["among"])
            raise BadQuery(f"{spec.name} names {shown(word)}, known are {known}")
    return words


CHECKS: dict[Any, Any] = {
    int: check_whole,
    int | None: check_whole,
    float | None: check_real,
    bool: check_switch,
    tuple[str, ...]: check_several,
}


def shown(value: Any) -> str:
    """Return a value as an error shows it: its beginning when it is long."""
    try:
        text = repr(value)
    except ValueError:  # Python writes no int of more than some thousand digits
        return f"a number of {value.bit_length()} bits"
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."
