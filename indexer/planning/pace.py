"""How long each stage of a build takes, said before any work is done.

Microseconds of a core a vector, as measured on builds of a million SIFT and 49,152 text vectors (2
cores of docs/measurements.md), by what a stage does most: products of vectors with centres, bytes
of postings, or tables of codes. Another machine is faster or slower by `tools.speed`. That the disk
keeps up is assumed.
"""

from longspan.indexer.planning import footprint
from longspan.indexer.planning.portions import KNOWN, ROUNDS, SAMPLE, TRAIN
from longspan.indexer.planning.shape import Shape

WIDTH = 128  # dimensions that the figures are of
BESIDES = 25  # centres that a vector might be compared with in the time of a comparison's rest
SERIAL = ("sample", "tree", "number", "train")  # done by one core


def core_seconds(shape: Shape, queries: int) -> dict[str, float]:
    """Return the seconds of a core that each stage takes on the measured machine."""
    queries = min(queries, KNOWN)
    n, wide, coded = shape.n, shape.space.width / WIDTH, bool(shape.form.groups)
    postings = shape.dials.heads * footprint.posting(shape, footprint.copies(shape)) / n
    each = {
        "route": 0.25 + 0.016 * shape.parts * wide,
        "stage": 0.5 * shape.form.row_bytes / WIDTH,
        "cluster": 0.0115 * wide * splitting(shape),
        "closure": 5 + 17.5 * wide,
        "settle": 1.0,
        "number": 0.2,
        "pack": 0.0135 * postings,
        "truth": 11 * wide * queries / 1000,
    }
    found = {name: n * micros / 1e6 for name, micros in each.items()}
    trained = 7.3 if shape.kind == "pq" else 0.7
    if shape.space.clusters_apart:
        found["mean"] = wide * n / 1e6
    found["calibrate"] = (15 + 7.5 * wide if coded else 11) * queries / 1000
    if coded:
        found["train"] = trained * wide * min(n, SAMPLE) / SAMPLE
        found["encode"] = 12.3 * wide * n / 1e6
    return found


def splitting(shape: Shape) -> float:
    """Return the centres that a vector is compared with while its part is split, level by level.

    Some more are counted for what every comparison costs besides.
    """
    fan, size, compared = shape.fan, shape.n / shape.parts, 0.0
    for _ in range(shape.levels - 1):
        rounds = 1 + ROUNDS * min(1.0, TRAIN * fan / size)  # all, and those of the training
        compared += rounds * (fan + BESIDES)
        size /= fan
    return compared


def seconds(shape: Shape, queries: int, cores: dict[str, int], speed: float) -> dict[str, float]:
    """Return the seconds that each stage takes.

    cores  at work in each stage
    speed  of a core, over that of the measured machine
    """
    return {
        name: taken / speed / (1 if name in SERIAL else cores[name])
        for name, taken in core_seconds(shape, queries).items()
    }
