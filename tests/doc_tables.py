"""The tables of the documents that the code gives; `python -m tests.doc_tables` writes them."""

from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

from longspan.indexer.config import BuildConfig
from longspan.service.http.settings import PREFIX, Settings
from longspan.service.search.request import MAX_DISTANCE, SearchRequest, settings

README = Path(__file__).parent.parent / "README.md"
SEARCH = README.parent / "docs/search.md"


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


TABLES: dict[str, Callable[[], list[str]]] = {"dials": of_dials, "settings": of_settings}


Tables = dict[str, Callable[[], list[str]]]


def written(text: str, tables: Tables = TABLES) -> str:
    """Return the text with every table between its comments, <!-- name --> and <!-- /name -->."""
    for name, lines in tables.items():
        first, last = f"<!-- {name} -->", f"<!-- /{name} -->"
        before, there, rest = text.partition(first)
        _, closed, after = rest.partition(last)
        if not (there and closed):
            raise ValueError(f"no {first} with a {last} after it")
        text = before + "\n".join([first, *lines(), last]) + after
    return text


def _number(value: Any) -> str:
    if isinstance(value, str):
        return value
    if value is None:
        return "from what is free"
    return f"{value:,}" if isinstance(value, int) else f"{value:g}"


if __name__ == "__main__":
    for document, tables in ((README, TABLES), (SEARCH, {"search": of_search})):
        text = document.read_text(encoding="utf-8")
        document.write_text(written(text, tables), encoding="utf-8")
