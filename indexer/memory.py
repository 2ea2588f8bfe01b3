"""What a build takes: memory and disk, said before any work is done."""

from longspan.indexer.calibrate import MOST_RANKED, RANKED
from longspan.indexer.codec import SAMPLE
from longspan.indexer.config import BuildConfig
from longspan.indexer.depths import MOST_DEPTH
from longspan.indexer.dials import Dials
from longspan.indexer.errors import DoesNotFit
from longspan.indexer.form import Form
from longspan.indexer.reader import Vectors
from longspan.indexer.store.codec import SCALARS
from longspan.indexer.store.postings import PAGE
from longspan.indexer.store.space import DTYPES, HeadSpace

PROGRAM = 220 << 20  # interpreter, numpy, faiss and their threads' buffers
PER_COPY = 8 + 56  # head and distance, and the keys and orders of sorting them
PER_VECTOR = 64  # labels, groups, orders, ids
TRUTH = 160 << 20  # chunks and candidates of the exact answers
PER_RANKED = 4 + 4 + 1  # head, distance, whether it is read: of each head ranked in calibration
PER_CANDIDATE = 4 * 3 + 8  # of a trial of the depths: its row, on its way and sorted
PER_VALUE = 4 * 5  # of the vectors that a codec is trained on: lifted, turned, left over
PER_TERM = 4 * (4 + 8 + 8) + 8  # the law's terms of each head that it is fitted to


def peak(
    vectors: Vectors, space: HeadSpace, form: Form, dials: Dials, config: BuildConfig, queries: int
) -> int:
    """Return an upper bound of a build's resident bytes, the mapped input included.

    queries  how many it is calibrated with
    """
    row = vectors.dim * vectors.dtype.itemsize
    heads = dials.heads * space.width * (4 + 4 + DTYPES[space.head_dtype].itemsize)
    per_vector = PER_VECTOR + config.max_copies * PER_COPY
    top = 3 * (vectors.n // 16 + 1) * space.width * 4  # the largest top clusters being split
    calibration = TRUTH + queries * (
        min(dials.heads, MOST_RANKED) * PER_RANKED + min(dials.heads, RANKED) * PER_TERM
    )
    codes = 0
    if form.groups:
        trials = queries * MOST_DEPTH * PER_CANDIDATE
        training = SAMPLE * space.width * PER_VALUE
        codes = vectors.n * 2 * (form.groups + SCALARS[0]) + max(trials, training)
    return PROGRAM + vectors.n * (row + per_vector) + heads + codes + max(top, calibration)


def require(vectors: Vectors, wanted: int, limit: int | None) -> None:
    """Raise DoesNotFit when a build's bound is above the limit."""
    if limit is not None and wanted > limit:
        raise DoesNotFit(
            f"{vectors.path}: {vectors.n:,} vectors take up to {wanted:,} bytes of memory "
            f"to build, the limit is {limit:,}"
        )


def disk(vectors: Vectors, space: HeadSpace, form: Form, dials: Dials, config: BuildConfig) -> int:
    """Return an upper bound of the bytes of the finished index."""
    heads = dials.heads * space.width * DTYPES[space.head_dtype].itemsize * 2
    full = dials.heads * dials.posting_pages
    entries = vectors.n * (form.vector + (config.max_copies - 1) * form.copy)
    postings = min(full, entries // PAGE + dials.heads) * PAGE * 51 // 50
    codes = vectors.n * (2 * form.groups + sum(SCALARS)) if form.groups else 0
    return postings + codes + heads + vectors.n * 8
