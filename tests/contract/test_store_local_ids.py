"""Store: the org's id takes the place of a local one everywhere, and the local one goes on resolving."""

from datetime import timedelta

import pytest

from salesforce_sync.models.inbox import Resolution, Side, dropped
from salesforce_sync.models.outbox import ChangeState, Kind, Operation
from salesforce_sync.models.outcome import Applied
from tests.contract.edits import (
    ACCOUNT,
    ACME,
    CALL,
    JANE,
    NEW,
    NEW_CONTACT,
    ONE,
    SENT_AT,
    applied,
    arrive,
    item,
    only,
    push,
    rejected,
    row,
    send,
    shown,
    waiting,
)


@pytest.fixture
def local(replica):
    return replica.create("Account", {"Name": "Nut"})


def created(store, local):
    """The org has made the account, and only that."""
    (change,) = [each for each in waiting(store) if each.record_id == local]
    store.sending([change], "push-1", SENT_AT, None)
    return store.settle("push-1", [Applied(change, NEW)])


def test_a_created_record_has_the_orgs_id(replica, local):
    settled = push(replica, Account=NEW)

    assert settled.created == {local: NEW}
    assert replica.changes() == ()
    assert shown(replica, NEW)["Id"] == NEW
    assert shown(replica, NEW)["Name"] == "Nut"
    assert replica.count("Account") == 3
    assert {values[0] for values in replica.scan("Account")} >= {NEW, ACME}


def test_the_local_id_goes_on_resolving(world, replica, local):
    assert replica.real_id(local) == local
    push(replica, Account=NEW)

    again = world.restart()

    assert again.real_id(local) == NEW
    assert shown(again, local)["Id"] == NEW
    again.update("Account", local, {"Phone": "8"})
    assert (only(again).record_id, only(again).operation) == (NEW, Operation.UPDATE)
    again.update("Account", local, {"Phone": None})
    again.delete("Account", local)
    assert (only(again).record_id, only(again).operation) == (NEW, Operation.DELETE)
    again.undelete("Account", local)
    assert again.changes() == ()


def test_any_other_id_is_given_back_as_it_is(replica):
    assert replica.real_id(ACME) == ACME
    assert replica.real_id("local-nobody") == "local-nobody"


def test_rows_that_refer_to_it_get_the_orgs_id(replica, local):
    replica.update("Contact", JANE, {"AccountId": local})
    replica.update("Task", CALL, {"WhatId": local})
    replica.update("Account", ACME, {"ParentId": local})

    created(replica, local)

    assert shown(replica, JANE, "Contact")["AccountId"] == NEW
    assert shown(replica, CALL, "Task")["WhatId"] == NEW
    assert shown(replica, ACME)["ParentId"] == NEW


def test_edits_that_refer_to_it_get_the_orgs_id(replica, local):
    child = replica.create("Contact", {"LastName": "Roe", "AccountId": local})
    replica.update("Contact", JANE, {"AccountId": local})
    replica.update("Task", CALL, {"WhatId": local})
    assert [each.values for each in replica.changes() if each.record_id == child] == [
        {"LastName": "Roe", "AccountId": local}
    ]

    created(replica, local)

    assert [(each.record_id, each.values) for each in replica.changes()] == [
        (child, {"LastName": "Roe", "AccountId": NEW}),
        (JANE, {"AccountId": NEW}),
        (CALL, {"WhatId": NEW}),
    ]
    assert [each.base for each in replica.changes()[1].edits] == [ACME]


def test_a_text_that_looks_like_it_stays(replica, local):
    replica.update("Task", CALL, {"Subject": local})

    created(replica, local)

    assert shown(replica, CALL, "Task")["Subject"] == local
    assert only(replica).values == {"Subject": local}


def test_a_reference_to_itself_gets_the_orgs_id(replica, local):
    replica.update("Account", local, {"ParentId": local})
    (change,) = waiting(replica)
    without = type(change)(
        change.number,
        "Account",
        local,
        Operation.CREATE,
        tuple(each for each in change.edits if each.field != "ParentId"),
    )
    replica.sending([without], "push-1", SENT_AT, None)

    replica.settle("push-1", [Applied(without, NEW)])

    assert shown(replica, NEW)["ParentId"] == NEW
    assert (only(replica).operation, only(replica).values) == (Operation.UPDATE, {"ParentId": NEW})


def test_inbox_items_that_refer_to_it_get_the_orgs_id(replica, local):
    created_change = waiting(replica)[0]
    replica.update("Contact", JANE, {"AccountId": local})
    bad = waiting(replica)[1]
    replica.sending([bad], "push-1", SENT_AT, None)
    replica.settle("push-1", [rejected(bad)])
    replica.sending([created_change], "push-1", SENT_AT, None)

    replica.settle("push-1", [Applied(created_change, NEW)])

    assert [each.value for each in item(replica).edits] == [NEW]


def test_whoever_refers_to_the_local_id_later_writes_the_orgs(replica, local):
    created(replica, local)

    child = replica.create("Contact", {"LastName": "Roe", "AccountId": local})
    replica.update("Contact", JANE, {"AccountId": local})

    assert shown(replica, child, "Contact")["AccountId"] == NEW
    assert [each.values["AccountId"] for each in replica.changes()] == [NEW, NEW]


def test_children_of_a_parent_that_failed_go_on_holding_its_local_id(replica, local):
    replica.create("Contact", {"LastName": "Roe", "AccountId": local})
    parent = waiting(replica)[0]
    replica.sending([parent], "push-1", SENT_AT, None)

    replica.settle("push-1", [rejected(parent)])

    assert [each.values["AccountId"] for each in waiting(replica)] == [local]


def test_what_was_edited_on_the_way_waits_under_the_orgs_id(replica, local):
    changes = send(replica)
    replica.update("Account", local, {"Phone": "8", "Name": "Nut & Co"})

    applied(replica, changes, Account=NEW)

    change = only(replica)
    assert (change.record_id, change.operation, change.state) == (NEW, Operation.UPDATE, ChangeState.WAITING)
    assert {each.field: (each.base, each.value) for each in change.edits} == {
        "Phone": (None, "8"),
        "Name": ("Nut", "Nut & Co"),
    }


def test_a_whole_family_gets_its_ids_level_by_level(replica, local):
    boss = replica.create("Contact", {"LastName": "Boss", "AccountId": local})
    replica.create("Contact", {"LastName": "Roe", "ReportsToId": boss, "AccountId": local})
    created(replica, local)
    (change,) = [each for each in waiting(replica) if each.record_id == boss]
    replica.sending([change], "push-1", SENT_AT, None)

    replica.settle("push-1", [Applied(change, NEW_CONTACT)])

    assert only(replica).values == {"LastName": "Roe", "ReportsToId": NEW_CONTACT, "AccountId": NEW}


# ── the record was pulled before its create was settled ──────────────────────────────────────────────────────────


def test_a_record_that_was_pulled_before_it_was_settled_is_one_row(replica, local):
    changes = send(replica)
    arrive(replica, ACCOUNT, row(ACCOUNT, NEW, ONE, Name="Nut", Score__c=4))

    applied(replica, changes, Account=NEW)

    assert replica.count("Account") == 3
    assert replica.changes() == ()
    assert replica.inbox() == ()
    assert shown(replica, local)["Score__c"] == 4
    assert shown(replica, NEW)["SystemModstamp"] == "2024-01-15T13:00:00.000Z"


def test_newer_edits_of_a_record_that_was_pulled_before_it_was_settled_wait(replica, local):
    changes = send(replica)
    replica.update("Account", local, {"Phone": "8"})
    arrive(replica, ACCOUNT, row(ACCOUNT, NEW, ONE, Name="Nut"))

    applied(replica, changes, Account=NEW)

    assert (only(replica).record_id, only(replica).values) == (NEW, {"Phone": "8"})
    assert only(replica).stamp == "2024-01-15T13:00:00.000Z"
    assert shown(replica, NEW)["Phone"] == "8"
    assert replica.count("Account") == 3


def test_what_the_org_made_of_the_values_holds(replica, local):
    # A trigger of the org has written the name in capitals: that is no conflict with what was sent.
    changes = send(replica)
    arrive(replica, ACCOUNT, row(ACCOUNT, NEW, ONE, Name="NUT"))

    applied(replica, changes, Account=NEW)

    assert shown(replica, NEW)["Name"] == "NUT"
    assert replica.changes() == ()
    assert replica.inbox() == ()


def test_a_record_that_was_pulled_and_deleted_there_before_it_was_settled_is_gone(replica, local):
    changes = send(replica)
    arrive(replica, ACCOUNT, row(ACCOUNT, NEW, ONE, Name="Nut", deleted=True))

    applied(replica, changes, Account=NEW)

    assert replica.get("Account", local) is None
    assert replica.changes() == ()
    assert replica.count("Account") == 2


def test_a_record_that_was_deleted_here_and_pulled_before_it_was_settled_is_deleted_there(replica, local):
    changes = send(replica)
    replica.delete("Account", local)
    arrive(replica, ACCOUNT, row(ACCOUNT, NEW, ONE, Name="Nut"))

    applied(replica, changes, Account=NEW)

    assert replica.get("Account", NEW) is None
    assert (only(replica).record_id, only(replica).operation) == (NEW, Operation.DELETE)


def test_edits_of_the_row_that_was_pulled_before_it_was_settled_wait(replica, local):
    changes = send(replica)
    arrive(replica, ACCOUNT, row(ACCOUNT, NEW, ONE, Name="Nut"))
    replica.update("Account", NEW, {"Phone": "8"})

    applied(replica, changes, Account=NEW)

    assert (only(replica).record_id, only(replica).values) == (NEW, {"Phone": "8"})
    assert shown(replica, local)["Phone"] == "8"
    assert replica.count("Account") == 3


@pytest.mark.parametrize("pulled_last", [False, True])
def test_of_edits_of_both_rows_the_later_one_waits_and_the_inbox_has_the_other(world, replica, local, pulled_last):
    changes = send(replica)
    arrive(replica, ACCOUNT, row(ACCOUNT, NEW, ONE, Name="Nut"))
    edits = [(NEW, {"Phone": "8", "Rating": "Hot"}), (local, {"Phone": "9"})]
    for record, values in edits[::-1] if pulled_last else edits:
        replica.update("Account", record, values)
        world.clock.advance(timedelta(seconds=1))

    applied(replica, changes, Account=NEW)

    later, earlier = ("8", "9") if pulled_last else ("9", "8")
    assert (only(replica).record_id, only(replica).values) == (NEW, {"Phone": later, "Rating": "Hot"})
    assert (shown(replica, NEW)["Phone"], shown(replica, NEW)["Rating"]) == (later, "Hot")
    assert replica.count("Account") == 3
    told = item(replica)
    assert (told.kind, told.record_id) == (Kind.REPLACED, NEW)
    assert [(each.field, each.local, each.org) for each in told.conflicts] == [("Phone", later, earlier)]
    replica.resolve(told.number, Resolution(Side.ORG))
    assert only(replica).values == {"Phone": earlier, "Rating": "Hot"}
    assert replica.inbox() == ()


def test_a_deletion_of_the_row_that_was_pulled_before_it_was_settled_waits(replica, local):
    changes = send(replica)
    arrive(replica, ACCOUNT, row(ACCOUNT, NEW, ONE, Name="Nut"))
    replica.delete("Account", NEW)

    applied(replica, changes, Account=NEW)

    assert (only(replica).record_id, only(replica).operation) == (NEW, Operation.DELETE)
    assert replica.get("Account", local) is None
    assert replica.count("Account") == 2


@pytest.mark.parametrize("deleted_last", [False, True])
@pytest.mark.parametrize("pulled_goes", [False, True], ids=["the one made here goes", "the one pulled goes"])
def test_a_row_that_was_edited_is_not_deleted_with_the_other_one_and_the_inbox_says_so(
    world, replica, local, pulled_goes, deleted_last
):
    changes = send(replica)
    arrive(replica, ACCOUNT, row(ACCOUNT, NEW, ONE, Name="Nut"))
    gone, edited = (NEW, local) if pulled_goes else (local, NEW)
    steps = [lambda: replica.update("Account", edited, {"Phone": "9"}), lambda: replica.delete("Account", gone)]
    for step in steps if deleted_last else steps[::-1]:
        step()
        world.clock.advance(timedelta(seconds=1))

    applied(replica, changes, Account=NEW)

    waiting = only(replica)
    assert (waiting.record_id, waiting.operation, waiting.values) == (NEW, Operation.UPDATE, {"Phone": "9"})
    assert (shown(replica, NEW)["Phone"], replica.count("Account")) == ("9", 3)
    told = item(replica)
    assert (told.kind, told.record_id, told.conflicts) == (Kind.REPLACED, NEW, ())
    assert "was not deleted" in told.message
    replica.resolve(told.number, dropped(told))
    assert replica.inbox() == ()
    assert only(replica).values == {"Phone": "9"}
