"""Every instruction set gives the CRC-32C of the definition, page by page."""

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from longspan.cext import kernels
from longspan.cext.pages import checksums

LEVELS = kernels.available()
PAGE = 4096
READ_10 = bytes.fromhex(
    "01c00000 00000000 00000000 00000000 14000000 00000400 00000014 00000018 28000000 00000000"
    "02000000 00000000"
)


@pytest.fixture(autouse=True)
def restore_level() -> Iterator[None]:
    before = kernels.active_name()
    yield
    kernels.use(before)


def crc32c(data: bytes) -> int:
    """Bit by bit, as the polynomial is defined."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def computed(data: bytes) -> list[int]:
    out = np.zeros(-(-len(data) // PAGE), np.uint32)
    checksums(np.frombuffer(data, np.uint8), out)
    return out.tolist()


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize(
    ("data", "crc"),
    [
        (bytes(32), 0x8A9136AA),
        (b"\xff" * 32, 0x62A8AB43),
        (bytes(range(32)), 0x46DD794E),
        (bytes(reversed(range(32))), 0x113FDB5C),
        (READ_10, 0xD9963A56),
        (b"123456789", 0xE3069283),
    ],
    ids=["zeros", "ones", "rising", "falling", "read command", "digits"],
)
def test_known_bytes_have_the_published_checksum(level: str, data: bytes, crc: int) -> None:
    """RFC 3720, B.4; the digits are the check value of every catalogue."""
    kernels.use(level)
    assert crc32c(data) == crc
    assert computed(data) == [crc]


@pytest.mark.parametrize("level", LEVELS)
@given(data=st.binary(min_size=1, max_size=100), start=st.integers(0, 8))
def test_a_checksum_is_that_of_the_definition_wherever_the_bytes_lie(
    level: str, data: bytes, start: int
) -> None:
    kernels.use(level)
    shifted = np.frombuffer(bytes(start) + data, np.uint8)[start:]
    out = np.zeros(1, np.uint32)
    checksums(shifted, out)
    assert out[0] == crc32c(data)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("size", [PAGE - 1, PAGE, PAGE + 1, 2 * PAGE, 2 * PAGE + 13])
def test_each_page_has_a_checksum_of_its_own(level: str, size: int) -> None:
    kernels.use(level)
    data = np.random.default_rng(size).integers(0, 256, size, np.uint8).tobytes()
    assert computed(data) == [crc32c(data[at : at + PAGE]) for at in range(0, size, PAGE)]


@pytest.mark.parametrize("pages", [0, 2])
def test_checksums_for_another_number_of_pages_are_refused(pages: int) -> None:
    with pytest.raises(ValueError, match=f"{pages} checksums of {PAGE} bytes"):
        checksums(np.zeros(PAGE, np.uint8), np.zeros(pages, np.uint32))


@pytest.mark.parametrize("level", LEVELS)
@given(bit=st.integers(0, 8 * PAGE - 1))
@example(bit=0)
@example(bit=8 * PAGE - 1)
def test_one_flipped_bit_gives_another_checksum(level: str, bit: int) -> None:
    kernels.use(level)
    data = bytearray(PAGE)
    before = computed(bytes(data))
    data[bit // 8] ^= 1 << bit % 8
    assert computed(bytes(data)) != before
