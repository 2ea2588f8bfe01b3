"""What an index takes of disk and memory, and what its build takes of disk until it ends."""

from longspan.indexer.planning.shape import MANY_DIMS, Shape
from longspan.indexer.store.checks import SUM
from longspan.indexer.store.codec import SCALARS
from longspan.indexer.store.postings import PAGE
from longspan.indexer.store.tiers import resident

ID = 8
RECORD = 24  # of a posting in the directory
STORED = 12  # of a copy: head, distance and place
# Copies of a vector, itself among them: of SIFT's, and of text's of many dimensions
# (docs/measurements.md). Other vectors have others.
COPIES = {"raw": (5.5, 2.7), "coded": (3.9, 2.2)}
NODE = 8  # bytes of a node's scalars beside those of its dimensions
TREE = 2  # LMDB's own pages, in hundredths of the postings'


def copies(shape: Shape) -> float:
    """Return how many postings a vector is expected to be in."""
    like = COPIES["coded" if shape.form.groups else "raw"]
    return min(like[shape.space.dim >= MANY_DIMS], float(shape.config.max_copies))


def posting(shape: Shape, times: float) -> float:
    """Return the bytes of a posting on average, when a vector is in so many.

    The last page of one is half full, and none has more than the cap.
    """
    form, each = shape.form, shape.n / shape.dials.heads
    size = each * (form.vector + (times - 1) * form.copy)
    return min(size + PAGE / 2, shape.dials.posting_pages * PAGE)


def codes(shape: Shape) -> list[int]:
    """Return the bytes of the codes of each tier; none when postings are raw."""
    groups = shape.form.groups
    return [shape.n * (groups + scalars) for scalars in SCALARS] if groups else []


def heads(shape: Shape) -> int:
    """Return the bytes of the heads and the tree above them."""
    each = shape.space.width + NODE
    return (shape.dials.heads + shape.inner) * each


def serving(shape: Shape) -> tuple[int, ...]:
    """Return the bytes that a server of the index keeps in memory, at each tier."""
    return resident(heads(shape), shape.dials.heads, checks(shape), codes(shape))


def postings(shape: Shape, times: float | None = None) -> int:
    """Return the bytes of all postings, when a vector is in so many."""
    each = posting(shape, copies(shape) if times is None else times)
    return int(shape.dials.heads * each * (100 + TREE) / 100)


def checks(shape: Shape, times: float | None = None) -> int:
    """Return the bytes of the checksums of pages."""
    return (postings(shape, times) + sum(codes(shape)) + shape.n * ID) // PAGE * SUM


def index(shape: Shape, times: float | None = None) -> int:
    """Return the bytes of the finished index, when a vector is in so many postings."""
    searched = postings(shape, times) + shape.dials.heads * RECORD + heads(shape)
    return searched + sum(codes(shape)) + shape.n * ID + checks(shape, times)


def most(shape: Shape) -> int:
    """Return an upper bound of the bytes that a build needs at any moment."""
    every = float(shape.config.max_copies)
    return index(shape, every) + work(shape, every)


def work(shape: Shape, times: float | None = None) -> int:
    """Return the most bytes that a build needs beside the index while it is at work.

    Till the postings are settled these are staged vectors and all of their copies; while they are
    packed, staged vectors and which of them stand where.
    """
    stored = copies(shape) if times is None else times
    n, head = shape.n, shape.dials.heads * shape.space.width * 4
    staged = n * (shape.form.row_bytes + 4) + n * 4 + 2 * head  # with origin and order
    entries = int(n * stored * 4) + head
    settling = staged + int(n * stored * STORED) + entries
    packing = staged + entries + 2 * n * 4 + head
    return max(settling - index(shape, times), packing)
