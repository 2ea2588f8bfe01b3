import numpy as np
from numpy.typing import NDArray

F32: int
F16: int
U8: int
I8: int

def available() -> list[str]: ...
def active_name() -> str: ...
def use(name: str) -> None: ...
def distances(
    dot: bool,
    dtype: int,
    query: NDArray[np.uint8],
    rows: NDArray[np.uint8],
    dim: int,
    out: NDArray[np.float32],
) -> None: ...
def byte_dots(
    query: NDArray[np.uint8], rows: NDArray[np.int8], out: NDArray[np.float32]
) -> None: ...
def squares(dtype: int, rows: NDArray[np.uint8], out: NDArray[np.float64]) -> None: ...
