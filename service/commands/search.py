"""The verbs that ask an index from a file of queries: search, bench."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import click

from longspan.indexer.commands import flags
from longspan.indexer.commands.console import CHECK_FAILED, aligned, emit
from longspan.service.search.request import SearchRequest, settings

if TYPE_CHECKING:
    from longspan.indexer.reader import Vectors
    from longspan.indexer.running.progress import Advance
    from longspan.service.search.answer import Found
    from longspan.service.search.index import Index

RECALL = click.FloatRange(0, 1, min_open=True)
LINES = ".jsonl"  # the answers file that holds payload
QUERIES_AT_ONCE = 256  # a batch, one native call: enough to ask ahead, few enough to share out


def settings_of_search(verb: flags.Verb) -> flags.Verb:
    """Add a flag for each setting of `SearchRequest` that a file of queries may have."""
    for spec in reversed(settings(SearchRequest)):
        if spec.name in ("stats", "include"):  # stats are always printed, include has a flag
            continue
        flag = f"--{spec.name.replace('_', '-')}" if len(spec.name) > 1 else f"-{spec.name}"
        kind = RECALL if spec.name == "recall" else flags.value_type(spec.type)
        text = flags.sentence(spec.metadata["help"])
        if kind is int:
            text += " [{low:,} to {high:,}]".format(**spec.metadata)
        verb = click.option(
            flag, spec.name, type=kind, is_flag=kind is bool, default=spec.default, help=text,
            show_default=kind is int and spec.default is not None,
        )(verb)  # fmt: skip
    return verb


@click.command()
@click.argument("index", type=flags.PATH)
@click.option(
    "--queries", metavar="FILE", type=flags.SOURCE, required=True, help="A file of vectors."
)
@settings_of_search
@click.option(
    "--include",
    type=click.Choice(["payload"]),
    multiple=True,
    help="Add the objects of the hits; goes with .jsonl.",
)
@click.option(
    "-o", "--output", type=flags.PATH, required=True, help="New .npz, .ibin or .jsonl file."
)
@flags.serving_memory
@flags.threads
@flags.tmp
@flags.as_json
def search(
    index: Path,
    queries: str,
    include: tuple[str, ...],
    output: Path,
    memory: int | None,
    threads: int | None,
    tmp: Path | None,
    as_json: bool,
    **given: Any,
) -> None:
    """Write the nearest neighbours in INDEX of each query.

    \b
    longspan search my-index --queries queries.fbin -k 10 --recall 0.95 -o answers.npz
    longspan search my-index --queries queries.fbin --include payload -o answers.jsonl
    """
    request = SearchRequest(**given, include=include)
    if include and output.suffix.lower() != LINES:
        raise click.UsageError(f"{output} cannot hold payload: --include goes with {LINES}.")
    from longspan.indexer.reader import open_vectors
    from longspan.indexer.reader.copies import beside
    from longspan.indexer.running.progress import Terminal
    from longspan.indexer.tools.answers import check_target
    from longspan.service.search.index import Index

    check_target(output, also=(LINES,))
    vectors = open_vectors(queries, tmp or beside(output), Terminal())
    with Index.open(index, memory) as opened:
        opened.check_include(include)
        began = perf_counter()
        with Terminal().stage("search", vectors.n, "queries") as advance:
            answers = answer_all(opened, vectors, request, threads, advance)
        seconds = perf_counter() - began
        if output.suffix.lower() == LINES:
            _write_lines(output, answers, opened if include else None)
        else:
            _write_columns(output, answers)
    record = {
        "output": str(output), "queries": vectors.n, "k": request.k, "seconds": round(seconds, 6),
        "qps": round(vectors.n / seconds, 1), "stats": total_stats(answers),
    }  # fmt: skip
    emit(record, search_summary(record), as_json)


@click.command()
@click.argument("index", type=flags.PATH)
@click.option(
    "--queries", metavar="FILE", type=flags.SOURCE, required=True, help="A file of vectors."
)
@click.option("--truth", type=flags.PATH, required=True, help="Their true neighbours.")
@click.option("-k", type=int, default=10, show_default=True, help="Neighbours of each query.")
@click.option(
    "--recall", "recalls", type=flags.several(RECALL), default="0.9,0.95,0.99", show_default=True,
    help="Targets, one after the other.",
)  # fmt: skip
@click.option(
    "--threads", type=flags.several(click.IntRange(min=1)), default="1", show_default=True,
    help="Threads that search at once, each one query at a time.",
)  # fmt: skip
@flags.serving_memory
@click.option("--cold", is_flag=True, help="Start with none of the index in the page cache.")
@click.option(
    "--skip",
    metavar="N",
    type=click.IntRange(min=0),
    default=0,
    help="Leave out the first queries.",
)
@click.option(
    "--first", metavar="N", type=click.IntRange(min=1), help="Then use this many; default: all."
)
@click.option(
    "--fail-under", type=float, metavar="MARGIN",
    help="Exit with 3 when a recall less its target is below this, such as -0.01.",
)  # fmt: skip
@flags.tmp
@flags.as_json
@click.pass_context
def bench(
    ctx: click.Context,
    index: Path,
    queries: str,
    truth: Path,
    k: int,
    recalls: list[float],
    threads: list[int],
    memory: int | None,
    cold: bool,
    skip: int,
    first: int | None,
    fail_under: float | None,
    tmp: Path | None,
    as_json: bool,
) -> None:
    """Measure the recall, speed and cost of INDEX.

    Prints a line for each target and number of threads.

    \b
    longspan bench my-index --queries q.fbin --truth truth.ibin --recall 0.9,0.95 --threads 1,2
    """
    from longspan.service.tools.bench import run

    missed = False
    rows = run(
        index, queries, truth, k, recalls, threads, cold,
        memory=memory, first=first, skip=skip, tmp=tmp,
    )  # fmt: skip
    for number, row in enumerate(rows):
        emit(row, table_lines(row, with_names=number == 0), as_json)
        missed |= fail_under is not None and row["recall"] - row["recall_target"] < fail_under
    ctx.exit(CHECK_FAILED if missed else 0)


def answer_all(
    index: "Index",
    queries: "Vectors",
    request: SearchRequest,
    threads: int | None,
    advance: "Advance",
) -> list["Found"]:
    """Return the answers to all queries, in their order, a batch at a time in each thread."""

    def answer(start: int) -> "Found":
        stop = min(start + QUERIES_AT_ONCE, queries.n)
        found = index.find(queries.rows(start, stop), request)
        advance(stop - start)
        return found

    with ThreadPoolExecutor(threads or len(os.sched_getaffinity(0)), "search") as pool:
        return list(pool.map(answer, range(0, queries.n, QUERIES_AT_ONCE)))


def total_stats(answers: list["Found"]) -> dict[str, Any]:
    """Return the cost of all batches together; the recall aimed for is the same in each."""
    parts = [answer.stats.as_dict() for answer in answers if answer.stats is not None]
    totals = {name: sum(part[name] for part in parts) for name in parts[0]
              if name != "recall_target"}  # fmt: skip
    return totals | {"recall_target": parts[0]["recall_target"]}


def search_summary(record: dict[str, Any]) -> Iterator[str]:
    """Return what was done and what a query cost, as lines."""
    stats, count = record["stats"], record["queries"]
    each = {name: f"{cell(value / count)} a query" for name, value in stats.items()
            if name not in ("queries", "recall_target")}  # fmt: skip
    yield from aligned(
        {
            record["output"]: f"{record['k']} neighbours of {count:,} queries",
            "recall aimed for": stats["recall_target"],
            "queries a second": f"{record['qps']:,}",
            **{name.replace("_", " "): text for name, text in each.items()},
        }
    )


def table_lines(row: dict[str, Any], with_names: bool) -> list[str]:
    """Return one line of a table, below the names of its columns if asked."""
    cells = {name: cell(value) for name, value in row.items()}
    widths = {name: max(len(name), 9) for name in row}
    names = "  ".join(f"{name:>{widths[name]}}" for name in row)
    values = "  ".join(f"{text:>{widths[name]}}" for name, text in cells.items())
    return [names, values] if with_names else [values]


def cell(value: Any) -> str:
    """Return a figure as a person reads it: four digits, more only before the point."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if not isinstance(value, int | float):
        return str(value)
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def _write_columns(output: Path, answers: list["Found"]) -> None:
    import numpy as np

    from longspan.indexer.tools.answers import write_answers

    ids = np.concatenate([found.ids for found in answers])
    write_answers(output, ids, np.concatenate([found.distances for found in answers]))


def _write_lines(output: Path, answers: list["Found"], source: "Index | None") -> None:
    """Write a line of JSON a query, as a server answers; payload is read as it is written."""
    from longspan.indexer.newfile import new_file
    from longspan.service.http.wire.hits import by_query, line

    with new_file(output) as file:
        for found in (one for part in answers for one in part.each()):
            payload = source.payload_of(found) if source else None
            file.writelines(map(line, by_query(found._replace(payload=payload))))


VERBS = (search, bench)
