"""Files of vectors as other tools write them: HDF5 and parquet."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

Array = np.ndarray[Any, Any]


def hdf5(path: Path, packed: bool = False, userblock: int = 0, **datasets: Array) -> Path:
    """Write datasets, row by row in the file or packed in chunks; `__` in a name is a slash."""
    with h5py.File(path, "w", userblock_size=userblock) as file:
        for name, values in datasets.items():
            how: dict[str, Any] = {"chunks": (7, 3), "compression": "gzip"} if packed else {}
            file.create_dataset(name.replace("__", "/"), data=values, **how)
    return path


def lists(rows: Array, kind: str = "fixed") -> Any:
    """Return rows as an Arrow column of fixed lists, or of those whose length each row tells."""
    values = pa.array(rows.ravel())
    if kind == "fixed":
        return pa.FixedSizeListArray.from_arrays(values, rows.shape[1])
    made, offset = {"list": (pa.ListArray, np.int32), "large": (pa.LargeListArray, np.int64)}[kind]
    return made.from_arrays(np.arange(len(rows) + 1, dtype=offset) * rows.shape[1], values)


def parquet(path: Path, group: int | None = None, **columns: Any) -> Path:
    """Write columns, `group` rows in a row group; arrays of two dimensions become lists."""
    made = {
        name: lists(values) if isinstance(values, np.ndarray) and values.ndim == 2 else values
        for name, values in columns.items()
    }
    pq.write_table(pa.table(made), path, row_group_size=group)
    return path
