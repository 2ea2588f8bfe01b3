"""Write the golden indexes of the present format: python -m tests.golden.write

Only for a new format version, in a new folder. What stands in a folder is what a release wrote,
and every later release must still read it.
"""

from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

from longspan.indexer import build
from longspan.indexer.config import BuildConfig
from longspan.indexer.planning import shape
from longspan.indexer.stages import pack
from longspan.indexer.store import tiers
from longspan.indexer.store.manifest import FORMAT, Manifest
from longspan.indexer.store.space import DTYPES
from longspan.service import Index
from longspan.service.search.answer import Answer

HERE = Path(__file__).parent
RECALLS = (0.5, 0.9, 0.99)  # asked at each step of the memory dial
KINDS = {  # folder: metric, dtype, codec
    "l2": ("l2", "u8", "raw"),
    "ip": ("ip", "f32", "raw"),
    "cosine": ("cosine", "f16", "raw"),
    "pq": ("l2", "u8", "pq"),
    "rabitq": ("cosine", "f16", "rabitq"),
    "pq-ip": ("ip", "i8", "pq"),
}

CALIBRATED = {  # with ids, payload and several shards: folder: metric, dtype, codec
    "calibrated-pq": ("l2", "u8", "pq"),
    "calibrated-rabitq": ("cosine", "f16", "rabitq"),
}


def main() -> None:
    """Write every golden index that is not there yet."""
    for write, kinds in ((write_exact, KINDS), (write_calibrated, CALIBRATED)):
        for name, kind in kinds.items():
            folder = HERE / f"v{FORMAT}" / name
            if not folder.exists():
                folder.mkdir(parents=True)
                write(folder, *kind)


def write_exact(folder: Path, metric: str, dtype: str, codec: str) -> None:
    """Write a small index, its vectors, and the exact answers to its own first rows."""
    rows = np.random.default_rng(1).integers(1, 120, (48, 5))
    np.save(folder / "base.npy", rows.astype(DTYPES[dtype]))
    config = BuildConfig(codec=codec, heads=6, posting_pages=1, calibration=10)
    build(folder / "base.npy", folder / "index", metric=metric, threads=1, config=config)
    with Index.open(folder / "index") as index:
        answer = index.search(np.load(folder / "base.npy")[:8], 7, 1.0)
    np.savez(folder / "answers.npz", ids=answer.ids, distances=answer.distances)


def write_calibrated(folder: Path, metric: str, dtype: str, codec: str) -> None:
    """Write an index, queries, and what it answers at each recall with each memory it may have."""
    rng = np.random.default_rng(2)
    centres = rng.integers(20, 200, (40, 16))
    near = rng.integers(-12, 13, (640, 16)) + centres[rng.integers(0, 40, 640)]
    vectors = near.astype(DTYPES[dtype])
    np.save(folder / "base.npy", vectors[:600])
    np.save(folder / "queries.npy", vectors[600:])
    np.save(folder / "ids.npy", 7 * np.arange(600) + 2**40)
    lines = (f'{{"row": {row}}}\n' for row in range(600))
    (folder / "payload.jsonl").write_text("".join(lines))
    config = BuildConfig(codec=codec, heads=60, posting_pages=1, calibration=60)
    with patch.multiple(shape, PART=1 << 12), patch.multiple(pack, SHARD=1 << 17):
        build(
            folder / "base.npy", folder / "index", metric=metric, threads=1, config=config,
            ids=folder / "ids.npy", payload=folder / "payload.jsonl",
        )  # fmt: skip
    found: dict[str, Any] = {}
    for memory, recall in asked(folder):
        with Index.open(folder / "index", memory) as index:
            answer = index.search(np.load(folder / "queries.npy"), 7, recall, stats=True)
            found[f"ids {index.tier} {recall}"] = answer.ids
            found[f"postings {index.tier} {recall}"] = np.array(read_by(answer))
    np.savez(folder / "answers.npz", **found)


def asked(folder: Path) -> Iterator[tuple[int, float]]:
    """Give the memory of each step of an index's dial with each recall."""
    return product(tiers.sizes(Manifest.read(folder / "index")), RECALLS)


def read_by(answer: Answer) -> list[int]:
    """Return what a search read and estimated, which its calibration decides."""
    stats = answer.stats
    assert stats is not None
    return [stats.postings_read, stats.vectors_scored, stats.codes_scored]


if __name__ == "__main__":
    main()
