"""Running `longspan`: its output and its exit code."""

import os
import signal
import subprocess
import sys
from contextlib import chdir, redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path

from longspan.service.commands.main import main

LONGSPAN = [sys.executable, "-m", "longspan.service"]

Done = subprocess.CompletedProcess[str]


def longspan(*arguments: str | Path, cwd: Path | None = None) -> Done:
    """Run the command line to its end, in this process.

    Importing numpy and faiss anew would take most of the time. What the process itself does, its
    streams, its signals, what it imports, is tested with `in_own_process`.
    """
    given = [*map(str, arguments)]
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        with (
            chdir(cwd or Path.cwd()),
            redirect_stdout(StringIO()) as out,
            redirect_stderr(StringIO()) as err,
        ):
            code = main(given)
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    return Done(given, code, out.getvalue(), err.getvalue())


def in_own_process(*arguments: str | Path, cwd: Path | None = None, **environment: str) -> Done:
    """Run `longspan` as its users do."""
    return subprocess.run(
        [*LONGSPAN, *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=cwd,
        env={**os.environ, **environment},
        timeout=120,
    )


def succeeds(*arguments: str | Path, cwd: Path | None = None) -> Done:
    done = longspan(*arguments, cwd=cwd)
    assert done.returncode == 0, done.stderr
    return done


def refused(code: int, *arguments: str | Path, words: str, cwd: Path | None = None) -> None:
    """Check that a command ends with this code, one error line with these words, and no data."""
    done = longspan(*arguments, cwd=cwd)
    assert done.returncode == code, done.stderr
    assert done.stdout == ""
    errors = [line for line in done.stderr.splitlines() if line.lower().startswith("error: ")]
    assert len(errors) == 1, done.stderr
    assert words in errors[0]
