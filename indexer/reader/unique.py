"""Check that numbers are distinct, in memory that does not grow with them.

Blocks of numbers are sorted one by one and kept in a file without a name; then the values are
compared range by range, each range cut out of all blocks. Samples of the blocks say where ranges
end, so that each has about as many numbers as a block.
"""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from longspan.indexer.reader.address import Address
from longspan.indexer.reader.copies import stage

Numbers = NDArray[np.int64]

BLOCK = 1 << 20  # numbers: 8 MiB
STRIDE = 256  # of the samples


def first_twice(numbers: Numbers, address: Address, folder: Path) -> tuple[int, int, int] | None:
    """Return a number that is there twice, and where it is first and then; None without one.

    numbers  (n,)  mapped, of the file at address
    folder   for a file of as many bytes; DoesNotFit when its disk is full
    """
    for ordered in ranges(numbers, address, folder):
        again = np.flatnonzero(ordered[1:] == ordered[:-1])
        if len(again):
            twice = int(ordered[again[0]])
            first, second = positions(numbers, twice)[:2]
            return twice, first, second
    return None


def ranges(numbers: Numbers, address: Address, folder: Path) -> Iterator[Numbers]:
    """Yield numbers in ascending order, those of equal value together."""
    starts = range(0, len(numbers), BLOCK)
    blocks = (np.sort(numbers[at : at + BLOCK]) for at in starts)
    with stage(address, (block.data for block in blocks), None, folder, lambda n: None) as file:
        ordered = np.memmap(file, np.int64, "r")
    runs = [ordered[at : at + BLOCK] for at in starts]
    sample = np.sort(np.concatenate([run[::STRIDE] for run in runs]))
    inner = np.unique(sample[BLOCK // STRIDE :: BLOCK // STRIDE])
    ends = np.stack([[0, *np.searchsorted(run, inner), len(run)] for run in runs])
    for first, last in pairwise(ends.T):
        cut = [run[a:b] for run, a, b in zip(runs, first, last, strict=True)]
        yield np.sort(np.concatenate(cut))


def positions(numbers: Numbers, value: int) -> list[int]:
    """Return where a number is."""
    found: list[int] = []
    for at in range(0, len(numbers), BLOCK):
        found += (at + np.flatnonzero(numbers[at : at + BLOCK] == value)).tolist()
    return found
