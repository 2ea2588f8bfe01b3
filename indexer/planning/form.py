"""The form of postings, raw or coded: what a vector and a copy take, and how many fit."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from longspan.cext import posting
from longspan.indexer.store.codec import SCALARS, groups_for
from longspan.indexer.store.postings import HEADER, PAGE, pages_for

NUMBER = 4  # bytes of a row number


@dataclass(frozen=True, slots=True)
class Form:
    """How the postings of one index are laid out (longspan.cext.posting).

    row_bytes  of a vector
    cosine     whether its inverse norm is stored too
    groups     bytes of a copy's code; 0: copies are vectors like the primary entries
    """

    row_bytes: int
    cosine: bool
    groups: int = 0

    @property
    def vector(self) -> int:
        """Bytes of a primary entry."""
        return self.row_bytes + 4 * self.cosine + (0 if self.groups else NUMBER)

    @property
    def copy(self) -> int:
        """Bytes of a copy."""
        return NUMBER + self.groups + SCALARS[0] if self.groups else self.vector

    def size(self, primary: int, copies: int) -> int:
        """Return the bytes of a posting, without padding."""
        if self.groups:
            return posting.coded_size(primary, copies, self.row_bytes, self.cosine, self.groups)
        return posting.size(primary + copies, self.row_bytes, self.cosine)

    def capacity(self, pages: int) -> int:
        """Return how many vectors fit into a posting of so many pages."""
        count = (pages * PAGE - HEADER) // self.vector
        while count and self.size(count, 0) > pages * PAGE - HEADER:
            count -= 1
        return count

    def room(self, primary: NDArray[np.int64], pages: int) -> NDArray[np.int64]:
        """Return how many copies fit beside so many primary entries, for each posting."""
        if not self.groups:
            return self.capacity(pages) - primary
        taken = (primary * self.row_bytes + 3) // 4 * 4 + 4 * self.cosine * primary
        return (pages * PAGE - HEADER - taken) // self.copy

    def pages(self, primary: NDArray[np.int64], copies: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the pages of each posting."""
        sizes = map(self.size, primary.tolist(), copies.tolist())
        return np.array([pages_for(size) for size in sizes], np.int64)


def form_of(dim: int, itemsize: int, metric: str, kind: str) -> Form:
    """Return the form for vectors of dim elements and a kind of codec."""
    return Form(dim * itemsize, metric == "cosine", 0 if kind == "raw" else groups_for(dim))
