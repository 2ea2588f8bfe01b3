"""`longspan plan`: what it says, by hand and beside a build; what it refuses."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from longspan.indexer.store.manifest import Manifest
from tests.cli.command import longspan, refused, succeeds
from tests.data import clusters


def planned(*arguments: str | Path) -> dict[str, Any]:
    """Return what plan says in JSON."""
    found: dict[str, Any] = json.loads(succeeds("plan", *arguments, "--json").stdout)
    return found


def test_the_plan_of_an_input_is_that_of_the_build(tmp_path: Path) -> None:
    base, index = tmp_path / "base.npy", tmp_path / "index"
    np.save(base, clusters(np.random.default_rng(1), 20_000, 32).base)
    said = planned(base)
    assert (said["n"], said["dim"], said["dtype"], said["fits"]) == (20_000, 32, "f32", True)
    built = succeeds("build", base, index)
    manifest = Manifest.read(index)
    assert said["codec"]["kind"] == manifest.codec["kind"]
    assert said["heads"] == manifest.dials["heads"]
    assert said["posting"]["most"] == 4096 * manifest.dials["posting_pages"]
    assert said["levels"] == len(manifest.levels)
    assert said["disk"]["index"] == pytest.approx(manifest.size_bytes, rel=0.35)
    assert f"plan: {said['heads']:,} postings, pq; at most" in built.stderr


def test_a_plan_sees_norms_that_are_uneven_as_the_build_does(tmp_path: Path) -> None:
    base, rng = tmp_path / "base.npy", np.random.default_rng(1)
    rows = rng.normal(size=(6_000, 16)) * rng.lognormal(0, 0.5, (6_000, 1))
    rows[5] = 0  # has no logarithm
    np.save(base, rows.astype(np.float32))
    assert planned(base)["codec"]["kind"] == "pq"
    said = planned(base, "--metric", "ip")["codec"]
    assert said["kind"] == "rabitq"
    assert "uneven" in said["reason"]
    succeeds("build", base, tmp_path / "index", "--metric", "ip", "--calibration", "20")
    assert Manifest.read(tmp_path / "index").codec["kind"] == "rabitq"


def test_a_billion_vectors_can_be_planned_without_any() -> None:
    many = ("--n", "1e9", "--dim", "128", "--dtype", "u8")
    said = planned(*many, "--machine", "vcpus=32,iops=1e6,disk=1TiB,speed=2")
    assert said["fits"]
    assert said["machine"] == {
        "vcpus": 32, "iops": 1e6, "disk": 2**40, "speed": said["machine"]["speed"],
    }  # fmt: skip
    heads, first, both = said["serving"]
    assert both["bytes"] - heads["bytes"] == pytest.approx(37e9, rel=0.01)
    assert heads["query"]["postings"] > 0 == both["query"]["postings"]
    assert 0 < first["cold"] < first["warm"]
    one_core = planned(*many, "--machine", "vcpus=1")
    assert one_core["seconds"] > 10 * said["seconds"]
    assert one_core["serving"][0]["cold"] is None


def test_what_does_not_fit_is_said_and_exits_with_4(tmp_path: Path) -> None:
    many = ("plan", "--n", "1e9", "--dim", "128", "--dtype", "u8")
    done = longspan(*many, "--memory", "1GiB", "--machine", "disk=100GiB")
    assert done.returncode == 4
    assert "bytes of memory, the limit is 1,073,741,824; it takes" in done.stdout
    base = tmp_path / "base.npy"
    np.save(base, np.zeros((100, 8), np.float32))
    refused(4, "build", base, tmp_path / "index", "--memory", "50MiB", words="the limit is 52,428")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["base.npy"]


def test_a_limit_leaves_fewer_units_at_once_and_takes_longer() -> None:
    # One speed for both plans: that of this machine is measured anew each time, and not the same.
    machine = ("--machine", "vcpus=16,speed=1")
    many = ("--n", "1e8", "--dim", "128", "--dtype", "f32", *machine)
    free, bound = planned(*many), planned(*many, "--memory", "3GiB")
    assert bound["memory"] <= 3 << 30 < free["memory"]
    assert bound["stages"]["cluster"]["units"] < free["stages"]["cluster"]["units"] == 16
    assert bound["seconds"] > free["seconds"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "a plan wants INPUT, or --n, --dim and --dtype"),
        (("--n", "5", "--dim", "3"), "a plan wants INPUT, or --n, --dim and --dtype"),
        (
            ("--n", "0", "--dim", "3", "--dtype", "u8"),
            "--n': 0 is not in the range 1 to 4,294,967,294",
        ),
        (("--n", "5", "--dim", "0", "--dtype", "u8"), "--dim': 0 is not in the range 1 to 16,384"),
        (("--n", "2.5", "--dim", "3", "--dtype", "u8"), "--n': '2.5' is no whole number"),
        (("--n", "1e10", "--dim", "3", "--dtype", "u8"), "--n': 10000000000 is not in the range"),
        (("--n", "1e999", "--dim", "3", "--dtype", "u8"), "--n': '1e999' is no whole number"),
        (("--n", "5", "--dim", "9" * 70, "--dtype", "u8"), "--dim': 9999"),
        (("base.npy", "--n", "5"), "for a plan without INPUT"),
        (("base.npy",), "base.npy"),
        (("--n", "5", "--dim", "3", "--dtype", "u8", "--machine", "cpus=4"), "--machine has cpus"),
        (("--n", "5", "--dim", "3", "--dtype", "u8", "--machine", "vcpus=x"), "'vcpus=x', wanted"),
        (("--n", "5", "--dim", "3", "--dtype", "u8", "--machine", "disk=5"), "'disk=5', wanted"),
        (("--n", "5", "--dim", "3", "--dtype", "u8", "--machine", "iops=0"), "'iops=0', wanted"),
    ],
)
def test_what_cannot_be_planned_is_refused(
    tmp_path: Path, arguments: tuple[str, ...], words: str
) -> None:
    refused(2, "plan", *arguments, words=words, cwd=tmp_path)
