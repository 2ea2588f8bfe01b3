"""Noticing queries of another kind than those of the calibration."""

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from longspan.indexer.store.nearness import Nearness
from longspan.indexer.store.space import HeadSpace
from longspan.service import Index
from longspan.service.search.request import SearchParams
from longspan.service.search.watch import LOOKED, Watch
from tests.builds import built_index
from tests.service.serving import serving

FLOATS = st.floats(-100, 100, width=32)


@pytest.fixture(scope="module")
def base() -> np.ndarray[Any, Any]:
    return np.random.default_rng(4).normal(size=(3_000, 16)).astype(np.float32)


@pytest.fixture(scope="module", params=["l2", "cosine", "ip"])
def index(request: Any, base: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("kind")
    return built_index(folder, base, metric=request.param, codec="raw", calibration=500)


def fresh(seed: int, count: int = 2 * LOOKED) -> np.ndarray[Any, Any]:
    return np.random.default_rng(seed).normal(size=(count, 16)).astype(np.float32)


def test_queries_of_the_same_kind_are_noticed_as_such(index: Path, caplog: Any) -> None:
    with Index.open(index) as opened:
        opened.search(fresh(5), 5)
        for query in fresh(6, 20):
            opened.search(query, 5)
        assert opened.kind.queries == 2 * LOOKED + 20
        assert opened.kind.farther < 0.1
        assert not opened.kind.is_another
    assert not caplog.records


def test_queries_from_elsewhere_are_noticed_and_the_remedy_is_named(
    base: np.ndarray[Any, Any], tmp_path: Path, caplog: Any
) -> None:
    base = base + np.float32(3)  # on one side: elsewhere is another direction
    index = built_index(tmp_path, base, metric="cosine", codec="raw", calibration=500)
    with Index.open(index) as opened, caplog.at_level(logging.WARNING):
        opened.search(fresh(5)[: LOOKED - 1] - np.float32(3), 5)
        assert not opened.kind.is_another
        assert not caplog.records
        opened.search(fresh(6) - np.float32(3), 5)
        opened.search(fresh(7) - np.float32(3), 5)
        assert opened.kind.is_another
        assert opened.kind.farther > 0.9
    (warning,) = caplog.records
    assert f"longspan calibrate {index} NEW --queries FILE" in warning.getMessage()


def test_what_is_narrowed_on_purpose_is_not_noted(index: Path) -> None:
    with Index.open(index) as opened:
        opened.search(fresh(5), 5, 0.5)
        opened.search(fresh(5), 5, params=SearchParams(probes=1))
        opened.search(fresh(5), 5, params=SearchParams(beam=1))
        assert opened.kind.queries == 0
        opened.search(fresh(5), 5, max_distance=1e-9)
        opened.search(fresh(5)[:3], 5, params=SearchParams(exact=True))
        assert opened.kind.queries == 2 * LOOKED + 3
        assert not opened.kind.is_another


@pytest.mark.parametrize("index", ["ip"], indirect=True)
def test_an_index_says_what_kind_its_queries_are_of(index: Path) -> None:
    with serving({"kinds": index}) as (client, _):
        about = "/v1/indexes/kinds"
        assert client.get(about).json()["queries"] == {
            "queries": 0,
            "farther": 0.0,
            "is_another": False,
        }
        vectors = fresh(5, 100).tolist()
        client.post(about + "/search/batch", json={"vectors": vectors, "k": 3}).raise_for_status()
        assert client.get(about).json()["queries"]["queries"] == 100


@given(
    known=arrays(np.float32, st.integers(0, 300), elements=FLOATS),
    live=arrays(np.float32, st.integers(1, 300), elements=FLOATS),
)
def test_the_share_that_is_farther_is_that_of_a_comparison_one_by_one(
    known: np.ndarray[Any, Any], live: np.ndarray[Any, Any]
) -> None:
    nearness = Nearness.of(known)
    watch = Watch(Path("an-index"), nearness)
    watch.note(live[: len(live) // 2 + 1])
    for one in live[len(live) // 2 + 1 :]:
        watch.note(one[None])
    farther = [
        float((known <= np.float32(edge)).mean() - (live <= np.float32(edge)).mean())
        for edge in nearness.edges
    ]
    assert watch.kind.farther == pytest.approx(max([0.0, *farther]), abs=1e-9)
    assert watch.kind.queries == (len(live) if nearness.edges else 0)


def test_an_older_index_has_no_nearness_and_notes_nothing() -> None:
    watch = Watch(Path("an-index"), Nearness())
    watch.note(np.zeros(2 * LOOKED, np.float32))
    assert watch.kind == (0, 0.0, False)


def test_with_ip_the_length_of_a_query_does_not_matter() -> None:
    queries = np.array([[3, 4], [30, 40], [0, 0]], np.float32)
    near = np.array([-10, -100, 0], np.float32)
    unit = HeadSpace("ip", "f32", 2, radius=1.0)
    np.testing.assert_allclose(unit.scale_free(near, queries), [-2, -2, 0])
    assert HeadSpace("l2", "f32", 2).scale_free(near, queries) is near
