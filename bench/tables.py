"""Judged measurements as text: Markdown, or a page with pictures inside; it draws none."""

import base64
import html
import math
from pathlib import Path

from judge import WANTED, Figure, reaching

COLUMNS = ("set", "competitor", "setting", "threads", "", "recall@10", "qps", "mean ms", "p50 ms",
           "p99 ms", "disk KB/q", "postings/q", "pages/q", "RAM B/vector", "must stay B/vector",
           "index B/vector", "build s", "load")  # fmt: skip
STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; margin: 2em auto; max-width: 75em; padding: 0 1em }
table { border-collapse: collapse; font-size: 13px; font-variant-numeric: tabular-nums }
th, td { border-bottom: 1px solid #ddd; padding: 2px 8px; text-align: right }
th { position: sticky; top: 0; background: #fff }
td:nth-child(-n+3) { text-align: left }
img { max-width: 49%; height: auto }
"""
NOTES = (
    "Recall counts by distance: ties are right. Queries one at a time on each thread; warm: all "
    "were asked once before, and of the rounds that of median speed counts; cold: none of the "
    "index in the page cache before each slice of queries.",
    "RAM is what the process took for the index, its own and mapped pages (RssAnon + RssFile less "
    "what was there before). Of a disk index the mapped part is page cache, which the kernel may "
    "take back; what must stay is in the column beside it.",
    "lancedb searches with threads of its own, beside those that ask.",
    "diskannpy reads past the page cache, warm as cold. Its search of one query keeps "
    "Python's lock: two threads are its own, and no latencies are known.",
)
FIRST = f"The setting that first reaches recall@10 {WANTED:g}"


def cells(one: Figure) -> list[str]:
    """Return a measurement as a row of the table."""
    held = None if one.held_bytes is None else one.held_bytes / one.n
    temperature = "cold" if one.cold else "warm"
    load = one.note["load_before"][0]
    return [
        *(one.set, one.curve, one.setting, str(one.threads), temperature),
        *(f"{one.recall:.4f}", f"{one.qps:,.0f}"),
        *(number(value, 3) for value in (one.mean_ms, one.p50_ms, one.p99_ms)),
        number(one.disk_bytes / 1000, 1),
        *(number(value, 1) for value in (one.postings, one.pages)),
        *(number(one.own_bytes / one.n, 1), number(held, 1)),
        *(number(one.index_bytes / one.n, 1), f"{one.build_seconds:.1f}", f"{load:.1f}"),
    ]


def number(value: float | None, digits: int) -> str:
    """Return a number as text; nothing when it is not known."""
    return "" if value is None or math.isnan(value) else f"{value:,.{digits}f}"


def facts(found: list[Figure]) -> list[str]:
    """Return lines on machine, commit and versions; more than one of a kind shows a mixed run."""
    notes = [one.note for one in found]
    machines = {
        f"{made['cpu']}, {made['cores']} cores, {made['memory'] / 2**30:.0f} GiB, "
        f"Linux {made['kernel']}"
        for made in (note["machine"] for note in notes)
    }
    versions = {f"{note['package']} {note['version']}" for note in notes}
    commits = {note["commit"] for note in notes}
    return [
        f"Machine: {'; '.join(sorted(machines))}",
        f"Commit: {', '.join(sorted(commits))}",
        f"Versions: {', '.join(sorted(versions))}",
    ]


def markdown(found: list[Figure]) -> str:
    """Return the tables and what must be known to read them."""
    lines = ["# longspan and its peers", "", *(f"- {fact}" for fact in facts(found)), ""]
    lines += [f"## {FIRST}", "", *rows(reaching(found, WANTED)), ""]
    lines += ["## Every setting", "", *rows(found), ""]
    return "\n".join([*lines, *NOTES, ""])


def rows(found: list[Figure]) -> list[str]:
    """Return the lines of a Markdown table."""
    head = ["| " + " | ".join(COLUMNS) + " |", "|" + "---|" * len(COLUMNS)]
    return head + ["| " + " | ".join(cells(one)) + " |" for one in found]


def page(found: list[Figure], pictures: list[Path]) -> str:
    """Return the same as one HTML page with the pictures inside."""
    images = "\n".join(
        f'<img alt="{path.stem}" src="data:image/png;base64,'
        f'{base64.b64encode(path.read_bytes()).decode()}">'
        for path in pictures
    )
    told = "".join(f"<li>{html.escape(line)}</li>" for line in facts(found))
    notes = "".join(f"<p>{html.escape(note)}</p>" for note in NOTES)
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>longspan and its peers</title>'
        f"<style>{STYLE}</style><h1>longspan and its peers</h1><ul>{told}</ul>{notes}"
        f"<h2>{FIRST}</h2>{grid(reaching(found, WANTED))}{images}"
        f"<h2>Every setting</h2>{grid(found)}</html>\n"
    )


def grid(found: list[Figure]) -> str:
    """Return an HTML table."""
    head = "".join(f"<th>{html.escape(name)}</th>" for name in COLUMNS)
    lines = "".join(
        "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in cells(one)) + "</tr>\n"
        for one in found
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table>"
