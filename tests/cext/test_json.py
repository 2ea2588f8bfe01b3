"""Numbers taken out of JSON are those that a JSON library reads, or the body is refused."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from longspan.cext.json import Outcome, take

FINITE = st.floats(allow_nan=False, allow_infinity=False)
SPACE = st.text(" \n\r\t", max_size=3)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | FINITE | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=6,
)


def taken(body: bytes, dim: int, most: int = 50, *, rows: bool = True) -> tuple[Any, ...]:
    out = np.full((most, dim), np.nan, np.float32)
    outcome, first, last, row, column = take(body, b"v", out, rows)
    return outcome, body[first:last], out[:row], row, column


def as_float32(rows: list[list[float]], dim: int) -> Any:
    with np.errstate(over="ignore"):
        return np.array(rows, np.float64).reshape(-1, dim).astype(np.float32)


@settings(max_examples=40)
@given(data=st.data(), dim=st.integers(1, 5), space=SPACE)
def test_the_numbers_are_those_that_were_written(data: Any, dim: int, space: str) -> None:
    number = FINITE | st.integers(-(10**25), 10**25)
    row = st.lists(number, min_size=dim, max_size=dim)
    rows = data.draw(st.lists(row, min_size=1, max_size=6))
    before = data.draw(st.dictionaries(st.text(max_size=3).filter(lambda key: key != "v"), VALUES))
    after = data.draw(st.dictionaries(st.text(max_size=3).filter(lambda key: key != "v"), VALUES))
    separators = (f"{space},{space}", f"{space}:{space}")
    array = json.dumps(rows, separators=separators)
    members = [json.dumps(part, separators=separators)[1:-1] for part in (before, after)]
    members.insert(1, f'"v"{space}:{space}{array}')
    body = f"{space}{{{space}{','.join(filter(None, members))}{space}}}".encode()
    outcome, value, out, count, _ = taken(body, dim)
    assert (outcome, value, count) == (Outcome.NUMBERS, array.encode(), len(rows))
    np.testing.assert_array_equal(out, as_float32(rows, dim))


@settings(max_examples=300)
@given(text=st.text("0123456789.eE+-", min_size=1, max_size=12))
def test_a_number_is_one_when_a_library_says_so(text: str) -> None:
    outcome, _, out, *_ = taken(f'{{"v":[[{text}]]}}'.encode(), 1)
    try:
        [[number]] = json.loads(f"[[{text}]]", parse_int=float)
    except ValueError:
        assert outcome in (Outcome.NO_NUMBER, Outcome.NO_JSON, Outcome.NOT_FINITE)
        return
    if np.isinf(number):
        assert outcome == Outcome.NOT_FINITE
    else:
        assert outcome == Outcome.NUMBERS
        np.testing.assert_array_equal(out, as_float32([[number]], 1))


@pytest.mark.parametrize(
    "text",
    ["9007199254740993", "9007199254740993e-10", "0.1", "1e23", "123456789012345678901234567890",
     "4.9e-324", "1e-400", "2.2250738585072011e-308", "0." + "0" * 400 + "1e400", "-0.0",
     "1" * 400 + "e-390", "1.7976931348623157e308", "3.4028235677973366e38", "0.30000001192092896"],
)  # fmt: skip
def test_numbers_that_are_hard_to_round_are_rounded_as_anywhere(text: str) -> None:
    outcome, _, out, *_ = taken(f'{{"v":[{text}]}}'.encode(), 1, rows=False)
    assert outcome == Outcome.NUMBERS
    np.testing.assert_array_equal(out, as_float32([[float(text)]], 1))


@pytest.mark.parametrize(
    ("body", "outcome", "row", "column"),
    [
        (b"", Outcome.NO_JSON, 0, 0),
        (b"[[1,2]]", Outcome.NO_JSON, 0, 0),
        (b"[" * 1000, Outcome.NO_JSON, 0, 0),
        (b'{"v":', Outcome.NO_JSON, 0, 0),
        (b'{"v', Outcome.OTHER, 0, 0),
        (b'{"a":"\\', Outcome.NO_JSON, 0, 0),
        (b"{}", Outcome.OTHER, 0, 0),
        (b'{"a":{"v":[[1,2]]}}', Outcome.OTHER, 0, 0),
        (b'{"v":null}', Outcome.OTHER, 0, 0),
        (b'{"v":"ab\\n"}', Outcome.OTHER, 0, 0),
        (b'{"v":"abcd"}', Outcome.STRING, 0, 0),
        (b'{"v":[]}', Outcome.NO_NUMBER, 0, 0),
        (b'{"v":[1,2]}', Outcome.NO_NUMBER, 0, 0),
        (b'{"v":[[1,2],[1,"2"]]}', Outcome.NO_NUMBER, 1, 1),
        (b'{"v":[[1,2],[1,NaN]]}', Outcome.NO_NUMBER, 1, 1),
        (b'{"v":[[1,2],[1e999,1]]}', Outcome.NOT_FINITE, 1, 0),
        (b'{"v":[[1,2],[1]]}', Outcome.WRONG_DIM, 1, 1),
        (b'{"v":[[1,2],[1,2,3,4,5]]}', Outcome.WRONG_DIM, 1, 5),
        (b'{"v":[[1,2],[1,2', Outcome.NO_JSON, 1, 2),
        (b'{"v":[[1,2],[1,2]', Outcome.NO_JSON, 2, 2),
        (b'{"v":[[1,2],[1,2],[1,2],[1,2]]}', Outcome.TOO_MANY, 3, 2),
    ],
)
def test_what_cannot_be_taken_is_told_with_its_place(
    body: bytes, outcome: Outcome, row: int, column: int
) -> None:
    found = taken(body, 2, 3)
    if outcome == Outcome.OTHER and not body.endswith(b"}"):
        assert found[0] in (Outcome.OTHER, Outcome.NO_JSON)
    else:
        assert (found[0], *found[3:]) == (outcome, row, column)


@settings(max_examples=300)
@given(cut=st.integers(0, 60), put=st.binary(max_size=3), at=st.integers(0, 60))
def test_bytes_that_are_cut_or_changed_never_give_other_numbers(
    cut: int, put: bytes, at: int
) -> None:
    whole = b'{"k": 3, "v": [[1.5, -2e3], [0.25, 7]], "a": ["]", {"b": "\\""}]}'
    body = (whole[:at] + put + whole[at + len(put) :])[: len(whole) - cut]
    outcome, value, out, *_ = taken(body, 2)
    if outcome == Outcome.NUMBERS:
        np.testing.assert_array_equal(out, as_float32(json.loads(value), 2))
