import numpy as np
from numpy.typing import NDArray

GROUP: int
POINTS: int
SCALARS: tuple[int, int]
SCALES: int

def turn(
    points: NDArray[np.float32],
    centre: NDArray[np.float32],
    signs: NDArray[np.float32],
    turned: NDArray[np.float32],
) -> None: ...
def encode(
    vectors: NDArray[np.float32],
    books: NDArray[np.float32],
    halves: NDArray[np.float32],
    cross: NDArray[np.float32],
    codes: NDArray[np.uint8],
) -> None: ...
def decode(
    codes: NDArray[np.uint8], books: NDArray[np.float32], points: NDArray[np.float32]
) -> None: ...
def estimates(
    query: NDArray[np.float32],
    books: NDArray[np.float32],
    scales: NDArray[np.float32],
    unit: float,
    tiles: NDArray[np.uint8],
    out: NDArray[np.float32],
) -> None: ...
