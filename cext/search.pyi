import numpy as np
from numpy.typing import NDArray

from longspan.cext.files import Files
from longspan.cext.mapped import Ids
from longspan.cext.postings import Postings
from longspan.cext.tree import HeadTree

class QueryBatch:
    def __init__(
        self,
        queries: NDArray[np.uint8],
        lifted: NDArray[np.uint8],
        inverses: NDArray[np.float32],
        turned: NDArray[np.float32],
        slopes: NDArray[np.float32],
        shifts: NDArray[np.float32],
    ) -> None: ...

class SearchPlan:
    def __init__(
        self, beam: NDArray[np.uint32], m: int, threshold: float, depth: int, settle: bool
    ) -> None: ...

class Searcher:
    def __init__(
        self,
        tree: HeadTree,
        postings: Postings,
        ids: Ids,
        law: NDArray[np.float32],
        primary: NDArray[np.uint32],
        files: Files | None = None,
    ) -> None: ...
    def search(
        self,
        queries: QueryBatch,
        plan: SearchPlan,
        dist: NDArray[np.float32],
        ids: NDArray[np.int64],
        rows: NDArray[np.uint32],
    ) -> tuple[int, int, int, int, int, int, float, float] | None: ...
    def candidates(
        self, queries: QueryBatch, plan: SearchPlan, rows: NDArray[np.uint32]
    ) -> tuple[int, int, int, int, int, int, float, float] | None: ...
