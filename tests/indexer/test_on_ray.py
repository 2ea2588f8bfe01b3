"""Builds on a Ray cluster of two nodes: the same bytes, whatever becomes of a worker."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.metadata import version
from logging import ERROR
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import ray
from ray.cluster_utils import Cluster

from longspan.indexer import build
from longspan.indexer.config import BuildConfig
from longspan.indexer.errors import BadConfig, BadFile, DoesNotFit, LongspanError
from longspan.indexer.planning import portions
from longspan.indexer.running import on_ray, ray_cluster
from longspan.indexer.running.job import Job
from longspan.indexer.stages import cluster, pack
from longspan.indexer.store.manifest import NAME as MANIFEST
from tests.builds import content, cut_off
from tests.cli.command import in_own_process
from tests.data import clusters
from tests.indexer.test_stages import job_for
from tests.inputs import parquet

CONFIG = BuildConfig(codec="pq", calibration=30)
CHUNK, SHARD = 64_000, 1 << 18  # bytes: several units of the input, and several shards


def cut_small() -> None:
    """Cut a build into more units than so few vectors are worth."""
    portions.CHUNK, pack.SHARD = CHUNK, SHARD


@pytest.fixture(scope="module")
def nodes() -> Iterator[Cluster]:
    """Return a cluster of two nodes with a CPU each."""
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])  # workers know no tests
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        made = Cluster(True, head_node_args={"num_cpus": 1, "include_dashboard": False})
        made.add_node(num_cpus=1)
        yield made
        made.shutdown()


@pytest.fixture(scope="module")
def here(nodes: Cluster) -> Iterator[None]:
    """Have this process in the cluster, and units small in both."""
    hook = {"worker_process_setup_hook": cut_small}
    ray.init(nodes.address, runtime_env=hook, log_to_driver=False, logging_level=ERROR)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(portions, "CHUNK", CHUNK)
        patch.setattr(pack, "SHARD", SHARD)
        yield
    ray.shutdown()


@pytest.fixture(scope="module")
def rows() -> np.ndarray[Any, Any]:
    return clusters(np.random.default_rng(7), n=3000, dim=16).base


@pytest.fixture
def base(tmp_path: Path, rows: np.ndarray[Any, Any]) -> Path:
    np.save(tmp_path / "base.npy", rows)
    return tmp_path / "base.npy"


@pytest.fixture(scope="module")
def local(
    here: None, rows: np.ndarray[Any, Any], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Any]:
    """Return the content of an index that was built on threads, of small units too."""
    folder = tmp_path_factory.mktemp("local")
    np.save(folder / "base.npy", rows)
    build(folder / "base.npy", folder / "index", config=CONFIG)
    return content(folder / "index")


def test_the_command_builds_on_a_cluster_what_it_builds_on_threads(
    nodes: Cluster, base: Path
) -> None:
    wanted = ("build", "base.npy", "--codec", "pq", "--calibration", "30", "--threads", "2")
    done = [
        in_own_process(*wanted, "threads", cwd=base.parent),
        in_own_process(
            *wanted, "ray", "--executor", "ray", "--address", nodes.address, cwd=base.parent
        ),
    ]
    stages = [re.findall("^(.+?): ", one.stderr, re.MULTILINE) for one in done]
    assert stages[0] == stages[1], done[1].stderr
    assert all(len(stages[1]) == len(one.stderr.splitlines()) for one in done)
    assert content(base.parent / "ray") == content(base.parent / "threads")
    assert {path.name for path in base.parent.iterdir()} == {"base.npy", "ray", "threads"}


def cluster_or_be_killed(job: Job, part: int) -> None:
    """Cluster a part; the first worker that comes to the fifth is killed amid it."""
    folder = job.work.parent.parent
    with (folder / "parts.txt").open("a") as file:
        file.write(f"{part}\n")
    if part == 5 and not (folder / "killed").exists():
        (job.work / "below-00005.npz.0.tmp").write_bytes(b"half")
        (folder / "killed").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    as_it_is(job, part)


as_it_is = cluster.cluster


def test_a_worker_that_is_killed_costs_its_unit_and_no_more(
    base: Path, local: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "cluster", cluster_or_be_killed)
    build(base, base.parent / "index", executor="ray", config=CONFIG)
    assert content(base.parent / "index") == local
    assert len(local[MANIFEST]["shards"]) > 1
    assert (base.parent / "killed").exists()
    parts = (base.parent / "parts.txt").read_text().split()
    assert len(parts) == len(set(parts)) + 1


def test_a_build_that_was_begun_on_threads_goes_on_elsewhere(
    base: Path, local: dict[str, Any]
) -> None:
    index = base.parent / "index"
    cut_off(base, index, CONFIG, "closure")
    build(base, index, config=CONFIG, resume=True, executor="ray", threads=1)
    assert content(index) == local


def test_an_input_that_has_to_be_copied_is_copied_for_the_workers(
    tmp_path: Path, local: dict[str, Any], rows: np.ndarray[Any, Any]
) -> None:
    parquet(tmp_path / "base.parquet", vector=rows)
    build(tmp_path / "base.parquet", tmp_path / "index", executor="ray", config=CONFIG)
    found, wanted = content(tmp_path / "index"), dict(local)
    assert found.pop(MANIFEST)["n"] == wanted.pop(MANIFEST)["n"]
    assert found == wanted
    assert {path.name for path in tmp_path.iterdir()} == {"base.parquet", "index"}


def fail_at_3(job: Job, number: int) -> None:
    if number == 3:
        raise DoesNotFit(28, f"unit {number}: no room")


def test_an_error_in_a_unit_comes_as_it_was_raised(here: None, tmp_path: Path) -> None:
    job = job_for(tmp_path, np.ones((9, 4), np.float32))
    with pytest.raises(DoesNotFit, match="unit 3: no room") as caught:
        list(on_ray.OnRay().each(fail_at_3, job, range(10)))
    assert type(caught.value) is DoesNotFit
    assert caught.value.errno == 28


def be_killed(job: Job, number: int) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_unit_that_kills_every_worker_is_given_up(
    here: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(on_ray, "RETRIES", 1)
    job = job_for(tmp_path, np.ones((9, 4), np.float32))
    with pytest.raises(LongspanError, match=r"Ray: .*died"):
        list(on_ray.OnRay().each(be_killed, job, [0]))


def take_a_while(job: Job, number: int) -> None:
    (job.work / f"begun-{number}").touch()
    time.sleep(0.05)
    (job.work / f"done-{number}").touch()


def test_when_a_build_is_cut_off_its_units_end_before_it(here: None, tmp_path: Path) -> None:
    job = job_for(tmp_path, np.ones((9, 4), np.float32))
    running = on_ray.OnRay().each(take_a_while, job, range(1000))
    next(running)
    running.close()
    begun = len(list(job.work.iterdir()))
    assert begun < 100
    time.sleep(0.2)
    assert len(list(job.work.iterdir())) == begun


def test_a_node_with_another_version_is_refused_and_nothing_is_lost(
    here: None, base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = base.parent / "index"
    cut_off(base, index, CONFIG, "closure")
    kept = sorted(base.parent.rglob("*"))
    monkeypatch.setattr(ray_cluster, "version", lambda name: "0.0.0")
    with pytest.raises(BadConfig, match=r"Ray node .*: has longspan .*, wanted 0\.0\.0 as here"):
        build(base, index, config=CONFIG, resume=True, executor="ray")
    assert sorted(base.parent.rglob("*")) == kept


def test_a_node_must_see_the_folder_and_the_same_vectors(base: Path) -> None:
    ours, source, folder = version("longspan"), str(base), base.parent
    (folder / "mark").touch()
    given = (folder / "mark", source, ray_cluster.fingerprint(source))
    ray_cluster.see(ours, *given)
    np.save(base, np.load(base) + 1)
    with pytest.raises(BadConfig, match=f"^{base} holds other vectors than here"):
        ray_cluster.see(ours, *given)
    base.unlink()
    with pytest.raises(BadFile, match="no such file"):
        ray_cluster.see(ours, *given)
    (folder / "mark").unlink()
    with pytest.raises(BadConfig, match=f"^{folder} is not the folder that it is here"):
        ray_cluster.see(ours, *given)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"executor": "dask"}, "executor is 'dask', must be one of local, ray"),
        ({"address": "10.0.0.1:6379"}, "address is '10.0.0.1:6379', which only executor ray has"),
    ],
)
def test_what_does_not_go_together_is_refused(
    base: Path, options: dict[str, Any], words: str
) -> None:
    with pytest.raises(BadConfig, match=words):
        build(base, base.parent / "index", **options)


def test_a_process_in_a_cluster_takes_no_address(here: None, base: Path, nodes: Cluster) -> None:
    with pytest.raises(BadConfig, match="this process is in a Ray cluster already"):
        build(base, base.parent / "index", executor="ray", address=nodes.address)
    assert not (base.parent / "index").exists()


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("127.0.0.1:1", "no Ray cluster at 127.0.0.1:1: .*refused"),
        ("head", "address is 'head', wanted HOST:PORT"),
        ("ray://head:10001", "wanted HOST:PORT"),
    ],
)
def test_an_address_where_there_is_no_cluster_is_refused(address: str, words: str) -> None:
    with pytest.raises(BadConfig, match=words):
        ray_cluster.check_address(address)


def test_where_ray_is_missing_the_command_says_what_to_install(base: Path) -> None:
    code = (
        "import sys; sys.modules['ray'] = None; from longspan.service.commands.main import main;"
        "sys.exit(main(['build', 'base.npy', 'index', '--executor', 'ray']))"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=base.parent, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr == "error: executor ray needs Ray: pip install 'longspan[ray]'\n"
