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
def tile(
    records: NDArray[np.uint8], counts: NDArray[np.uint32], out: NDArray[np.uint8]
) -> None: ...
def untile(
    tiles: NDArray[np.uint8],
    first: NDArray[np.int64],
    counts: NDArray[np.int64],
    rows: NDArray[np.int64],
    out: NDArray[np.uint8],
) -> None: ...
def coded_size(primary: int, copies: int, row_bytes: int, cosine: bool, groups: int) -> int: ...
def encode_coded(
    rows: NDArray[np.uint8],
    inverses: NDArray[np.float32],
    numbers: NDArray[np.uint32],
    records: NDArray[np.uint8],
    out: NDArray[np.uint8],
) -> None: ...
def decode_coded(
    blob: bytes | memoryview, primary: int, copies: int, row_bytes: int, cosine: bool, groups: int
) -> tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.uint32], NDArray[np.uint8]]: ...
