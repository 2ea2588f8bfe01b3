"""What every command shares: its exit code, and how it prints.

Data goes to stdout; messages and progress to stderr. Nothing is coloured or animated but the
progress, and that only on a terminal.
"""

import json
import signal
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NoReturn

import click

from longspan.indexer.errors import NO_ROOM, LongspanError

EXIT_CODES = """\b
Exit codes:
  0    done
  1    failed
  2    wrong usage or refused input; nothing was written
  3    a check did not hold (verify, doctor, bench --fail-under), or a damaged index or build
  4    does not fit in the memory or on the disk
  130  interrupted
  143  terminated
"""
FAILED, CHECK_FAILED, DOES_NOT_FIT, INTERRUPTED, TERMINATED = 1, 3, 4, 130, 143


class InOrder(click.Group):
    """A group whose help lists the verbs as they were added: in the order of their use."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the verbs, first added first."""
        return list(self.commands)


def run(command: click.Command, name: str, arguments: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code; an error is one line on stderr."""
    signal.signal(signal.SIGTERM, _terminate)
    try:
        outcome = command.main(arguments, prog_name=name, standalone_mode=False)
        return outcome if isinstance(outcome, int) else 0
    except click.ClickException as exc:
        exc.show()
        return exc.exit_code
    except click.Abort:  # click's name for a KeyboardInterrupt
        return _failed("interrupted", INTERRUPTED)
    except LongspanError as exc:
        return _failed(str(exc), exc.exit_code)
    except MemoryError as exc:
        return _failed(f"out of memory: {exc}", DOES_NOT_FIT)
    except OSError as exc:
        return _failed(str(exc), DOES_NOT_FIT if exc.errno in NO_ROOM else FAILED)


def emit(record: Mapping[str, Any], lines: Iterable[str], as_json: bool) -> None:
    """Print the record as one line of JSON, or the lines that say the same to a person."""
    if as_json:
        click.echo(json.dumps(record, default=str))
    else:
        for line in lines:
            click.echo(line)


def aligned(pairs: Mapping[str, object]) -> list[str]:
    """Return `name  value` lines, values one below the other."""
    width = max(len(name) for name in pairs)
    return [f"{name:<{width}}  {value}" for name, value in pairs.items()]


def cell(value: Any) -> str:
    """Return a figure as a person reads it: four digits, more only before the point."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if not isinstance(value, int | float):
        return str(value)
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def _failed(message: str, code: int) -> int:
    click.echo(f"error: {' '.join(message.splitlines())}", err=True)
    return code


def _terminate(signum: int, frame: object) -> NoReturn:
    """Unwind the stack, so that whoever holds an unfinished file removes it; once is enough."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.exit(TERMINATED)
