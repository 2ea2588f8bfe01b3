"""Parquet: a column of lists is vectors, a column of integers is ids.

Lists are of fixed size, or all of one length, of float32, float16, uint8 or int8. Others, such as
float64, are refused as they are in .npy: an index stores and scores what it is given, and only the
owner of the numbers can decide to drop half of each.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from longspan.indexer.errors import BadFile
from longspan.indexer.reader.address import Address
from longspan.indexer.reader.layout import WANTED, Layout, Rows
from longspan.indexer.reader.optional import need, refusing
from longspan.indexer.store.space import DTYPES

VALUES = {  # Arrow's names of what an index can store
    "float": DTYPES["f32"],
    "halffloat": DTYPES["f16"],
    "uint8": DTYPES["u8"],
    "int8": DTYPES["i8"],
}
INTEGERS = {f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)}
CAN_BE_CAST = {"double", *INTEGERS} - VALUES.keys()
CAST = "; cast it: column.cast(pyarrow.list_(pyarrow.float32()))"
BUFFER = 1 << 20  # bytes of a column that are read together; else Arrow reads a whole row group
AT_ONCE = 1 << 20  # values, for each of which Arrow has 8 bytes and more on its way from the file


def read(address: Address, file: BinaryIO) -> Rows:
    """Return how to read the vectors in the named column; default: the only one that has any."""
    with _opened(address, file) as table:
        values = {field.name: _value(address, field.type) for field in table.schema_arrow}
        fitting = [name for name, value in values.items() if value in VALUES]
        others = [address.part] if address.part else values
        remedy = CAST if any(values.get(each) in CAN_BE_CAST for each in others) else ""
        name = _chosen(address, table, fitting, f"a column of lists of {WANTED}", remedy)
        dim = next((len(lists[0]) for _, lists in _batches(address, table, name, 1)), 0)
        layout = Layout(VALUES[values[name]], table.metadata.num_rows, dim)
    return Rows(layout, lambda: _rows(address, file, name, layout))


def integers(address: Address, file: BinaryIO) -> Iterator[NDArray[Any]]:
    """Yield the named column of integers, some at a time; default: the only one."""
    with _opened(address, file) as table:
        kinds = {field.name: str(field.type) for field in table.schema_arrow}
        fitting = [name for name, kind in kinds.items() if kind in INTEGERS]
        name = _chosen(address, table, fitting, "a column of integers")
        for _, column in _batches(address, table, name, AT_ONCE):
            yield column.to_numpy()


@contextmanager
def _opened(address: Address, file: BinaryIO) -> Iterator[Any]:
    """Give the open file; errors that Arrow raises for it become BadFile."""
    parquet = need("pyarrow.parquet", address)
    with (
        refusing(address),
        parquet.ParquetFile(file, buffer_size=BUFFER, pre_buffer=False) as table,
    ):
        yield table


def _value(address: Address, kind: Any) -> str:
    """Return the type of a list's values; None for what is no list."""
    types = need("pyarrow.types", address)
    lists = (types.is_list, types.is_large_list, types.is_fixed_size_list)
    return str(kind.value_type) if any(is_one(kind) for is_one in lists) else ""


def _chosen(address: Address, table: Any, fitting: list[str], wanted: str, remedy: str = "") -> str:
    """Return the named column, or else the only one that fits; BadFile says which there are.

    remedy  what the owner of others may do
    """
    if address.part in fitting:
        return str(address.part)
    if address.part is None and len(fitting) == 1:
        return fitting[0]
    there = ", ".join(f"{field.name} ({field.type})" for field in table.schema_arrow)
    raise BadFile(f"{address}: wanted {wanted}, named FILE::COLUMN; in the file: {there}{remedy}")


def _batches(address: Address, table: Any, name: str, step: int) -> Iterator[tuple[int, Any]]:
    """Yield a column, step rows at a time, each time with the number of the first."""
    start = 0
    # One thread: each has its own part of the column in memory.
    for batch in table.iter_batches(batch_size=step, columns=[name], use_threads=False):
        column = batch.column(0)
        _refuse_nulls(address, column, start)
        yield start, column
        start += len(column)


def _rows(address: Address, file: BinaryIO, name: str, layout: Layout) -> Iterator[NDArray[Any]]:
    compute = need("pyarrow.compute", address)
    step = max(1, AT_ONCE // layout.dim)
    with _opened(address, file) as table:
        for start, lists in _batches(address, table, name, step):
            dims = compute.list_value_length(lists).to_numpy()
            wrong = np.flatnonzero(dims != layout.dim)
            if len(wrong):
                found = f"row {start + wrong[0]} has {dims[wrong[0]]} dims"
                raise BadFile(f"{address}: {found}, wanted {layout.dim} as in row 0")
            values = lists.flatten()
            _refuse_nulls(address, values, start, layout.dim)
            yield values.to_numpy().reshape(-1, layout.dim)


def _refuse_nulls(address: Address, values: Any, start: int, each: int = 1) -> None:
    """Refuse an array with a null in it; `each` of its values are a row."""
    if values.null_count:
        null = int(np.flatnonzero(values.is_null().to_numpy(zero_copy_only=False))[0])
        raise BadFile(f"{address}: row {start + null // each} has a null, wanted numbers")
