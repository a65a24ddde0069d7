from __future__ import annotations

import threading
from collections.abc import Generator, Iterator
from contextlib import closing
from typing import cast

import pytest

from salesforce_sync.api.ahead import ahead


def run(source: Iterator[int], depth: int, dropped: list[int]) -> Generator[int]:
    return cast(Generator[int], ahead(source, depth, dropped.append, lambda: None))


def test_all_items_come_in_order() -> None:
    dropped: list[int] = []

    assert list(run(iter(range(100)), 2, dropped)) == list(range(100))
    assert dropped == []


def test_an_error_comes_after_the_items_before_it() -> None:
    def source() -> Iterator[int]:
        yield 1
        yield 2
        raise RuntimeError("broken")

    got = []
    with pytest.raises(RuntimeError, match="broken"):
        for item in run(source(), 5, []):
            got.append(item)

    assert got == [1, 2]


def test_closing_drops_what_nobody_took_and_ends_the_thread() -> None:
    made: list[int] = []
    dropped: list[int] = []

    def source() -> Iterator[int]:
        for item in range(1000):
            made.append(item)
            yield item

    with closing(run(source(), 2, dropped)) as items:
        taken = next(items)

    # Threads of other tests may be ending meanwhile.
    assert "download" not in {each.name for each in threading.enumerate()}
    assert sorted([taken, *dropped]) == made
    assert len(made) < 6


def test_the_source_is_not_run_far_ahead() -> None:
    made = 0
    full = threading.Event()

    def source() -> Iterator[int]:
        nonlocal made
        for item in range(50):
            made += 1
            if made == 4:  # one taken, two queued, one waiting for room
                full.set()
            yield item

    with closing(run(source(), 2, [])) as items:
        next(items)
        assert full.wait(5)

        assert made == 4


def test_closing_wakes_a_source_that_waits() -> None:
    woken = threading.Event()

    def source() -> Iterator[int]:
        yield 1
        woken.wait(30)

    before = threading.active_count()
    items = cast(Generator[int], ahead(source(), 2, lambda item: None, woken.set))
    next(items)
    items.close()

    assert threading.active_count() == before
