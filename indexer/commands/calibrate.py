"""The verb that calibrates a published index anew: calibrate."""

from pathlib import Path

import click

from longspan.indexer.commands import flags
from longspan.indexer.commands.console import emit_made
from longspan.indexer.commands.info import describe
from longspan.indexer.config import RECALL_OF


@click.command()
@click.argument("index", type=flags.PATH)
@click.argument("output", metavar="OUT", type=flags.PATH)
@click.option("--queries", type=flags.SOURCE, required=True, help="Queries as users ask them.")
@click.option(
    "--recall-of",
    type=click.Choice(RECALL_OF),
    help="Who has the recall that is asked for: the mean query, or nine in ten; default: as INDEX.",
)
@flags.threads
@click.option("--memory", type=flags.size, help="Most memory to use, such as 1GiB.")
@flags.tmp
@flags.as_json
def calibrate(
    index: Path,
    output: Path,
    queries: str,
    recall_of: str | None,
    threads: int | None,
    memory: int | None,
    tmp: Path | None,
    as_json: bool,
) -> None:
    """Choose anew what is read for a wanted recall.

    Makes OUT, an index of the same vectors as INDEX, by queries of users: some hundred at least.
    Files are shared by the two and take no room; the vectors are scanned three times.

    \b
    longspan calibrate my-index my-index-2 --queries logged.npy
    """
    from longspan.indexer.running.progress import Terminal
    from longspan.indexer.tools.recalibrate import recalibrate

    made = recalibrate(
        index,
        output,
        queries,
        recall_of=recall_of,
        threads=threads,
        memory_limit=memory,
        tmp=tmp,
        progress=Terminal(),
    )
    emit_made(made.as_dict(), describe(output, made), as_json)
