"""What is due when."""

from datetime import UTC, datetime, timedelta

import pytest

from salesforce_sync.models.change import Ages, Loss
from salesforce_sync.sync.schedule import DEFAULTS, Rules, loss_stands, needs_describe, pause, verify_is_due

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
    ("found", "due", "stands"),
    [
        (None, False, False),
        (NOW - HOUR, True, False),
        (NOW - HOUR / 2, False, True),
        (NOW + HOUR, True, False),  # the clock was set back
    ],
)
def test_what_was_refused_since_the_last_proof_is_looked_for_once_an_hour(found, due, stands):
    loss = None if found is None else Loss(found, "9 of 10 rows are gone.", "")
    ages = Ages(proved_at=NOW - 2 * HOUR, first_merged_at=NOW - 3 * HOUR, loss=loss)

    assert verify_is_due(ages, DEFAULTS, NOW) is due
    assert loss_stands(ages, DEFAULTS, NOW) is stands


def test_without_a_schedule_a_loss_is_looked_for_only_when_somebody_asks():
    ages = Ages(first_merged_at=NOW - 30 * HOUR, loss=Loss(NOW - 20 * HOUR, "9 of 10 rows are gone.", ""))

    assert loss_stands(ages, Rules(verify_every=None), NOW)
    assert not verify_is_due(ages, Rules(verify_every=None), NOW)
    assert not loss_stands(ages, Rules(verify_every=None, loss_every=timedelta(0)), NOW)
