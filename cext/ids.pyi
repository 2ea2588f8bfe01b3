import numpy as np
from numpy.typing import NDArray

from longspan.cext.pages import Checks

class Ids:
    checks: Checks
    def __init__(
        self,
        ids: NDArray[np.int64],
        file: NDArray[np.uint8] | None = None,
        sums: NDArray[np.uint32] | None = None,
    ) -> None: ...
    def look_up(self, rows: NDArray[np.uint32], out: NDArray[np.int64]) -> None: ...
