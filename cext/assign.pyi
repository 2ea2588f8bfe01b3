import numpy as np
from numpy.typing import NDArray

NOBODY: int

def label(
    dots: NDArray[np.float32], offset: NDArray[np.float32], labels: NDArray[np.int32]
) -> None: ...
def sum_by_label(
    vectors: NDArray[np.float32],
    labels: NDArray[np.int32],
    sums: NDArray[np.float32],
    counts: NDArray[np.int32],
) -> None: ...
def reorder(rows: NDArray[np.uint8], order: NDArray[np.int64]) -> None: ...
def nearest(
    dots: NDArray[np.float32],
    vector_norm: NDArray[np.float32],
    head_norm: NDArray[np.float32],
    head_ids: NDArray[np.uint32],
    dist: NDArray[np.float32],
    heads: NDArray[np.uint32],
) -> None: ...
def spread(
    dist: NDArray[np.float32],
    candidates: NDArray[np.uint32],
    heads: NDArray[np.float32],
    ratio: float,
    factor: float,
    kept: NDArray[np.uint32],
    kept_dist: NDArray[np.float32],
) -> None: ...
