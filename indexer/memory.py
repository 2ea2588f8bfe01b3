"""What a build takes: memory and disk, said before any work is done.

The memory is that of the process itself. Pages of the files that it maps are the kernel's, which
takes them back when it wants; a build gives back those of its parts as it goes.
"""

from collections.abc import Callable

from longspan.indexer.calibrate import MOST_RANKED, RANKED
from longspan.indexer.codec import SAMPLE
from longspan.indexer.config import BuildConfig
from longspan.indexer.depths import MOST_DEPTH
from longspan.indexer.dials import Dials
from longspan.indexer.errors import DoesNotFit
from longspan.indexer.form import Form
from longspan.indexer.reader import Vectors
from longspan.indexer.staging import CHUNK, TRAIN, parts_of
from longspan.indexer.store.codec import SCALARS
from longspan.indexer.store.postings import BATCH, PAGE
from longspan.indexer.store.space import DTYPES, HeadSpace

PROGRAM = 200 << 20  # interpreter, numpy, faiss and their threads' buffers
PER_VECTOR = 8 + 1  # place and row of each, which are in memory while rows are numbered
PER_HEAD = 4 * 4  # bytes of each value of a head: in the tree, settled, rounded, as float again
LARGEST = 2.5  # a part over the mean one
PER_VALUE_OF_PART = 4 * 2.2  # lifted, and while a node is split a second time
PER_COPY = 8 + 3 * 12  # head and distance, and the records of a part's copies being sorted
UNIT = 64 << 20  # GEMM and chunks of a unit at work
TRUTH = 160 << 20  # chunks and candidates of the exact answers
PER_RANKED = 4 + 4 + 1  # head, distance, whether it is read: of each head ranked in calibration
PER_CANDIDATE = 4 * 3 + 8  # of a trial of the depths: its row, on its way and sorted
PER_VALUE = 4 * 5  # of the vectors that a codec is trained on: lifted, turned, left over
PER_TERM = 4 * (4 + 8 + 8) + 8  # the law's terms of each head that it is fitted to


def peak(
    vectors: Vectors,
    space: HeadSpace,
    form: Form,
    dials: Dials,
    config: BuildConfig,
    queries: int,
    threads: int,
) -> int:
    """Return an upper bound of a build's memory, in bytes.

    queries  how many it is calibrated with
    """
    parts = parts_of(vectors.n, space.width, dials.heads)
    part = min(vectors.n, LARGEST * vectors.n / parts)
    unit = part * (space.width * PER_VALUE_OF_PART + form.row_bytes + config.max_copies * PER_COPY)
    units = threads * (int(unit) + UNIT + 2 * CHUNK)
    top = min(vectors.n, TRAIN * parts) * space.width * PER_VALUE
    calibration = TRUTH + queries * (
        min(dials.heads, MOST_RANKED) * PER_RANKED + min(dials.heads, RANKED) * PER_TERM
    )
    if form.groups:
        calibration += queries * MOST_DEPTH * PER_CANDIDATE
    training = min(vectors.n, SAMPLE) * space.width * PER_VALUE if form.groups else 0
    heads = dials.heads * space.width * PER_HEAD
    return (
        PROGRAM + vectors.n * PER_VECTOR + heads + max(units, top, calibration, training, 2 * BATCH)
    )


def threads_within(
    limit: int | None, wanted: int, needed: Callable[[int], int], vectors: Vectors
) -> int:
    """Return how many threads may work at once, at most as many as wanted.

    needed  the bound for so many threads
    DoesNotFit when that for a single one is above the limit.
    """
    for threads in range(wanted, 0, -1):
        if limit is None or needed(threads) <= limit:
            return threads
    raise DoesNotFit(
        f"{vectors.path}: {vectors.n:,} vectors take up to {needed(1):,} bytes of memory "
        f"to build, the limit is {limit:,}"
    )


def work(vectors: Vectors, form: Form, config: BuildConfig) -> int:
    """Return an upper bound of the bytes of the files that a build removes at its end."""
    staged = vectors.n * (form.row_bytes + 4)
    copies = vectors.n * config.max_copies * 12
    records = vectors.n * (2 * form.groups + sum(SCALARS)) if form.groups else 0
    return staged + copies + records + vectors.n * 8


def disk(vectors: Vectors, space: HeadSpace, form: Form, dials: Dials, config: BuildConfig) -> int:
    """Return an upper bound of the bytes of the finished index."""
    heads = dials.heads * space.width * DTYPES[space.head_dtype].itemsize * 2
    full = dials.heads * dials.posting_pages
    entries = vectors.n * (form.vector + (config.max_copies - 1) * form.copy)
    postings = min(full, entries // PAGE + dials.heads) * PAGE * 51 // 50
    codes = vectors.n * (2 * form.groups + sum(SCALARS)) if form.groups else 0
    return postings + codes + heads + vectors.n * 8
