"""The memory dial on the command line: --memory of info, search, bench and serve."""

import json
from pathlib import Path

import numpy as np
import pytest

from tests.cli.command import refused, succeeds
from tests.conftest import BuildIndex


@pytest.fixture(scope="module")
def coded(coded_index: BuildIndex) -> Path:
    """An index of the same vectors with codes."""
    return coded_index()


def test_info_says_what_each_step_takes_and_reads(coded: Path) -> None:
    text = succeeds("info", coded).stdout
    assert "codec     pq (as asked)" in text
    for words in ("for heads: a query reads", "heads and first codes", "heads and both codes"):
        assert words in text
    assert text.count("\nmemory ") == 3


def test_more_memory_reads_fewer_pages(files: Path, coded: Path) -> None:
    truth = ("--queries", files / "queries.npy", "--truth", files / "truth.npz")
    rows = []
    for memory in ("30KiB", "50KiB", "1GiB"):
        more = ("--recall", "0.95", "--memory", memory, "--json")
        rows.append(json.loads(succeeds("bench", coded, *truth, *more).stdout))
    assert rows[0]["resident_bytes"] < rows[1]["resident_bytes"] < rows[2]["resident_bytes"]
    assert rows[0]["postings_read"] > 0 == rows[1]["postings_read"] == rows[2]["postings_read"]
    assert rows[1]["pages_read"] > rows[2]["pages_read"] > 0
    assert all(row["recall"] > 0.9 for row in rows)


def test_search_answers_within_its_memory(files: Path, coded: Path, tmp_path: Path) -> None:
    queries = ("--queries", files / "queries.npy", "--exact")
    succeeds("search", coded, *queries, "--memory", "30KiB", "-o", tmp_path / "few.npz")
    succeeds("search", files / "index", *queries, "-o", tmp_path / "raw.npz")
    few, raw = (np.load(tmp_path / name)["distances"] for name in ("few.npz", "raw.npz"))
    np.testing.assert_allclose(few, raw, rtol=1e-4, atol=1e-5)


def test_less_than_the_heads_does_not_fit(files: Path, coded: Path, tmp_path: Path) -> None:
    queries = ("--queries", files / "queries.npy", "-o", tmp_path / "x.npz")
    refused(4, "search", coded, *queries, "--memory", "1KiB", words="its heads take")
    refused(4, "serve", coded, "--memory", "1KiB", words="the heads of index take")
    refused(2, "serve", coded, "--memory", "much", words="'much' is no size")
    assert not (tmp_path / "x.npz").exists()


def test_a_codec_that_is_none_is_refused(files: Path, tmp_path: Path) -> None:
    refused(2, "build", files / "base.npy", tmp_path / "i", "--codec", "zip", words="'zip'")
