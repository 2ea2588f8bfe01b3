"""The verb that shows the whole of it on a sample: quickstart."""

from pathlib import Path

import click

from longspan.indexer.commands import flags


@click.command()
@click.argument("directory", type=flags.PATH, default=Path("longspan-quickstart"))
@click.option("--serve", is_flag=True, help="Start the server at the end.")
def quickstart(directory: Path, serve: bool) -> None:
    """Build, search and serve a small sample.

    It lies in DIRECTORY, by default longspan-quickstart.
    """
    from longspan.indexer.running.progress import Terminal
    from longspan.service.tools.quickstart.quickstart import quickstart as start

    start(directory, serve, Terminal())
