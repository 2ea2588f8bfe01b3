import numpy as np
from numpy.typing import NDArray

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
