"""Rows that change within the second of their stamp after they were read, among more rows than one page."""

from datetime import UTC, datetime, timedelta

import pytest

from salesforce_sync.models.change import Doubt
from salesforce_sync.models.proof import Cause
from salesforce_sync.models.run import RunState
from salesforce_sync.signals import Bus
from salesforce_sync.sync import doubts
from salesforce_sync.sync.doubts import joined, left, ripe
from salesforce_sync.sync.engine import SyncEngine
from tests.unit.orgs import FORMS, replica

ROWS = 12


def at(minute):
    return datetime(2024, 1, 15, 10, minute, tzinfo=UTC)


@pytest.fixture(params=FORMS)
def org(request, tmp_path):
    made = FORMS[request.param](tmp_path)
    made.poll_rows = 3
    return made


@pytest.fixture
def run(org, store, world):
    def go(minutes=0.0):
        org.tick(60 * minutes)
        before = org.usage.spent
        result = SyncEngine(org, store, world.clock, Bus()).run(["Account"])
        assert result.state is RunState.COMPLETE
        return org.usage.spent - before

    return go


@pytest.fixture
def verify(org, store, world):
    return lambda: SyncEngine(org, store, world.clock, Bus()).verify(["Account"])


def mass_update_with_a_straggler(org):
    """Every row gets one stamp; a transaction of the same second is still open. Gives what ends it."""
    keys = [org.put("Account", Name="before") for _ in range(ROWS)]
    org.tick(3600)
    for key in keys:
        org.put("Account", key, Name="updated")
    with org.late_commit() as commit:
        org.put("Account", keys[0], Name="in the same second, seen later")
    org.tick(5)
    return commit


def test_a_change_in_the_second_of_a_mass_update_that_is_seen_later_is_found(org, store, run):
    commit = mass_update_with_a_straggler(org)
    run()
    run(minutes=5)
    commit()

    run(minutes=6)

    assert replica(store, "Account") == org.live("Account")


def test_a_mass_update_is_read_once_more_and_then_no_more(org, store, run):
    mass_update_with_a_straggler(org)
    run()
    run(minutes=5)

    run(minutes=6)

    assert store.doubt("Account") is None
    assert [run(minutes=5) for _ in range(3)][1:] == [1, 1]


def test_a_large_mass_update_is_read_once_more_by_the_next_verify_only(org, store, run, verify, monkeypatch):
    monkeypatch.setattr(doubts, "MOST_DOUBTED", ROWS - 1)
    commit = mass_update_with_a_straggler(org)
    run()
    run(minutes=5)
    commit()
    run(minutes=6)
    assert replica(store, "Account") != org.live("Account")
    assert run(minutes=10) == 1

    verify()

    assert replica(store, "Account") == org.live("Account")
    assert store.doubt("Account") is None
    assert dict(store.proof("Account").repaired) == {Cause.CHANGED: 1}


def test_of_what_is_known_to_be_many_rows_none_is_asked_for_to_learn_their_number(org, store, run, verify):
    told = []
    pull = org.pull
    org.pull = lambda request: (told.append((request.rows, request.here)), pull(request))[1]
    mass_update_with_a_straggler(org)
    run()
    org.tick(3600)
    for key in org.live("Account"):
        org.put("Account", key, Name="again")
    org.tick(5)

    told.clear()
    run()
    run(minutes=5)
    verify()

    # What the poll counted; then by what is here: the young rows to be compared, twice, and read once more, all of them
    # to be proved.
    assert told == [(ROWS, None), *[(None, ROWS)] * 4]


def test_a_row_that_was_stamped_ahead_of_time_and_then_edited_is_the_orgs(org, store, run):
    key = org.put("Account", Name="before")
    org.clock.advance(timedelta(hours=1))
    org.put("Account", key, Name="by a server whose clock is ahead")
    org.clock.set_back(timedelta(hours=1))
    run()
    org.tick(60)
    org.put("Account", key, Name="by another server")

    run()

    assert replica(store, "Account") == org.live("Account")


def test_a_verify_repairs_a_row_whose_stamp_went_back(org, store, run, verify):
    key = org.put("Account", Name="before")
    org.tick(3600)
    org.put("Account", key, Name="late")
    run(minutes=60)
    org._save("Account", key, {"Name": "restored"}, org.clock.now() - timedelta(hours=1, minutes=30))

    assert verify().state is RunState.COMPLETE

    assert replica(store, "Account") == org.live("Account")


def test_doubts_are_joined_ripen_and_are_left():
    assert joined(None, Doubt(at(1), at(2))) == Doubt(at(1), at(2))
    assert joined(Doubt(at(3), at(4)), Doubt(at(1), at(2))) == Doubt(at(1), at(4))
    assert ripe(Doubt(at(3), at(6)), at(2)) is None
    assert ripe(Doubt(at(3), at(6)), at(4)) == Doubt(at(3), at(4))
    assert ripe(Doubt(at(3), at(6)), at(9)) == Doubt(at(3), at(6))
    assert left(Doubt(at(3), at(6)), at(4)) == Doubt(at(4), at(6))
    assert left(Doubt(at(3), at(6)), at(6)) is None
