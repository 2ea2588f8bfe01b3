"""Running `longspan` as its users do: a real process, its output and its exit code."""

import os
import subprocess
import sys
from pathlib import Path

LONGSPAN = [sys.executable, "-m", "longspan.service"]

Done = subprocess.CompletedProcess[str]


def longspan(*arguments: str | Path, cwd: Path | None = None, **environment: str) -> Done:
    """Run `longspan` to its end."""
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
    assert "Traceback" not in done.stderr
