"""What is drawn when stderr is a terminal."""

import os
import pty
import re
import subprocess
from pathlib import Path

from tests.cli.command import LONGSPAN


def on_a_terminal(files: Path, output: Path, **environment: str) -> str:
    """Return what `truth` draws when stderr is a terminal."""
    ours, theirs = pty.openpty()
    command = [*LONGSPAN, "truth", "base.npy", "queries.npy", "-o", str(output)]
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "120", **environment}
    environment = {name: value for name, value in environment.items() if value}
    subprocess.run(
        command, cwd=files, stderr=theirs, stdout=subprocess.PIPE, env=environment, check=True
    )
    os.close(theirs)
    drawn = b""
    try:
        while part := os.read(ours, 1 << 16):
            drawn += part
    except OSError:  # the other end is closed
        pass
    os.close(ours)
    return drawn.decode()


def test_it_draws_a_bar(files: Path, tmp_path: Path) -> None:
    drawn = on_a_terminal(files, tmp_path / "truth.npz", NO_COLOR="")
    assert "4,000 of 4,000 vectors (100 %)" in drawn
    assert re.search(r"\x1b\[[\d;]*3[\d;]*m", drawn), "no colour"


def test_it_honours_no_color(files: Path, tmp_path: Path) -> None:
    drawn = on_a_terminal(files, tmp_path / "truth.npz", NO_COLOR="1")
    assert "4,000 of 4,000 vectors (100 %)" in drawn
    assert not re.search(r"\x1b\[[\d;]*[349]\d[\d;]*m", drawn)


def test_a_dumb_terminal_gets_lines(files: Path, tmp_path: Path) -> None:
    drawn = on_a_terminal(files, tmp_path / "truth.npz", TERM="dumb")
    assert drawn.startswith("truth: 4,000 vectors\r\n")
    assert "\x1b" not in drawn
