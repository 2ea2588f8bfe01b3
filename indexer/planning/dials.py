"""Choose the dials that were left open, from the shape of the data.

Why these: on 1 M SIFT (raw entries of 132 bytes) 20 vectors a head with postings of at most 4 pages
cost least by the model of docs/measurements.md; 40 a head with 6 pages cost an eighth more,
11 a head with 2 or 3 pages a quarter more and twice the memory. Longer entries want somewhat fewer
of them: on 49 k text vectors (776 bytes) 10 to 14 a head cost least, 6 and 20 a fifth to a third
more; the fourth root of the length meets both.

Coded postings want more vectors a head, for copies are small: of 40, 50 and 60 SIFT ones, 60 read
least for their memory (2.6 bytes a vector for heads) and disk. 18 of the text vectors fill postings
of 5 pages, of which less is lost to rounding than of 3 (1.47 times the vectors, not 1.73).
"""

from dataclasses import dataclass
from math import ceil

from longspan.indexer.config import BuildConfig
from longspan.indexer.errors import BadConfig
from longspan.indexer.planning.form import Form
from longspan.indexer.store.postings import pages_for

PER_HEAD, ENTRY = 20, 132  # vectors a head of raw postings, at this many bytes an entry
FULL = 6.2  # a full raw posting in vectors a head: with 8 copies an average one is then 9/10 full
CODED_BYTES, CODED_LEAST, CODED_MOST = 7680, 18, 64  # vectors a head of coded postings
CODED_COPIES = 3.3  # copies of each vector that a full coded posting has room for


@dataclass(frozen=True, slots=True)
class Dials:
    """The values that a build uses.

    heads          to aim for; the tree may make a few more or less
    posting_pages  cap of a posting in 4-KB pages
    cap            the same in primary vectors
    """

    heads: int
    posting_pages: int
    cap: int


def choose(n: int, form: Form, config: BuildConfig) -> Dials:
    """Return the dials for n vectors. BadConfig when a posting holds no vector."""
    if form.groups:
        per_head = min(max(CODED_BYTES / form.vector, CODED_LEAST), CODED_MOST)
    else:
        per_head = min(max(PER_HEAD * (ENTRY / form.vector) ** 0.25, 4.0), 40.0)
    heads = min(config.heads or ceil(n / per_head), n)
    pages = config.posting_pages or pages_of(n / heads, form)
    cap = form.capacity(pages)
    if cap < 1:
        raise BadConfig(
            f"posting_pages is {pages}, but one vector with its entry takes {form.vector} bytes"
        )
    return Dials(heads, pages, cap)


def pages_of(per_head: float, form: Form) -> int:
    """Return the cap of a posting, in pages, for so many vectors a head."""
    if form.groups:
        return pages_for(round(per_head * (form.vector + CODED_COPIES * form.copy)))
    return pages_for(round(max(FULL * per_head, 4) * form.vector))
