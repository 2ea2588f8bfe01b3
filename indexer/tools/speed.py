"""How fast a core of this machine is, by a probe of the closure, the longest stage of a build."""

import time

import numpy as np
from threadpoolctl import threadpool_limits

from longspan.indexer.config import BuildConfig
from longspan.indexer.planning.portions import CANDIDATES
from longspan.indexer.stages.closure import Candidates, copies_of

PROBED, WIDTH = 1000, 128  # vectors and their dimensions
PROBE = 19.3  # microseconds a vector that the probe took on the machine of docs/measurements.md


def speed() -> float:
    """Return how fast a core of this machine is, over one of the measured machine."""
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((PROBED, WIDTH), np.float32)
    heads = rng.standard_normal((CANDIDATES, WIDTH), np.float32)
    taken = []
    with threadpool_limits(1):
        for _ in range(5):
            start = time.thread_time()  # what others do meanwhile does not count
            candidates = Candidates.of(heads, np.arange(CANDIDATES, dtype=np.uint32))
            copies_of(vectors.copy(), heads, candidates, BuildConfig())
            taken.append(time.thread_time() - start)
    return PROBE * PROBED / 1e6 / min(taken)
