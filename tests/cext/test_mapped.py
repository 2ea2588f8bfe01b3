"""A mapping gives pages of its files back."""

import re
from pathlib import Path

import numpy as np

from longspan.cext.mapped import Mapping

SIZE = 1 << 20
KEPT = 1 << 30  # bytes that may have been read before pages go back


def resident(path: Path) -> int:
    """Return the KB of a file that are mapped and in memory here."""
    found = re.search(rf"{re.escape(str(path))}\n(?:\w+:.*\n)*?Rss: +(\d+) kB", smaps())
    assert found is not None
    return int(found[1])


def smaps() -> str:
    return Path("/proc/self/smaps").read_text()


def test_pages_go_back_when_much_was_read(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(np.arange(SIZE, dtype=np.uint8).tobytes())
    mapped = Mapping([path])
    every = np.frombuffer(memoryview(mapped), np.uint8)
    for _ in range(2):  # the count begins anew
        assert every.sum(dtype=np.int64) == every.size // 256 * sum(range(256))
        mapped.has_read(KEPT // 2)
        assert resident(path) == SIZE >> 10
        mapped.has_read(KEPT // 2)
        assert resident(path) == 0
