"""Write the golden index of the present format: python -m tests.golden.write

Only for a new format version, in a new folder. What stands in a folder is what a release wrote,
and every later release must still read it.
"""

from pathlib import Path

import numpy as np

from longspan.indexer import build
from longspan.indexer.config import BuildConfig
from longspan.indexer.store.manifest import FORMAT
from longspan.indexer.store.space import DTYPES
from longspan.service import Index

HERE = Path(__file__).parent
KINDS = {  # folder: metric, dtype, codec
    "l2": ("l2", "u8", "raw"),
    "ip": ("ip", "f32", "raw"),
    "cosine": ("cosine", "f16", "raw"),
    "pq": ("l2", "u8", "pq"),
    "rabitq": ("cosine", "f16", "rabitq"),
    "pq-ip": ("ip", "i8", "pq"),
}


def main() -> None:
    """Write one small index a kind, its vectors, and the answers to its own first rows."""
    rng = np.random.default_rng(1)
    for name, (metric, dtype, codec) in KINDS.items():
        folder = HERE / f"v{FORMAT}" / name
        folder.mkdir(parents=True)
        rows = rng.integers(1, 120, (48, 5))
        np.save(folder / "base.npy", rows.astype(DTYPES[dtype]))
        config = BuildConfig(codec=codec, heads=6, posting_pages=1, calibration=10)
        build(folder / "base.npy", folder / "index", metric=metric, threads=1, config=config)
        with Index.open(folder / "index") as index:
            answer = index.search(np.load(folder / "base.npy")[:8], 7, 1.0)
        np.savez(folder / "answers.npz", ids=answer.ids, distances=answer.distances)


if __name__ == "__main__":
    main()
