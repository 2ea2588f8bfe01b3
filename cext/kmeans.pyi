import numpy as np
from numpy.typing import NDArray

def assign(
    dots: NDArray[np.float32], offset: NDArray[np.float32], labels: NDArray[np.int32]
) -> None: ...
def sum_by_label(
    vectors: NDArray[np.float32],
    labels: NDArray[np.int32],
    sums: NDArray[np.float32],
    counts: NDArray[np.int32],
) -> None: ...
