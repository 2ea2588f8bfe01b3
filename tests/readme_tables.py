"""The tables of the README that the code gives; `python -m tests.readme_tables` writes them."""

from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

from longspan.indexer.config import BuildConfig
from longspan.service.http.settings import PREFIX, Settings

README = Path(__file__).parent.parent / "README.md"


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


TABLES: dict[str, Callable[[], list[str]]] = {"dials": of_dials, "settings": of_settings}


def written(text: str) -> str:
    """Return the text with every table between its comments, <!-- name --> and <!-- /name -->."""
    for name, lines in TABLES.items():
        first, last = f"<!-- {name} -->", f"<!-- /{name} -->"
        before, there, rest = text.partition(first)
        _, closed, after = rest.partition(last)
        if not (there and closed):
            raise ValueError(f"README.md: no {first} with a {last} after it")
        text = before + "\n".join([first, *lines(), last]) + after
    return text


def _number(value: Any) -> str:
    if isinstance(value, str):
        return value
    if value is None:
        return "from what is free"
    return f"{value:,}" if isinstance(value, int) else f"{value:g}"


if __name__ == "__main__":
    README.write_text(written(README.read_text(encoding="utf-8")), encoding="utf-8")
