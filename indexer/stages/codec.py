"""Choose a codec, train it, and encode vectors with it.

Why these two: measured with the exact distances of 25 candidates, 48 bytes a vector of rabitq find
.91 of the ten nearest text vectors (384 dimensions), pq .88; 16 bytes of pq find .88 of the SIFT
ones (128 dimensions), rabitq .83. With both tiers, 96 and 32 bytes, all four find .96 to .97. pq in
two tiers beat one tier of the same bytes (.966 to .934), and the unbiased scale took a sixth off
the candidates that a recall needs.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from longspan.indexer.planning.portions import ENCODED
from longspan.indexer.running.workers import Workers
from longspan.indexer.stages.books import codes_of, empty_books, points_of, trained
from longspan.indexer.store.codec import GROUP, POINTS, SCALES, TIERS, Codec, Meaning, groups_for
from longspan.indexer.store.space import HeadSpace

Floats = NDArray[np.float32]
Bytes = NDArray[np.uint8]

ROUNDS = 4  # of the rotation
NIBBLE = 4  # dimensions that one has a bit for each of
HEADROOM = 4.0  # how far beyond the sample's largest addend others may go
MARGIN = 2.0  # how far beyond the sample's scales


def train(
    kind: str,
    reason: str,
    space: HeadSpace,
    lifted: Floats,
    heads: Floats,
    seed: int,
    pool: Workers,
) -> Codec:
    """Return a codec for vectors like these.

    lifted  (s, width)  a sample, in the head space
    heads   (s, width)  the head of each, as stored
    """
    rng = np.random.default_rng(seed)
    centre = lifted[:, : space.dim].mean(axis=0)
    width = groups_for(len(centre)) * GROUP
    blank = Meaning(kind=kind, reason=reason, scale_low=0, scale_step=0, unit=1, ratio=1)
    if kind == "rabitq":
        signs = rng.choice(np.array([-1, 1], np.float32), (ROUNDS, width))
        codec = Codec(blank, centre, signs, corners())
    else:
        none = np.empty((0, width), np.float32)
        books = empty_books(width, TIERS)
        codec = Codec(blank, centre, none, books)
        rest = left_over(codec, lifted, heads)
        for tier in range(TIERS):
            books[tier] = trained(rest, seed, pool)
            rest -= points_of(codes_of(rest, books[tier]), books[tier])
        del rest
    return Codec(fit_scales(codec, space, lifted, heads), centre, codec.signs, codec.books)


def corners() -> Floats:
    """Return the books of rabitq: the corners of a cube, and of one half as large."""
    bits = (np.arange(POINTS)[None, :] >> np.arange(NIBBLE)[:, None]) & 1
    cube = (2 * bits - 1).astype(np.float32)
    return np.stack([cube, cube / 2])[:, None]


def left_over(codec: Codec, lifted: Floats, heads: Floats) -> Floats:
    """Return vectors less their heads, turned, (n, groups * 8)."""
    rest = codec.turn(lifted)
    rest -= codec.turn(heads)
    return rest


def first_codes(codec: Codec, rest: Floats) -> Bytes:
    """Return the codes of vectors less their heads, turned."""
    if codec.meaning.kind == "rabitq":
        return np.packbits(rest > 0, axis=1, bitorder="little")
    return codes_of(rest, codec.books[0])


def second_codes(codec: Codec, rest: Floats, first: Bytes) -> Bytes:
    """Return the codes of what the first ones left over."""
    if codec.meaning.kind == "rabitq":
        step = np.abs(rest).mean(axis=1, keepdims=True)
        return np.packbits(rest > np.where(rest > 0, step, -step), axis=1, bitorder="little")
    return codes_of(rest - points_of(first, codec.books[0]), codec.books[1])


def along(points: Floats, rest: Floats) -> tuple[Floats, Floats]:
    """Return |rest|^2 and the scale that makes points unbiased; 0 where they point elsewhere."""
    square = np.einsum("ij,ij->i", rest, rest)
    dots = np.einsum("ij,ij->i", points, rest)
    useful = (dots > 0) & (square > 0)
    return square, np.where(useful, square / np.where(useful, dots, 1), 0).astype(np.float32)


def fit_scales(codec: Codec, space: HeadSpace, lifted: Floats, heads: Floats) -> Meaning:
    """Return the numbers by which scalars are stored, from a sample."""
    step = max(1, ENCODED // space.width)
    blocks = [slice(at, at + step) for at in range(0, len(lifted), step)]
    found = [scalars_of(codec, space, lifted[some], heads[some]) for some in blocks]
    scale, scale_both, addend = (np.concatenate(each) for each in zip(*found, strict=True))
    some = (scale > 0) & (scale_both > 0)
    scales = scale[some] if some.any() else np.ones(1, np.float32)
    low, high = np.log(scales.min() / MARGIN), np.log(scales.max() * MARGIN)
    largest = HEADROOM * max(float(np.abs(addend).max()), 1e-30)
    return Meaning(
        kind=codec.meaning.kind,
        reason=codec.meaning.reason,
        scale_low=float(low),
        scale_step=float((high - low) / (SCALES - 1)),
        unit=float(2.0 ** np.ceil(np.log2(largest / 65504))),
        ratio=float((scale_both[some] / scale[some]).mean()) if some.any() else 1.0,
    )


def scalars_of(
    codec: Codec, space: HeadSpace, lifted: Floats, heads: Floats
) -> tuple[Floats, Floats, Floats]:
    """Return the scale of the first codes, that of both, and the addend of the first, (n,) each."""
    found = coded(codec, lifted, heads)
    _, scale_both = along(found.both, found.rest)
    scaled = found.scale[:, None] * found.points
    return found.scale, scale_both, addends(codec, space, lifted, heads, scaled, found.square)


class Coded(NamedTuple):
    """Vectors and their codes.

    rest           (n, groups * 8)  vectors less their heads, turned; square, (n,), of each
    first, second  (n, groups)      the codes of both tiers
    points, both   (n, groups * 8)  what the first ones stand for, and what both do
    scale          (n,)             by which points come nearest to rest
    """

    rest: Floats
    first: Bytes
    second: Bytes
    points: Floats
    both: Floats
    square: Floats
    scale: Floats


def coded(codec: Codec, lifted: Floats, heads: Floats) -> Coded:
    """Return the codes of vectors, and what they stand for."""
    rest = left_over(codec, lifted, heads)
    first = first_codes(codec, rest)
    second = second_codes(codec, rest, first)
    points = points_of(first, codec.books[0])
    square, scale = along(points, rest)
    return Coded(
        rest, first, second, points, points + points_of(second, codec.books[1]), square, scale
    )


def addends(
    codec: Codec,
    space: HeadSpace,
    lifted: Floats,
    heads: Floats,
    points: Floats,
    square: Floats,
) -> Floats:
    """Return what an estimate adds to |q - c|^2 - 2 <q, points>: see longspan.cext.coded.

    points  (n, groups * 8)  scaled, that stand for the vectors less their heads
    square  (n,)             squared distance of vectors and heads

    With inner product |q - x|^2 = |q|^2 + radius^2 - 2 <q, x> exactly, so only <q, x - c> is
    estimated, and the added dimension, in which q and x lie far apart, makes no error.
    """
    if space.metric != "ip":
        along_head: Floats = np.einsum("ij,ij->i", points, codec.turn(heads))
        return square + 2 * along_head
    rest = (lifted - heads)[:, : space.dim]
    norms = np.einsum("ij,ij->i", heads, heads, dtype=np.float64)
    given: Floats = (space.radius**2 - norms - 2 * (rest @ codec.centre)).astype(np.float32)
    return given


def encode(codec: Codec, space: HeadSpace, lifted: Floats, heads: Floats) -> tuple[Bytes, Bytes]:
    """Return the records of both tiers, as longspan.cext.posting has them.

    lifted   (n, width)  vectors in the head space
    heads    (n, width)  the nearest head of each, as stored
    returns  (n, groups + 3) and (n, groups + 2)
    """
    meaning = codec.meaning
    _, first, second, points, both, square, scale = coded(codec, lifted, heads)
    with np.errstate(divide="ignore"):
        byte = (np.log(scale) - meaning.scale_low) / meaning.scale_step
    byte = np.where(scale > 0, np.clip(np.rint(byte), 1, SCALES - 1), 0).astype(np.uint8)
    stored = meaning.scales[byte][:, None]
    addend, addend_both = (
        addends(codec, space, lifted, heads, scaled, square)
        for scaled in (stored * points, meaning.ratio * stored * both)
    )
    return (
        np.hstack([first, byte[:, None], halves(addend / meaning.unit)]),
        np.hstack([second, halves(addend_both / meaning.unit)]),
    )


def halves(values: Floats) -> Bytes:
    """Return values as the bytes of float16, (n, 2); what does not fit is as large as can be."""
    rounded: Bytes = np.clip(values, -65504, 65504).astype("<f2")[:, None].view(np.uint8)
    return rounded
