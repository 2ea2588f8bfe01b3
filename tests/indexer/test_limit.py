"""The memory bound of a build, under a limit that the kernel enforces."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from longspan.service import Index

LIMIT = 384 << 20
CACHE = 64 << 20  # of it for pages of files, which the kernel counts too
GROUPS = Path("/sys/fs/cgroup/memory")  # of version 1; version 2 lets nobody make one unasked


@pytest.fixture
def group() -> Iterator[Path]:
    """A control group whose processes may have LIMIT bytes, page cache among them, and no swap."""
    made = GROUPS / f"longspan-{os.getpid()}"
    try:
        made.mkdir()
    except OSError:
        pytest.skip("no memory control group may be made here")
    (made / "memory.limit_in_bytes").write_text(str(LIMIT))
    (made / "memory.swappiness").write_text("0")
    yield made
    made.rmdir()


def test_a_build_keeps_to_its_memory_with_an_input_three_times_as_large(
    tmp_path: Path, group: Path
) -> None:
    base, index = tmp_path / "base.npy", tmp_path / "index"
    n, dim = 3 * LIMIT // (4 * 256), 256
    rows = np.lib.format.open_memmap(base, "w+", np.float32, (n, dim))
    rng = np.random.default_rng(1)
    waves, out = rng.normal(size=(6, 64)), rng.normal(size=(64, dim)).astype(np.float32)
    for start in range(0, n, 1 << 16):  # a surface of six dimensions, somewhat rough
        some = rows[start : start + (1 << 16)]
        rng.standard_normal(out=some, dtype=np.float32)
        some += np.cos(rng.normal(size=(len(some), 6)) @ waves).astype(np.float32) @ out
    rows.flush()
    del rows
    build = [sys.executable, "-m", "longspan.service", "build", str(base), str(index)]
    build += [
        "--memory",
        f"{LIMIT - CACHE}B",
        "--codec",
        "raw",
        "--heads",
        "1000",
        "--max-copies",
        "1",
    ]
    build += ["--calibration", "10"]
    inside = ["sh", "-c", f'echo $$ > {group}/cgroup.procs && exec "$@"', "sh", *build]
    done = subprocess.run(inside, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert int((group / "memory.failcnt").read_text()) > 0  # the limit was met: page cache went
    with Index.open(index) as opened:
        some = np.load(base, mmap_mode="r")[[0, n // 2, n - 1]]
        assert opened.search(np.array(some), k=1).ids[:, 0].tolist() == [0, n // 2, n - 1]
