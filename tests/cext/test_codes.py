"""The kernels of codes against their numpy twins, on every instruction set that there is."""

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from longspan.cext import codes, kernels, posting

LEVELS = kernels.available()


def codes_of(vectors: np.ndarray, books: np.ndarray) -> np.ndarray:
    """Return the codes of vectors, as the kernels make them."""
    n, share = len(books), books.shape[1] // 4
    blocks = books.reshape(n // share, share, *books.shape[1:])
    cross = np.einsum("bpdv,bqdw->bpvqw", blocks, blocks)
    cross[:, np.arange(share), :, np.arange(share)] = 0
    halves = (np.square(books).sum(axis=1) / 2).astype(np.float32)
    found = np.empty((len(vectors), vectors.shape[1] // 8), np.uint8)
    codes.encode(vectors, books, halves, cross.reshape(n, -1).astype(np.float32), found)
    return found


@pytest.fixture(autouse=True)
def restore_level() -> Iterator[None]:
    before = kernels.active_name()
    yield
    kernels.use(before)


def made(seed: int, n: int, groups: int, span: int) -> tuple[np.ndarray, np.ndarray]:
    """Return vectors (n, groups * 8) and books (2 groups, span, 16); one for all when span is 4."""
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(n, groups * 8)).astype(np.float32)
    count = 1 if span == 4 else 2 * groups
    return vectors, rng.normal(size=(count, span, 16)).astype(np.float32)


def named(found: np.ndarray, books: np.ndarray) -> np.ndarray:
    """Return the sums of the points that codes name, (n, groups * 8)."""
    n, nibbles = len(found), 2 * found.shape[1]
    span, points = books.shape[1], np.zeros((n, nibbles * 4))
    for t in range(nibbles):
        start = 4 * t // span * span
        point = found[:, t // 2] >> (4 * (t % 2)) & 15
        points[:, start : start + span] += books[0 if len(books) == 1 else t].T[point]
    return points


def greedy(part: np.ndarray, books: np.ndarray) -> float:
    """Return the squared error of a vector by points chosen one after the other."""
    for book in books.astype(np.float64):
        part = part - book.T[np.square(part[:, None] - book).sum(axis=0).argmin()]
    return float(np.square(part).sum())


@pytest.mark.parametrize("level", LEVELS)
@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(1, 9),
    blocks=st.integers(1, 5),
    span=st.sampled_from([8, 16, 32]),
)
def test_points_that_codes_name_add_up_to_nearly_the_vectors(
    level: str, seed: int, n: int, blocks: int, span: int
) -> None:
    kernels.use(level)
    vectors, books = made(seed, n, blocks * span // 8, span)
    found = codes_of(vectors, books)
    points = np.empty_like(vectors)
    codes.decode(found, books, points)
    np.testing.assert_allclose(points, named(found, books), rtol=1e-4, atol=1e-4)

    share = span // 4
    errors = np.square(points - vectors.astype(np.float64)).reshape(n, blocks, span).sum(axis=2)
    for i, block in np.ndindex(n, blocks):
        part = vectors[i, block * span : (block + 1) * span].astype(np.float64)
        own = books[block * share : (block + 1) * share]
        assert errors[i, block] <= greedy(part, own) * (1 + 1e-4) + 1e-4
        if share == 2:  # all pairs of points are looked at
            sums = own[0][:, :, None].astype(np.float64) + own[1][:, None, :]
            best = np.square(part[:, None, None] - sums).sum(axis=0).min()
            np.testing.assert_allclose(errors[i, block], best, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("level", LEVELS)
@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(0, 50),
    groups=st.sampled_from([2, 4, 6, 14, 32, 256, 258, 600]),
    span=st.sampled_from([4, 16]),
)
@example(seed=1, n=35, groups=2, span=4)
@example(seed=1, n=19, groups=600, span=16)
def test_estimates_are_those_of_the_definition(
    level: str, seed: int, n: int, groups: int, span: int
) -> None:
    kernels.use(level)
    queries, books = made(seed, 1, groups, span)
    rng = np.random.default_rng(seed)
    records = rng.integers(0, 256, (n, groups + 3), dtype=np.uint8)
    addends = rng.normal(size=n).astype("<f2")
    records[:, groups + 1 :] = addends[:, None].view(np.uint8)
    scales = rng.random(256).astype(np.float32)
    tiles, found = np.empty_like(records), np.empty(n, np.float32)
    posting.tile(records, np.array([n], np.uint32), tiles)
    codes.estimates(queries[0], books, scales, 3.0, tiles.reshape(-1), found)
    tables = tables_of(queries[0], books)
    factors = scales[records[:, groups]].astype(np.float64)
    dots = named(records[:, :groups], books) @ queries[0]
    # A table's value is one of 128 that lie a step apart, so half a step away at most.
    step = np.ptp(tables, axis=1).max() / 127
    wrong = np.abs(found - (3.0 * addends.astype(np.float64) - 2 * factors * dots))
    assert (wrong <= 2 * factors * (0.5 * step * 2 * groups) + 1e-3 * groups).all()
    if n >= 20:  # nor are they all that far
        typical = step * np.sqrt(2 * groups / 12)
        assert np.sqrt(np.square(wrong).mean()) <= 4 * typical + 1e-3 * groups


def tables_of(query: np.ndarray, books: np.ndarray) -> np.ndarray:
    """Return the dot product of a query and each nibble's points, (nibbles, 16)."""
    span, nibbles = books.shape[1], len(query) // 4
    parts = [query[4 * t // span * span :][:span] for t in range(nibbles)]
    return np.array([part @ books[0 if len(books) == 1 else t] for t, part in enumerate(parts)])


def test_tiles_by_hand() -> None:
    # Two groups, a scale and an addend of two bytes: record i is i, 100 + i, 200 + i, 50 + i, i.
    first = np.arange(18, dtype=np.uint8)[:, None] + np.array([0, 100, 200, 50, 0], np.uint8)
    tiles = np.empty_like(first)
    posting.tile(first, np.array([17, 1], np.uint32), tiles)
    sixteen = np.arange(16, dtype=np.uint8)
    assert tiles.tobytes() == b"".join(
        [
            *(bytes(sixteen + start) for start in (0, 100, 200)),
            *(bytes([50 + i, i]) for i in range(16)),
            bytes([16, 116, 216, 66, 16]),
            bytes([17, 117, 217, 67, 17]),
        ]
    )
    back = np.empty((3, 5), np.uint8)
    starts, counts = np.array([0, 0, 17]), np.array([17, 17, 1])
    posting.untile(tiles, starts, counts, np.array([3, 16, 17]), back)
    np.testing.assert_array_equal(back, first[[3, 16, 17]])
    with pytest.raises(ValueError, match="row 17 of 17 from 0 on"):
        posting.untile(tiles, starts, counts, np.array([17, 16, 17]), back)
    with pytest.raises(ValueError, match="18 records, counts of 1 postings add up to 17"):
        posting.tile(first, np.array([17], np.uint32), tiles)
    with pytest.raises(ValueError, match="add up to more"):
        posting.tile(first, np.array([19], np.uint32), tiles)


@given(seed=st.integers(0, 2**32 - 1), counts=st.lists(st.integers(0, 40), min_size=1, max_size=9))
def test_tiles_give_the_records_back(seed: int, counts: list[int]) -> None:
    n, rng = sum(counts), np.random.default_rng(seed)
    records = rng.integers(0, 256, (n, 7), dtype=np.uint8)
    tiles, back = np.empty_like(records), np.empty_like(records)
    posting.tile(records, np.array(counts, np.uint32), tiles)
    rows, sizes = np.arange(n), np.array(counts)
    starts = np.repeat(np.cumsum(sizes) - sizes, sizes)
    posting.untile(tiles, starts, np.repeat(sizes, sizes), rows, back)
    np.testing.assert_array_equal(back, records)


@given(seed=st.integers(0, 2**32 - 1), width=st.integers(1, 100), rounds=st.integers(0, 4))
def test_a_rotation_keeps_lengths_and_angles(seed: int, width: int, rounds: int) -> None:
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(5, width)).astype(np.float32)
    signs = rng.choice(np.array([-1, 1], np.float32), (rounds, width))
    turned = np.empty_like(vectors)
    codes.turn(vectors, np.zeros(width, np.float32), signs, turned)
    np.testing.assert_allclose(turned @ turned.T, vectors @ vectors.T, rtol=1e-3, atol=1e-3)


def test_a_rotation_by_hand() -> None:
    points, turned = np.array([[2, 4, 9]], np.float32), np.empty((1, 3), np.float32)
    signs = np.array([[1, -1, 1], [-1, 1, 1]], np.float32)
    codes.turn(points, np.array([1, 2, 6], np.float32), signs, turned)
    # (1, -2 | 3) -> (-1, 3 | 3) / sqrt 2; then (1, 3 | 3 sqrt 2) of which the last two are mixed.
    first = np.array([-1, 3]) / np.sqrt(2)
    rest = np.array([first[1] + 3, first[1] - 3]) / np.sqrt(2)
    np.testing.assert_allclose(turned[0], [-first[0], *rest], rtol=1e-6)


def test_a_point_is_less_the_centre_and_padded() -> None:
    # The dimension that inner product adds, here 7, is left out.
    turned = np.empty((1, 4), np.float32)
    points, centre = np.array([[2, 4, 7]], np.float32), np.array([1, 1], np.float32)
    codes.turn(points, centre, np.empty((0, 4), np.float32), turned)
    np.testing.assert_array_equal(turned, [[1, 3, 0, 0]])


def test_shapes_that_disagree_are_refused() -> None:
    vectors, books = made(1, 2, 4, 16)
    short, halves, cross = np.zeros((2, 2), np.uint8), np.zeros((8, 16)), np.zeros((8, 1024))
    with pytest.raises(ValueError, match="32 wide, codes have 2 groups"):
        codes.encode(vectors, books, halves.astype("f4"), cross.astype("f4"), short)
    with pytest.raises(ValueError, match="books are 2 x 16 x 16"):
        codes.decode(np.zeros((2, 4), np.uint8), books[:2], vectors)
    with pytest.raises(ValueError, match="3 records of 4 groups in 20 bytes"):
        codes.estimates(
            vectors[0], books, np.zeros(256, np.float32), 1.0, np.zeros(20, np.uint8),
            np.zeros(3, np.float32),
        )  # fmt: skip
    rows, centre = np.zeros((1, 3), np.float32), np.zeros(3, np.float32)
    with pytest.raises(ValueError, match="3 are 3 wide, signs 4"):
        codes.turn(rows, centre, np.ones((1, 4), np.float32), rows.copy())
    with pytest.raises(ValueError, match="1 points of 3 are 2 wide"):
        codes.turn(rows, centre, np.ones((0, 2), np.float32), np.empty((1, 2), np.float32))
