"""What every command shares: its exit code, and how it prints.

Data goes to stdout; messages and progress to stderr. Nothing is coloured or animated but the
progress, and that only on a terminal.
"""

import errno
import json
import os
import signal
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import click

from longspan.indexer.commands.streams import dependable_streams
from longspan.indexer.errors import NO_ROOM, BadInput, LongspanError, shortage

EXIT_CODES = """\b
Exit codes:
  0    done
  1    failed
  2    wrong usage or refused input; nothing was written
  3    a check did not hold (verify, doctor, bench --fail-under), or a damaged index or build
  4    does not fit in the memory or on the disk
  129  hung up: the terminal has gone (`nohup` goes on without it)
  130  interrupted
  143  terminated
"""
FAILED, CHECK_FAILED, DOES_NOT_FIT, INTERRUPTED = 1, 3, 4, 130
SIGNALLED = 128  # and the number of the signal
NO_NAMES = (errno.ENAMETOOLONG, errno.ELOOP, errno.EINVAL, errno.EILSEQ)  # that a file can have
DEBUG = "LONGSPAN_DEBUG"  # set to anything: a fault of the program shows its traceback


class InOrder(click.Group):
    """A group whose help lists the verbs as they were added: in the order of their use."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the verbs, first added first."""
        return list(self.commands)


def run(command: click.Command, name: str, arguments: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code; an error is one line on stderr."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # as `nohup` has it
            signal.signal(number, _terminate)
    with dependable_streams():
        return _run(command, name, arguments)


def _run(command: click.Command, name: str, arguments: Sequence[str] | None) -> int:
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
        return _failed(str(exc), code_of(exc))
    except Exception as exc:
        if os.environ.get(DEBUG):
            raise
        text = f"{type(exc).__name__}: {exc}; a fault of longspan, {DEBUG}=1 shows where"
        return _failed(text, FAILED)


def code_of(error: OSError) -> int:
    """Return the exit code for what the system says."""
    if error.errno in (*NO_ROOM, errno.ENOMEM):
        return DOES_NOT_FIT
    return BadInput.exit_code if error.errno in NO_NAMES else FAILED


def emit(record: Mapping[str, Any], lines: Iterable[str], as_json: bool) -> None:
    """Print the record as one line of JSON, or the lines that say the same to a person.

    LongspanError when stdout takes none of it: it is what was asked for.
    """
    if sys.stdout is None:
        raise LongspanError("stdout is closed: what was asked for cannot be printed")
    try:
        for line in [json.dumps(record, default=str)] if as_json else lines:
            click.echo(line)
    except OSError as exc:
        where = Path("stdout")
        if exc.errno == errno.EPIPE:  # a reader that has seen enough needs no message
            raise
        raise shortage(exc, where) or LongspanError(f"{where}: {exc.strerror}") from exc


def emit_made(record: Mapping[str, Any], lines: Iterable[str], as_json: bool) -> None:
    """Print what was made, as `emit`; without JSON that is a message, which may be lost."""
    if as_json or sys.stdout is not None:
        emit(record, lines, as_json)


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
    signal.signal(signum, signal.SIG_IGN)
    sys.exit(SIGNALLED + signum)
