"""The table of the files of the working directory is what a build leaves there."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from longspan.indexer.config import BuildConfig
from longspan.indexer.running.runner import Stages
from longspan.indexer.stages import work_files
from longspan.indexer.stages.publish import WORK, workplace
from longspan.indexer.store.postings import RECORD
from tests.builds import cut_off
from tests.data import clusters

TYPES: dict[str, Any] = {
    "input's": "f4",
    "f32": "f4",
    "u32": "u4",
    "i64": "i8",
    "u8": "u1",
    "RECORD": RECORD,
}
NUMBER = r"\d{5}"
PER_UNIT = {
    "CHUNK": NUMBER,
    "PART": NUMBER,
    "SHARD": NUMBER,
    "TIER": r"\d",
    "KIND": "(primary|copies)",
}


def table() -> dict[str, tuple[str, str]]:
    """Return type and shape of each file, by a pattern of its name."""
    row = r"^    ([\w-]+\.(?:npy|npz|runs|json)) +(\S+) +(\(.*?\)|-)  "
    found = {}
    for name, kind, shape in re.findall(row, work_files.__doc__ or "", re.MULTILINE):
        found[re.sub("[A-Z]+", lambda unit: PER_UNIT[unit[0]], name)] = kind, shape
    return found


def test_a_build_leaves_the_files_of_the_table_and_no_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    n, dim = 3000, 16
    rng = np.random.default_rng(7)
    lengths = rng.lognormal(0, 1, (n, 1)).astype(np.float32)
    np.save(tmp_path / "base.npy", clusters(rng, n=n, dim=dim).base * lengths)
    np.save(tmp_path / "ids.npy", np.arange(n))
    monkeypatch.setattr(Stages, "discard", lambda stages, pattern: None)
    config = BuildConfig(codec="pq", calibration=30)
    cut_off(
        tmp_path / "base.npy",
        tmp_path / "index",
        config,
        "calibrate",
        metric="ip",
        ids=tmp_path / "ids.npy",
    )

    folder, described = workplace(tmp_path / "index") / WORK, table()
    known: dict[str, Any] = {"n": n, "dim": dim, "width": dim + 1, "chunks": 1}
    known["p"] = len(np.load(folder / "bounds.npy")) - 1
    left = [path.name for path in folder.iterdir()]
    wanted = set(described) - {"shared.npy"}
    assert {one for one in wanted if any(re.fullmatch(one, name) for name in left)} == wanted
    for name in left:
        (pattern,) = (one for one in described if re.fullmatch(one, name))
        kind, shape = described[pattern]
        if name.endswith(".npy"):
            array = np.load(folder / name)
            assert array.dtype == np.dtype(TYPES[kind]), name
            names = set(re.findall(r"[a-z]+", shape))
            if names and names <= set(known):
                assert array.shape == eval(shape, {}, known), name
