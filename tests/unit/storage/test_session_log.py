"""Sync sessions in the store: found again by the next server, bounded, and never taken from one that lives."""

from datetime import UTC, datetime, timedelta

import pytest

from salesforce_sync.models.kept_session import KeptSession
from salesforce_sync.storage.session_log import KEPT, KEPT_FOR
from salesforce_sync.storage.sqlite import SqliteStore
from salesforce_sync.testing import FrozenClock

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)


def session(number, finished=NOW, state="complete"):
    return KeptSession(f"sync_{number:04}", "user:ada", NOW, finished, state, b'{"number":1}')


@pytest.fixture
def opened(tmp_path):
    """Opens the store, as many servers do; they are closed in the end."""
    stores = []

    def open_one(now=NOW):
        stores.append(SqliteStore(tmp_path / "replica.db", FrozenClock(now)))
        return stores[-1].sessions

    yield open_one
    for store in stores:
        store.sessions.leave()
        store.close()


def test_the_next_server_finds_what_the_last_has_kept(opened):
    first = opened()
    assert first.enter("a") == ()
    for each in (session(1), session(2, None, "running"), session(2, NOW, "partial"), session(3, None, "running")):
        first.keep(each)
    first.leave()

    assert opened().enter("b") == (session(1), session(2, NOW, "partial"), session(3, None, "running"))


def test_the_sessions_of_a_server_that_lives_are_not_anothers(opened):
    first, second = opened(), opened()
    first.enter("a")
    first.keep(session(1, None, "running"))

    assert second.enter("b") == ()
    second.keep(session(2))
    first.leave()

    assert opened().enter("c") == (session(1, None, "running"),)


def test_what_is_too_much_or_too_old_is_forgotten(opened):
    first = opened()
    first.enter("a")
    first.keep(session(0, None, "running"))
    for number in range(1, KEPT + 11):
        first.keep(session(number, NOW + timedelta(seconds=number)))
    first.leave()

    later = opened(NOW + KEPT_FOR + timedelta(seconds=50))
    found = [each.session_id for each in later.enter("b")]
    assert found == ["sync_0000", *(f"sync_{number:04}" for number in range(11, KEPT + 11))]
    later.keep(session(0, NOW + KEPT_FOR, "failed"))
    later.leave()

    left = [each.session_id for each in opened().enter("c")]
    assert left == ["sync_0000", *(f"sync_{number:04}" for number in range(50, KEPT + 11))]
