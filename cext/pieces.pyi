import numpy as np
from numpy.typing import NDArray

def read(
    handle: int,
    offsets: NDArray[np.int64],
    sizes: NDArray[np.int64],
    out: NDArray[np.uint8],
) -> None: ...
def take(mapped: object, offset: int, rows: NDArray[np.int64], out: NDArray[np.uint8]) -> None: ...
