"""Builds that the system is short with: open files, room on the disk."""

import subprocess
import sys
from pathlib import Path

import numpy as np

from longspan.indexer.tools.verify import verify

# A build of many small parts, in a process that may open so many files.
FEW_FILES = """
import resource, sys
from longspan.indexer import build
from longspan.indexer.config import BuildConfig
from longspan.indexer.planning import shape
from longspan.service.commands.main import main
shape.PART, most = 500, int(sys.argv[1])
resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
sys.exit(main(["build", "base.npy", "index", "--codec", "pq", "--calibration=20", *sys.argv[2:]]))
"""


def test_a_build_of_many_parts_needs_few_open_files_and_names_their_limit(tmp_path: Path) -> None:
    rows = np.random.default_rng(1).integers(0, 255, (3000, 8)).astype(np.uint8)
    np.save(tmp_path / "base.npy", rows)

    def build_with(files: int, *more: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", FEW_FILES, str(files), *more]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)

    done = build_with(12)
    assert done.returncode == 1
    assert "no more than 12 files may be open (`ulimit -n`)" in done.stderr
    assert "--resume" in done.stderr
    done = build_with(40, "--resume")
    assert done.returncode == 0, done.stderr
    assert verify(tmp_path / "index") == []
