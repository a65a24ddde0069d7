"""Store: the outbox, the inbox and what was pushed, asked for in parts."""

from __future__ import annotations

from datetime import timedelta

import pytest

from salesforce_sync.models.outbox import ChangeState, Wanted
from salesforce_sync.models.outcome import Deferred, Rejected
from salesforce_sync.models.push import Push
from tests.contract.edits import ACME, BOLT, CALL, JANE, NEW, SENT_AT, push, send


@pytest.fixture
def edited(replica):
    """Four changes: of two accounts, a contact and a task, in this order."""
    replica.update("Account", ACME, {"Phone": "2"})
    replica.update("Account", BOLT, {"Phone": "2"})
    replica.update("Contact", JANE, {"LastName": "Roe"})
    replica.update("Task", CALL, {"Subject": "Meet"})
    return replica


def ids(changes):
    return [each.record_id for each in changes]


def test_the_outbox_is_read_in_parts(edited):
    first = edited.changes(Wanted(most=2))
    second = edited.changes(Wanted(after=first[-1].number, most=2))
    again = edited.changes(Wanted(after=first[0].number, until=second[0].number))

    assert (ids(first), ids(second), ids(again)) == ([ACME, BOLT], [JANE, CALL], [BOLT, JANE])
    assert first + second == edited.changes()


def test_single_changes_are_asked_for_by_number_and_by_record(edited):
    numbers = [each.number for each in edited.changes()]

    assert ids(edited.changes(Wanted(numbers=numbers[1:3]))) == [BOLT, JANE]
    assert ids(edited.changes(Wanted(records=(CALL, ACME, NEW)))) == [ACME, CALL]
    assert edited.changes(Wanted(numbers=())) == ()


def test_what_is_due_on_its_way_and_held_are_asked_for_apart(edited, world):
    acme, bolt, jane, _ = edited.changes()
    edited.sending([acme, bolt, jane], "push-1", SENT_AT, None)
    edited.settle("push-1", [Rejected(bolt, "SOME_RULE", "No."), Deferred(jane, "UNABLE_TO_LOCK_ROW", "Locked.")])
    now = world.clock.now()
    later = now + timedelta(days=1)

    assert ids(edited.changes(Wanted(due=now))) == [CALL]
    assert ids(edited.changes(Wanted(due=later))) == [JANE, CALL]
    assert ids(edited.changes(Wanted(sending=True))) == [ACME]
    assert ids(edited.changes(Wanted(held=now))) == [BOLT, JANE]
    assert ids(edited.changes(Wanted(held=later))) == [BOLT]
    assert ids(edited.changes(Wanted(put_off=now))) == [JANE]
    assert edited.changes(Wanted(put_off=later)) == ()
    assert [each.state for each in edited.changes(Wanted(held=later))] == [ChangeState.PARKED]


def test_changes_are_counted_whatever_part_is_asked_for(edited, world):
    assert edited.count_changes() == 4
    assert edited.count_changes(Wanted(due=world.clock.now(), most=1)) == 4
    assert edited.count_changes(Wanted(sending=True)) == 0
    assert edited.edited_objects() == ("Account", "Contact", "Task")


def test_who_leaves_a_record_is_told_by_its_deletion_and_by_its_edit(replica):
    replica.delete("Task", CALL)
    replica.update("Contact", JANE, {"AccountId": BOLT})
    replica.update("Account", BOLT, {"ParentId": ACME})
    task, jane, _ = (each.number for each in replica.changes())

    assert replica.leaving([ACME, NEW]) == ((ACME, task), (ACME, jane))
    assert replica.leaving([BOLT]) == ()


def test_records_that_were_made_here_are_known_by_the_org_s_ids(replica):
    replica.create("Account", {"Name": "Nut"})
    push(replica, Account=NEW)

    assert replica.made_here([ACME, NEW]) == {NEW}


def test_what_was_pushed_is_told_from_its_end_in_parts(edited):
    push(edited)
    edited.record_push(Push("push-1", (), 1, 0.5))

    first = edited.pushed("push-1", most=3)
    second = edited.pushed("push-1", first.before, most=3)

    assert (ids(first.changes), ids(second.changes), second.before) == ([CALL, JANE, BOLT], [ACME], None)
    assert (edited.knows_push("push-1"), edited.knows_push("push-2")) == (True, False)
    assert edited.pushed("push-2").changes == ()


def test_the_inbox_is_read_in_parts(edited):
    before = edited.newest_item()
    changes = send(edited)
    edited.settle("push-1", [Rejected(each, "SOME_RULE", "No.") for each in changes])

    items = edited.inbox()
    assert len(items) == edited.count_inbox() == 4
    assert items[0].number > before
    assert edited.inbox(items[1].number, 1) == items[2:3]
    assert edited.newest_item() >= items[-1].number
