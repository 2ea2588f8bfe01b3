"""The verb that checks an index: verify."""

from pathlib import Path

import click

from longspan.indexer.commands import flags
from longspan.indexer.commands.console import CHECK_FAILED, emit


@click.command()
@click.argument("index", type=flags.PATH)
@flags.as_json
@click.pass_context
def verify(ctx: click.Context, index: Path, as_json: bool) -> None:
    """Read all of INDEX and check every promise.

    Prints what is wrong, a line each, and exits with 3 when something is.
    """
    from longspan.indexer.tools.verify import verify as problems_of

    problems = problems_of(index)
    record = {"index": str(index), "ok": not problems, "problems": problems}
    emit(record, problems or [f"{index}: every check holds"], as_json)
    ctx.exit(CHECK_FAILED if problems else 0)
