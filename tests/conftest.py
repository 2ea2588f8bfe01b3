"""Fixtures for every room: a random generator that tells its seed, corpora, built indexes."""

import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import settings

from tests.builds import built_index
from tests.data import Corpus, as_dtype, clusters

CORPUS_SEED = 20  # fixed: recall floors are measured on this corpus

BuildIndex = Callable[..., Path]

# A slow example is a busy machine; what a test may take is pytest-timeout's.
settings.register_profile("longspan", deadline=None)
settings.load_profile("longspan")


@pytest.fixture
def rng() -> np.random.Generator:
    """A generator with a new seed each time; a failing test shows how to repeat it."""
    seed = int(os.environ.get("LONGSPAN_TEST_SEED") or secrets.randbits(32))
    print(f"LONGSPAN_TEST_SEED={seed}")
    return np.random.default_rng(seed)


@pytest.fixture(scope="session")
def clustered() -> Corpus:
    """4,000 vectors and 100 queries, 24-d float32, always the same."""
    return clusters(np.random.default_rng(CORPUS_SEED))


@pytest.fixture(scope="session")
def tiny_index(tmp_path_factory: pytest.TempPathFactory, clustered: Corpus) -> BuildIndex:
    """tiny_index(metric="l2", dtype="f32") -> the published index of `clustered`, built once.

    Tests share it: who changes a file copies the directory first. Its queries are
    `as_dtype(clustered, dtype).queries`. Only f32 is calibrated well enough to ask for a recall.
    """
    built: dict[tuple[str, str], Path] = {}

    def index(metric: str = "l2", dtype: str = "f32") -> Path:
        if (metric, dtype) not in built:
            directory = tmp_path_factory.mktemp(f"index-{metric}-{dtype}")
            base = as_dtype(clustered, dtype).base
            calibration = 1000 if dtype == "f32" else 100
            built[metric, dtype] = built_index(
                directory, base, metric=metric, calibration=calibration
            )
        return built[metric, dtype]

    return index


@pytest.fixture(scope="session")
def coded_index(tmp_path_factory: pytest.TempPathFactory, clustered: Corpus) -> BuildIndex:
    """coded_index(codec="pq", metric="l2", dtype="f32") -> the same of `clustered` with codes.

    Only of f32 is a recall asked for; the others are calibrated no better than to be searched.
    """
    built: dict[tuple[str, str, str], Path] = {}

    def index(codec: str = "pq", metric: str = "l2", dtype: str = "f32") -> Path:
        key = codec, metric, dtype
        if key not in built:
            directory = tmp_path_factory.mktemp("-".join(key))
            calibration = 300 if dtype == "f32" else 20
            dials: dict[str, Any] = {"codec": codec, "heads": 150, "calibration": calibration}
            base = as_dtype(clustered, dtype).base
            built[key] = built_index(directory, base, metric=metric, **dials)
        return built[key]

    return index


OBJECTS = 300  # vectors of the index with payload


def object_of(row: int) -> dict[str, Any]:
    """The payload of a vector: every kind of JSON, 60 to 800 bytes, one of 9,000."""
    text = 'ü \u2028\t"' * (row % 50) if row != 7 else "x" * 9000
    return {"row": row, "text": text, "deep": [None, True, 0.1, {"": 2**63}]}


@pytest.fixture(scope="session")
def objects_index(tmp_path_factory: pytest.TempPathFactory, clustered: Corpus) -> Path:
    """The index of the first 300 vectors of `clustered` with `object_of` as payload."""
    objects = [object_of(row) for row in range(OBJECTS)]
    base = clustered.base[:OBJECTS]
    return built_index(tmp_path_factory.mktemp("objects"), base, payload=objects, calibration=10)


@pytest.fixture
def tmp_index(tmp_path_factory: pytest.TempPathFactory) -> BuildIndex:
    """tmp_index(vectors, metric="l2", ids=None, payload=None, **knobs) -> an index for one test."""

    def index(vectors: np.ndarray[Any, Any], **options: Any) -> Path:
        return built_index(tmp_path_factory.mktemp("index"), vectors, **options)

    return index
