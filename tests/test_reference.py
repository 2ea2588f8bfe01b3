"""The definitions themselves, by hand: four points on a line and their like."""

import numpy as np
import pytest

from tests.data import clusters, duplicates, uneven_norms
from tests.reference import all_distances, brute_force, check_answer, check_same_distances, recall

LINE = np.array([[0.0], [1.0], [2.0], [4.0]], dtype=np.float32)
QUERY = np.array([[1.25]], dtype=np.float32)


def test_l2_is_the_squared_distance():
    assert all_distances(QUERY, LINE, "l2").tolist() == [[1.5625, 0.0625, 0.5625, 7.5625]]


def test_inner_product_is_negated_so_that_smaller_is_better():
    assert all_distances(QUERY, LINE, "ip").tolist() == [[0.0, -1.25, -2.5, -5.0]]


def test_cosine_is_one_minus_the_cosine():
    base = np.array([[2.0, 0.0], [0.0, 5.0], [-1.0, 0.0]])
    assert all_distances(np.array([[3.0, 0.0]]), base, "cosine").tolist() == [[0.0, 1.0, 2.0]]


def test_brute_force_pads_what_is_missing():
    ids, distances = brute_force(QUERY, LINE, 5, "l2")
    assert ids.tolist() == [[1, 2, 0, 3, -1]]
    assert distances[0, 4] == np.inf


def test_brute_force_answers_with_the_given_ids():
    ids, _ = brute_force(QUERY, LINE, 2, "l2", ids=np.array([40, 30, 20, 10]))
    assert ids.tolist() == [[30, 20]]


def test_recall_counts_any_of_several_equally_far():
    true = np.array([[1.0, 2.0, 2.0]])
    assert recall(np.array([[1.0, 2.0, 2.0]]), true, 2).tolist() == [1.0]
    assert recall(np.array([[2.0, 2.0, 3.0]]), true, 2).tolist() == [1.0]
    assert recall(np.array([[1.0, 3.0, 3.0]]), true, 2).tolist() == [0.5]


def test_a_missing_hit_counts_only_where_the_truth_has_too_few():
    true = np.array([[1.0, np.inf]])
    assert recall(np.array([[1.0, np.inf]]), true, 2).tolist() == [1.0]
    assert recall(np.array([[np.inf, np.inf]]), true, 2).tolist() == [0.0]


@pytest.mark.parametrize("metric", ["l2", "ip", "cosine"])
def test_an_exact_answer_passes_the_checks(rng, metric):
    base, queries = uneven_norms(rng, 50, 6), uneven_norms(rng, 5, 6)
    ids, distances = brute_force(queries, base, 60, metric)
    check_answer(ids, distances.astype(np.float32), queries, base, metric)
    check_same_distances(distances.astype(np.float32), distances)


@pytest.mark.parametrize(
    ("ids", "distances", "complaint"),
    [
        ([[1, 1]], [[0.0625, 0.0625]], "an id twice"),
        ([[2, 1]], [[0.5625, 0.0625]], "not ascending"),
        ([[-1, 1]], [[np.inf, 0.0625]], "after a missing one"),
        ([[1, -1]], [[0.0625, 9.0]], "not \\+inf"),
        ([[1, 2]], [[0.0625, 0.6]], "want"),
    ],
)
def test_a_wrong_answer_fails_the_checks(ids, distances, complaint):
    with pytest.raises(AssertionError, match=complaint):
        check_answer(np.array(ids), np.array(distances), QUERY, LINE, "l2")


def test_answers_with_other_distances_are_not_the_same():
    with pytest.raises(AssertionError, match="differ by up to 1"):
        check_same_distances(np.array([[1.0]]), np.array([[2.0]]))
    with pytest.raises(AssertionError, match="missing"):
        check_same_distances(np.array([[1.0]]), np.array([[np.inf]]))


def test_duplicates_repeat_every_row_equally_often(rng):
    rows = duplicates(rng, 60, 4, distinct=20)
    _, counts = np.unique(rows, axis=0, return_counts=True)
    assert counts.tolist() == [3] * 20


def test_neighbours_on_the_surface_are_nearer_than_strangers(rng):
    corpus = clusters(rng, n=1000, queries=50)
    distances = np.sort(all_distances(corpus.queries, corpus.base, "l2"), axis=1)
    assert np.median(distances[:, 0]) < 0.3 * np.median(distances)  # 0.12 at most over 300 seeds
