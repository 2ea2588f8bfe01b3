"""The verb that makes one index of several: merge."""

from pathlib import Path
from typing import Any

import click

from longspan.indexer.commands import flags
from longspan.indexer.commands.console import emit_made
from longspan.indexer.commands.info import describe


@click.command()
@click.argument("sources", metavar="INDEX INDEX...", type=flags.PATH, nargs=-1, required=True)
@click.argument("index", metavar="OUT", type=flags.PATH)
@click.option("--queries", type=flags.PATH, help="Calibrate with these instead of held-out rows.")
@flags.threads
@click.option("--memory", type=flags.size, help="Most memory to use, such as 1GiB.")
@flags.status
@flags.dials
@flags.as_json
def merge(
    sources: tuple[Path, ...],
    index: Path,
    queries: Path | None,
    threads: int | None,
    memory: int | None,
    status: Path | None,
    as_json: bool,
    **dials: Any,
) -> None:
    """Build OUT, a new index, of the vectors of several.

    They must have one metric, type and dim, and no id in common; ids are kept. Dials are the first
    index's, but the number of heads, unless they are given.

    \b
    longspan merge january february march first-quarter
    """
    if len(sources) < 2:
        raise click.UsageError("two indexes at least, and the name of the new one, are needed.")
    from longspan.indexer.running.status import progress_for
    from longspan.indexer.tools.merge import merge as merge_indexes

    given = {name: value for name, value in dials.items() if value is not None}
    with progress_for(status, index) as progress:
        manifest = merge_indexes(
            sources, index, dials=given, queries=queries, threads=threads, memory_limit=memory,
            progress=progress,
        )  # fmt: skip
    emit_made(manifest.as_dict(), describe(index, manifest), as_json)
