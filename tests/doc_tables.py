"""The tables of the documents that the code gives; `python -m tests.doc_tables` writes them."""

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import click

from longspan.indexer.commands.console import EXIT_CODES
from longspan.indexer.config import BuildConfig
from longspan.indexer.errors import LongspanError
from longspan.indexer.store.tiers import NAMES
from longspan.service.commands.main import longspan
from longspan.service.http.app import create_app
from longspan.service.http.settings import PREFIX, Settings
from longspan.service.http.wire.problems import PROBLEMS
from longspan.service.search.request import MAX_DISTANCE, SearchRequest, settings
from longspan.service.tools.measured import Tier, measured

ROOT = Path(__file__).parent.parent
DOCUMENTS = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
# Rooms with so many modules that their own line does not lead to one.
CROWDED = {"indexer/planning", "indexer/stages", "service/http/schedule"}
SETS = {"sift": "SIFT", "text": "text"}
PLACE = re.compile(r"<!-- ([a-z ]+) -->\n.*?<!-- /\1 -->", re.DOTALL)


def of_dials() -> list[str]:
    """Return a line for each dial of a build."""
    lines = ["| flag | default | range | what it is |", "|---|---|---|---|"]
    for spec in fields(BuildConfig):
        flag = "--" + spec.name.replace("_", "-")
        default = "from the data" if spec.default is None else _number(spec.default)
        if "among" in spec.metadata:
            range_ = ", ".join(spec.metadata["among"])
        else:
            range_ = " to ".join(_number(spec.metadata[end]) for end in ("low", "high"))
        lines.append(f"| `{flag}` | {default} | {range_} | {spec.metadata['help']} |")
    return lines


def of_settings() -> list[str]:
    """Return a line for each variable that the server reads; the indexes are its arguments."""
    lines = ["| variable | default | what it is |", "|---|---|---|"]
    for name, spec in Settings.model_fields.items():
        if name != "indexes":
            default = "from the cores" if spec.default_factory else _number(spec.default)
            lines.append(f"| `{PREFIX}{name.upper()}` | {default} | {spec.description} |")
    return lines


def of_search() -> list[str]:
    """Return a line for each setting of a search."""
    lines = ["| setting | default | range | what it is |", "|---|---|---|---|"]
    for spec in settings(SearchRequest):
        shown: dict[Any, str] = {None: "-", False: "off", (): "-"}
        default = shown.get(spec.default, str(spec.default))
        lines.append(f"| `{spec.name}` | {default} | {_range(spec)} | {spec.metadata['help']} |")
    return lines


def of_verbs() -> list[str]:
    """Return a line for each verb of the command line: its arguments, and its help's first line."""
    lines = ["| verb | what it does |", "|---|---|"]
    for name, verb in longspan.commands.items():
        _, *arguments = verb.collect_usage_pieces(click.Context(verb))
        usage = " ".join(["longspan", name, *arguments])
        about = " ".join((verb.help or "").split("\n\n")[0].split())
        lines.append(f"| `{usage}` | {about} |")
    return lines


def of_exit_codes() -> list[str]:
    """Return a line for each exit code."""
    rows = re.findall(r"^  (\d+) +(.+)$", EXIT_CODES, re.MULTILINE)
    return ["| code | meaning |", "|---|---|", *(f"| {code} | {means} |" for code, means in rows)]


def of_errors() -> list[str]:
    """Return a line for each error that longspan raises on purpose, from the root of the tree."""
    lines = ["| error | is a | exit code | what happened |", "|---|---|---|---|"]
    kinds = [LongspanError]
    for kind in kinds:
        kinds += (below for below in kind.__subclasses__() if below.__module__ == kind.__module__)
        bases = ", ".join(f"`{base.__name__}`" for base in kind.__bases__)
        about = _sentence(kind.__doc__ or "")
        lines.append(f"| `{kind.__name__}` | {bases} | {kind.exit_code} | {about} |")
    return lines


def of_routes() -> list[str]:
    """Return a line for each route of the server."""
    lines = ["| route | what it does |", "|---|---|"]
    described = create_app(Settings(indexes={"main": Path("main")})).openapi()["paths"]
    for path, verbs in described.items():
        for verb, route in verbs.items():
            lines.append(f"| `{verb.upper()} {path}` | {route['description']} |")
    return lines


def of_problems() -> list[str]:
    """Return a line for each kind of error that the server answers."""
    rows = (f"| {kind.status} | `{code}` | {kind.title} |" for code, kind in PROBLEMS.items())
    return ["| status | `code` | title |", "|---|---|---|", *rows]


def of_rooms() -> list[str]:
    """Return a line for each folder of Python, and for each module of none or of a large one."""
    lines = ["| room | what lives there |", "|---|---|"]
    for top in ("indexer", "service"):
        rooms = (path for path in (ROOT / top).rglob("__init__.py") if path.parent.name != top)
        doors = (path for path in (ROOT / top).glob("*.py") if not path.name.startswith("__"))
        for path in (*sorted(doors), *sorted(rooms)):
            where = path.parent if path.name == "__init__.py" else path
            lines.append(f"| `{where.relative_to(ROOT)}` | {_about(path)} |")
            if str(where.relative_to(ROOT)) in CROWDED:
                modules = sorted(where.glob("[a-z]*.py"))
                lines += [f"| `.../{module.name}` | {_about(module)} |" for module in modules]
    return lines


def _about(path: Path) -> str:
    """Return the first sentence of a module's docstring."""
    return _sentence(ast.get_docstring(ast.parse(path.read_text("utf-8"))) or "")


def of_recall() -> list[str]:
    """Return a line for each tier that was measured: the recall it gave, and what it read."""
    lines = [
        "| recall@10 | in memory, bytes a vector | .90 | .95 | .99 | reads at .90 | .95 | .99 |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for title, tier in _tiers():
        recall = " | ".join(f"{value:.3f}".removeprefix("0") for value in tier.recall)
        reads = " | ".join(
            " + ".join(f"{part:g}" for part in both if part)
            for both in zip(tier.postings, tier.pages, strict=True)
        )
        lines.append(f"| {title} | {tier.memory:g} | {recall} | {reads} |")
    return lines


def of_read_cost() -> list[str]:
    """Return a line for each tier: what its reads at .95 take each disk that was measured."""
    disks = measured().disks
    heads = [f"{name}: {read:g} µs + {kb:g} µs/KB" for name, (read, kb) in disks.items()]
    lines = [
        f"| | bytes a vector in memory / on disk | KB a query | {' | '.join(heads)} |",
        "|---|---|---|" + "---|" * len(disks),
    ]
    for title, tier in _tiers():
        reads = tier.postings[1] + tier.pages[1]
        costs = (f"{reads * read + tier.kilobytes * kb:,.0f} µs" for read, kb in disks.values())
        sizes = f"{tier.memory:g} / {tier.disk:,}"
        lines.append(f"| {title} | {sizes} | {tier.kilobytes:,} | {' | '.join(costs)} |")
    return lines


def of_speed() -> list[str]:
    """Return a line for each tier that was timed."""
    lines = [
        "| | warm, 1 thread | 2 threads | cold, 1 | 2 | 4 | share of what fio reads, 2 threads |",
        "|---|---|---|---|---|---|---|",
    ]
    for title, tier in _tiers():
        if tier.warm and tier.cold:
            alone, both = tier.warm["qps"]
            cold = zip(tier.cold["qps"], tier.cold["p50"], strict=True)
            cells = [f"{alone:,} ({_short(tier.warm['p50'])})", f"{both:,}"]
            cells += [f"{qps:,} ({_short(p50)})" for qps, p50 in cold]
            cells.append(f"{tier.cold['share_of_fio'] * 100:.0f} %")
            lines.append(f"| {title} | {' | '.join(cells)} |")
    return lines


def of_growth() -> list[str]:
    """Return a line for reads and one for work: their exponents in the number of vectors."""
    lines = [f"| grows by n to the power of | {' | '.join(NAMES)} |", "|---|---|---|---|"]
    for what, exponents in measured().growth.items():
        lines.append(f"| {what} | {' | '.join(_short(value) for value in exponents)} |")
    return lines


def _tiers() -> Iterator[tuple[str, Tier]]:
    """Yield every tier that was measured, under its title."""
    for name, corpus in measured().sets.items():
        for kind, tiers in (("raw", corpus.raw), ("coded", corpus.coded)):
            for title, tier in zip(NAMES if kind == "coded" else ["raw"], tiers, strict=False):
                yield f"{SETS[name]}, {title}", tier


def _short(value: float) -> str:
    """Return a number in three digits at most, without a zero before the point."""
    return f"{value:.3g}".removeprefix("0")


def of_native() -> list[str]:
    """Return a line for each native file: the first sentence of its docstring, or comment."""
    lines = ["| file | what lives there |", "|---|---|"]
    paths = [path for ext in ("pyx", "h", "c") for path in sorted((ROOT / "cext").glob(f"*.{ext}"))]
    for path in paths:
        _, about, *_ = re.split(r'"""|/\*|\*/', path.read_text("utf-8"), maxsplit=2)
        lines.append(f"| `cext/{path.name}` | {_sentence(about)} |")
    return lines


def _sentence(text: str) -> str:
    """Return the first sentence of a text."""
    return " ".join(text.split("\n\n")[0].split()).split(". ")[0].removesuffix(".") + "."


TABLES: dict[str, Callable[[], list[str]]] = {
    "dials": of_dials,
    "errors": of_errors,
    "exit codes": of_exit_codes,
    "growth": of_growth,
    "native": of_native,
    "problems": of_problems,
    "read cost": of_read_cost,
    "recall": of_recall,
    "rooms": of_rooms,
    "routes": of_routes,
    "search": of_search,
    "settings": of_settings,
    "speed": of_speed,
    "verbs": of_verbs,
}


def written(text: str) -> str:
    """Return the text with every table between its comments, <!-- name --> and <!-- /name -->."""

    def table(place: re.Match[str]) -> str:
        name = place[1]
        return "\n".join([f"<!-- {name} -->", *TABLES[name](), f"<!-- /{name} -->"])

    return PLACE.sub(table, text)


def _range(spec: Any) -> str:
    """Return the values that a setting may have."""
    if "among" in spec.metadata:
        return ", ".join(f"`{word}`" for word in spec.metadata["among"])
    if "low" not in spec.metadata:
        return "on, off"
    low, high = spec.metadata["low"], spec.metadata["high"]
    if high == MAX_DISTANCE:
        return "any float32"
    return f"above {low}, to {high}" if spec.metadata["above"] else f"{low:,} to {high:,}"


def _number(value: Any) -> str:
    if isinstance(value, str):
        return value
    if value is None:
        return "from what is free"
    return f"{value:,}" if isinstance(value, int) else f"{value:g}"


if __name__ == "__main__":
    for document in DOCUMENTS:
        document.write_text(written(document.read_text("utf-8")), "utf-8")
