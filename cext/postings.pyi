import numpy as np
from numpy.typing import NDArray

from longspan.cext.mapped import Mapping
from longspan.cext.pages import Checks

L2: int
IP: int
COSINE: int

class Postings:
    checks: Checks
    def __init__(
        self,
        mapped: Mapping | NDArray[np.uint8],
        offsets: NDArray[np.uint64],
        counts: NDArray[np.uint32],
        dtype: int,
        dim: int,
        metric: int,
        sums: NDArray[np.uint32] | None = None,
    ) -> None: ...
    def scan_every(
        self,
        queries: NDArray[np.uint8],
        inverses: NDArray[np.float32],
        dist: NDArray[np.float32],
        rows: NDArray[np.uint32],
    ) -> tuple[int, int, int]: ...

class RawPostings(Postings): ...
