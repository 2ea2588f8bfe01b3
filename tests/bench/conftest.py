"""A data folder as `bench/run.py` wants it, of made vectors, and the programs that read it."""

import gzip
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.data import as_dtype, clusters
from tests.reference import brute_force

BENCH = Path(__file__).parents[2] / "bench"

Done = subprocess.CompletedProcess[str]
Run = Callable[..., Done]


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files of both sets: 600 vectors, and as many queries as are cut off."""
    folder = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(3)
    sift = as_dtype(clusters(rng, n=600, dim=16, queries=1060), "u8")
    with gzip.open(folder / "sift1m.base.u8bin.gz", "wb") as packed:
        packed.write(bin_of(sift.base))
    (folder / "sift1m.query.u8bin").write_bytes(bin_of(sift.queries))
    ids, distances = brute_force(sift.queries, sift.base, 10, "l2")
    (folder / "sift1m.truth.ibin").write_bytes(
        bin_of(ids.astype("<i4")) + distances.astype("<f4").tobytes()
    )
    text = as_dtype(clusters(rng, n=600, dim=16, queries=560), "f16")
    np.save(folder / "text49k.base.f16.npy", text.base)
    np.save(folder / "text49k.query.f32.npy", text.queries.astype(np.float32))
    return folder


def bin_of(rows: np.ndarray[Any, Any]) -> bytes:
    """Return an array as big-ann-benchmarks writes it: u32 n, u32 dim, rows."""
    return np.array(rows.shape, "<u4").tobytes() + rows.tobytes()


@pytest.fixture
def run(tmp_path: Path, data: Path) -> Run:
    """run(options) -> run.py over `data`, with one competitor: longspan, of these options for SIFT.

    It is a copy of bench/ that runs, for the sweeps of the real one take minutes.
    """
    bench = tmp_path / "bench"
    peer = bench / "peers" / "longspan"
    peer.mkdir(parents=True)
    for source in (*BENCH.glob("*.py"), BENCH / "peers" / "longspan" / "module.py"):
        (bench / source.relative_to(BENCH)).write_bytes(source.read_bytes())

    def call(config: str) -> Done:
        (peer / "config.json").write_text(config)
        command = [sys.executable, str(bench / "run.py"), str(data), str(tmp_path / "work")]
        few = ["--set", "sift", "--queries", "40", "--rounds", "2", "--threads", "2"]
        return subprocess.run(
            [*command, *few], capture_output=True, text=True, timeout=120, env=os.environ
        )

    return call
