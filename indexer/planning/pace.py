"""How long each stage of a build takes, said before any work is done.

Microseconds of a core a vector, as measured on builds of a million SIFT and 49,152 text vectors (2
cores of docs/measurements.md), by what a stage does most: products of vectors with centres, bytes
of postings, or tables of codes. Another machine is faster or slower by a probe of the closure, the
longest stage, which takes 0.1 s. That the disk keeps up is assumed.
"""

import time

import numpy as np
from threadpoolctl import threadpool_limits

from longspan.indexer.config import BuildConfig
from longspan.indexer.planning import footprint
from longspan.indexer.planning.shape import Shape, levels_of
from longspan.indexer.stages.balance import ROUNDS
from longspan.indexer.stages.closure import CANDIDATES, copies_of
from longspan.indexer.stages.codec import SAMPLE
from longspan.indexer.stages.staging import TRAIN

PROBED = 1000  # vectors
PROBE = 19.3  # microseconds a vector that the probe took on the measured machine
WIDTH = 128  # dimensions that the figures are of
BESIDES = 25  # centres that a vector might be compared with in the time of a comparison's rest
SERIAL = ("sample", "tree", "number", "train")  # done by one core


def core_seconds(shape: Shape, queries: int) -> dict[str, float]:
    """Return the seconds of a core that each stage takes on the measured machine."""
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
    found["calibrate"] = (15 + 7.5 * wide if coded else 11) * queries / 1000
    if coded:
        found["train"] = trained * wide * min(n, SAMPLE) / SAMPLE
        found["encode"] = 12.3 * wide * n / 1e6
    return found


def splitting(shape: Shape) -> float:
    """Return the centres that a vector is compared with while its part is split, level by level.

    Some more are counted for what every comparison costs besides.
    """
    below = levels_of(shape.dials.heads) - 1
    fan = (shape.dials.heads / shape.parts) ** (1 / below)
    size, compared = shape.n / shape.parts, 0.0
    for _ in range(below):
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


def speed() -> float:
    """Return how fast a core of this machine is, over one of the measured machine."""
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((PROBED, WIDTH), np.float32)
    heads = rng.standard_normal((CANDIDATES, WIDTH), np.float32)
    candidates = np.arange(CANDIDATES, dtype=np.uint32)
    taken = []
    with threadpool_limits(1):
        for _ in range(5):
            start = time.thread_time()  # what others do meanwhile does not count
            copies_of(vectors.copy(), heads, candidates, BuildConfig())
            taken.append(time.thread_time() - start)
    return PROBE * PROBED / 1e6 / min(taken)
