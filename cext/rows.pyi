from mmap import mmap

import numpy as np
from numpy.typing import NDArray

class Rows:
    def __init__(
        self,
        mapped: mmap | NDArray[np.uint8],
        offsets: NDArray[np.uint64],
        counts: NDArray[np.uint32],
        row_bytes: int,
    ) -> None: ...
