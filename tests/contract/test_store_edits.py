"""Store: what a person sees of an edit, and how edits of one record fold into one change."""

from datetime import timedelta
from decimal import Decimal

import pytest

from salesforce_sync.errors import RecordNotFound
from salesforce_sync.models.outbox import ChangeState, Operation, is_local
from tests.contract.edits import ACCOUNT, ACME, BOLT, JANE, NOON, ONE, acme, arrive, only, push, row, shown

# ── create ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_created_record_is_here_at_once(replica):
    local = replica.create("Account", {"Name": "Nut", "Phone": "7"})

    assert is_local(local)
    assert (shown(replica, local)["Name"], shown(replica, local)["Phone"]) == ("Nut", "7")
    assert replica.count("Account") == 3


def test_a_created_record_waits_in_the_outbox(replica):
    local = replica.create("account", {"Name": "Nut", "Phone": "7"})

    change = only(replica)
    assert (change.object_name, change.record_id, change.local) == ("Account", local, True)
    assert (change.operation, change.state) == (Operation.CREATE, ChangeState.WAITING)
    assert change.values == {"Name": "Nut", "Phone": "7"}
    assert (change.stamp, change.attempts) == (None, 0)
    assert change.edited_at.utcoffset() == timedelta(0)


def test_two_creates_have_two_ids(replica):
    assert replica.create("Account", {"Name": "Nut"}) != replica.create("Account", {"Name": "Nut"})


def test_nulls_and_empty_texts_are_no_values_of_a_new_record(replica):
    replica.create("Account", {"Name": "Nut", "Phone": "", "Rating": None})

    assert only(replica).values == {"Name": "Nut"}


def test_false_and_zero_are_values_of_a_new_record(replica):
    replica.create("Account", {"Name": "Nut", "Active__c": 0, "Employees__c": 0})

    assert only(replica).values == {"Name": "Nut", "Active__c": 0, "Employees__c": 0}


def test_an_edit_of_a_new_record_folds_into_its_create(replica):
    local = replica.create("Account", {"Name": "Nut", "Phone": "7"})

    replica.update("Account", local, {"Phone": "8", "BillingCity": "Rome"})
    replica.update("Account", local, {"BillingCity": None})

    assert only(replica).operation is Operation.CREATE
    assert only(replica).values == {"Name": "Nut", "Phone": "8"}


def test_a_new_record_that_is_deleted_again_is_simply_gone(replica):
    local = replica.create("Account", {"Name": "Nut"})
    replica.update("Account", local, {"Phone": "8"})

    replica.delete("Account", local)

    assert replica.changes() == ()
    assert replica.get("Account", local) is None
    assert replica.status()[0].tombstones == 0


def test_who_refers_to_a_new_record_that_is_gone_goes_back_to_what_it_was(replica):
    local = replica.create("Account", {"Name": "Nut"})
    replica.update("Contact", JANE, {"AccountId": local})
    child = replica.create("Contact", {"LastName": "Roe", "AccountId": local})

    replica.delete("Account", local)

    assert shown(replica, JANE, "Contact")["AccountId"] == ACME
    assert shown(replica, child, "Contact")["AccountId"] is None
    assert [(each.record_id, each.values) for each in replica.changes()] == [(child, {"LastName": "Roe"})]


# ── update ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_edit_is_seen_at_once_and_waits_with_its_base(replica):
    replica.update("Account", ACME, {"Phone": "2"})

    change = only(replica)
    assert shown(replica, ACME)["Phone"] == "2"
    assert (change.operation, change.state) == (Operation.UPDATE, ChangeState.WAITING)
    assert [(each.field, each.base, each.value, each.in_flight) for each in change.edits] == [
        ("Phone", "1", "2", False)
    ]


def test_a_change_knows_the_orgs_stamp_of_the_row_it_was_made_on(replica):
    replica.update("Account", ACME, {"Phone": "2"})

    assert only(replica).stamp == "2024-01-15T12:00:00.000Z"


def test_an_edit_does_not_touch_the_stamp_of_the_row(replica):
    before = shown(replica, ACME)

    replica.update("Account", ACME, {"Phone": "2"})

    assert shown(replica, ACME) == before | {"Phone": "2"}


def test_several_edits_of_one_record_are_one_change_on_the_first_base(replica):
    replica.update("Account", ACME, {"Phone": "2"})
    replica.update("Account", ACME, {"Phone": "3", "Rating": "Hot"})

    edits = {each.field: (each.base, each.value) for each in only(replica).edits}
    assert edits == {"Phone": ("1", "3"), "Rating": (None, "Hot")}


def test_a_field_that_is_back_at_its_base_is_no_edit_any_more(replica):
    replica.update("Account", ACME, {"Phone": "2", "Rating": "Hot"})
    replica.update("Account", ACME, {"Phone": "1"})

    assert only(replica).values == {"Rating": "Hot"}


def test_a_change_whose_every_field_is_back_is_gone(replica):
    replica.update("Account", ACME, {"Phone": "2", "Rating": "Hot"})
    replica.update("Account", ACME, {"Phone": "1", "Rating": ""})

    assert replica.changes() == ()
    assert shown(replica, ACME)["Phone"] == "1"


@pytest.mark.parametrize("values", [{}, {"Phone": "1"}, {"Phone": "1", "Rating": None, "Active__c": 1}])
def test_writing_what_is_there_is_no_edit(replica, values):
    replica.update("Account", ACME, values)

    assert replica.changes() == ()


@pytest.mark.parametrize("cleared", [None, ""])
def test_clearing_a_field_is_an_edit_to_null(replica, cleared):
    replica.update("Account", ACME, {"Phone": cleared})

    assert shown(replica, ACME)["Phone"] is None
    assert only(replica).values == {"Phone": None}


def test_values_are_exact(replica):
    values = {
        "Phone": "null",
        "BillingStreet": "#N/A \N{PILE OF POO}\nline two",
        "BillingCity": "00123",
        "Revenue__c": "12345678901234567.8",
        "Employees__c": 0,
        "Founded__c": "1700-02-28",
        "Seen__c": "2024-02-29T23:59:59.999Z",
        "Opens__c": "08:00:00.000Z",
        "Active__c": 0,
    }
    replica.update("Account", ACME, values)

    assert only(replica).values == values
    assert {name: shown(replica, ACME)[name] for name in values} == values
    assert {name: type(value) for name, value in only(replica).values.items()} == {
        name: type(value) for name, value in values.items()
    }


def test_changes_are_in_the_order_in_which_they_began(replica):
    local = replica.create("Contact", {"LastName": "Roe"})
    replica.update("Account", BOLT, {"Phone": "2"})
    replica.update("Account", ACME, {"Phone": "2"})
    replica.update("Account", BOLT, {"Phone": "3"})

    changes = replica.changes()
    assert [each.record_id for each in changes] == [local, BOLT, ACME]
    assert [each.number for each in changes] == sorted({each.number for each in changes})


# ── delete and undelete ──────────────────────────────────────────────────────────────────────────────────────────


def test_a_deleted_record_is_gone_at_once_and_its_deletion_waits(replica):
    replica.delete("Account", ACME)

    change = only(replica)
    assert replica.get("Account", ACME) is None
    assert replica.count("Account") == 1
    assert (change.operation, change.edits, change.stamp) == (Operation.DELETE, (), "2024-01-15T12:00:00.000Z")


def test_a_deletion_that_was_not_sent_is_only_taken_back(replica):
    before = shown(replica, ACME)
    replica.delete("Account", ACME)

    replica.undelete("Account", ACME)

    assert replica.changes() == ()
    assert shown(replica, ACME) == before


def test_edits_beneath_a_deletion_come_back_with_the_record(replica):
    replica.update("Account", ACME, {"Phone": "2"})
    replica.delete("Account", ACME)
    assert (only(replica).operation, only(replica).edits) == (Operation.DELETE, ())

    replica.undelete("Account", ACME)

    assert only(replica).operation is Operation.UPDATE
    assert [(each.base, each.value) for each in only(replica).edits] == [("1", "2")]
    assert shown(replica, ACME)["Phone"] == "2"


def test_edits_beneath_a_deletion_end_when_the_org_has_deleted_the_record(replica):
    replica.update("Account", ACME, {"Phone": "2"})
    replica.delete("Account", ACME)

    push(replica)

    assert replica.changes() == ()
    assert replica.inbox() == ()


def test_a_tombstone_of_the_org_is_brought_back(replica):
    arrive(replica, ACCOUNT, acme("2024-01-15T13:00:00.000+0000", deleted=True))

    replica.undelete("Account", ACME)

    assert shown(replica, ACME)["Name"] == "Acme"
    assert only(replica).operation is Operation.UNDELETE


def test_an_undeletion_that_was_not_sent_is_only_taken_back(replica):
    arrive(replica, ACCOUNT, acme("2024-01-15T13:00:00.000+0000", deleted=True))
    replica.undelete("Account", ACME)
    replica.update("Account", ACME, {"Phone": "2"})

    replica.delete("Account", ACME)

    assert replica.changes() == ()
    assert replica.get("Account", ACME) is None


def test_edits_of_a_record_that_is_being_brought_back_are_sent_after_that(replica):
    arrive(replica, ACCOUNT, acme("2024-01-15T13:00:00.000+0000", deleted=True))
    replica.undelete("Account", ACME)
    replica.update("Account", ACME, {"Phone": "2"})
    assert (only(replica).operation, only(replica).edits) == (Operation.UNDELETE, ())

    push(replica)

    assert (only(replica).operation, only(replica).values) == (Operation.UPDATE, {"Phone": "2"})


def test_a_deletion_of_an_object_without_tombstones_waits_too(world):
    schema = type(ACCOUNT)(
        "Log__c",
        "Log",
        tuple(each for each in ACCOUNT.fields if each.name != "IsDeleted"),
        deletable=True,
    )
    world.store.adopt(schema)
    plain = tuple(
        value
        for value, field in zip(row(ACCOUNT, ACME, Name="Acme"), ACCOUNT.columns, strict=True)
        if field.name != "IsDeleted"
    )
    arrive(world.store, schema, plain)

    world.store.delete("Log__c", ACME)
    arrive(world.store, schema, plain)

    assert world.store.count("Log__c") == 0
    assert only(world.store).operation is Operation.DELETE


# ── what is not there ────────────────────────────────────────────────────────────────────────────────────────────


def test_only_a_live_record_is_edited_or_deleted(replica):
    replica.delete("Account", ACME)

    with pytest.raises(RecordNotFound):
        replica.update("Account", ACME, {"Phone": "2"})
    with pytest.raises(RecordNotFound):
        replica.delete("Account", ACME)
    with pytest.raises(RecordNotFound):
        replica.update("Account", "local-nobody", {"Phone": "2"})
    assert len(replica.changes()) == 1


def test_only_a_tombstone_is_brought_back(replica):
    with pytest.raises(RecordNotFound):
        replica.undelete("Account", ACME)
    with pytest.raises(RecordNotFound):
        replica.undelete("Account", "001000000000099AAA")
    assert replica.changes() == ()


# ── two forms of one value ───────────────────────────────────────────────────────────────────────────────────────

NUMBERS = {"5000": 5000.0, "5000.00": 5000.0, "-.5": -0.5, "007": 7.0, "01234567890123456.780": "1234567890123456.78"}


@pytest.mark.parametrize("text", NUMBERS)
def test_a_number_in_a_text_is_that_number(replica, text):
    replica.update("Account", ACME, {"Revenue__c": text})
    made = replica.create("Account", {"Name": "Nut", "Revenue__c": text})

    assert [each.values["Revenue__c"] for each in replica.changes()] == [NUMBERS[text]] * 2
    assert [shown(replica, each)["Revenue__c"] for each in (ACME, made)] == [NUMBERS[text]] * 2


def test_a_number_in_a_text_that_the_org_has_is_no_edit(replica):
    arrive(replica, ACCOUNT, acme(ONE, Revenue__c=Decimal("278896.64")))

    replica.update("Account", ACME, {"Revenue__c": "278896.640"})
    assert replica.changes() == ()

    replica.update("Account", ACME, {"Revenue__c": 5.0})
    replica.update("Account", ACME, {"Revenue__c": "278896.64"})
    assert (replica.changes(), shown(replica, ACME)["Revenue__c"]) == ((), 278896.64)


def test_an_id_of_15_characters_is_that_of_18(replica):
    replica.update("Contact", JANE, {"AccountId": ACME[:15]})
    assert replica.changes() == ()

    replica.update("Contact", JANE, {"AccountId": BOLT[:15]})
    assert only(replica).values == {"AccountId": BOLT}
    assert shown(replica, JANE, "Contact")["AccountId"] == BOLT


# ── a kill ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_reopened_store_has_every_edit(world, replica):
    local = replica.create("Contact", {"LastName": "Roe", "AccountId": ACME})
    replica.update("Account", BOLT, {"Phone": "2"})
    replica.delete("Account", ACME)
    before = replica.changes()

    again = world.restart()

    assert again.changes() == before
    assert shown(again, local, "Contact")["LastName"] == "Roe"
    assert shown(again, BOLT)["Phone"] == "2"
    assert again.get("Account", ACME) is None


def test_a_local_id_is_never_given_twice(world, replica):
    first = replica.create("Account", {"Name": "Nut"})
    replica.delete("Account", first)

    assert world.restart().create("Account", {"Name": "Nut"}) != first


def test_a_row_of_the_org_stays_as_it_was_beside_edits_of_another(replica):
    replica.update("Account", ACME, {"Phone": "2"})

    assert shown(replica, BOLT)["SystemModstamp"] == NOON.replace("+0000", "Z")
    assert shown(replica, BOLT)["Phone"] is None


def test_what_refers_to_a_record_that_was_made_here_is_told(replica):
    local = replica.create("Account", {"Name": "Nut"})
    child = replica.create("Contact", {"LastName": "Doe", "AccountId": local})
    replica.update("Account", ACME, {"ParentId": local})

    assert replica.referring(local) == (("Account", ACME, "ParentId"), ("Contact", child, "AccountId"))
    assert replica.referring(ACME) == ()
