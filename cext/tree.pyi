import numpy as np
from numpy.typing import NDArray

def check_levels(
    children: NDArray[np.uint32], inner: int, heads: int, levels: tuple[int, ...]
) -> None: ...

class HeadTree:
    def __init__(
        self,
        inner: NDArray[np.uint8],
        heads: NDArray[np.uint8],
        children: NDArray[np.uint32],
        dtype: int,
        dim: int,
        levels: tuple[int, ...],
        offsets: NDArray[np.float32] | None = None,
        steps: NDArray[np.float32] | None = None,
        squares: NDArray[np.float32] | None = None,
        sums: NDArray[np.float32] | None = None,
    ) -> None: ...
    def nearest(
        self,
        queries: NDArray[np.uint8],
        beam: NDArray[np.uint32],
        dist: NDArray[np.float32],
        found: NDArray[np.uint32],
    ) -> int: ...
