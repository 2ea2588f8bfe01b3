"""Bodies on their way in: how many at once, how many bytes, and who makes room for whom."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from longspan.service.http.pace import SMALL
from longspan.service.http.schedule import intake
from longspan.service.http.schedule.intake import Intake
from longspan.service.http.wire.problems import Refused

LIMIT = 1 << 30


class Request:
    """Stands for a request whose body comes in pieces, each after a while; it may stop."""

    def __init__(self, pieces: Sequence[tuple[float, bytes]], stops: bool = False) -> None:
        self._pieces, self._stops = pieces, stops
        size = sum(len(piece) for _, piece in pieces) + stops
        self.headers = {"content-length": str(size)}

    async def stream(self) -> AsyncIterator[bytes]:
        for seconds, piece in self._pieces:
            await asyncio.sleep(seconds)
            yield piece
        if self._stops:
            await asyncio.Event().wait()


async def read(bodies: Intake, request: Request) -> Any:
    """Return the body, or the code of its refusal."""
    try:
        with bodies.body() as body:
            return await body.read(request, LIMIT)  # type: ignore[arg-type]
    except Refused as refused:
        return refused.code


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake, "SPARED", 0.05)


def test_a_body_is_its_pieces() -> None:
    pieces = [(0.0, bytes([number]) * 70_000) for number in range(20)]
    found = asyncio.run(read(Intake(1 << 22, 30), Request(pieces)))
    assert found == b"".join(piece for _, piece in pieces)


@pytest.mark.usefixtures("quick")
def test_slow_bodies_make_room_for_fast_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake, "MOST", 3)

    async def run() -> tuple[Any, Any, list[Any]]:
        bodies = Intake(1 << 22, 30)
        slow = [
            asyncio.ensure_future(read(bodies, Request([(0, b"x")], stops=True))) for _ in range(3)
        ]
        await asyncio.sleep(0)
        early = await read(bodies, Request([(0, b"early")]))  # nobody is slow yet
        await asyncio.sleep(0.1)
        late = await read(bodies, Request([(0, b"late")]))
        done, left = await asyncio.wait(slow, timeout=0.1)
        for one in left:
            one.cancel()
        return early, late, [one.result() for one in done]

    assert asyncio.run(run()) == ("overloaded", b"late", ["too_slow"])


@pytest.mark.usefixtures("quick")
def test_bytes_that_come_slowly_make_room_for_others() -> None:
    """As many bodies are given up as it takes, and none when that would not do."""
    size = 1 << 20

    async def run() -> tuple[Any, Any, int]:
        bodies = Intake(4 * size, 30)
        part = [(0.0, bytes(size))]
        slow = [asyncio.ensure_future(read(bodies, Request(part, stops=True))) for _ in range(4)]
        await asyncio.sleep(1.2)
        too_large = await read(bodies, Request([(0, bytes(5 * size))]))
        spared = sum(not one.done() for one in slow)
        fits = await read(bodies, Request([(0, bytes(2 * size))]))
        await asyncio.sleep(0.01)
        found = [one.result() for one in slow if one.done()]
        for one in slow:
            one.cancel()
        assert (too_large, spared) == ("overloaded", 4)
        return len(fits), found, bodies._held

    size_read, found, held = asyncio.run(run())
    assert size_read == 2 * size
    assert found == ["too_slow"] * 2
    assert held == 2 * (size + 1 - SMALL)


def test_what_was_taken_is_given_back() -> None:
    async def run() -> int:
        bodies = Intake(1 << 20, 30)
        for _ in range(20):
            assert await read(bodies, Request([(0, bytes(600_000))])) == bytes(600_000)
        return bodies._held

    assert asyncio.run(run()) == 0
