"""Builds that are cut off, what an index holds whatever made it, and indexes that are altered."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from kills import lasting

from longspan.indexer import build
from longspan.indexer.config import BuildConfig
from longspan.indexer.running.progress import SILENT
from longspan.indexer.store.checks import CHECKS
from longspan.indexer.store.manifest import NAME as MANIFEST
from longspan.indexer.store.manifest import Manifest, file_record


class Stop:
    """Interrupts a build when a stage begins."""

    def __init__(self, stage: str) -> None:
        self.name = stage

    def stage(self, name: str, total: int, unit: str) -> Any:
        if name == self.name:
            raise KeyboardInterrupt
        return SILENT.stage(name, total, unit)


def content(index: Path) -> dict[str, Any]:
    """Return all of an index that does not say when it was made and how long that took."""
    found: dict[str, Any] = {path.name: path.read_bytes() for path in index.iterdir()}
    return {**found, MANIFEST: lasting(index / MANIFEST)}


def cut_off(base: Path, index: Path, config: BuildConfig, stage: str, **given: Any) -> None:
    """Build until a stage begins."""
    with pytest.raises(KeyboardInterrupt):
        build(base, index, config=config, progress=Stop(stage), **given)


def amend(path: Path, name: str) -> None:
    """Have the manifest know a file as it is, or no such file."""
    manifest = Manifest.read(path)
    manifest.files.pop(name)
    if (path / name).exists():
        manifest.files[name] = file_record(path / name)
    (path / MANIFEST).write_text(manifest.text())


def forget_checks(path: Path) -> None:
    """Have an index as it was published before pages had checksums."""
    (path / CHECKS).unlink()
    amend(path, CHECKS)


def built_index(
    directory: Path,
    vectors: np.ndarray[Any, Any],
    *,
    metric: str = "l2",
    ids: np.ndarray[Any, Any] | None = None,
    payload: list[dict[str, Any]] | None = None,
    **knobs: Any,
) -> Path:
    """Write the vectors as .npy, build an index beside them, return its path."""
    np.save(directory / "base.npy", vectors)
    names = None
    if ids is not None:
        names = directory / "ids.npy"
        np.save(names, ids)
    objects = None
    if payload is not None:
        objects = directory / "objects.jsonl"
        objects.write_text("".join(f"{json.dumps(value)}\n" for value in payload))
    build(
        directory / "base.npy",
        directory / "index",
        metric=metric,
        ids=names,
        payload=objects,
        threads=1,
        config=BuildConfig(**knobs),
    )
    return directory / "index"
