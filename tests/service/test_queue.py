"""The queue in front of the searches: who runs, who waits, who is sent away."""

import asyncio
from collections.abc import Callable, Sequence
from threading import Event
from typing import Any

import pytest
from starlette.requests import ClientDisconnect

from longspan.service.http.schedule.queue import Admission
from longspan.service.http.schedule.work import LATER
from longspan.service.http.wire.problems import Refused


class Call:
    """Stands for a call: the queue looks at nothing else of one."""

    def __init__(self, name: str, is_long: bool = False) -> None:
        self.name, self.is_long = name, is_long

    def as_long(self) -> "Call":
        return Call(self.name, True)


def admission(perform: Callable[[Sequence[Any], Any], None], **given: int) -> Any:
    return Admission(perform, given.get("threads", 2), given.get("queue", 8))


def answered(calls: Sequence[Call], hand_over: Any) -> None:
    for number, call in enumerate(calls):
        hand_over({number: call.name})


async def ask(queue: Any, *calls: Call) -> list[Any]:
    async def one(call: Call) -> Any:
        return await queue.run(call)

    return await asyncio.gather(*map(one, calls), return_exceptions=True)


def test_each_call_gets_its_own_reply() -> None:
    async def run() -> list[Any]:
        queue = admission(answered, queue=100)
        found = await ask(queue, *(Call(str(number)) for number in range(90)))
        queue.close()
        return found

    assert asyncio.run(run()) == [str(number) for number in range(90)]


def test_what_finds_no_place_is_refused_and_places_are_given_back() -> None:
    gate = Event()

    def perform(calls: Sequence[Call], hand_over: Any) -> None:
        gate.wait()
        answered(calls, hand_over)

    async def run() -> tuple[list[Any], list[Any]]:
        queue = admission(perform, threads=1, queue=1)
        asyncio.get_running_loop().call_later(0.05, gate.set)
        first = await ask(queue, *(Call(name) for name in "abcd"))
        return first, await ask(queue, Call("e"))

    first, then = asyncio.run(run())
    assert first[:2] == ["a", "b"]
    assert [one.code for one in first[2:]] == ["overloaded"] * 2
    assert then == ["e"]


@pytest.mark.parametrize("known", [False, True])
def test_a_long_call_never_has_the_last_thread(known: bool) -> None:
    """Whether a call is known to be long at once or when it is looked at."""
    gate = Event()

    def perform(calls: Sequence[Call], hand_over: Any) -> None:
        for number, call in enumerate(calls):
            if call.name.startswith("long"):
                if not call.is_long:
                    hand_over({number: LATER})
                    continue
                gate.wait()
            hand_over({number: call.name})

    async def run() -> tuple[list[Any], list[Any]]:
        queue = admission(perform, threads=2)
        long = asyncio.gather(ask(queue, *(Call(f"long {n}", known) for n in range(4))))
        await asyncio.sleep(0.02)
        short = await asyncio.wait_for(ask(queue, *map(Call, "abc")), 10)
        gate.set()
        return short, (await long)[0]

    short, long = asyncio.run(run())
    assert short == ["a", "b", "c"]
    assert long == [f"long {n}" for n in range(4)]


@pytest.mark.parametrize("threads", [1, 2, 4])
def test_a_long_call_has_its_turn_however_many_short_ones_come(threads: int) -> None:
    async def run() -> bool:
        queue, done = admission(answered, threads=threads, queue=200), asyncio.Event()

        async def go_on() -> None:
            while not done.is_set():
                await ask(queue, Call("short"))

        clients = [asyncio.ensure_future(go_on()) for _ in range(64)]
        await asyncio.sleep(0.02)
        found = await asyncio.wait_for(ask(queue, Call("long", True)), 10)
        done.set()
        await asyncio.gather(*clients)
        queue.close()
        return bool(found == ["long"])

    assert asyncio.run(run())


def test_replies_come_before_the_rest_of_their_company_is_done() -> None:
    gate = Event()

    def perform(calls: Sequence[Call], hand_over: Any) -> None:
        hand_over({0: calls[0].name})
        gate.wait()
        hand_over({number: calls[number].name for number in range(1, len(calls))})

    async def run() -> list[Any]:
        queue = admission(perform, threads=1)
        first = await asyncio.wait_for(queue.run(Call("a")), 10)
        gate.set()
        return [first]

    assert asyncio.run(run()) == ["a"]


def test_a_long_call_that_nobody_waits_for_any_more_is_dropped() -> None:
    gate = Event()
    performed: list[str] = []

    def perform(calls: Sequence[Call], hand_over: Any) -> None:
        gate.wait()
        performed.extend(call.name for call in calls)
        answered(calls, hand_over)

    async def run() -> list[Any]:
        queue, gone = admission(perform, threads=1), asyncio.Event()
        calls = [Call(name, True) for name in "abc"]
        lefts = [None, gone.wait, asyncio.Event().wait]
        waiting = [
            asyncio.ensure_future(queue.run(call, left))
            for call, left in zip(calls, lefts, strict=True)
        ]
        await asyncio.sleep(0.02)
        gone.set()
        await asyncio.sleep(0.02)
        gate.set()
        return await asyncio.gather(*waiting, return_exceptions=True)

    first, dropped, last = asyncio.run(run())
    assert (first, last) == ("a", "c")
    assert isinstance(dropped, ClientDisconnect)
    assert performed == ["a", "c"]


class Odd(BaseException):
    """What some libraries raise past every `except Exception`."""


@pytest.mark.parametrize("error", [Odd("x"), ValueError("x"), StopIteration("x")])
def test_whatever_a_thread_dies_of_reaches_the_clients(error: BaseException) -> None:
    def perform(calls: Sequence[Call], hand_over: Any) -> None:
        if calls[0].name == "bad":
            raise error
        answered(calls, hand_over)

    async def run() -> tuple[list[Any], list[Any]]:
        queue = admission(perform, threads=1)
        bad = asyncio.ensure_future(queue.run(Call("bad")))
        await asyncio.wait({bad})
        return [bad.exception()], await ask(queue, Call("good"))

    bad, good = asyncio.run(run())
    assert type(bad[0]) is (RuntimeError if isinstance(error, StopIteration) else type(error))
    assert good == ["good"]


def test_closing_waits_for_nobody_and_tells_those_that_wait() -> None:
    gate = Event()

    def perform(calls: Sequence[Call], hand_over: Any) -> None:
        gate.wait()

    async def run() -> list[Any]:
        queue = admission(perform, threads=1)
        waiting = [asyncio.ensure_future(ask(queue, Call(name))) for name in "abc"]
        await asyncio.sleep(0.02)
        queue.close()
        found = await asyncio.wait_for(asyncio.gather(*waiting[1:]), 10)
        late = await ask(queue, Call("late"))
        waiting[0].cancel()
        return [one[0] for one in (*found, late)]

    found = asyncio.run(run())
    gate.set()
    assert all(isinstance(one, Refused) and one.code == "not_ready" for one in found)
