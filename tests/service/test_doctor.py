"""The examination: figures by hand, advice for machines of every kind, and the command itself."""

import json
import mmap
import os
import signal
import subprocess
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from longspan.indexer.bounds import MOST_ROWS
from longspan.indexer.errors import BadFile
from longspan.indexer.store.manifest import Manifest
from longspan.indexer.store.tiers import sizes
from longspan.service.tools.doctor.advice import UNUSABLE, findings
from longspan.service.tools.doctor.capacity import Shape, carried, most, rate
from longspan.service.tools.doctor.disk import LEAST, Disk, line, measure, temporary_file
from longspan.service.tools.doctor.machine import Machine, Place, examine, place_of
from longspan.service.tools.doctor.report import examine_all
from longspan.service.tools.doctor.text import lines
from longspan.service.tools.forecast import expected
from longspan.service.tools.measured import measured
from longspan.service.tools.pagecache import resident_bytes
from tests.cli.command import LONGSPAN, in_own_process, longspan

GOOD = Machine(
    cpu="", features=["avx2"], kernels=["avx2", "plain"], active="avx2", forced=None, cores=4,
    core_limit=None, memory=64 << 30, free=32 << 30, memory_limit=None, locked=None,
    privileged=False, files=20_000, page=4096, virtual=False, versions={},
)  # fmt: skip
HERE = Place(Path("here"), "ext4", "nvme0n1", 1 << 40)
SIFT, TEXT = Shape(128, "u8", "l2"), Shape(384, "f16", "cosine")
MEASURED = measured()
READ, KILOBYTE = MEASURED.disks["this disk"]
DISK = Disk(
    size=256 << 20, cached=0.0, latency=80.0, alone=12_000.0, deep=70_000.0, bandwidth={4: 300.0},
    read=READ, kilobyte=KILOBYTE,
)  # fmt: skip


def found(machine: Machine = GOOD, place: Place = HERE, disk: Disk = DISK, **of: Any) -> list[str]:
    """Return what was found, with its level."""
    return [f"{one.level}: {one.found}" for one in findings(machine, place, disk, of.get("index"))]


def test_a_good_machine_is_left_in_peace() -> None:
    assert found() == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"active": "plain", "forced": "plain"}, "warning: LONGSPAN_SIMD=plain forces"),
        ({"active": "plain", "kernels": ["plain"]}, "warning: the plain kernels are in use"),
        ({"locked": 8 << 20}, "warning: 8 MiB may be locked in memory"),
        ({"memory_limit": 256 << 20}, "warning: the control group allows 256 MiB"),
        ({"core_limit": 1.5}, "warning: the control group allows 1.5 of 4 cores"),
        ({"files": 256}, "warning: 256 files may be open"),
        ({"page": 65_536}, "warning: pages of memory have 65,536 bytes"),
        ({"virtual": True}, "note: the machine is virtual"),
    ],
)
def test_what_is_wrong_with_a_machine_is_said(changes: dict[str, Any], words: str) -> None:
    (said,) = found(replace(GOOD, **changes))
    assert said.startswith(words)


def test_a_low_limit_of_locked_memory_does_not_hold_the_privileged() -> None:
    assert found(replace(GOOD, locked=8 << 20, privileged=True)) == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"filesystem": "nfs4"}, "warning: here is on nfs4, a network file system"),
        ({"filesystem": "fuse.sshfs"}, "warning: here is on fuse.sshfs, a network"),
        ({"filesystem": "tmpfs"}, "warning: here is on tmpfs, which is memory"),
        ({"free": 1 << 20}, "unusable: here has 1 MiB left"),
    ],
)
def test_what_is_wrong_with_a_place_is_said(changes: dict[str, Any], words: str) -> None:
    (said,) = found(place=replace(HERE, **changes))
    assert said.startswith(words)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"latency": 8000.0}, "warning: a read takes 8,000 us"),
        ({"cached": 0.5}, "note: 50% of the file stayed in the page cache"),
        ({"size": 1 << 20}, "note: only 1 MiB were read"),
    ],
)
def test_a_doubtful_figure_of_a_disk_is_said(changes: dict[str, Any], words: str) -> None:
    (said,) = found(disk=replace(DISK, **changes))
    assert said.startswith(words)


def test_an_index_whose_heads_do_not_fit_is_unusable(tiny_index: Any) -> None:
    manifest = Manifest.read(tiny_index())
    heads = sizes(manifest)[0]
    assert found(replace(GOOD, free=heads), index=manifest) == []
    (said,) = found(replace(GOOD, free=heads - 1), index=manifest)
    assert said.startswith(f"{UNUSABLE}: the heads take")


def test_the_line_of_a_reads_time_is_found_by_hand() -> None:
    assert line({4: 18.0, 16: 42.0, 64: 138.0}) == pytest.approx((10.0, 2.0))
    assert line({4: 20.0, 16: 19.0, 64: 18.0})[1] == 0


def test_the_most_vectors_are_found_by_hand() -> None:
    assert most(lambda n: 10 * n, 99) == 9
    assert most(lambda n: 10 * n, 100) == 10
    assert most(lambda n: 10 * n, 9) == 0
    assert most(lambda n: n, 1 << 60) == MOST_ROWS


@pytest.mark.parametrize("shape", [SIFT, TEXT, Shape(768, "f32", "cosine")])
def test_no_more_fits_than_the_memory_and_the_disk_have_room_for(shape: Shape) -> None:
    memory, room = 2 << 30, 9 << 30
    fits = carried(shape, memory, room, None, 2)
    for tier, n in enumerate(fits.by_memory):
        assert shape.resident(n)[tier] <= memory < shape.resident(n + n // 50)[tier]
    assert shape.on_disk(fits.by_disk) <= room < shape.on_disk(fits.by_disk + fits.by_disk // 50)
    assert fits.by_memory[0] > fits.by_memory[1] > fits.by_memory[2]
    assert fits.rates == ()


def test_sizes_are_near_those_of_the_measured_index() -> None:
    each = [size / 1e6 for size in SIFT.resident(1_000_000)]
    known = MEASURED.sets["sift"].coded
    assert each == pytest.approx([tier.memory for tier in known], rel=0.05)
    assert 1 <= SIFT.on_disk(1_000_000) / (known[0].disk * 1e6) < 1.35


@pytest.mark.parametrize(
    ("shape", "name", "tier"),
    [(SIFT, "sift", 0), (SIFT, "sift", 1), (SIFT, "sift", 2), (TEXT, "text", 0)],
)
def test_the_rate_is_near_what_was_measured_cold_on_two_threads(
    shape: Shape, name: str, tier: int
) -> None:
    like = MEASURED.sets[name]
    query = expected(shape.planned(like.n), 0.95)[tier]
    cold = like.coded[tier].cold
    assert cold and rate(query, DISK, 2) == pytest.approx(cold["qps"][1], rel=0.25)


def test_a_temporary_file_is_measured_and_has_no_name(tmp_path: Path) -> None:
    with temporary_file(tmp_path, 2 * LEAST) as file:
        assert not list(tmp_path.iterdir())
        disk = measure(file)
        assert disk.size == LEAST
        assert resident_bytes(file) > 0  # it was read
    assert disk.latency > 0
    assert disk.alone > 0
    assert set(disk.bandwidth) == {4, 16, 64}
    assert disk.deep * 4096 / 1e6 == pytest.approx(disk.bandwidth[4])
    assert not file.exists()


def test_a_file_smaller_than_a_wave_can_be_measured(tmp_path: Path) -> None:
    (tmp_path / "small").write_bytes(bytes(3 * mmap.PAGESIZE))
    assert measure(tmp_path / "small").size == 3 * mmap.PAGESIZE


def test_this_machine_and_the_place_of_a_directory_are_told(tmp_path: Path) -> None:
    machine = examine()
    assert machine.active in machine.kernels
    assert 0 < machine.free <= machine.memory
    assert machine.threads <= machine.cores == len(os.sched_getaffinity(0))
    assert machine.versions["numpy"] == np.__version__
    assert place_of(Path("/proc/self")).filesystem == "proc"
    assert place_of(tmp_path).free > 0


def test_the_command_reads_an_index_and_says_what_is_projected(tiny_index: Any) -> None:
    index = tiny_index()
    done = longspan("doctor", index, "--json")
    assert done.returncode == 0, done.stderr
    record = json.loads(done.stdout)
    assert (record["usable"], record["index"]["basis"]) == (True, "projected")
    assert [tier["bytes"] for tier in record["index"]["tiers"]] == list(sizes(Manifest.read(index)))
    if record["disk"]:  # there is none on a tmpfs
        assert record["disk"]["basis"] == "measured"
        assert record["disk"]["size"] == (index / "postings-0000.lmdb").stat().st_size
        assert record["index"]["tiers"][0]["queries_per_second"] > 0


def test_a_person_is_told_the_same(tiny_index: Any) -> None:
    text = "\n".join(lines(examine_all(tiny_index())))
    for words in ("kernels", "the index, projected", "what that carries, projected", "768 f16"):
        assert words in text


def test_a_place_without_room_ends_with_3() -> None:
    done = longspan("doctor", "/proc")
    assert done.returncode == 3
    assert "unusable: /proc has 0 B left" in done.stdout


def test_unknown_kernels_end_with_3() -> None:
    done = in_own_process("doctor", "/proc", LONGSPAN_SIMD="mmx")
    assert done.returncode == 3
    assert "unusable: SIMD level 'mmx' is not available" in done.stdout


def test_what_is_no_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for name in ("none", "file"):
        with pytest.raises(BadFile, match=f"{name}: is not there or no directory"):
            examine_all(tmp_path / name)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGKILL, -9)])
def test_an_end_at_any_time_leaves_nothing(tmp_path: Path, number: int, code: int) -> None:
    command = [*LONGSPAN, "doctor", str(tmp_path)]
    if place_of(tmp_path).in_memory:
        pytest.skip("nothing is measured in memory")
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        deadline = time.monotonic() + 30
        while not any(str(tmp_path) in name for name in open_files(process.pid)):
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.01)
        process.send_signal(number)
        process.communicate()
    assert process.returncode == code
    assert not list(tmp_path.iterdir())


def open_files(pid: int) -> list[str]:
    """Return what the open files of a process are named."""
    names = []
    for handle in Path(f"/proc/{pid}/fd").iterdir():
        try:
            names.append(str(handle.readlink()))
        except FileNotFoundError:  # closed since it was listed
            continue
    return names
