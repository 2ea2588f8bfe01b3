import numpy as np
from numpy.typing import NDArray

def size(count: int, row_bytes: int, cosine: bool) -> int: ...
def encode(
    rows: NDArray[np.uint8],
    numbers: NDArray[np.uint32],
    inverses: NDArray[np.float32],
    out: NDArray[np.uint8],
) -> None: ...
def decode(
    blob: bytes | memoryview, count: int, row_bytes: int, cosine: bool
) -> tuple[NDArray[np.uint8], NDArray[np.uint32], NDArray[np.float32]]: ...
