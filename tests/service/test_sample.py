"""The sample that ships: whole, small, and what its README and NOTICE say of it."""

import json
from pathlib import Path

import numpy as np
import pytest

from longspan.service.tools.quickstart.quickstart import SAMPLE

NOTICE = Path(__file__).parent.parent.parent / "NOTICE"


def texts(name: str) -> list[dict[str, str]]:
    lines = (SAMPLE / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


@pytest.mark.parametrize("name", ["base", "queries"])
def test_there_is_a_text_for_every_vector(name):
    assert len(texts(name)) == len(np.load(SAMPLE / f"{name}.npy"))


@pytest.mark.parametrize("name", ["base", "queries", "calibration"])
def test_vectors_have_unit_length(name):
    vectors = np.load(SAMPLE / f"{name}.npy")
    assert (vectors.dtype, vectors.shape[1]) == (np.float16, 384)
    assert np.linalg.norm(vectors.astype(np.float32), axis=1) == pytest.approx(1, abs=2e-3)


def test_no_query_is_in_the_base_or_among_the_calibration_queries():
    assert not {text["text"] for text in texts("queries")} & {
        text["text"] for text in texts("base")
    }
    queries = {row.tobytes() for row in np.load(SAMPLE / "queries.npy")}
    assert not queries & {row.tobytes() for row in np.load(SAMPLE / "calibration.npy")}


def test_every_text_is_of_a_source_that_the_notice_names():
    sources = {text["ref"].split(" ", 1)[0] for name in ("base", "queries") for text in texts(name)}
    assert sources == {"postgresql", "python"}
    notice = NOTICE.read_text(encoding="utf-8")
    assert "Portions Copyright (c) 1994, The Regents of the University of California" in notice
    assert "PYTHON SOFTWARE FOUNDATION LICENSE VERSION 2" in notice


def test_the_sample_is_at_most_four_megabytes():
    assert sum(file.stat().st_size for file in SAMPLE.iterdir()) <= 4_000_000
