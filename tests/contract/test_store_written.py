"""Store: what the org shows of a record for the first time after it has taken a change of it."""

import pytest
from msgspec.structs import replace

from salesforce_sync.errors import Misuse
from salesforce_sync.models.inbox import Kind, Resolution, Side
from salesforce_sync.models.outbox import Operation
from salesforce_sync.models.outcome import Applied
from salesforce_sync.models.page import PullRequest
from salesforce_sync.models.proof import Cause
from salesforce_sync.models.push import Push
from salesforce_sync.models.run import RunState
from salesforce_sync.models.salesforce_id import to_18
from salesforce_sync.resolve import Policies, Policy
from tests.contract.edits import (
    ACCOUNT,
    ACME,
    BOLT,
    CONTACT,
    JANE,
    NEW,
    NEW_CONTACT,
    NOON,
    ONE,
    PART,
    SENT_AT,
    SOMEBODY,
    THREE,
    TWO,
    acme,
    arrive,
    fill,
    item,
    only,
    push,
    replaced,
    row,
    send,
    shown,
)
from tests.contract.stores import page


def merged(store, *rows, schema=ACCOUNT):
    """These rows come from the org; what the merge says of them."""
    store.begin(PullRequest(schema, ids=tuple(str(each[0]) for each in rows)))
    store.stage(page(*rows, schema=schema, last=True))
    return store.merge(schema.name, None)


# ── deletions ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_what_somebody_changed_before_our_deletion_took_it_waits_for_a_person(replica):
    replica.delete("Account", ACME)
    push(replica)

    found = merged(replica, acme(TWO, deleted=True, Phone="9", LastModifiedById=SOMEBODY))
    replica.record_push(Push("push-1", (), 1, 0.5))

    told = item(replica)
    assert (told.record_id, told.kind, told.operation) == (ACME, Kind.DELETED_OVER, Operation.DELETE)
    assert [(each.field, each.base, each.local, each.org) for each in told.conflicts] == [("Phone", "1", None, "9")]
    assert "Phone" in told.message
    assert SOMEBODY in told.message
    assert TWO[:10] in told.message
    assert {key: each.message for key, each in found.over.items()} == {ACME: told.message}
    assert replica.changes() == ()
    assert [(each.old, each.new) for each in replaced(replica, "Phone")] == [("1", "9")]
    (kept,) = replica.pushes()
    assert (kept.overwrote, kept.state, kept.changes[0].problem.code) == (1, RunState.PARTIAL, "DELETED_OVER")


def test_a_deletion_that_took_nobodys_change_is_told_to_nobody(replica):
    replica.delete("Account", ACME)
    push(replica)

    found = merged(replica, acme(TWO, deleted=True, Score__c=3.0, LastModifiedById=SOMEBODY))

    assert (replica.inbox(), dict(found.over)) == ((), {})


def test_a_deletion_is_held_only_once_against_what_the_org_shows(replica):
    replica.delete("Account", ACME)
    push(replica)
    merged(replica, acme(ONE, deleted=True))

    merged(replica, acme(TWO, deleted=True, Phone="9"))

    assert replica.inbox() == ()


@pytest.mark.parametrize("deleted", [True, False])
def test_a_new_field_that_is_not_filled_yet_is_nobodys_change(replica, deleted):
    names = [each.name for each in ACCOUNT.columns if each.name != "Rating"]
    narrow = ACCOUNT.only(*names)
    replica.adopt(narrow)
    arrive(replica, narrow, row(narrow, ACME, Name="Acme", Phone="1"))
    replica.delete("Account", ACME)
    if deleted:
        push(replica)
    replica.adopt(ACCOUNT)

    merged(replica, acme(TWO, deleted=deleted, Rating="Hot", Active__c=None))

    assert replica.inbox() == ()


def test_what_was_edited_here_beneath_the_deletion_is_nobodys_change(replica):
    replica.update("Account", ACME, {"Phone": "2", "Rating": "Hot"})
    replica.delete("Account", ACME)
    push(replica)

    merged(replica, acme(TWO, deleted=True, Rating="Warm"))

    assert [(each.field, each.base, each.org) for each in item(replica).conflicts] == [("Rating", None, "Warm")]


def test_a_reference_that_the_org_empties_with_our_deletions_is_nobodys_change(replica):
    replica.delete("Contact", JANE)
    replica.delete("Account", ACME)
    push(replica)
    merged(replica, acme(TWO, deleted=True))

    merged(replica, row(CONTACT, JANE, TWO, deleted=True, LastName="Doe"), schema=CONTACT)

    assert replica.inbox() == ()


def test_a_deletion_takes_changes_without_a_word_where_the_local_side_is_to_hold(world):
    fill(world.store)
    store = world.restart(policies=Policies(Policy.LOCAL))
    store.delete("Account", ACME)
    push(store)

    merged(store, acme(TWO, deleted=True, Phone="9"))

    assert store.inbox() == ()
    assert [(each.old, each.new) for each in replaced(store, "Phone")] == [("1", "9")]


def test_it_is_told_too_where_the_process_was_killed_before_the_record_was_read_again(world):
    fill(world.store)
    world.store.delete("Account", ACME)
    push(world.store)
    store = world.restart()

    arrive(store, ACCOUNT, acme(TWO, deleted=True, Phone="9"))

    assert item(store).kind is Kind.DELETED_OVER


def test_it_is_told_too_where_the_answer_to_the_deletion_was_lost(world):
    fill(world.store)
    world.store.delete("Account", ACME)
    send(world.store)
    store = world.restart()

    found = merged(store, acme(TWO, deleted=True, Phone="9"))

    assert item(store).kind is Kind.DELETED_OVER
    assert [*found.over] == [ACME]


def test_a_deletion_that_both_sides_made_is_no_question(replica):
    replica.delete("Account", ACME)

    merged(replica, acme(TWO, deleted=True, Phone="9"))

    assert (replica.inbox(), replica.changes()) == ((), ())


def test_what_somebody_had_changed_and_deleted_before_us_is_no_question(replica):
    replica.delete("Account", ACME)
    (change,) = send(replica)
    replica.settle("push-1", [Applied(change, ACME, was_gone=True)])

    merged(replica, acme(TWO, deleted=True, Phone="9"))

    assert (replica.inbox(), replica.changes()) == ((), ())


def test_to_take_the_org_side_brings_the_record_back(replica):
    replica.delete("Account", ACME)
    push(replica)
    merged(replica, acme(TWO, deleted=True, Phone="9"))

    replica.resolve(item(replica).number, Resolution(Side.ORG))

    assert (only(replica).operation, only(replica).edits, replica.inbox()) == (Operation.UNDELETE, (), ())
    assert shown(replica, ACME)["Phone"] == "9"
    push(replica, "push-2")
    arrive(replica, ACCOUNT, acme(TWO, Phone="9"))
    assert (replica.changes(), replica.inbox(), shown(replica, ACME)["Phone"]) == ((), (), "9")


@pytest.mark.parametrize("decision", [Resolution(Side.LOCAL), Resolution(again=True)])
def test_to_take_the_local_side_keeps_the_deletion(replica, decision):
    replica.delete("Account", ACME)
    push(replica)
    merged(replica, acme(TWO, deleted=True, Phone="9"))

    replica.resolve(item(replica).number, decision)

    assert (replica.changes(), replica.inbox(), replica.get("Account", ACME)) == ((), (), None)


def test_a_deletion_that_took_a_change_is_not_decided_by_a_value(replica):
    replica.delete("Account", ACME)
    push(replica)
    merged(replica, acme(TWO, deleted=True, Phone="9"))

    with pytest.raises(Misuse):
        replica.resolve(item(replica).number, Resolution(values={"Phone": "7"}))

    assert item(replica).kind is Kind.DELETED_OVER


def test_the_word_of_what_a_deletion_took_outlives_the_records_return(replica):
    replica.delete("Account", ACME)
    push(replica)
    merged(replica, acme(TWO, deleted=True, Phone="9"))
    replica.undelete("Account", ACME)
    push(replica, "push-2")
    merged(replica, acme(TWO, Phone="9"))
    assert item(replica).kind is Kind.DELETED_OVER

    replica.resolve(item(replica).number, Resolution(Side.ORG))

    assert (replica.changes(), replica.inbox()) == ((), ())
    assert shown(replica, ACME)["Phone"] == "9"


# ── records that the org does not show any more ──────────────────────────────────────────────────────────────────


def test_a_record_that_was_made_here_and_is_not_shown_is_told(replica):
    replica.create("Account", {"Name": "Secret"})
    push(replica, Account=NEW)

    replica.set_aside("Account", [NEW], Cause.HIDDEN)
    replica.record_push(Push("push-1", (), 1, 0.5))

    told = item(replica)
    assert (told.record_id, told.kind, told.operation) == (NEW, Kind.NOT_SHOWN, Operation.CREATE)
    assert replica.get("Account", NEW) is None
    assert replica.changes() == ()
    (kept,) = replica.pushes()
    assert (kept.hidden, kept.overwrote, kept.state) == (1, 0, RunState.PARTIAL)
    assert kept.changes[0].problem.code == "NOT_SHOWN"


def test_a_record_that_was_edited_here_and_is_not_shown_any_more_is_told(replica):
    replica.update("Account", ACME, {"Phone": "2"})
    push(replica)

    replica.set_aside("Account", [ACME], Cause.HIDDEN)

    assert (item(replica).kind, item(replica).operation) == (Kind.NOT_SHOWN, Operation.UPDATE)


def test_a_record_that_was_shown_since_and_is_not_any_more_is_no_news_of_a_push(replica):
    replica.update("Account", ACME, {"Phone": "2"})
    push(replica)
    merged(replica, acme(ONE, Phone="2"))

    replica.set_aside("Account", [ACME], Cause.HIDDEN)

    assert replica.inbox() == ()


def test_a_record_whose_row_came_with_the_answer_is_no_news_either(replica):
    replica.update("Account", ACME, {"Phone": "2"})
    (change,) = send(replica)
    replica.settle("push-1", [Applied(change, ACME, row=acme(ONE, Phone="2"))])

    replica.set_aside("Account", [ACME], Cause.HIDDEN)

    assert replica.inbox() == ()


def test_a_deleted_record_that_is_not_shown_is_just_gone(replica):
    replica.delete("Account", ACME)
    push(replica)

    replica.set_aside("Account", [ACME], Cause.HIDDEN)

    assert replica.inbox() == ()


def test_a_record_that_somebody_deletes_after_our_edit_is_deleted_and_no_more(replica):
    replica.update("Account", ACME, {"Phone": "2"})
    push(replica)

    replica.set_aside("Account", [ACME], Cause.PURGED)

    assert replica.inbox() == ()


def test_a_record_that_is_shown_again_needs_no_person(replica):
    replica.create("Account", {"Name": "Secret"})
    push(replica, Account=NEW)
    replica.set_aside("Account", [NEW], Cause.HIDDEN)

    arrive(replica, ACCOUNT, row(ACCOUNT, NEW, ONE, Name="Secret"))

    assert replica.inbox() == ()
    assert shown(replica, NEW)["Name"] == "Secret"


@pytest.mark.parametrize("side", Side)
def test_the_word_of_a_record_that_is_not_shown_is_only_put_away(replica, side):
    replica.create("Account", {"Name": "Secret"})
    push(replica, Account=NEW)
    replica.set_aside("Account", [NEW], Cause.HIDDEN)

    replica.resolve(item(replica).number, Resolution(side))

    assert (replica.inbox(), replica.changes(), replica.get("Account", NEW)) == ((), (), None)


def test_an_edit_that_is_newer_than_the_push_waits_with_the_record_that_is_gone(replica):
    replica.update("Account", BOLT, {"Phone": "2"})
    changes = send(replica)
    replica.update("Account", BOLT, {"Phone": "3"})
    replica.settle("push-1", [Applied(each, BOLT) for each in changes])

    replica.set_aside("Account", [BOLT], Cause.HIDDEN)

    assert [each.kind for each in replica.inbox()] == [Kind.DELETED_THERE]


# ── what a deletion takes along ──────────────────────────────────────────────────────────────────────────────────


WHOLE, SMALL = (to_18(f"a01{number:012d}") for number in (1, 2))


def whole(at=NOON, **values):
    """A part of the account."""
    return row(PART, WHOLE, at, **{"Account__c": ACME, "Text__c": "1", **values})


def small(at=NOON, **values):
    """A part of that part."""
    return row(PART, SMALL, at, Part__c=WHOLE, **{"Text__c": "1", **values})


TAKES_CONTACTS = replace(ACCOUNT, takes_along=(("Contact", "AccountId"), ("Event", "WhatId")))
"""An account as a real org describes it; events are not synced here."""


@pytest.fixture
def along(replica):
    """A store in which an account with a part of a part has been deleted by a push."""
    replica.adopt(PART)
    arrive(replica, PART, whole(), small())
    return replica


@pytest.mark.parametrize(("came", "key"), [(whole, WHOLE), (small, SMALL)], ids=["child", "grandchild"])
def test_what_somebody_had_changed_in_what_our_deletion_took_along_waits_for_a_person(along, came, key):
    along.delete("Account", ACME)
    push(along)

    merged(along, came(TWO, deleted=True, Text__c="2", LastModifiedById=SOMEBODY), schema=PART)

    told = item(along)
    assert (told.object_name, told.record_id, told.kind) == ("Part__c", key, Kind.DELETED_OVER)
    assert [(each.field, each.base, each.local, each.org) for each in told.conflicts] == [("Text__c", "1", None, "2")]
    assert f"with Account {ACME}, which was deleted here" in told.message
    assert SOMEBODY in told.message


def test_what_only_the_master_s_describe_says_goes_along_is_told_as_a_detail_is(replica):
    replica.adopt(TAKES_CONTACTS)
    replica.update("Contact", JANE, {"LastName": "Mine"})
    replica.delete("Account", ACME)
    (deletion,) = [each for each in replica.changes() if each.object_name == "Account"]
    replica.sending([deletion], "push-1", SENT_AT, None)
    replica.settle("push-1", [Applied(deletion, ACME)])

    merged(replica, row(CONTACT, JANE, TWO, deleted=True, LastName="Doe", AccountId=ACME), schema=CONTACT)

    assert (item(replica).kind, item(replica).record_id) == (Kind.DELETED_THERE, JANE)
    assert f"with Account {ACME}, which was deleted here" in item(replica).message


def test_a_reference_that_the_org_emptied_is_nobody_s_change_where_its_record_went_along_too(replica):
    replica.adopt(TAKES_CONTACTS)
    joe = {"LastName": "Joe", "AccountId": ACME}
    arrive(replica, CONTACT, row(CONTACT, NEW_CONTACT, **joe, ReportsToId=JANE))
    replica.delete("Account", ACME)
    push(replica)

    merged(replica, row(CONTACT, NEW_CONTACT, TWO, deleted=True, **joe), schema=CONTACT)

    assert replica.inbox() == ()


def test_what_went_along_as_it_was_is_not_told(along):
    along.delete("Account", ACME)
    push(along)

    merged(along, whole(TWO, deleted=True), small(TWO, deleted=True), schema=PART)

    assert along.inbox() == ()


def test_what_stayed_in_the_org_after_all_is_somebody_s_when_it_is_deleted(along):
    along.delete("Account", ACME)
    push(along)
    merged(along, whole(ONE, Account__c=BOLT), schema=PART)

    merged(along, whole(TWO, Account__c=BOLT, deleted=True, Text__c="2"), schema=PART)

    assert along.inbox() == ()


def test_an_edit_of_what_our_deletion_took_along_is_told_what_it_went_with(along):
    along.update("Part__c", WHOLE, {"Text__c": "mine"})
    along.delete("Account", ACME)
    (deletion,) = [each for each in along.changes() if each.object_name == "Account"]
    along.sending([deletion], "push-1", SENT_AT, None)
    along.settle("push-1", [Applied(deletion, ACME)])

    merged(along, whole(TWO, deleted=True), schema=PART)

    merged(along, whole(THREE, deleted=True), schema=PART)
    told = item(along)
    assert told.kind is Kind.DELETED_THERE
    with_it = f"with Account {ACME}, which was deleted here, and comes back with that one"
    assert told.message == f"It was deleted in the org {with_it}."


def test_what_somebody_else_deleted_is_told_as_that(along):
    along.update("Part__c", WHOLE, {"Text__c": "mine"})

    merged(along, whole(TWO, deleted=True), schema=PART)

    assert item(along).message == "It was deleted in the org."
