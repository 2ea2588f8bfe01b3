"""The postings of all shards as one range of bytes."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from longspan.cext.mapped import Mapping
from longspan.indexer.store.layout import shard_name


def open_shards(
    directory: Path, shards: list[int], records: NDArray[Any]
) -> tuple[Mapping, NDArray[np.uint64]]:
    """Return the mapped postings and where each begins.

    shards   the first head of each
    records  the directory of postings: offsets in the file that each is in
    """
    mapped = Mapping([directory / shard_name(shard) for shard in range(len(shards))])
    sizes = np.diff([*shards, len(records)])
    return mapped, records["offset"] + np.repeat(np.array(mapped.starts, np.uint64), sizes)
