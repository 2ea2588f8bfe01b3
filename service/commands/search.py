"""The verb that asks an index from a file of queries: search."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import click

from longspan.indexer.commands import flags
from longspan.indexer.commands.console import aligned, cell, emit_made
from longspan.service.search.request import SearchRequest, settings

if TYPE_CHECKING:
    from longspan.indexer.reader import Vectors
    from longspan.indexer.running.progress import Advance
    from longspan.service.search.answer import Found
    from longspan.service.search.index import Index

LINES = ".jsonl"  # the answers file that holds payload
QUERIES_AT_ONCE = 256  # a batch, one native call: enough to ask ahead, few enough to share out


def settings_of_search(verb: flags.Verb) -> flags.Verb:
    """Add a flag for each setting of `SearchRequest` that a file of queries may have."""
    for spec in reversed(settings(SearchRequest)):
        if spec.name in ("stats", "include"):  # stats are always printed, include has a flag
            continue
        flag = f"--{spec.name.replace('_', '-')}" if len(spec.name) > 1 else f"-{spec.name}"
        kind = flags.RECALL if spec.name == "recall" else flags.value_type(spec.type)
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
        "recall_limit": answers[0].recall_limit,
    }  # fmt: skip
    emit_made(record, search_summary(record), as_json)


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
    aimed = str(stats["recall_target"])
    if record["recall_limit"] is not None:
        aimed += f", {record['recall_limit']} to expect: the index was measured to give no more"
    yield from aligned(
        {
            record["output"]: f"{record['k']} neighbours of {count:,} queries",
            "recall aimed for": aimed,
            "queries a second": f"{record['qps']:,}",
            **{name.replace("_", " "): text for name, text in each.items()},
        }
    )


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
