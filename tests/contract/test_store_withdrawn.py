"""Store: questions that were none, once it shows why a reference was emptied: its record is deleted, too."""

import pytest

from salesforce_sync.models.event import Action, EventPage, RecordEvent
from salesforce_sync.models.inbox import Kind
from salesforce_sync.models.outbox import ChangeState, Operation
from salesforce_sync.models.proof import Cause
from salesforce_sync.models.push import Push
from salesforce_sync.models.run import RunState
from tests.contract.edits import (
    ACCOUNT,
    ACME,
    BOLT,
    CONTACT,
    JANE,
    ONE,
    THREE,
    TWO,
    acme,
    applied,
    arrive,
    item,
    only,
    push,
    row,
    send,
)

JANES = {"LastName": "Doe"}
STAMP_TWO = "2024-01-15T14:00:00.000Z"


def bolt(at, *, deleted=False):
    return row(ACCOUNT, BOLT, at, deleted=deleted, Name="Bolt", Active__c=False)


def shows(replica):
    """Bolt comes as deleted."""
    arrive(replica, ACCOUNT, bolt(TWO, deleted=True))


def tells(replica):
    """An event says that Bolt is deleted."""
    event = RecordEvent(BOLT, Action.DELETE, {}, STAMP_TWO, (1, 1))
    replica.merge_events(EventPage("Account", (event,), b"1", False))


def purges(replica):
    replica.set_aside("Account", [BOLT], Cause.PURGED)


@pytest.fixture
def emptied(replica):
    """Acme, which belonged to Bolt, is deleted here, and belongs to nobody there."""
    arrive(replica, ACCOUNT, acme(ParentId=BOLT))
    replica.delete("Account", ACME)
    arrive(replica, ACCOUNT, acme(ONE))
    assert item(replica).kind is Kind.CHANGED_THERE
    return replica


@pytest.mark.parametrize("deleted", [shows, tells, purges])
def test_a_deletion_goes_on_once_its_reference_is_seen_to_be_emptied_by_another_deletion(emptied, deleted):
    deleted(emptied)

    assert emptied.inbox() == ()
    change = only(emptied)
    assert (change.record_id, change.operation, change.state) == (ACME, Operation.DELETE, ChangeState.WAITING)
    assert change.stamp == "2024-01-15T13:00:00.000Z"


def test_a_deletion_whose_reference_leads_to_another_object_goes_on_too(replica):
    replica.delete("Contact", JANE)
    arrive(replica, CONTACT, row(CONTACT, JANE, ONE, **JANES))
    assert item(replica).kind is Kind.CHANGED_THERE

    arrive(replica, ACCOUNT, acme(TWO, deleted=True))

    assert replica.inbox() == ()
    assert only(replica).state is ChangeState.WAITING


def test_what_somebody_changed_beside_it_is_asked_about_still(replica):
    arrive(replica, ACCOUNT, acme(ParentId=BOLT))
    replica.delete("Account", ACME)
    arrive(replica, ACCOUNT, acme(ONE, Phone="9"))
    fields = item(replica).fields

    shows(replica)

    assert item(replica).fields == fields
    assert (item(replica).kind, item(replica).message) == (Kind.CHANGED_THERE, "Changed in the org since: Phone.")
    assert only(replica).state is ChangeState.PARKED


def test_what_somebody_changed_before_and_after_it_is_asked_about_still(replica):
    arrive(replica, ACCOUNT, acme(ParentId=BOLT, BillingCity="Bern"))
    replica.delete("Account", ACME)
    arrive(replica, ACCOUNT, acme(ONE, ParentId=BOLT, BillingCity="Bern", Phone="9"))
    arrive(replica, ACCOUNT, acme(TWO, BillingCity="Bern", Phone="9"))
    arrive(replica, ACCOUNT, acme(THREE, Phone="8"))
    assert item(replica).message == "Changed in the org since: Phone, ParentId, BillingCity."

    shows(replica)

    assert item(replica).message == "Changed in the org since: Phone, BillingCity."
    assert only(replica).state is ChangeState.PARKED


def test_a_reference_that_somebody_set_to_another_record_is_asked_about_still(emptied):
    arrive(emptied, ACCOUNT, acme(TWO, ParentId=ACME))

    shows(emptied)

    assert item(emptied).message == "Changed in the org since: ParentId."


def test_the_deletion_of_another_record_answers_nothing(emptied):
    arrive(emptied, CONTACT, row(CONTACT, JANE, TWO, deleted=True, **JANES))

    assert item(emptied).kind is Kind.CHANGED_THERE


def test_an_edit_beneath_the_deletion_stays_for_the_day_on_which_it_is_taken_back(replica):
    arrive(replica, ACCOUNT, acme(ParentId=BOLT))
    replica.update("Account", ACME, {"ParentId": None, "Phone": "2"})
    replica.delete("Account", ACME)
    arrive(replica, ACCOUNT, acme(ONE))
    shows(replica)
    assert (replica.inbox(), only(replica).operation) == ((), Operation.DELETE)

    replica.undelete("Account", ACME)

    change = only(replica)
    assert (change.operation, change.state) == (Operation.UPDATE, ChangeState.WAITING)
    assert {each.field: (each.base, each.value) for each in change.edits} == {"Phone": ("1", "2")}


# ── after our deletion ───────────────────────────────────────────────────────────────────────────────────────────


def deleted_over(replica, **there):
    """Our deletion of Acme, which belonged to Bolt, took what somebody had changed meanwhile."""
    arrive(replica, ACCOUNT, acme(ParentId=BOLT))
    replica.delete("Account", ACME)
    push(replica)
    arrive(replica, ACCOUNT, acme(ONE, deleted=True, **there))
    assert item(replica).kind is Kind.DELETED_OVER


@pytest.mark.parametrize("deleted", [shows, tells, purges])
def test_a_deletion_took_nothing_of_anybody_where_another_deletion_had_emptied_the_reference(replica, deleted):
    deleted_over(replica)

    deleted(replica)

    assert replica.inbox() == ()
    assert replica.changes() == ()


def test_what_a_deletion_took_beside_it_is_told_still(replica):
    deleted_over(replica, Phone="9")

    shows(replica)

    told = item(replica)
    assert told.fields == ("Phone",)
    assert [(each.field, each.base, each.org) for each in told.conflicts] == [("Phone", "1", "9")]
    assert "Phone" in told.message
    assert "ParentId" not in told.message


def test_a_deletion_that_is_on_its_way_is_asked_about_no_more_either(replica):
    arrive(replica, ACCOUNT, acme(ParentId=BOLT))
    replica.delete("Account", ACME)
    sent = send(replica)
    arrive(replica, ACCOUNT, acme(ONE))

    shows(replica)
    applied(replica, sent)

    assert (replica.inbox(), replica.changes()) == ((), ())


@pytest.mark.parametrize("deleted", [shows, tells, purges])
def test_a_push_that_took_nothing_of_anybody_is_listed_as_complete_again(replica, deleted):
    deleted_over(replica)
    replica.record_push(Push("push-1", (), 1, 0.5))
    assert replica.pushes()[0].overwrote == 1

    deleted(replica)

    (listed,) = replica.pushes()
    assert (listed.state, listed.overwrote, listed.changes[0].problem) == (RunState.COMPLETE, 0, None)


def test_a_push_that_took_something_beside_it_tells_of_that_alone(replica):
    deleted_over(replica, Phone="9")
    replica.record_push(Push("push-1", (), 1, 0.5))

    shows(replica)

    (listed,) = replica.pushes()
    assert (listed.overwrote, listed.changes[0].problem.message) == (1, item(replica).message)
