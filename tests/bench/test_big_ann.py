"""The wrapper for big-ann-benchmarks, called as its runner does, against brute force."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from big_ann import Longspan

from tests.bench.conftest import bin_of
from tests.data import Corpus, clusters
from tests.reference import all_distances, brute_force, check_same_distances, recall

METRICS = [("euclidean", "l2"), ("ip", "ip"), ("angular", "cosine")]


@dataclass(frozen=True)
class Made:
    """A data set of theirs."""

    path: Path
    metric: str

    def get_dataset_fn(self) -> str:
        return str(self.path)

    def distance(self) -> str:
        return self.metric

    def short_name(self) -> str:
        return f"made-{self.metric}"


@pytest.fixture(scope="module")
def made() -> Corpus:
    return clusters(np.random.default_rng(4), n=800, dim=16, queries=30)


@pytest.fixture
def path(tmp_path: Path, made: Corpus) -> Path:
    (tmp_path / "base.fbin").write_bytes(bin_of(made.base))
    return tmp_path / "base.fbin"


@pytest.mark.parametrize(("theirs", "ours"), METRICS)
def test_answers_at_full_recall_are_those_of_brute_force(
    theirs: str, ours: str, path: Path, made: Corpus
):
    wrapped = Longspan(theirs, {"folder": path.parent / "indexes"})
    wrapped.fit(Made(path, theirs))
    wrapped.set_query_arguments({"recall": 1.0})
    wrapped.query(made.queries, 10)
    found = wrapped.get_results()
    wrapped.done()
    _, nearest = brute_force(made.queries, made.base, 10, ours)
    given = np.take_along_axis(all_distances(made.queries, made.base, ours), found, axis=1)
    check_same_distances(given, nearest)


def test_an_index_is_opened_where_there_is_one_and_tells_what_it_read(path: Path, made: Corpus):
    given = {"folder": path.parent / "indexes", "memory": 2**20, "codec": "raw"}
    first = Longspan("euclidean", given)
    assert not first.load_index(Made(path, "euclidean"))
    first.fit(Made(path, "euclidean"))
    first.done()

    second = Longspan("euclidean", given)
    assert second.load_index(Made(path, "euclidean"))
    second.set_query_arguments({"recall": 0.9})
    second.query(made.queries, 10)
    cost = second.get_additional()
    second.done()
    distances = all_distances(made.queries, made.base, "l2")
    found = np.take_along_axis(distances, second.get_results(), axis=1)
    _, nearest = brute_force(made.queries, made.base, 10, "l2")
    assert recall(found, nearest, 10).mean() > 0.8
    assert 1 <= cost["mean_ssd_ios"] <= len(made.base)
    assert cost["dist_comps"] >= 10 * len(made.queries)
    assert cost["mean_latency"] > 0
    assert (second.track(), str(second)) == ("T2", f"longspan({given})")
