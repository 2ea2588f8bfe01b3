"""The recall that was asked for: what a build chooses for it, judges, and says."""

from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from longspan.indexer.config import DECILE, MEAN
from longspan.indexer.stages import judge
from longspan.indexer.stages.judge import Judgement
from longspan.indexer.store.calibration import READ_ALL, RECALLS, TARGETS, Calibration, Setting
from longspan.indexer.store.manifest import Manifest
from longspan.indexer.store.tiers import sizes
from longspan.indexer.tools.truth import recall
from longspan.service import Index
from tests.builds import built_index

QUERIES = 200


@pytest.fixture(scope="module")
def noise() -> np.ndarray[Any, Any]:
    """Vectors whose distances hardly differ: the hardest for codes."""
    return np.random.default_rng(3).normal(size=(4_000 + QUERIES, 40)).astype(np.float32)


@pytest.fixture(scope="module", params=["l2", "ip"])
def index(request: Any, noise: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("noise")
    base = noise[:-QUERIES]
    return built_index(folder, base, metric=request.param, codec="pq", calibration=500)


@pytest.mark.parametrize("tier", [0, 1, 2])
@pytest.mark.parametrize("k", [1, 10, 300])
@pytest.mark.parametrize("target", [0.9, 0.99])
def test_codes_give_the_recall_that_is_asked_for_of_noise(
    index: Path, noise: np.ndarray[Any, Any], tier: int, k: int, target: float
) -> None:
    queries = noise[-QUERIES:]
    with Index.open(index, sizes(Manifest.read(index))[tier]) as opened:
        true = opened.search(queries, k, 1.0).distances
        found = opened.search(queries, k, target).distances
    # Three standard errors of so many queries, each of k neighbours.
    chance = 3 * (target * (1 - target) / QUERIES / min(k, 10)) ** 0.5
    assert share_within(found, true) >= target - chance


def share_within(found: np.ndarray[Any, Any], true: np.ndarray[Any, Any]) -> float:
    """Return the share of hits no farther than the last true neighbour, but for rounding."""
    last = true[:, -1:]
    return float((found <= last + 1e-5 * np.abs(last)).mean())


@pytest.mark.parametrize("tier", [0, 1, 2])
@given(power=st.integers(-60, 40), at=st.integers(0, QUERIES - 1))
def test_with_ip_a_query_finds_the_same_whatever_its_length(
    noise: np.ndarray[Any, Any], ip_index: Path, tier: int, power: int, at: int
) -> None:
    query = noise[-QUERIES + at]
    with Index.open(ip_index, sizes(Manifest.read(ip_index))[tier]) as opened:
        usual = opened.search(query, 10, 0.9)
        scaled = opened.search(query * np.float32(2.0**power), 10, 0.9)  # exactly so much longer
    np.testing.assert_array_equal(usual.ids, scaled.ids)


@pytest.fixture(scope="module")
def ip_index(noise: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ip")
    return built_index(folder, noise[:-QUERIES], metric="ip", codec="pq", calibration=100)


def test_an_index_says_what_was_measured(index: Path) -> None:
    calibration = Calibration.from_dict(Manifest.read(index).calibration)
    assert calibration.ks == [1, 10, 100, 300, 1000]
    for tier in range(3):
        measured = calibration.measured(tier)
        assert [(one.k, one.target) for one in measured] == [
            (k, target) for k in calibration.ks for target in TARGETS
        ]
        for one in measured:
            assert 0 <= one.tenth <= one.recall <= 1
            assert one.recall + one.error >= one.target
            assert not one.is_short


SHARES = st.lists(st.sampled_from([0.0, 0.5, 0.9, 1.0]), min_size=1, max_size=300)


@given(shares=SHARES)
def test_a_decile_is_what_nine_queries_in_ten_have_at_least(shares: list[float]) -> None:
    found = Judgement.of(np.array(shares), DECILE)
    having = sum(share >= found.recall for share in shares)
    assert having >= 0.9 * len(shares)
    more = [share for share in set(shares) if share > found.recall]
    if more:  # nobody could say more
        assert sum(share >= min(more) for share in shares) < 0.9 * len(shares) + 1
    assert found.error >= 0


@given(shares=SHARES)
def test_a_mean_is_that_of_all_queries(shares: list[float]) -> None:
    found = Judgement.of(np.array(shares), MEAN)
    assert found.recall == pytest.approx(np.mean(shares))
    assert found.error == pytest.approx(np.std(shares) / len(shares) ** 0.5)
    assert found.tenth <= found.recall + 1e-9


@pytest.fixture(scope="module")
def fair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, np.ndarray[Any, Any]]:
    """An index that was asked for nine queries in ten, of a tight and of a wide part; queries."""
    rng = np.random.default_rng(5)
    rows = rng.normal(size=(6_400, 24)) * np.where(rng.random((6_400, 1)) < 0.7, 0.1, 1)
    base, queries = np.split(rows.astype(np.float32), [6_000])
    folder = tmp_path_factory.mktemp("fair")
    return built_index(folder, base, codec="pq", calibration=700, recall_of=DECILE), queries


@pytest.mark.parametrize("tier", [0, 1, 2])
@pytest.mark.parametrize("target", TARGETS)
def test_nine_queries_in_ten_have_the_recall_where_that_was_asked_for(
    fair: tuple[Path, np.ndarray[Any, Any]], tier: int, target: float
) -> None:
    index, queries = fair
    with Index.open(index, sizes(Manifest.read(index))[tier]) as opened:
        true = opened.search(queries, 10, 1.0).distances
        found = opened.search(queries, 10, target).distances
    have = (recall(found, true, 10) >= target).mean()
    assert have >= 0.9 - 3 * (0.09 / len(queries)) ** 0.5 - 3 * (0.09 / 200) ** 0.5


class Scripted:
    """An index of which a setting gives the more recall the lower its threshold is, up to most."""

    def __init__(self, n: int, most: float) -> None:
        self.most = most
        self.parts = SimpleNamespace(
            n=n,
            primary=np.array([n], np.uint32),
            codec="pq",
            query_dtype=np.dtype(np.float32),
            space=SimpleNamespace(dim=16),
        )

    def judge(self, setting: Setting, k: int, sample: Any) -> Judgement:
        whole = setting.threshold == READ_ALL
        return Judgement(1.0 if whole else min(-setting.threshold, self.most), 0.0, 0.0)


def raised(
    n: int, most: float, recalls: Iterable[float]
) -> tuple[dict[float, Setting], list[float]]:
    """Return what is chosen for each recall and measured of each target, of what settings give."""
    row = [Setting(-recall, 8, 10, 1.0, 1.0) for recall in recalls]
    asking: Any = Scripted(n, most)
    chosen, measured = judge.raised(asking, row, 10, asking)
    return dict(zip(RECALLS, chosen, strict=True)), [one.recall for one in measured]


def test_settings_that_reach_their_targets_stay() -> None:
    chosen, measured = raised(10**9, 1.0, RECALLS)
    assert {recall: -one.threshold for recall, one in chosen.items()} == {r: r for r in RECALLS}
    assert measured == list(TARGETS)


def test_settings_that_miss_give_way_to_the_next_that_reaches() -> None:
    chosen, measured = raised(10**9, 1.0, (recall - 0.025 for recall in RECALLS))
    assert [-chosen[recall].threshold for recall in (0.9, 0.95)] == [
        pytest.approx(0.915),
        pytest.approx(0.955),
    ]
    given = [-chosen[recall].threshold for recall in RECALLS]
    assert given == sorted(given)
    assert all(found >= target for found, target in zip(measured, TARGETS, strict=True))


def test_where_nothing_reaches_a_target_a_small_index_scores_every_vector() -> None:
    chosen, measured = raised(1000, 0.92, RECALLS)
    assert chosen[0.9].depth == 10
    assert chosen[0.95] == Setting(READ_ALL, 1, 1000, 1.0, 0.0)
    assert measured == [0.9, 1.0, 1.0]


def test_what_nothing_reaches_is_searched_with_the_most_that_was_tried_and_said() -> None:
    chosen, measured = raised(10**9, 0.92, RECALLS)
    assert (chosen[0.95].depth, chosen[0.95].postings) == (40, 4)
    assert measured == [0.9, 0.92, 0.92]
