"""Payload as it is read from the user's file, and as it is stored."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from longspan.indexer.errors import BadFile, DamagedIndex
from longspan.indexer.reader.payload import compact, opened
from longspan.indexer.running.progress import SILENT
from longspan.indexer.store import payload as store
from longspan.indexer.store.payload import MOST_BYTES

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab\" \\"), inner),
    max_leaves=8,
)  # fmt: skip


def read_back(source: Path | str, n: int, folder: Path, order: Any) -> list[Any]:
    """Return the objects of an index's rows, stored in this order and read again."""
    with opened(source, n, folder / "index") as objects:
        assert objects is not None
        objects.save(folder, np.asarray(order), SILENT)
        written = sum((folder / name).stat().st_size for name in store.FILES)
        assert written <= objects.disk + 64 * 4096
    payload = store.Payload(folder, n)
    found = payload.read(payload.places(np.arange(n, dtype=np.uint32)))
    return [json.loads(value) for value in found]


def refused(source: Path | str, n: int, folder: Path, words: str) -> None:
    before = sorted(folder.iterdir())
    with pytest.raises(BadFile) as error, opened(source, n, folder / "index"):
        pass
    assert words in str(error.value)
    assert sorted(folder.iterdir()) == before


@settings(max_examples=40)
@given(value=st.dictionaries(st.text("ab"), VALUES), indent=st.none() | st.integers(0, 3))
def test_an_object_is_stored_as_it_was_but_for_white_space(value: Any, indent: int | None) -> None:
    line = json.dumps(value, indent=indent).encode()
    stored = compact(line + b"\r\n")
    assert json.dumps(json.loads(stored)) == json.dumps(value)
    assert b"".join(stored.split()) == b"".join(line.split())
    assert len(stored) <= len(line)


@pytest.mark.parametrize("more", ["1", "-0.5", "[1, null]"])
def test_no_white_space_is_stored_between_tokens(more: str) -> None:
    assert compact(f'{{ "a b" : {more}, "c":\t"d  e"}}\r\n'.encode()) == (
        f'{{"a b":{more.replace(" ", "")},"c":"d  e"}}'.encode()
    )


@pytest.mark.parametrize(
    "members",
    ['"a": 123456789012345678901234567890', '"a": 0.10000000000000000000001', '"a": 1, "a": 2'],
)
def test_what_orjson_would_write_another_way_stays_as_it_came(members: str) -> None:
    assert compact(f" {{{members}}}\n".encode()) == f"{{{members}}}".encode()


@pytest.mark.parametrize("sizes", [(2, 3), (2, 1400), (1350, 1365), (1990, 2060), (2, 60_000)])
def test_objects_come_back_by_row_whatever_their_size(
    tmp_path: Path, rng: np.random.Generator, sizes: tuple[int, int]
) -> None:
    n = 40 if sizes[1] > 10_000 else 1000
    lines = [json.dumps({"a": "x" * size}) for size in rng.integers(*sizes, n) - 2]
    (tmp_path / "objects.jsonl").write_text("\n".join(lines))
    order = rng.permutation(n)
    found = read_back(tmp_path / "objects.jsonl", n, tmp_path, order)
    assert found == [json.loads(lines[line]) for line in order]


@pytest.mark.parametrize("end", ["\n", "\r\n", ""])
def test_the_longest_object_is_taken_and_a_longer_one_is_not(tmp_path: Path, end: str) -> None:
    longest = '{"a":"' + "x" * (MOST_BYTES - 8) + '"}'
    source = tmp_path / "objects.jsonl"
    source.write_bytes(f"{{}}{end or chr(10)}{longest}{end}".encode())
    assert read_back(source, 2, tmp_path, [1, 0]) == [json.loads(longest), {}]
    source.write_bytes(f"{{}}\n{longest} {end}".encode())
    refused(source, 2, tmp_path, f"objects.jsonl: line 2 is longer than {MOST_BYTES:,} bytes")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b"", "line 2 is no JSON"),
        (b"{", "line 2 is no JSON"),
        (b'{"a": NaN}', "line 2 is no JSON"),
        (b'{"a": 1e999}', "line 2 is no JSON"),
        (b'{"a": "\xff"}', "line 2 is no JSON: str is not valid UTF-8"),
        (b'{"a": "\\ud800"}', "line 2 is no JSON"),
        (b'{"a": 1} {"a": 2}', "line 2 is no JSON"),
        (b"[1]", "line 2 is b'[1]', wanted a JSON object"),
        (b"null", "line 2 is b'null'"),
        (b'{}\n{"a": 1}', "has a line 4, wanted 3, one for each vector"),
    ],
)
def test_a_line_that_is_no_object_is_named(tmp_path: Path, line: bytes, words: str) -> None:
    (tmp_path / "objects.jsonl").write_bytes(b'{"a": 0}\n' + line + b"\n{}\n")
    refused(tmp_path / "objects.jsonl", 3, tmp_path, words)


def test_too_few_lines_and_what_is_no_file_are_refused(tmp_path: Path) -> None:
    (tmp_path / "objects.jsonl").write_text("{}\n{}\n")
    refused(tmp_path / "objects.jsonl", 3, tmp_path, "2 lines, wanted 3, one for each vector")
    refused(f"{tmp_path}/objects.jsonl::a", 2, tmp_path, "which only .parquet has")
    refused(tmp_path / "none.jsonl", 3, tmp_path, "no such file")
    refused(tmp_path, 3, tmp_path, "not a regular file")


def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path: Path) -> None:
    source = tmp_path / "objects.jsonl"
    source.write_text('{"a": 1}\n')
    with opened(source, 1, tmp_path / "index") as objects:
        assert objects is not None
        source.write_text('{"a": 22}\n')
        with pytest.raises(BadFile, match="was changed"):
            objects.save(tmp_path, np.array([0]), SILENT)


def parquet(folder: Path, **columns: Any) -> Path:
    pq.write_table(pa.table(columns), folder / "objects.parquet", row_group_size=500)
    return folder / "objects.parquet"


def test_the_columns_of_parquet_are_the_fields(tmp_path: Path, rng: np.random.Generator) -> None:
    n = 1100
    columns = {
        "title": [None if row % 7 == 0 else f"ü{row}" for row in range(n)],
        "year": list(range(n)),
        "tags": [[{"name": "a", "weight": 0.5}] * (row % 3) for row in range(n)],
    }
    source, order = parquet(tmp_path, **columns), rng.permutation(n)
    rows = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values())]  # noqa: B905
    assert read_back(source, n, tmp_path, order) == [rows[row] for row in order]
    some = [{"year": row["year"], "title": row["title"]} for row in rows]
    (tmp_path / "some").mkdir()
    found = read_back(f"{source}::year,title", n, tmp_path / "some", order)
    assert found == [some[row] for row in order]


@pytest.mark.parametrize(
    ("column", "names", "words"),
    [
        ([1.0, float("nan")], "", "row 2 is no JSON: Out of range float"),
        ([b"x", b"y"], "", "column a is binary, which JSON has not; cast it to text"),
        ([1], "", "1 rows, wanted 2, one for each vector"),
        ([1, 2], "::b", "0 columns 'b' among a"),
        ([1, 2], "::", "0 columns '' among a"),
        (["", "x" * MOST_BYTES], "", f"row 2 is longer than {MOST_BYTES:,} bytes"),
    ],
)
def test_parquet_that_is_no_payload_is_refused(
    tmp_path: Path, column: list[Any], names: str, words: str
) -> None:
    refused(f"{parquet(tmp_path, a=column)}{names}", 2, tmp_path, words)


def test_what_only_has_the_name_of_parquet_is_refused(tmp_path: Path) -> None:
    (tmp_path / "objects.parquet").write_text("{}\n")
    refused(tmp_path / "objects.parquet", 1, tmp_path, "objects.parquet: cannot be read")


def test_without_pyarrow_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = parquet(tmp_path, a=[1])
    for module in ("pyarrow", "pyarrow.parquet"):
        monkeypatch.setitem(sys.modules, module, None)
    refused(source, 1, tmp_path, "pip install 'longspan[inputs]'")


def test_a_table_of_another_index_is_no_payload(tmp_path: Path) -> None:
    (tmp_path / "objects.jsonl").write_text("{}\n{}\n")
    read_back(tmp_path / "objects.jsonl", 2, tmp_path, [0, 1])
    with pytest.raises(DamagedIndex, match="not the places of 3 objects"):
        store.Payload(tmp_path, 3)
