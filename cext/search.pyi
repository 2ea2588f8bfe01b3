import numpy as np
from numpy.typing import NDArray

from longspan.cext.ids import Ids
from longspan.cext.scanner import Scanner
from longspan.cext.tree import HeadTree

class Searcher:
    def __init__(
        self,
        tree: HeadTree,
        postings: Scanner,
        ids: Ids,
        law: NDArray[np.float32],
        primary: NDArray[np.uint32],
    ) -> None: ...
    def search(
        self,
        queries: NDArray[np.uint8],
        lifted: NDArray[np.uint8],
        inverses: NDArray[np.float32],
        beam: NDArray[np.uint32],
        m: int,
        threshold: float,
        settle: bool,
        turned: NDArray[np.float32],
        squares: NDArray[np.float32],
        depth: int,
        dist: NDArray[np.float32],
        ids: NDArray[np.int64],
        rows: NDArray[np.uint32],
        candidates: NDArray[np.uint32] | None = None,
    ) -> tuple[int, int, int, int, int, int, float, float] | None: ...
