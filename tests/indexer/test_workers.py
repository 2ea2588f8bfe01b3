"""The pool of a build: results in order, or items as soon as they are done."""

from collections.abc import Iterator
from threading import Event

import pytest

from longspan.indexer.running.workers import AHEAD, workers


def test_an_item_is_handed_on_while_one_before_it_is_still_worked_on() -> None:
    handed_on = Event()

    def work(item: int) -> None:
        if item == 0:
            assert handed_on.wait(30)

    with workers(2) as pool:
        done = pool.as_done(work, range(50))
        first = next(done)
        handed_on.set()
        assert first != 0
        assert sorted([first, *done]) == list(range(50))


def test_items_are_taken_a_few_at_a_time_and_an_error_ends_it() -> None:
    taken = []

    def items() -> Iterator[int]:
        for item in range(1000):
            taken.append(item)
            yield item

    def work(item: int) -> None:
        if item == 3:
            raise KeyError(item)

    with workers(1) as pool, pytest.raises(KeyError, match="3"):
        for _ in pool.as_done(work, items()):
            pass
    assert len(taken) <= 4 + AHEAD
