import numpy as np
from numpy.typing import NDArray

from longspan.cext.mapped import Mapping
from longspan.cext.postings import Postings
from longspan.cext.tree import HeadTree

class CodedPostings(Postings):
    def __init__(
        self,
        mapped: Mapping | NDArray[np.uint8],
        offsets: NDArray[np.uint64],
        counts: NDArray[np.uint32],
        dtype: int,
        dim: int,
        metric: int,
        *,
        copies: NDArray[np.uint32],
        books: NDArray[np.float32],
        groups: int,
        scales: NDArray[np.float32],
        unit: float,
        ratio: float,
        tree: HeadTree,
        sums: NDArray[np.uint32] | None = None,
    ) -> None: ...
