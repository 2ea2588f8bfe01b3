"""The `longspan` command: every verb, of the indexer and of the server.

A verb imports what it needs when it runs, so that `longspan --help` answers at once.
"""

from collections.abc import Sequence

import click

from longspan.indexer.commands.build import build
from longspan.indexer.commands.calibrate import calibrate
from longspan.indexer.commands.console import EXIT_CODES, InOrder, run
from longspan.indexer.commands.convert import convert
from longspan.indexer.commands.info import info
from longspan.indexer.commands.merge import merge
from longspan.indexer.commands.truth import truth
from longspan.indexer.commands.verify import verify
from longspan.service.commands.bench import bench
from longspan.service.commands.doctor import doctor
from longspan.service.commands.health import health
from longspan.service.commands.plan import plan
from longspan.service.commands.quickstart import quickstart
from longspan.service.commands.search import search
from longspan.service.commands.serve import serve


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


MAKING = (quickstart, plan, build, truth, info, verify)
ASKING = (search, bench, serve, health)
BESIDES = (convert, merge, calibrate, doctor)
for verb in (*MAKING, *ASKING, *BESIDES):
    longspan.add_command(verb)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return its exit code."""
    return run(longspan, "longspan", arguments)
