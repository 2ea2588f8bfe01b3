"""Limits of control groups, read from trees as kernels show them."""

from pathlib import Path

import pytest

from longspan.service.search.cgroup import limits

V2 = "31 23 0:28 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw\n"
V1 = (
    "33 31 0:31 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
    "35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
)


def machine(root: Path, group: str, mounts: str, files: dict[str, str]) -> Path:
    """Write a /proc and a /sys/fs/cgroup below a root."""
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/cgroup").write_text(group)
    (root / "proc/self/mountinfo").write_text(f"27 1 254:0 / / rw - ext4 /dev/vda rw\n{mounts}")
    for name, text in files.items():
        path = root / "sys/fs/cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def test_the_least_limit_on_the_way_up_holds(tmp_path: Path) -> None:
    files = {
        "memory.max": "max\n",
        "a/memory.max": "3000000\n",
        "a/cpu.max": "150000 100000\n",
        "a/b/memory.max": "5000000\n",
        "a/b/cpu.max": "max 100000\n",
        "other/memory.max": "1\n",
    }
    found = limits(machine(tmp_path, "0::/a/b\n", V2, files))
    assert (found.cores, found.memory) == (1.5, 3_000_000)


def test_version_1_has_a_tree_for_each_controller(tmp_path: Path) -> None:
    group = "9:name=systemd:/\n4:memory:/m\n2:cpu,cpuacct:/c\n0::/\n"
    files = {
        "memory/m/memory.limit_in_bytes": "4096000\n",
        "memory/memory.limit_in_bytes": "9223372036854771712\n",
        "cpu,cpuacct/c/cpu.cfs_quota_us": "50000\n",
        "cpu,cpuacct/c/cpu.cfs_period_us": "100000\n",
        "cpu,cpuacct/cpu.cfs_quota_us": "-1\n",
        "cpu,cpuacct/cpu.cfs_period_us": "100000\n",
    }
    found = limits(machine(tmp_path, group, V1, files))
    assert (found.cores, found.memory) == (0.5, 4_096_000)


@pytest.mark.parametrize(
    ("group", "mounts"),
    [
        ("4:memory:/docker/1f\n", V1),
        ("4:memory:/docker/1f\n", V1.replace("0:32 /", "0:32 /docker/1f")),
        ("4:memory:/../1f\n", V1),
    ],
)
def test_a_container_sees_its_own_group_as_the_top(tmp_path: Path, group: str, mounts: str) -> None:
    files = {"memory/memory.limit_in_bytes": "4096000\n"}
    assert limits(machine(tmp_path, group, mounts, files)).memory == 4_096_000


def test_where_nothing_is_limited_there_is_no_limit(tmp_path: Path) -> None:
    found = limits(machine(tmp_path, "0::/\n", V2, {"memory.max": "max\n"}))
    assert (found.cores, found.memory) == (None, None)
    assert limits(tmp_path / "none").memory is None


def test_what_is_left_counts_usage_without_the_cache_that_can_go(tmp_path: Path) -> None:
    files = {
        "a/memory.max": "5000000\n",
        "a/memory.high": "4000000\n",
        "a/memory.current": "3000000\n",
        "a/memory.stat": "anon 1000000\ninactive_file 1500000\n",
    }
    found = limits(machine(tmp_path, "0::/a\n", V2, files))
    assert (found.memory, found.memory_left) == (4_000_000, 2_500_000)


def test_a_group_that_has_more_than_its_limit_has_nothing_left(tmp_path: Path) -> None:
    files = {"memory/m/memory.limit_in_bytes": "4096\n", "memory/m/memory.usage_in_bytes": "9000\n"}
    found = limits(machine(tmp_path, "4:memory:/m\n", V1, files))
    assert (found.memory, found.memory_left) == (4096, 0)
