"""`python -m longspan.indexer`: the verbs that make and check an index, without the server's."""

import sys

from longspan.indexer.commands.build import build
from longspan.indexer.commands.console import EXIT_CODES, InOrder, run
from longspan.indexer.commands.convert import convert
from longspan.indexer.commands.info import info
from longspan.indexer.commands.merge import merge
from longspan.indexer.commands.truth import truth
from longspan.indexer.commands.verify import verify

NAME = "python -m longspan.indexer"

indexer = InOrder("longspan-indexer", help="Make and check an index of vectors.", epilog=EXIT_CODES)
for verb in (build, truth, info, verify, convert, merge):
    indexer.add_command(verb)

if __name__ == "__main__":
    sys.exit(run(indexer, NAME))
