"""Sizes in bytes, as people write them."""

import pytest

from longspan.indexer.errors import BadConfig
from longspan.indexer.sizes import parse_size, show_size


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("1B", 1),
        ("2kB", 2000),
        ("3 KiB", 3072),
        ("1.5MiB", 1_572_864),
        (" 1 GiB ", 2**30),
        ("4GB", 4 * 10**9),
        ("0.5TiB", 2**39),
    ],
)
def test_a_size_has_a_unit(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize(
    "text",
    ["", "1", "GiB", "1 banana", "1G", "1gib", "1KB", "-1GiB", "1e3MiB", "1,5GiB", "nan GiB", "0B"],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(BadConfig, match="is no size, wanted"):
        parse_size(text)


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1536, "1.5 KiB"),
        (1000 * 2**20, "1,000 MiB"),
        (128_000_008, "122 MiB"),
        (2**31, "2 GiB"),
    ],
)
def test_a_size_is_shown_in_three_digits(size: int, text: str) -> None:
    assert show_size(size) == text
