"""The contract of `ports.Clock`, held by this machine's clock and by the frozen one."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from salesforce_sync.app import SystemClock
from salesforce_sync.testing import FrozenClock

SOON = 0.01


@pytest.fixture(params=[SystemClock, FrozenClock])
def clock(request):
    return request.param()


def test_now_is_in_utc(clock):
    assert clock.now().utcoffset() == timedelta(0)


def test_sleeping_lets_both_times_pass(clock):
    now, seconds = clock.now(), clock.monotonic()

    clock.sleep(SOON)

    assert clock.now() > now
    assert clock.monotonic() - seconds >= SOON


def test_seconds_never_go_back(clock):
    readings = [clock.monotonic() for _ in range(100)]

    assert readings == sorted(readings)


def test_a_machine_that_does_not_sleep_is_not_suspended(clock):
    before = clock.suspended()

    clock.sleep(SOON)

    assert abs(clock.suspended() - before) < SOON


# ── what only the frozen one does ────────────────────────────────────────────────────────────────────────────────


def test_a_frozen_clock_stands_still():
    clock = FrozenClock()

    assert clock.now() == clock.now()
    assert clock.monotonic() == clock.monotonic() == 0.0


def test_a_frozen_clock_moves_when_it_is_told_to():
    clock = FrozenClock(datetime(2024, 1, 15, 12, tzinfo=timezone(timedelta(hours=2))))

    clock.advance(timedelta(minutes=5))

    assert clock.now() == datetime(2024, 1, 15, 10, 5, tzinfo=UTC)
    assert clock.monotonic() == 300


def test_a_frozen_clock_that_was_suspended_has_lost_the_seconds():
    clock = FrozenClock()
    before = clock.now()

    clock.suspend(timedelta(hours=8))

    assert clock.now() - before == timedelta(hours=8)
    assert (clock.suspended(), clock.monotonic()) == (8 * 3600, 0)


def test_a_wall_clock_that_is_set_back_leaves_the_seconds_alone():
    clock = FrozenClock()
    clock.advance(timedelta(seconds=10))
    before = clock.now()

    clock.set_back(timedelta(hours=1))

    assert before - clock.now() == timedelta(hours=1)
    assert clock.monotonic() == 10


def test_a_frozen_clock_refuses_what_makes_no_sense():
    with pytest.raises(ValueError, match="zone"):
        FrozenClock(datetime(2024, 1, 15))
    with pytest.raises(ValueError, match="back"):
        FrozenClock().advance(timedelta(seconds=-1))
