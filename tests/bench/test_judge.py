"""Judged figures by hand: recall by distance, the median round, the setting that counts."""

import json
import math
from pathlib import Path
from typing import Any

import judge
import numpy as np
import pytest

LINE = np.array([[0], [1], [2], [3], [3], [9]], np.uint8)  # rows 3 and 4 are equally far from all
ASKED = np.array([[0], [2]], np.uint8)
NEAREST = np.array([[0, 1, 2, 3], [2, 1, 3, 4]])


def shares(ids: list[list[int]], k: int = 4, metric: str = "l2") -> list[float]:
    return judge.recall(LINE, ASKED, np.array(ids), NEAREST, metric, k).tolist()


def test_recall_is_the_share_that_is_no_farther_than_the_last_true_neighbour():
    assert shares([[0, 1, 2, 5], [2, 5, 0, 1]]) == [0.75, 0.5]


def test_any_of_several_vectors_equally_far_is_right():
    assert shares([[0, 1, 2, 4], [2, 1, 4, 3]]) == [1, 1]


def test_an_answer_not_given_is_wrong():
    assert shares([[0, 1, -1, -1], [-1, -1, -1, -1]]) == [0.5, 0]


def test_only_the_first_k_count():
    assert shares([[0, 5, 5, 5], [5, 2, 2, 2]], k=1) == [1, 0]


def test_an_id_given_twice_in_one_answer_ends_the_report():
    with pytest.raises(SystemExit, match="twice"):
        shares([[0, 1, 2, 1], [2, 1, 3, 4]])


def test_cosine_does_not_know_lengths():
    base = np.array([[1, 0], [5, 5], [0, 2]], np.float32)
    ids = np.array([[1, 0, -1]])
    found = judge.distances(base, np.array([[3, 0]], np.float32), ids, "cosine")
    np.testing.assert_allclose(found, [[1 - math.sqrt(0.5), 0, math.inf]], atol=1e-15)


def store(results: Path, stem: str, ids: list[list[int]], **changes: Any) -> None:
    """Store a measurement of two queries in three rounds as measure.py does."""
    np.savez(
        results / f"{stem}.npz",
        ids=np.array(ids),
        latency=np.array([[0.5, 0.5], [0.001, 0.003], [0.1, 0.1]]),
        seconds=np.array([1.0, 0.004, 0.002]),  # the median is of the second round
        disk_bytes=np.array([0, 4096, 9]),
    )
    np.save(results.parent / "base.npy", LINE)
    np.save(results.parent / "queries.npy", ASKED)
    np.save(results.parent / "truth.npy", NEAREST)
    memory = {"empty": {"anon": 100, "file": 10}, "searched": {"anon": 150, "file": 30}}
    note: dict[str, Any]
    note = {"do": "search", "set": "line", "curve": "peer-a", "setting": {"nprobe": 2, "memory": 7}}
    note |= {"threads": 1, "cold": False, "k": 4, "metric": "l2", "memory": memory, "costs": {}}
    note |= {"set_folder": str(results.parent), "out": f"{stem}.json", "build": "built.json"}
    (results / f"{stem}.json").write_text(json.dumps(note | changes))
    built = {"do": "build", "build_seconds": 1.5, "size": 600}
    (results / "built.json").write_text(json.dumps(built))


@pytest.fixture
def results(tmp_path: Path) -> Path:
    (tmp_path / "results").mkdir()
    return tmp_path / "results"


def test_a_measurement_is_judged_by_its_round_of_median_speed(results: Path):
    store(results, "one", [[0, 1, 2, 5], [2, 1, 3, 4]])
    (one,) = judge.figures(results)
    assert (one.set, one.curve, one.setting, one.n, one.queries) == (
        "line", "peer-a", "nprobe 2", 6, 2)  # fmt: skip
    assert one.recall == 0.875
    assert one.qps == pytest.approx(2 / 0.004)
    assert (one.mean_ms, one.p50_ms, one.p99_ms) == pytest.approx((2, 2, 2.98))
    assert one.disk_bytes == 2048
    assert (one.own_bytes, one.held_bytes, one.postings) == (70, 7, None)
    assert (one.build_seconds, one.index_bytes) == (1.5, 600)


def test_the_first_setting_of_a_curve_that_reaches_a_recall_is_chosen(results: Path):
    half, most, whole = ([[0, 1, -1, -1]] * 2, [[0, 1, 2, 5], [2, 1, 3, 4]], NEAREST.tolist())
    for number, ids in enumerate((whole, half, most)):
        store(results, f"a{number}", ids, setting={"nprobe": number})
        store(results, f"cold{number}", ids, setting={"nprobe": number}, cold=True)
    store(results, "b", half, curve="peer-b")
    found = judge.figures(results)
    chosen = judge.reaching(found, 0.8)
    assert [(one.curve, one.cold, one.setting) for one in chosen] == [
        ("peer-a", False, "nprobe 2"),
        ("peer-a", True, "nprobe 2"),
    ]
    assert [one.setting for one in judge.reaching(found, 1)] == ["nprobe 0"] * 2
