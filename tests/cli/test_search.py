"""`longspan search`."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from longspan.indexer.tools.answers import read_answers
from tests import reference
from tests.cli.command import refused, succeeds


@pytest.mark.parametrize("suffix", [".npz", ".ibin"])
def test_an_exact_search_finds_the_truth(files: Path, tmp_path: Path, suffix: str) -> None:
    output = tmp_path / f"found{suffix}"
    arguments = ("search", files / "index", "--queries", files / "queries.npy", "-o", output)
    succeeds(*arguments, "-k", "20", "--exact", "--threads", "2")
    found, true = read_answers(output), read_answers(files / "truth.npz")
    reference.check_same_distances(found[1], true[1])


def test_its_json_tells_the_cost_of_all_batches(files: Path, tmp_path: Path) -> None:
    arguments = ("search", files / "index", "--queries", files / "base.npy", "--json")
    done = succeeds(*arguments, "--recall", "0.9", "-k", "5", "-o", tmp_path / "found.npz")
    record = json.loads(done.stdout)
    assert (record["queries"], record["k"]) == (4000, 5)
    assert record["stats"]["queries"] == 4000
    assert record["stats"]["recall_target"] == 0.9
    assert record["stats"]["postings_read"] >= 4000
    assert record["qps"] > 0


def test_probes_is_the_number_of_postings_read(files: Path, tmp_path: Path) -> None:
    arguments = ("search", files / "index", "--queries", files / "queries.npy", "--json")
    done = succeeds(*arguments, "--probes", "3", "-o", tmp_path / "found.npz")
    assert json.loads(done.stdout)["stats"]["postings_read"] == 300


def test_it_tells_a_person_the_cost_of_a_query(files: Path, tmp_path: Path) -> None:
    arguments = ("search", files / "index", "--queries", files / "queries.npy")
    text = succeeds(*arguments, "-o", tmp_path / "found.npz").stdout
    assert "10 neighbours of 100 queries" in text
    assert re.search(r"^postings read +[\d.]+ a query$", text, re.MULTILINE)


def test_it_refuses_bad_arguments(files: Path, tmp_path: Path) -> None:
    search = ("search", files / "index", "-o", tmp_path / "found.npz", "--queries")
    queries, wide = files / "queries.npy", tmp_path / "wide.npy"
    np.save(wide, np.ones((4, 25), np.float32))
    refused(2, *search, queries, "-k", "0", words="k is 0")
    refused(2, *search, queries, "-k", "10001", words="10001")
    refused(2, *search, wide, words="25")
    refused(2, *search, tmp_path / "none.npy", words="no such file")
    refused(2, *search, queries, "--recall", "1.5", words="1.5 is not in the range")
    refused(2, *search, queries, "--exact", "--recall", "0.9", words="exclude each other")
    refused(2, "search", tmp_path, *search[2:], queries, words=str(tmp_path))
    assert not (tmp_path / "found.npz").exists()
