"""Builds that are cut off, and what an index holds that must not depend on how it was built."""

from pathlib import Path
from typing import Any

import pytest
from kills import lasting

from longspan.indexer import build
from longspan.indexer.config import BuildConfig
from longspan.indexer.running.progress import SILENT
from longspan.indexer.store.manifest import NAME as MANIFEST


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
