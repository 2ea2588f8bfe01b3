"""`python -m longspan.service`: the same as the `longspan` command."""

import sys

from longspan.service.commands.main import main

if __name__ == "__main__":
    sys.exit(main())
