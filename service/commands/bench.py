"""The verb that measures an index: bench."""

from pathlib import Path
from typing import Any

import click

from longspan.indexer.bounds import MOST_NEIGHBOURS, MOST_ROWS
from longspan.indexer.commands import flags
from longspan.indexer.commands.console import CHECK_FAILED, cell, emit


@click.command()
@click.argument("index", type=flags.PATH)
@click.option(
    "--queries", metavar="FILE", type=flags.SOURCE, required=True, help="A file of vectors."
)
@click.option("--truth", type=flags.PATH, required=True, help="Their true neighbours.")
@click.option(
    "-k",
    type=flags.Number(1, MOST_NEIGHBOURS),
    default=10,
    show_default=True,
    help="Neighbours of each query.",
)
@click.option(
    "--recall", "recalls", type=flags.several(flags.RECALL), default="0.9,0.95,0.99",
    show_default=True, help="Targets, one after the other.",
)  # fmt: skip
@click.option(
    "--threads", type=flags.several(flags.THREADS), default="1", show_default=True,
    help="Threads that search at once, each one query at a time.",
)  # fmt: skip
@flags.serving_memory
@click.option("--cold", is_flag=True, help="Start with none of the index in the page cache.")
@click.option(
    "--skip",
    metavar="N",
    type=flags.Number(0, MOST_ROWS),
    default=0,
    help="Leave out the first queries.",
)
@click.option("--first", metavar="N", type=flags.COUNT, help="Then use this many; default: all.")
@click.option(
    "--fail-under", type=flags.Number(-1.0, 1.0), metavar="MARGIN",
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


def table_lines(row: dict[str, Any], with_names: bool) -> list[str]:
    """Return one line of a table, below the names of its columns if asked."""
    cells = {name: cell(value) for name, value in row.items()}
    widths = {name: max(len(name), 9) for name in row}
    names = "  ".join(f"{name:>{widths[name]}}" for name in row)
    values = "  ".join(f"{text:>{widths[name]}}" for name, text in cells.items())
    return [names, values] if with_names else [values]
