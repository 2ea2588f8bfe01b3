import numpy as np
from numpy.typing import NDArray

from longspan.cext.scanner import Scanner

class Postings(Scanner):
    def scan(
        self,
        queries: NDArray[np.uint8],
        inverses: NDArray[np.float32],
        probes: NDArray[np.uint32],
        counts: NDArray[np.uint32],
        dist: NDArray[np.float32],
        rows: NDArray[np.uint32],
    ) -> tuple[int, int, int]: ...
