import numpy as np
from numpy.typing import NDArray

def features(dist: NDArray[np.float32], out: NDArray[np.float32]) -> None: ...
def promises(
    dist: NDArray[np.float32], law: NDArray[np.float32], out: NDArray[np.float32]
) -> None: ...
def choose(
    dist: NDArray[np.float32],
    law: NDArray[np.float32],
    threshold: float,
    counts: NDArray[np.uint32],
) -> int: ...
