"""The recall that was asked for, on every kind of data: `python bench/recall.py [SET…]`.

Each set is built by default dials and asked for what a user may ask: every tier, k and target,
by queries of the base's kind that the build has not seen. A line for each set and tier has the
recall of each target, by distance, and the worst miss; `--all` prints every one as JSON. Without
names all of SETS are run: half an hour.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from longspan.indexer import build
from longspan.indexer.config import BuildConfig
from longspan.indexer.store.tiers import NAMES, sizes
from longspan.indexer.tools.truth import recall
from longspan.service import Index

TARGETS = (0.9, 0.95, 0.99)
KS = (1, 10, 100)
QUERIES = 2_000  # the recall of one neighbour is then known to .007
ALLOWED = 0.01  # below the target

Rows = NDArray[Any]
Kind = Callable[[np.random.Generator, int, int], Rows]  # of so many rows and dims


@dataclass(frozen=True, slots=True)
class Set:
    """Vectors of one kind, and what is asked of them.

    kind     makes them
    queries  makes queries from fresh rows of the kind; default: the rows
    asked    so many of them
    """

    kind: Kind
    n: int
    dim: int
    metric: str = "l2"
    dtype: str = "f4"
    queries: Callable[[Rows], Rows] = np.asarray
    codec: str = "auto"
    ks: tuple[int, ...] = KS
    asked: int = QUERIES

    def made(self) -> tuple[Rows, Rows]:
        """Return the base and the queries."""
        rows = self.kind(np.random.default_rng(0), self.n + self.asked, self.dim)
        order = np.random.default_rng(1).permutation(len(rows))
        base, fresh = np.split(rows[order], [self.n])
        return base.astype(self.dtype), self.queries(fresh).astype(self.dtype)


def gaussian(rng: np.random.Generator, n: int, dim: int) -> Rows:
    """Noise: distances hardly differ."""
    return rng.normal(size=(n, dim))


def uniform(rng: np.random.Generator, n: int, dim: int) -> Rows:
    """A cube."""
    return rng.random((n, dim))


def unit(rng: np.random.Generator, n: int, dim: int) -> Rows:
    """A sphere."""
    rows: Rows = rng.normal(size=(n, dim))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows


def clustered(rng: np.random.Generator, n: int, dim: int) -> Rows:
    """Clouds around 200 centres."""
    centres = rng.normal(size=(200, dim))
    return centres[rng.integers(0, 200, n)] + 0.3 * rng.normal(size=(n, dim))


def whole(rng: np.random.Generator, n: int, dim: int) -> Rows:
    """Clouds of whole numbers that a byte holds."""
    rows: Rows = np.clip(32 * clustered(rng, n, dim), -127, 127).round()
    return rows


def factors(rng: np.random.Generator, n: int, dim: int) -> Rows:
    """Recommender factors: few directions count, and popular ones are longer."""
    falling = np.arange(1, dim + 1) ** -0.5
    return rng.normal(size=(n, dim)) * falling * rng.lognormal(0, 0.5, (n, 1))


def uneven(sigma: float) -> Kind:
    """Clouds whose norms are log-normal."""

    def kind(rng: np.random.Generator, n: int, dim: int) -> Rows:
        return clustered(rng, n, dim) * rng.lognormal(0, sigma, (n, 1))

    return kind


def giant(rng: np.random.Generator, n: int, dim: int) -> Rows:
    """Clouds, and one vector 10^5 times as long."""
    rows = clustered(rng, n, dim)
    rows[7] *= 1e5
    return rows


def two_densities(rng: np.random.Generator, n: int, dim: int) -> Rows:
    """Nine in ten in a ball a hundredth as wide as the rest."""
    return rng.normal(size=(n, dim)) * np.where(rng.random((n, 1)) < 0.9, 0.01, 1)


def outliers(rng: np.random.Generator, n: int, dim: int) -> Rows:
    """One in 500 far from all others."""
    return rng.normal(size=(n, dim)) * np.where(rng.random((n, 1)) < 0.002, 60, 1)


def duplicates(rng: np.random.Generator, n: int, dim: int) -> Rows:
    """A tenth of the rows equal."""
    rows = rng.normal(size=(n, dim))
    rows[rng.random(n) < 0.1] = rows[0]
    return rows


def far_off(rng: np.random.Generator, n: int, dim: int) -> Rows:
    """Clouds a long way from the origin."""
    return clustered(rng, n, dim) + 1e4


def tiny_to_huge(rng: np.random.Generator, n: int, dim: int) -> Rows:
    """Clouds of any length: only directions count."""
    return clustered(rng, n, dim) * 10 ** rng.uniform(-14, 14, (n, 1))


def times(factor: float) -> Callable[[Rows], Rows]:
    """Lengthen queries."""
    return lambda rows: rows * factor


CLOUDS = Set(clustered, 50_000, 64)
SETS = {
    **{
        f"{kind.__name__}-{dim}-{metric}": Set(kind, 20_000, dim, metric)
        for kind in (gaussian, uniform, unit)
        for dim in (64, 384)
        for metric in ("l2", "cosine", "ip")
        if (kind, metric) != (unit, "cosine")
    },
    **{f"clouds-{metric}": replace(CLOUDS, metric=metric) for metric in ("l2", "cosine", "ip")},
    **{
        f"clouds-{dtype}-{metric}": replace(CLOUDS, kind=whole, dtype=dtype, metric=metric)
        for dtype in ("f2", "i1")
        for metric in ("l2", "cosine", "ip")
    },
    **{f"clouds-{n}": replace(CLOUDS, n=n) for n in (300, 3_000)},
    **{f"clouds-{dim}d": replace(CLOUDS, dim=dim) for dim in (2, 8, 1_024)},
    **{
        f"ip-times-{factor:g}": replace(CLOUDS, metric="ip", queries=times(factor))
        for factor in (1e6, 0.1, 1e-3, 1e-6)
    },
    **{f"ip-uneven-{s:g}": Set(uneven(s), 20_000, 64, "ip") for s in (1.0, 2.0, 3.0)},
    "ip-factors": Set(factors, 50_000, 64, "ip"),
    "ip-giant": Set(giant, 20_000, 64, "ip"),
    "cosine-lengths": Set(tiny_to_huge, 50_000, 64, "cosine"),
    "far-off": Set(far_off, 50_000, 64),
    **{f"two-densities-{m}": Set(two_densities, 40_000, 32, m) for m in ("l2", "ip")},
    "outliers": Set(outliers, 100_000, 32),
    "duplicates": Set(duplicates, 100_000, 32),
    "large-k": replace(CLOUDS, ks=(200, 500, 1_000, 5_000), asked=500),
}


def main() -> None:
    """Build and ask, set by set."""
    args = arguments()
    missed = []
    for name in args.sets or SETS:
        with tempfile.TemporaryDirectory(prefix="recall-") as folder:
            for row in measured(SETS[name], Path(folder)):
                row = {"set": name, **row}
                print(json.dumps(row) if args.all else line(row), flush=True)
                missed += [name] if row["worst"] < -ALLOWED else []
    print(f"{len(set(missed))} sets miss by more than {ALLOWED}: {sorted(set(missed))}")
    sys.exit(3 if missed else 0)


def arguments() -> argparse.Namespace:
    """Return what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sets", nargs="*", choices=[[], *SETS], metavar="SET", help=", ".join(SETS))
    parser.add_argument("--all", action="store_true", help="print JSON, every measurement")
    return parser.parse_args()


def measured(asked: Set, folder: Path) -> Iterator[dict[str, Any]]:
    """Build a set; yield, for each tier, the recall of every k and target, and the worst miss."""
    base, queries = asked.made()
    np.save(folder / "base.npy", base)
    config = BuildConfig(codec=asked.codec)
    manifest = build(folder / "base.npy", folder / "index", metric=asked.metric, config=config)
    true = None
    for tier, size in enumerate(sizes(manifest)):
        with Index.open(folder / "index", size) as index:
            if true is None:
                true = index.search(queries, max(asked.ks), 1.0).distances
            found = {f"{k}@{t}": one(index, queries, true, k, t) for k in asked.ks for t in TARGETS}
        worst = min(row["recall"] - float(key.partition("@")[2]) for key, row in found.items())
        yield {"tier": NAMES[tier], "worst": round(worst, 4), "found": found}


def one(index: Index, queries: Rows, true: Rows, k: int, target: float) -> dict[str, float]:
    """Return the recall of one question, its mean and that of the worst tenth, and what it read."""
    answer = index.search(queries, k, target, stats=True)
    shares = np.sort(recall(answer.distances, true, k))
    stats = answer.stats
    assert stats is not None
    reads = (stats.postings_read + stats.pages_read) / len(queries)
    tenth = shares[: max(1, len(shares) // 10)].mean()
    return {
        "recall": round(float(shares.mean()), 4),
        "tenth": round(float(tenth), 4),
        "reads": reads,
    }


def line(row: dict[str, Any]) -> str:
    """Return a row as people read it."""
    shares = " ".join(f"{key} {one['recall']:.3f}" for key, one in row["found"].items())
    return f"{row['set']:20} {row['tier']:22} {row['worst']:+.3f}  {shares}"


if __name__ == "__main__":
    main()
