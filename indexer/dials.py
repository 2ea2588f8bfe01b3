"""Choose the dials that were left open, from the shape of the data.

Why these: on 1 M SIFT (entries of 132 bytes) 20 vectors a head with postings of at most 4 pages
cost least by the model of docs/measurements.md; 40 a head with 6 pages cost an eighth more,
11 a head with 2 or 3 pages a quarter more and twice the memory. Longer entries want somewhat fewer
of them: on 49 k text vectors (776 bytes) 10 to 14 a head cost least, 6 and 20 a fifth to a third
more; the fourth root of the length meets both.
"""

from dataclasses import dataclass
from math import ceil

from longspan.cext import posting
from longspan.indexer.config import BuildConfig
from longspan.indexer.errors import BadConfig
from longspan.indexer.store.postings import HEADER, PAGE, pages_for

PER_HEAD, ENTRY = 20, 132  # vectors a head, at this many bytes an entry
FULL = 6.2  # a full posting in vectors a head: with 8 copies an average one is then 9/10 full


@dataclass(frozen=True, slots=True)
class Dials:
    """The values that a build uses.

    heads          to aim for; the tree may make a few more or less
    posting_pages  cap of a posting in 4-KB pages
    cap            the same in entries
    """

    heads: int
    posting_pages: int
    cap: int


def choose(n: int, row_bytes: int, cosine: bool, config: BuildConfig) -> Dials:
    """Return the dials for n vectors of row_bytes. BadConfig when a posting holds no vector."""
    entry = posting.size(1, row_bytes, cosine)
    per_head = min(max(PER_HEAD * (ENTRY / entry) ** 0.25, 4.0), 40.0)
    heads = min(config.heads or ceil(n / per_head), n)
    pages = config.posting_pages or pages_for(round(max(FULL * n / heads, 4) * entry))
    cap = capacity(pages, row_bytes, cosine)
    if cap < 1:
        raise BadConfig(
            f"posting_pages is {pages}, but one vector with its entry takes {entry} bytes"
        )
    return Dials(heads, pages, cap)


def capacity(pages: int, row_bytes: int, cosine: bool) -> int:
    """Return how many entries fit into a posting of so many pages."""
    room = pages * PAGE - HEADER
    count = room // (row_bytes + 4 + 4 * cosine)
    while count and posting.size(count, row_bytes, cosine) > room:
        count -= 1
    return count
