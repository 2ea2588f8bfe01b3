"""The `longspan` command: every verb, of the indexer and of the server.

A verb imports what it needs when it runs, so that `longspan --help` answers at once.
"""

from collections.abc import Sequence

import click

from longspan.indexer.commands import cli as indexer
from longspan.indexer.commands import cli_vectors
from longspan.indexer.commands.console import EXIT_CODES, InOrder, run
from longspan.service.commands import doctor as cli_doctor
from longspan.service.commands import plan as cli_plan
from longspan.service.commands import search as cli_search
from longspan.service.commands import serve as cli_serve


@click.group(
    cls=InOrder, epilog=EXIT_CODES, context_settings={"help_option_names": ["-h", "--help"]}
)
@click.version_option(package_name="longspan", message="longspan %(version)s")
def longspan() -> None:
    """Nearest neighbours among billions of vectors, from one SSD and little memory.

    \b
    longspan quickstart                        the whole of it once, on a sample
    longspan build base.npy my-index           an index of your own vectors
    longspan serve my-index                    ... answering over HTTP

    Data goes to stdout, progress and messages to stderr.
    """


for verb in (
    cli_serve.quickstart,
    *cli_plan.VERBS,
    *indexer.VERBS,
    *cli_search.VERBS,
    *cli_serve.VERBS,
    *cli_vectors.VERBS,
    *cli_doctor.VERBS,
):
    longspan.add_command(verb)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return its exit code."""
    return run(longspan, "longspan", arguments)
