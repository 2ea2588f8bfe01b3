"""`longspan quickstart`, from Python: what it makes, what it says, what it leaves alone."""

import re
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

import numpy as np
import pytest

from longspan.indexer.errors import IndexExists
from longspan.service import Index
from longspan.service.tools.quickstart.quickstart import quickstart


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of a quickstart; made by `said`."""
    return tmp_path_factory.mktemp("quickstart") / "new"


@pytest.fixture(scope="module")
def said(directory: Path) -> str:
    """What a first quickstart prints."""
    with redirect_stdout(StringIO()) as printed:
        quickstart(directory)
    return printed.getvalue()


def test_the_recall_reached_is_near_the_recall_asked_for(said):
    found = re.search(r"recall@10 ([\d.]+) against exact answers \(([\d.]+) asked for", said)
    assert found is not None
    reached, asked = map(float, found.groups())
    assert reached == pytest.approx(asked, abs=0.04)


def test_a_query_reads_a_part_of_the_postings(said):
    found = re.search(r"a query +([\d.]+) of ([\d,]+) postings read", said)
    assert found is not None
    read, there = (float(text.replace(",", "")) for text in found.groups())
    assert 0 < read < there / 2


def test_each_example_shows_the_query_and_three_texts_nearest_first(said):
    examples = said.split("\n\n")[1:4]
    for example in examples:
        query, *hits = example.splitlines()
        distances = [float(hit.split()[0]) for hit in hits]
        assert query and len(hits) == 3 and distances == sorted(distances)


def test_it_leaves_an_index_with_all_passages(said, directory):
    with Index.open(directory / "index") as index:
        assert (index.n, index.dim, index.dtype_name, index.metric) == (3202, 384, "f16", "cosine")


def test_a_second_run_uses_the_index_that_is_there(said, directory, capsys):
    made = (directory / "index").stat().st_ino
    quickstart(directory)
    assert (directory / "index").stat().st_ino == made
    assert capsys.readouterr().out.splitlines()[2] == said.splitlines()[2]


def test_a_run_that_was_interrupted_is_taken_up(said, directory, tmp_path):
    for name in ("base.npy", "truth.ibin"):
        (tmp_path / name).write_bytes((directory / name).read_bytes())
    quickstart(tmp_path)
    assert (tmp_path / "index").is_dir()


def test_a_directory_with_other_files_is_refused_and_left_as_it_was(tmp_path):
    np.save(tmp_path / "base.npy", np.zeros((2, 3), np.float32))
    before = (tmp_path / "base.npy").read_bytes()
    with pytest.raises(IndexExists, match="holds other files"):
        quickstart(tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["base.npy"]
    assert (tmp_path / "base.npy").read_bytes() == before
