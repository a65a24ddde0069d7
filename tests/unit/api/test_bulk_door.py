"""The door for Bulk jobs: shut by one refusal that stands for all, and tried again after an hour."""

from datetime import timedelta

import pytest

from salesforce_sync.api.bulk_door import BulkDoor
from salesforce_sync.api.responses import Refusal
from salesforce_sync.errors import BulkRefused, RequestRefused
from salesforce_sync.testing import FrozenClock

OFF = Refusal(403, "FEATURE_NOT_ENABLED", "Async API not enabled")


def test_a_door_is_open_until_a_refusal_that_stands_for_all():
    door = BulkDoor(FrozenClock())

    refused = door.error_for(
        Refusal(400, "INVALIDENTITY", "Entity 'Note' is not supported"), "begin a Bulk query of Note"
    )
    door.enter()

    assert type(refused) is RequestRefused
    assert isinstance(door.error_for(OFF, "begin a Bulk query of Note"), BulkRefused)
    with pytest.raises(BulkRefused, match="Async API"):
        door.enter()


def test_a_door_is_tried_again_after_an_hour():
    clock = FrozenClock()
    door = BulkDoor(clock)
    door.error_for(OFF, "begin a Bulk query of Note")

    clock.advance(timedelta(minutes=59))
    assert door.refusal is not None
    clock.advance(timedelta(minutes=1))

    door.enter()
    assert door.refusal is None
