from collections.abc import Sequence
from mmap import mmap
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from longspan.cext.pages import Checks

class Mapping:
    @property
    def starts(self) -> tuple[int, ...]: ...
    def __init__(self, paths: Sequence[str | Path]) -> None: ...
    def release(self, start: int, stop: int) -> None: ...
    def has_read(self, size: int) -> None: ...
    def __len__(self) -> int: ...
    def __buffer__(self, flags: int, /) -> memoryview: ...

class Rows:
    def __init__(
        self,
        mapped: mmap | NDArray[np.uint8],
        offsets: NDArray[np.uint64],
        counts: NDArray[np.uint32],
        row_bytes: int,
    ) -> None: ...

class Ids:
    checks: Checks
    def __init__(
        self,
        ids: NDArray[np.int64],
        file: NDArray[np.uint8] | None = None,
        sums: NDArray[np.uint32] | None = None,
    ) -> None: ...
    def look_up(self, rows: NDArray[np.uint32], out: NDArray[np.int64]) -> None: ...
