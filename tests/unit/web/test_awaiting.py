"""Pushes and verifies that take longer than somebody waits."""

import asyncio
import time
from concurrent.futures import Future

import pytest

from salesforce_sync.web import awaiting
from salesforce_sync.web.awaiting import Awaited, StillAtWork, Together
from tests.loops import in_loop

QUIET = 0.01


class Works:
    """What was begun, each a future that the test ends."""

    def __init__(self):
        self.begun = []

    def begin(self):
        self.begun.append(Future())
        return self.begun[-1]


async def ask(awaited, works):
    return await awaited.answer("push", None, works.begin, QUIET)


async def untold(awaited, works):
    with pytest.raises(StillAtWork):
        await ask(awaited, works)
    return works.begun[-1]


def test_who_was_not_told_the_end_gets_it_by_the_same_request():
    async def play():
        awaited, works = Awaited(lambda: 0), Works()
        first = await untold(awaited, works)
        first.set_result("the first push")
        return await ask(awaited, works), len(works.begun)

    assert in_loop(play()) == ("the first push", 1)


def test_a_request_long_after_an_end_that_nobody_was_told_of_is_a_new_one(monkeypatch):
    """There may be new edits to send, and the old answer would say that all is sent."""
    monkeypatch.setattr(awaiting, "FRESH_SECONDS", 0.05)

    async def play():
        awaited, works = Awaited(lambda: 0), Works()
        first = await untold(awaited, works)
        first.set_result("the first push")
        time.sleep(0.1)
        await untold(awaited, works)
        works.begun[-1].set_result("the second push")
        return await ask(awaited, works), len(works.begun)

    assert in_loop(play()) == ("the second push", 2)


def test_another_push_is_not_answered_by_what_nobody_was_told_of():
    async def play():
        awaited, works = Awaited(lambda: 0), Works()
        (await untold(awaited, works)).set_result("the push")
        with pytest.raises(StillAtWork):
            await awaited.answer("push", "an undo", works.begin, QUIET)
        return len(works.begun)

    assert in_loop(play()) == 2


def test_whoever_asks_while_an_answer_is_on_its_way_gets_it_and_nobody_takes_it_from_others():
    async def play():
        together, works = Together(), Works()
        first, second, third = (asyncio.ensure_future(together.answer(works.begin)) for _ in range(3))
        await asyncio.sleep(0)
        first.cancel()
        await asyncio.sleep(0)
        works.begun[0].set_result("the list")
        told = await second, await third
        later = asyncio.ensure_future(together.answer(works.begin))
        await asyncio.sleep(0)
        works.begun[1].set_exception(ZeroDivisionError())
        with pytest.raises(ZeroDivisionError):
            await later
        return told, first.cancelled(), len(works.begun)

    assert in_loop(play()) == (("the list", "the list"), True, 2)
