"""The flags that verbs share, and those made from the dials of BuildConfig."""

import os
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar, get_args

import click

from longspan.indexer.bounds import MOST_DIMS, MOST_ROWS, MOST_THREADS
from longspan.indexer.config import METRICS, BuildConfig
from longspan.indexer.errors import BadConfig
from longspan.indexer.sizes import parse_size

Verb = TypeVar("Verb", bound=Callable[..., Any])


LONGEST = 255  # bytes of a file's name


class Name(click.ParamType[str]):
    """A name, which an unset variable of a shell would leave empty."""

    name = "name"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the name; a usage error for an empty one, which as a path is the folder here."""
        if not value.partition("::")[0]:
            self.fail(f"{value!r} is an empty name.", param, ctx)
        return value


class PathName(click.ParamType[Path]):
    """The name of a file or a folder; whether it is there, its reader says in better words."""

    name = "path"

    def convert(
        self, value: str | Path, param: click.Parameter | None, ctx: click.Context | None
    ) -> Path:
        """Return the path; a usage error for a name that is empty or longer than any may be."""
        path = value if isinstance(value, Path) else Path(NAME.convert(value, param, ctx))
        if any(len(os.fsencode(part)) > LONGEST for part in path.parts):
            self.fail(f"{str(path)[:40]!r}... has more than {LONGEST} bytes in a name.", param, ctx)
        return path


class Number(click.ParamType[float]):
    """A number from low to high; whole when low is, and then 1e9 is one too. NaN is none.

    above  low itself is out of the range
    """

    name = "number"

    def __init__(self, low: float, high: float, above: bool = False) -> None:
        self.low, self.high, self.above = low, high, above

    def convert(
        self, value: str | float, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return the number; a usage error says the range."""
        whole = isinstance(self.low, int)
        try:
            number = whole_number(value) if whole else float(value)
        except ValueError:
            self.fail(f"{str(value)[:40]!r} is no {'whole ' * whole}number.", param, ctx)
        if not self.low <= number <= self.high or (self.above and number == self.low):
            found = f"{str(number)[:40]} is not in the range {'above ' * self.above}"
            self.fail(f"{found}{self.low:,} to {self.high:,}.", param, ctx)
        return number


def whole_number(value: str | float) -> int:
    """Return the number of 1000 or 1e3; ValueError when it is none, or not whole."""
    try:
        return int(value)
    except ValueError:
        number = float(value)
        if not number.is_integer():
            raise
        return int(number)


NAME, PATH = Name(), PathName()
SOURCE = NAME  # a path or a URL, whose two slashes a Path would fold
COUNT = Number(1, MOST_ROWS)
DIMS = Number(1, MOST_DIMS)
THREADS = Number(1, MOST_THREADS)
RECALL = Number(0.0, 1.0, above=True)
as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON on stdout.")
metric = click.option(
    "--metric", type=click.Choice(METRICS), default="l2", show_default=True,
    help="Squared L2, inner product, or cosine.",
)  # fmt: skip
threads = click.option(
    "--threads", metavar="N", type=THREADS,
    help="Default: every core this process may use.",
)  # fmt: skip
tmp = click.option(
    "--tmp", metavar="DIR", type=PATH,
    help="Folder for copies of inputs that cannot be mapped: parquet, chunked HDF5, URLs. "
    "Default: beside the output, or the index.",
)  # fmt: skip
status = click.option(
    "--status", metavar="FILE", type=PATH,
    help="Keep a JSON file that tells other programs how far it is.",
)  # fmt: skip


def serving_memory(verb: Verb) -> Verb:
    """Add --memory to a verb that opens an index for searching."""
    return click.option(
        "--memory", type=size, metavar="SIZE",
        help="Most of the index to keep in memory, such as 4GiB: heads, and codes as far as they "
        "fit. Default: a quarter of what is free.",
    )(verb)  # fmt: skip


def size(text: str) -> int:
    """Return the bytes of 1GiB and the like; a usage error when it is no size."""
    try:
        return parse_size(text)
    except BadConfig as exc:
        raise click.BadParameter(str(exc)) from exc


def several(item: "click.ParamType[Any]") -> Callable[[str], list[Any]]:
    """Return the type of comma-separated values, 0.9,0.95,0.99: a list of items."""

    def values(text: str) -> list[Any]:
        return [item.convert(part, None, None) for part in text.split(",")]

    return values


def dials(verb: Verb) -> Verb:
    """Add a flag for each dial of BuildConfig; one that is not given arrives as None."""
    for spec in reversed(fields(BuildConfig)):
        flag = f"--{spec.name.replace('_', '-')}"
        if "among" in spec.metadata:
            text = sentence(spec.metadata["help"])
            verb = click.option(
                flag, spec.name, type=click.Choice(spec.metadata["among"]),
                help=f"{text} [default {spec.default}]",
            )(verb)  # fmt: skip
            continue
        low, high = (f"{spec.metadata[end]:,}" for end in ("low", "high"))
        default = "" if spec.default is None else f"; default {spec.default:,}"
        text = spec.metadata["help"]
        verb = click.option(
            flag, spec.name, type=value_type(spec.type),
            help=f"{sentence(text)} [{low} to {high}{default}]",
        )(verb)  # fmt: skip
    return verb


def sentence(text: str) -> str:
    """Return a help text as a sentence."""
    return f"{text[0].upper()}{text[1:]}."


def config_from(given: dict[str, Any]) -> BuildConfig:
    """Return the dials, those that were given set; BadConfig when one is out of its range."""
    return BuildConfig(**{name: value for name, value in given.items() if value is not None})


def value_type(annotation: Any) -> Any:
    """Return int for `int` and for `int | None`, and so on."""
    return next((t for t in get_args(annotation) if t is not type(None)), annotation)
