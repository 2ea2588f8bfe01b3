"""What an interrupted command leaves behind: nothing, but for what a build can go on with."""

import signal
import subprocess
from pathlib import Path

import numpy as np
import pytest

from tests.cli.command import LONGSPAN


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """A base that takes seconds to build or to scan, in a directory of its own."""
    vectors = np.random.default_rng(1).normal(size=(200_000, 48)).astype(np.float32)
    np.save(tmp_path / "base.npy", vectors)
    np.save(tmp_path / "few.npy", vectors[:20_000])
    return tmp_path


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGHUP, 129)]
)
@pytest.mark.parametrize(
    ("arguments", "left"),
    [
        (["build", "base.npy", "out"], [".out.building"]),
        (["truth", "base.npy", "few.npy", "-o", "out.npz"], []),
    ],
)
def test_a_signal_ends_the_work_and_leaves_no_half_file(
    large: Path, arguments: list[str], left: list[str], number: int, code: int
) -> None:
    command = [*LONGSPAN, *arguments]
    with subprocess.Popen(command, cwd=large, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        while process.stderr.readline().startswith("plan: "):
            pass  # the line after it says that the first stage has begun
        process.send_signal(number)
        messages = process.stderr.read()
    assert process.returncode == code
    assert "Traceback" not in messages
    given = {"base.npy", "few.npy"}
    assert [path.name for path in large.iterdir() if path.name not in given] == left


def test_a_reader_that_goes_away_gets_no_traceback(files: Path) -> None:
    command = f"{' '.join(LONGSPAN)} info {files}/index --json | true"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True)
    assert "Traceback" not in done.stderr
