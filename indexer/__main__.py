"""`python -m longspan.indexer`: the verbs that make and check an index, without the server's."""

import sys

from longspan.indexer.commands import cli, cli_vectors
from longspan.indexer.commands.console import EXIT_CODES, InOrder, run

NAME = "python -m longspan.indexer"

if __name__ == "__main__":
    verbs = {verb.name: verb for verb in (*cli.VERBS, *cli_vectors.VERBS) if verb.name}
    help = "Make and check an index of vectors."
    sys.exit(run(InOrder("longspan-indexer", verbs, help=help, epilog=EXIT_CODES), NAME))
