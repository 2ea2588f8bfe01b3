import numpy as np
from numpy.typing import NDArray

from longspan.cext.coded import CodedPostings
from longspan.cext.mapped import Mapping
from longspan.cext.tree import HeadTree

WIDER: int

class CodesTier(CodedPostings):
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
        first: NDArray[np.uint8],
        second: NDArray[np.uint8],
    ) -> None: ...
