"""The memory bound of a build, under a limit that the kernel enforces."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from longspan.service import Index

LIMIT = 256 << 20
CACHE = 64 << 20  # of it for pages of files, which the kernel counts too
GROUPS = Path("/sys/fs/cgroup")


class First:
    """A memory control group of version 1."""

    parents = (GROUPS / "memory",)
    settings: ClassVar = {"memory.limit_in_bytes": LIMIT, "memory.swappiness": 0}

    @staticmethod
    def hits(group: Path) -> int:
        """Return how often the limit was met."""
        return int((group / "memory.failcnt").read_text())


class Second:
    """One of version 2: below the process's own group, or those above it that have no process."""

    parents = tuple(
        GROUPS.joinpath(own.lstrip("/"), *[".."] * above).resolve()
        for own in [Path("/proc/self/cgroup").read_text().rpartition("0::")[2].strip()]
        for above in range(len(Path(own).parts))
    )
    settings: ClassVar = {"memory.max": LIMIT, "memory.swap.max": 0}

    @staticmethod
    def hits(group: Path) -> int:
        """Return how often the limit was met."""
        events = dict(line.split() for line in (group / "memory.events").read_text().splitlines())
        return int(events["max"])


def version() -> type[First | Second]:
    """Return the version whose memory controller this machine has."""
    return Second if (GROUPS / "cgroup.controllers").exists() else First


def made_in(parent: Path) -> Path:
    """Return a new group with the limit; OSError when none may be made there."""
    control = parent / "cgroup.subtree_control"
    if control.exists() and "memory" not in control.read_text().split():
        control.write_text("+memory")
    group = parent / f"longspan-{os.getpid()}"
    group.mkdir()
    try:
        for name, value in version().settings.items():
            if (group / name).exists():  # or the kernel counts no swap
                (group / name).write_text(str(value))
    except OSError:
        group.rmdir()
        raise
    return group


@pytest.fixture
def group() -> Iterator[Path]:
    """A control group whose processes may have LIMIT bytes, page cache among them, and no swap."""
    refused = []
    for parent in version().parents:
        try:
            group = made_in(parent)
        except OSError as error:
            refused.append(str(error))
            continue
        yield group
        group.rmdir()
        return
    pytest.skip(f"no memory control group may be made: {'; '.join(refused)}")


def test_a_build_keeps_to_its_memory_with_an_input_three_times_as_large(
    tmp_path: Path, group: Path
) -> None:
    base, index = tmp_path / "base.npy", tmp_path / "index"
    n, dim = 3 * LIMIT // (4 * 256), 256
    rows = np.lib.format.open_memmap(base, "w+", np.float32, (n, dim))
    rng = np.random.default_rng(1)
    centres = rng.normal(size=(1000, dim)).astype(np.float32)
    for start in range(0, n, 1 << 16):
        some = rows[start : start + (1 << 16)]
        rng.standard_normal(out=some, dtype=np.float32)
        some *= 0.2
        some += centres[rng.integers(0, len(centres), len(some))]
    rows.flush()
    del rows
    build = [sys.executable, "-m", "longspan.service", "build", str(base), str(index)]
    build += [
        "--memory",
        f"{LIMIT - CACHE}B",
        "--codec",
        "raw",
        "--heads",
        "4000",
        "--max-copies",
        "1",
    ]
    build += ["--calibration", "10"]
    inside = ["sh", "-c", f'echo $$ > {group}/cgroup.procs && exec "$@"', "sh", *build]
    done = subprocess.run(inside, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert version().hits(group) > 0  # the limit was met: page cache went
    with Index.open(index) as opened:
        some = np.load(base, mmap_mode="r")[[0, n // 2, n - 1]]
        assert opened.search(np.array(some), k=1).ids[:, 0].tolist() == [0, n // 2, n - 1]
