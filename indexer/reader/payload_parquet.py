"""The rows of a parquet file as lines of JSON, each an object with the columns as its fields.

Parquet can be read row by row only in its own order, so the lines are written to a file first, a
thousand rows at a time. The file has no name: however a build ends, nothing of it is left.
"""

import errno
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from longspan.indexer.errors import BadFile, DoesNotFit
from longspan.indexer.reader.address import Address
from longspan.indexer.reader.optional import need, refusing

ROWS_AT_ONCE = 1024
BUFFER = 1 << 20  # bytes of a column read at once; without it, all that a row group has of it


def as_lines(path: Path, columns: list[str] | None, n: int, index: Path) -> BinaryIO:
    """Return an open file of n lines.

    columns  that are wanted; default: all
    index    beside which the file lies: there is the disk that has room
    BadFile unless the parquet file has n rows, the columns, and in them what JSON can say;
    DoesNotFit when the disk is full.
    """
    rows = read(path, columns, n)
    folder = next(parent for parent in index.absolute().parents if parent.is_dir())
    try:
        lines = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115  the caller closes it
        try:
            write(lines, rows, path)
        except BaseException:
            lines.close()
            raise
    except OSError as exc:
        kind = DoesNotFit if exc.errno in (errno.ENOSPC, errno.EDQUOT) else BadFile
        raise kind(f"{folder}: {path} cannot be unpacked there: {exc.strerror or exc}") from exc
    return lines


def write(lines: BinaryIO, rows: Iterator[dict[str, Any]], path: Path) -> None:
    """Write each row as a line, and go back to the first."""
    for number, row in enumerate(rows, start=1):
        try:
            text = dumps(row)
        except ValueError as exc:
            raise BadFile(f"{path}: row {number} is no JSON: {exc}{not_json(row)}") from exc
        lines.write(text.encode() + b"\n")
    lines.seek(0)


def dumps(value: Any) -> str:
    """Return the JSON of a value; ValueError where it has none."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def not_json(row: dict[str, Any]) -> str:
    """Return which column of a row JSON does not have, and what to do about it."""
    for name, value in row.items():
        try:
            dumps(value)
        except ValueError:
            return f": column {name} has NaN or infinity, put null in its place"
    return ""


def read(path: Path, columns: list[str] | None, n: int) -> Iterator[dict[str, Any]]:
    """Yield each row."""
    address = Address(str(path))
    parquet = need("pyarrow.parquet", address)
    with refusing(address), parquet.ParquetFile(path, buffer_size=BUFFER) as file:
        if file.metadata.num_rows != n:
            found = f"{file.metadata.num_rows} rows"
            raise BadFile(f"{path}: {found}, wanted {n}, one for each vector")
        check(path, file.schema_arrow, columns)
        first = 1
        for batch in file.iter_batches(ROWS_AT_ONCE, columns=columns):
            yield from rows_of(path, batch, first)
            first += batch.num_rows


def rows_of(path: Path, batch: Any, first: int) -> list[dict[str, Any]]:
    """Return the rows of a batch; BadFile names the row and the column of what is no value."""
    try:
        found: list[dict[str, Any]] = batch.to_pylist()
        return found
    except ValueError:
        for name, column in zip(batch.schema.names, batch.columns, strict=True):
            for row, value in enumerate(column, start=first):
                try:
                    value.as_py()
                except ValueError as exc:
                    raise BadFile(f"{path}: row {row}, column {name}: {exc}") from exc
        raise


def check(path: Path, schema: Any, columns: list[str] | None) -> None:
    """Raise BadFile unless the columns are there, and of types that JSON has."""
    for name in columns if columns is not None else schema.names:
        if schema.names.count(name) != 1:
            known = ", ".join(schema.names)
            raise BadFile(f"{path}: {schema.names.count(name)} columns {name!r} among {known}")
        kind = schema.field(name).type
        if twice := field_twice(kind):
            raise BadFile(f"{path}: column {name} has a field {twice!r} twice; rename one")
        if not is_json(kind):
            raise BadFile(f"{path}: column {name} is {kind}, which JSON has not; cast it to text")


def field_twice(kind: Any) -> str:
    """Return a field that a struct in an Arrow type has more than once, or nothing."""
    from pyarrow import types

    if not types.is_struct(kind):
        return field_twice(kind.value_type) if hasattr(kind, "value_type") else ""
    names = [field.name for field in kind]
    twice = [name for name in names if names.count(name) > 1]
    return next(filter(None, [*twice, *(field_twice(field.type) for field in kind)]), "")


def is_json(kind: Any) -> bool:
    """Return whether JSON has all values of an Arrow type, NaN and infinity aside."""
    from pyarrow import types

    if types.is_struct(kind):
        return all(is_json(field.type) for field in kind)
    lists = types.is_list, types.is_large_list, types.is_fixed_size_list
    if any(fits(kind) for fits in (*lists, types.is_dictionary)):
        return is_json(kind.value_type)
    numbers = types.is_integer, types.is_float32, types.is_float64
    others = types.is_null, types.is_boolean, types.is_string, types.is_large_string
    return any(fits(kind) for fits in (*numbers, *others))
