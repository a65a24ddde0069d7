from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from datetime import timedelta

import pytest

from salesforce_sync.api.meter import Meter, read_limit_info
from salesforce_sync.errors import BudgetSpent, LimitExceeded
from salesforce_sync.models.page import Priority
from salesforce_sync.ports import Usage
from salesforce_sync.testing import FrozenClock

PULL = Priority.PULL


def meter_of(header: str, clock: FrozenClock | None = None, daily_calls: int | None = None) -> Meter:
    """A meter after one call, on whose answer the org said this."""
    meter = Meter(clock or FrozenClock(), daily_calls)
    meter.admit(PULL)
    meter.settle(header)
    return meter


@pytest.mark.parametrize(
    ("header", "told"),
    [
        ("api-usage=18/5000", (18, 5000)),
        ("api-usage=25/5000; per-app-api-usage=17/250(appName=sample-connected-app)", (25, 5000)),
        ("per-app-api-usage=17/250(appName=x); api-usage=25/5000", (25, 5000)),
        ("per-app-api-usage=17/250(appName=x)", None),
        ("nonsense", None),
    ],
)
def test_the_orgs_own_count_is_read(header: str, told: tuple[int, int] | None) -> None:
    assert read_limit_info(header) == told


def test_an_answer_without_the_header_counts_as_one_call() -> None:
    meter = meter_of("api-usage=18/5000")
    meter.admit(PULL)
    meter.settle(None)

    assert meter.usage == Usage(spent=2, used=19, limit=5000, ceiling=5000)


def test_an_answer_that_was_overtaken_does_not_take_calls_back() -> None:
    meter = Meter(FrozenClock())
    meter.admit(PULL)
    meter.admit(PULL)
    meter.settle("api-usage=8/5000")
    meter.settle("api-usage=7/5000")

    assert meter.usage.used == 8


@pytest.mark.parametrize("ends", [lambda meter: meter.settle(None), Meter.take_back])
def test_a_call_that_brought_no_word_keeps_no_later_one_from_being_heard(ends: Callable[[Meter], None]) -> None:
    meter = Meter(FrozenClock())
    meter.admit(PULL)
    meter.admit(PULL)
    meter.settle("api-usage=5000/5000")
    ends(meter)

    meter.look_again()
    meter.admit(PULL)
    meter.settle("api-usage=1/5000")

    assert meter.usage.used == 1


def test_calls_that_leave_the_last_24_hours_are_given_back() -> None:
    meter = meter_of("api-usage=100/5000")
    meter.admit(PULL)
    meter.settle("api-usage=40/5000")

    assert meter.usage.used == 40


def test_calls_of_all_workers_are_counted() -> None:
    meter = Meter(FrozenClock())
    with ThreadPoolExecutor(8) as pool:
        for _ in range(2000):
            pool.submit(meter.admit, PULL)

    assert meter.usage.spent == 2000


def test_a_call_that_did_not_leave_is_not_spent() -> None:
    meter = meter_of("api-usage=18/5000")
    meter.admit(PULL)
    meter.take_back()

    assert meter.usage == Usage(spent=1, used=18, limit=5000, ceiling=5000)


def test_the_smaller_of_two_limits_holds() -> None:
    assert meter_of("api-usage=18/100000", daily_calls=15_000).usage.ceiling == 15_000
    assert meter_of("api-usage=18/5000", daily_calls=15_000).usage.ceiling == 5000
    assert Meter(FrozenClock(), 15_000).usage.ceiling == 15_000


def test_each_kind_of_work_stops_at_its_wall() -> None:
    meter = meter_of("api-usage=8500/10000")

    meter.admit(Priority.PULL)
    for later in (Priority.VERIFY, Priority.REFRESH):
        with pytest.raises(BudgetSpent, match=r"8,500 of 10,000 .* stops at [78],000") as caught:
            meter.admit(later)

    assert caught.value.code == "API_BUDGET_SPENT"
    assert isinstance(caught.value, LimitExceeded)


def test_calls_under_way_are_counted_before_the_org_has_told() -> None:
    meter = meter_of("api-usage=98/100")

    meter.admit(Priority.PUSH)
    meter.admit(Priority.PUSH)
    with pytest.raises(BudgetSpent):
        meter.admit(Priority.PUSH)

    assert meter.usage.spent == 3


def test_an_hour_after_the_orgs_word_one_call_may_go_and_look() -> None:
    clock = FrozenClock()
    meter = meter_of("api-usage=96/100", clock)
    clock.advance(timedelta(minutes=20))
    with pytest.raises(BudgetSpent) as caught:
        meter.admit(PULL)
    assert caught.value.again_at == clock.now() + timedelta(minutes=40)
    assert "11:30 UTC" in caught.value.hint

    clock.advance(timedelta(minutes=40))
    meter.admit(PULL)
    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(meter.admit, PULL)  # one looks, the others wait for what it is told
        meter.settle("api-usage=97/100")
        with pytest.raises(BudgetSpent):
            other.result(10)
    with pytest.raises(BudgetSpent):
        meter.admit(PULL)
    clock.advance(timedelta(hours=1))
    meter.admit(PULL)
    meter.settle("api-usage=30/100")
    meter.admit(PULL)

    assert meter.usage == Usage(spent=4, used=30, limit=100, ceiling=100)


def test_when_the_look_finds_free_calls_nobody_is_refused() -> None:
    clock = FrozenClock()
    meter = meter_of("api-usage=96/100", clock)
    clock.advance(timedelta(hours=1))
    meter.admit(PULL)
    with ThreadPoolExecutor(3) as pool:
        others = [pool.submit(meter.admit, PULL) for _ in range(3)]
        meter.settle("api-usage=30/100")
        for each in others:
            each.result(10)

    assert meter.usage.spent == 5


@pytest.mark.parametrize(
    ("told", "admitted"), [("api-usage=30/100", 3), ("api-usage=94/100", 1), ("api-usage=97/100", 0)]
)
def test_one_look_serves_all_workers(told: str, admitted: int) -> None:
    clock = FrozenClock()
    meter = meter_of("api-usage=96/100", clock)
    clock.advance(timedelta(hours=1))
    meter.admit(PULL)
    with ThreadPoolExecutor(3) as pool:
        others = [pool.submit(meter.admit, PULL) for _ in range(3)]
        assert wait(others, timeout=0.1).not_done == set(others)

        meter.settle(told)

    assert [each.exception() for each in others].count(None) == admitted
    assert meter.usage.spent == 2 + admitted


@pytest.mark.parametrize("ends", ["settle", "take_back"])
def test_a_look_that_brings_no_word_leaves_the_next_worker_to_look(ends: str) -> None:
    clock = FrozenClock()
    meter = meter_of("api-usage=96/100", clock)
    clock.advance(timedelta(hours=1))
    meter.admit(PULL)
    with ThreadPoolExecutor(2) as pool:
        others = [pool.submit(meter.admit, PULL) for _ in range(2)]

        meter.settle(None) if ends == "settle" else meter.take_back()
        done, waiting = wait(others, timeout=10, return_when=FIRST_COMPLETED)
        assert (len(done), len(waiting)) == (1, 1)
        meter.settle("api-usage=20/100")

    assert [each.exception() for each in others] == [None, None]


def test_the_hint_tells_whose_limit_it_is() -> None:
    with pytest.raises(BudgetSpent) as caught:
        meter_of("api-usage=20000/100000", daily_calls=15_000).admit(PULL)

    assert "The org itself allows 100,000" in caught.value.hint


def test_who_looks_again_sends_one_call_for_a_new_word() -> None:
    meter = meter_of("api-usage=5000/5000")
    meter.look_again()

    meter.admit(PULL)
    meter.settle("api-usage=5000/5000")

    with pytest.raises(BudgetSpent):
        meter.admit(PULL)
