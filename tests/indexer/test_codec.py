"""What codes promise: unbiased estimates, a second tier that helps, and no trouble at the edges."""

from collections.abc import Iterator

import numpy as np
import pytest

from longspan.indexer.planning.shape import kind_of
from longspan.indexer.running.workers import Workers, workers
from longspan.indexer.stages import codec as codecs
from longspan.indexer.stages.books import points_of
from longspan.indexer.store.codec import Codec
from longspan.indexer.store.space import HeadSpace
from tests.data import clusters

KINDS = ("pq", "rabitq")


@pytest.fixture(scope="module")
def pool() -> Iterator[Workers]:
    with workers(2) as made:
        yield made


def space_of(base: np.ndarray) -> HeadSpace:
    return HeadSpace("l2", "f32", base.shape[1])


def estimates(
    codec: Codec, records: np.ndarray, heads: np.ndarray, query: np.ndarray, both: np.ndarray | None
) -> np.ndarray:
    """Return the estimated squared distances, by the definition in longspan.cext.coded."""
    meaning, groups = codec.meaning, codec.groups
    near = np.square(heads - query).sum(axis=1)
    turned = codec.turn(query[None])[0]
    dots = points_of(np.ascontiguousarray(records[:, :groups]), codec.books[0]) @ turned
    scale, halves = meaning.scales[records[:, groups]], records[:, groups + 1 :]
    if both is not None:
        scale, halves = scale * meaning.ratio, both[:, groups:]
        second = np.ascontiguousarray(both[:, :groups])
        dots = dots + points_of(second, codec.books[1]) @ turned
    addend = np.ascontiguousarray(halves).view("<f2")[:, 0].astype(np.float32) * meaning.unit
    return near + addend - 2 * scale * dots


@pytest.mark.parametrize("kind", KINDS)
def test_estimates_are_unbiased_and_the_second_tier_is_nearer_the_truth(
    kind: str, pool: Workers
) -> None:
    corpus = clusters(np.random.default_rng(3), dim=40)
    base = corpus.base * 50
    heads = base.mean(axis=0) + np.zeros_like(base)
    codec = codecs.train(kind, "", space_of(base), base, heads, 1, pool)
    first, second = codecs.encode(codec, space_of(base), base, heads)
    errors = []
    for query in corpus.queries[:20] * 50:
        true = np.square(base - query).sum(axis=1)
        one = estimates(codec, first, heads, query, None) - true
        two = estimates(codec, first, heads, query, second) - true
        errors.append((one.mean() / true.mean(), one.std(), two.std()))
    bias, std_first, std_second = np.mean(errors, axis=0)
    assert abs(bias) < 0.01
    assert std_second < 0.75 * std_first


@pytest.mark.parametrize("kind", KINDS)
def test_a_vector_that_is_its_head_is_estimated_exactly(kind: str, pool: Workers) -> None:
    rng = np.random.default_rng(1)
    base = rng.normal(size=(400, 16)).astype(np.float32)
    codec = codecs.train(kind, "", space_of(base), base, np.zeros_like(base), 1, pool)
    first, second = codecs.encode(codec, space_of(base), base, base)
    query = rng.normal(size=16).astype(np.float32)
    true = np.square(base - query).sum(axis=1)
    np.testing.assert_allclose(estimates(codec, first, base, query, None), true, rtol=1e-4)
    np.testing.assert_allclose(estimates(codec, first, base, query, second), true, rtol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rows", [1, 3, 300])
def test_equal_vectors_and_few_vectors_can_be_coded(kind: str, rows: int, pool: Workers) -> None:
    base = np.full((rows, 9), 7, np.float32)
    codec = codecs.train(kind, "", space_of(base), base, base - 1, 1, pool)
    first, second = codecs.encode(codec, space_of(base), base, base - 1)
    query = np.zeros(9, np.float32)
    one = estimates(codec, first, base - 1, query, None)
    two = estimates(codec, first, base - 1, query, second)
    assert np.isfinite(one).all() and np.isfinite(two).all()
    np.testing.assert_allclose(two, 9 * 49, rtol=0.1)


def test_the_choice_says_why() -> None:
    assert kind_of("auto", 10**6, 128) == (
        "pq", "128 dims, below 256 trained points are best",
    )  # fmt: skip
    assert kind_of("auto", 10**6, 256)[0] == "rabitq"
    assert kind_of("auto", 100, 256)[0] == "raw"
    assert kind_of("auto", 10**6, 8)[0] == "raw"
    assert kind_of("auto", 10**6, 128, 0.1)[0] == "pq"
    assert kind_of("auto", 10**6, 128, 0.5)[0] == "rabitq"
    assert kind_of("pq", 100, 8) == ("pq", "as asked")
