"""What is due when."""

from datetime import UTC, datetime, timedelta

import pytest

from salesforce_sync.models.change import Ages
from salesforce_sync.sync.schedule import DEFAULTS, Rules, needs_describe, pause, verify_is_due

NOW = datetime(2024, 1, 15, 10, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("age", "due"),
    [
        (timedelta(0), False),
        (timedelta(minutes=59, seconds=59), False),
        (timedelta(hours=1), True),
        (timedelta(days=400), True),
        (timedelta(seconds=-1), True),  # the clock was set back
    ],
)
def test_a_schema_is_described_again_when_it_is_an_hour_old(age, due):
    assert needs_describe(NOW - age, NOW) is due


def test_a_schema_that_was_never_described_is_due():
    assert needs_describe(None, NOW)


QUARTER = timedelta(minutes=15)


@pytest.mark.parametrize(
    ("share", "minutes"), [(None, 15), (0.0, 15), (0.79, 15), (0.8, 30), (0.89, 30), (0.9, 60), (1.0, 60), (1.3, 60)]
)
def test_before_the_wall_syncs_come_at_longer_intervals(share, minutes):
    assert pause(QUARTER, share) == timedelta(minutes=minutes)


@pytest.mark.parametrize(("hours", "slower"), [(1, 4), (2, 4), (4, 4), (24, 24)])
def test_a_longer_interval_is_never_more_than_four_hours_unless_a_person_set_it(hours, slower):
    assert pause(timedelta(hours=hours), 0.95) == timedelta(hours=slower)


HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("refused", "proved", "due"),
    [
        (None, NOW - HOUR, False),
        (NOW - HOUR, NOW - 2 * HOUR, True),
        (NOW - HOUR, None, True),
        (NOW - 2 * HOUR, NOW - HOUR, False),
        (NOW + HOUR, NOW - HOUR, False),  # the clock was set back
    ],
)
def test_what_was_refused_since_the_last_proof_is_looked_for_each_time(refused, proved, due):
    ages = Ages(proved_at=proved, first_merged_at=NOW - 3 * HOUR, refused_at=refused)

    assert verify_is_due(ages, DEFAULTS, NOW) is due
    assert not verify_is_due(ages, Rules(verify_every=None), NOW)
