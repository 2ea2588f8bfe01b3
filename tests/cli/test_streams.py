"""Streams that are gone: messages may be lost, work and data may not."""

import os
import pty
import signal
import subprocess
from pathlib import Path

import click
import numpy as np
import pytest

from longspan.indexer.commands.console import InOrder, run
from tests.cli.command import LONGSPAN


def ends(arguments: str, redirected: str, folder: Path) -> int:
    """Return the exit code of a command under a shell's redirections."""
    command = f"{' '.join(LONGSPAN)} {arguments} {redirected}"
    return subprocess.run(["bash", "-c", command], cwd=folder, timeout=60).returncode


@pytest.mark.parametrize("redirected", ["2>&-", "2>/dev/full", "<&- >&- 2>&-"])
def test_work_goes_on_without_stderr(files: Path, tmp_path: Path, redirected: str) -> None:
    made = tmp_path / "made.fbin"
    assert ends(f"convert {files}/base.npy {made}", f">/dev/null {redirected}", tmp_path) == 0
    base = np.load(files / "base.npy")
    assert made.read_bytes()[8:] == base.tobytes()  # and no message among them
    assert ends("info nothing", f">/dev/null {redirected}", tmp_path) == 2


def test_work_goes_on_without_a_reader_and_without_its_terminal(
    files: Path, tmp_path: Path
) -> None:
    reader, pipe = os.pipe()
    owner, terminal = pty.openpty()
    for name, gone, stderr in (("pipe", reader, pipe), ("terminal", owner, terminal)):
        os.close(gone)
        command = [*LONGSPAN, "convert", str(files / "base.npy"), f"{name}.npy"]
        done = subprocess.run(command, cwd=tmp_path, stderr=stderr, stdout=subprocess.DEVNULL)
        os.close(stderr)
        assert done.returncode == 0
        assert (tmp_path / f"{name}.npy").exists()


def test_data_that_cannot_be_printed_is_an_error(files: Path) -> None:
    for redirected, code in ((">&-", 1), (">/dev/full", 4)):
        assert ends("info index", redirected, files) == code
        assert ends("info index --json", redirected, files) == code


def test_a_name_is_printed_in_the_bytes_that_it_has(files: Path, tmp_path: Path) -> None:
    name = os.fsencode(tmp_path) + b"/\xff\xfe.npy"
    done = subprocess.run([*LONGSPAN, "convert", files / "base.npy", name], capture_output=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(name + b": ")


def test_a_fault_of_the_program_is_one_line_and_its_traceback_is_had_when_asked_for(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    @click.command()
    def fail() -> None:
        raise ZeroDivisionError("by\nnought")

    program = InOrder("program", {"fail": fail})
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        assert run(program, "program", ["fail"]) == 1
        said = capsys.readouterr().err
        assert said.startswith("error: ZeroDivisionError: by nought; a fault of longspan")
        assert said.count("\n") == 1
        monkeypatch.setenv("LONGSPAN_DEBUG", "1")
        with pytest.raises(ZeroDivisionError):
            run(program, "program", ["fail"])
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
