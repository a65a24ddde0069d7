"""What is due when."""

from datetime import UTC, datetime, timedelta

import pytest

from salesforce_sync.sync.schedule import needs_describe

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
