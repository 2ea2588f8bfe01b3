import numpy as np
from numpy.typing import NDArray

CHECKED: int

class Asked:
    def __init__(self, parts: int) -> None: ...

def checksums(data: NDArray[np.uint8], out: NDArray[np.uint32]) -> None: ...

class Checks:
    damaged: set[str]
    def __init__(self, mapped: object, sums: NDArray[np.uint32] | None = None) -> None: ...
