"""Store: an edit that describe knows to be wrong is refused, and nothing is changed."""

import pytest
from msgspec.structs import replace

from salesforce_sync.errors import FieldNotFound, Misuse, NotSynced
from salesforce_sync.models.schema import FieldType
from salesforce_sync.models.values import stored_form
from salesforce_sync.testing import make_field, make_schema
from tests.contract.edits import ACCOUNT, ACME, JANE, arrive, only, row, send, shown

WRONG = {
    "too long": ({"Phone": "12345678901"}, "Phone"),
    "not in the picklist": ({"Rating": "Lukewarm"}, "Rating"),
    "not active in the picklist": ({"Rating": "Cold"}, "Rating"),
    "one of several not in the picklist": ({"Tags__c": "red;green"}, "Tags__c"),
    "calculated": ({"Score__c": 1.0}, "Score__c"),
    "the id": ({"Id": JANE}, "Id"),
    "a system field": ({"SystemModstamp": "2024-01-15T12:00:00.000Z"}, "SystemModstamp"),
    "a text in bytes": ({"Phone": b"1"}, "Phone"),
    "a picklist value in bytes": ({"Rating": b"Hot"}, "Rating"),
    "a number in bytes": ({"Revenue__c": b"1"}, "Revenue__c"),
    "an id in bytes": ({"ParentId": ACME.encode()}, "ParentId"),
    "the tombstone flag": ({"IsDeleted": 1}, "IsDeleted"),
    "compound": ({"BillingAddress": "Rome"}, "BillingAddress"),
    "required": ({"Name": None}, "Name"),
    "required, and empty": ({"Name": ""}, "Name"),
    "a boolean without a value": ({"Active__c": None}, "Active__c"),
    "a text as a number": ({"Employees__c": "many"}, "Employees__c"),
    "half a whole number": ({"Employees__c": 1.5}, "Employees__c"),
    "a text as a decimal": ({"Revenue__c": "much"}, "Revenue__c"),
    "no finite decimal": ({"Revenue__c": float("inf")}, "Revenue__c"),
    "a boolean that is neither": ({"Active__c": 2}, "Active__c"),
    "a text as a boolean": ({"Active__c": "yes"}, "Active__c"),
    "no date": ({"Founded__c": "tomorrow"}, "Founded__c"),
    "no day of the calendar": ({"Founded__c": "2023-02-29"}, "Founded__c"),
    "no datetime": ({"Seen__c": "noon"}, "Seen__c"),
    "no time": ({"Opens__c": "25:00:00.000Z"}, "Opens__c"),
    "no id": ({"ParentId": "Acme"}, "ParentId"),
    "an id with another letter case": ({"ParentId": ACME[:-3] + "aaa"}, "ParentId"),
    "a local id that nobody has": ({"ParentId": "local-nobody"}, "ParentId"),
}


@pytest.mark.parametrize(("values", "named"), WRONG.values(), ids=WRONG)
def test_a_wrong_edit_is_refused_and_says_which_field(replica, values, named):
    before = shown(replica, ACME)

    with pytest.raises(Misuse, match=named):
        replica.update("Account", ACME, {"BillingCity": "Rome", **values})

    assert shown(replica, ACME) == before
    assert replica.changes() == ()


def test_an_id_of_a_record_that_is_here_may_be_referred_to_however_the_org_made_it(replica):
    odd = "001ab0e5029286zzzz"
    arrive(replica, ACCOUNT, row(ACCOUNT, odd, Name="Odd"))

    replica.update("Account", ACME, {"ParentId": odd})

    assert shown(replica, ACME)["ParentId"] == odd
    (change,) = replica.changes()
    assert change.edits[0].value == odd


def test_an_id_that_is_not_here_is_not_doubted_where_the_org_guards_none(replica):
    schema = make_schema("Odd__c", make_field("Parent__c", "reference", referenceTo=["Odd__c"]), Name="string")
    here, elsewhere = "a00ab0e5029286zzzz", "a00ab0e5029287zzzz"
    replica.adopt(schema)
    arrive(replica, schema, row(schema, here, Name="Odd"))

    replica.update("Odd__c", here, {"Parent__c": elsewhere})

    assert shown(replica, here, "Odd__c")["Parent__c"] == elsewhere
    with pytest.raises(Misuse, match="Parent__c"):
        replica.update("Odd__c", here, {"Parent__c": "a00ab0e5029288zzz"})


def test_an_id_of_an_object_that_is_not_synced_is_not_doubted_where_the_org_guards_none(replica):
    schema = make_schema("Odd__c", make_field("Owner__c", "reference", referenceTo=["Group"]), Name="string")
    here, elsewhere = "a00ab0e5029286zzzz", "00Gab0e5029287zzzz"
    replica.adopt(schema)
    arrive(replica, schema, row(schema, here, Name="Odd"))

    replica.update("Odd__c", here, {"Owner__c": elsewhere})

    assert shown(replica, here, "Odd__c")["Owner__c"] == elsewhere


NEW_ONES = {why: each for why, each in WRONG.items() if why != "a boolean without a value"}
"""A new record may leave it out: the org gives it one."""


@pytest.mark.parametrize(("values", "named"), NEW_ONES.values(), ids=NEW_ONES)
def test_a_wrong_new_record_is_refused_and_says_which_field(replica, values, named):
    with pytest.raises(Misuse, match=named):
        replica.create("Account", {"Name": "Nut", "BillingCity": "Rome", **values})

    assert replica.changes() == ()
    assert replica.count("Account") == 2


@pytest.mark.parametrize("values", [{"Phone": "1234567890"}, {"Rating": "Hot"}, {"Tags__c": "blue;red"}])
def test_what_just_fits_is_taken(replica, values):
    replica.update("Account", ACME, values)

    assert only(replica).values == values


def test_a_new_record_must_have_what_describe_requires(replica):
    with pytest.raises(Misuse, match="Name"):
        replica.create("Account", {"Phone": "1"})

    assert replica.changes() == ()


def test_what_the_org_gives_by_itself_need_not_be_given(replica):
    replica.create("Account", {"Name": "Nut", "Active__c": None})

    assert only(replica).values == {"Name": "Nut"}


def test_what_the_org_gives_by_itself_cannot_be_emptied_later(replica):
    owner = make_field("OwnerId", "reference", referenceTo=["User"], nillable=False, defaultedOnCreate=True)
    owned = replace(ACCOUNT, fields=(*ACCOUNT.fields, owner))
    replica.adopt(owned)
    arrive(replica, owned, row(owned, ACME, Name="Acme", OwnerId="005000000000001AAA"))

    with pytest.raises(Misuse, match="OwnerId is required: it cannot be emptied"):
        replica.update("Account", ACME, {"OwnerId": None})

    assert replica.changes() == ()


def test_a_field_that_is_only_given_once_cannot_be_changed(replica):
    with pytest.raises(Misuse, match="Code__c"):
        replica.update("Account", ACME, {"Code__c": "x"})

    local = replica.create("Account", {"Name": "Nut", "Code__c": "x"})
    replica.update("Account", local, {"Code__c": "y"})
    assert only(replica).values == {"Name": "Nut", "Code__c": "y"}


def test_a_field_that_is_only_given_once_cannot_be_changed_once_it_is_on_its_way(replica):
    local = replica.create("Account", {"Name": "Nut", "Code__c": "x"})
    send(replica)

    with pytest.raises(Misuse, match="Code__c"):
        replica.update("Account", local, {"Code__c": "y"})


def test_a_field_that_a_create_cannot_give_is_refused_there(replica):
    with pytest.raises(Misuse, match="Late__c"):
        replica.create("Account", {"Name": "Nut", "Late__c": "x"})

    replica.update("Account", ACME, {"Late__c": "x"})
    assert only(replica).values == {"Late__c": "x"}


def test_a_field_that_is_not_there_is_named_with_its_neighbours(replica):
    with pytest.raises(FieldNotFound, match="Phone"):
        replica.update("Account", ACME, {"Phonee": "2"})
    with pytest.raises(FieldNotFound, match="Phone"):
        replica.create("Account", {"Name": "Nut", "Phonee": "2"})


def test_an_object_that_is_not_here_is_refused(replica):
    with pytest.raises(NotSynced):
        replica.create("Lead", {"Name": "Nut"})


def test_what_the_user_may_not_do_with_the_object_is_refused(replica):
    replica.adopt(replace(ACCOUNT, createable=False, updateable=False, deletable=False))

    with pytest.raises(Misuse, match=r"Account.*[^.]\.$"):
        replica.create("Account", {"Name": "Nut"})
    with pytest.raises(Misuse, match=r"Account.*[^.]\.$"):
        replica.update("Account", ACME, {"Phone": "2"})
    with pytest.raises(Misuse, match=r"Account.*[^.]\.$"):
        replica.delete("Account", ACME)
    assert replica.changes() == ()
    assert shown(replica, ACME)["Phone"] == "1"


def test_a_new_rule_of_the_org_holds_from_the_next_describe_on(replica):
    fields = tuple(replace(each, length=3) if each.name == "Phone" else each for each in ACCOUNT.fields)
    replica.adopt(replace(ACCOUNT, fields=fields))

    with pytest.raises(Misuse, match="Phone"):
        replica.update("Account", ACME, {"Phone": "1234"})


def test_a_value_of_the_org_that_breaks_a_rule_does_not_hinder_other_edits(replica):
    # The rule came after the value; Salesforce checks only what is written.
    arrive(replica, ACCOUNT, row(ACCOUNT, ACME, Name="A name of more than twenty letters", Rating="Cold"))

    replica.update("Account", ACME, {"Phone": "2"})

    assert only(replica).values == {"Phone": "2"}


NUMBERS = make_schema(
    "Number__c",
    make_field("Price__c", "currency", precision=5, scale=2),
    make_field("Count__c", "int", digits=3),
    make_field("Long__c", "double", precision=18, scale=0),
    make_field("Any__c", "double"),
)


@pytest.mark.parametrize(
    ("field", "value", "most"),
    [
        ("Price__c", 1000, 3),
        ("Price__c", -1234.5, 3),
        ("Count__c", 1000, 3),
        ("Long__c", "1234567890123456789", 18),
        ("Long__c", 1e18, 18),
    ],
)
def test_a_number_with_too_many_digits_is_refused(world, field, value, most):
    world.store.adopt(NUMBERS)

    with pytest.raises(Misuse, match=rf"Number__c\.{field} holds {most} digits before the point at most"):
        world.store.create("Number__c", {field: value})
    assert world.store.changes() == ()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("Price__c", 999.99),
        ("Price__c", -999),
        ("Price__c", 1.23456),
        ("Count__c", -999),
        ("Long__c", "999999999999999999.5"),
        ("Long__c", "-0000999999999999999999"),
        ("Any__c", 1e30),
    ],
)
def test_a_number_that_fits_is_taken_and_its_decimals_are_the_org_s_to_round(world, field, value):
    world.store.adopt(NUMBERS)

    world.store.create("Number__c", {field: value})

    assert [each.values for each in world.store.changes()] == [{field: stored_form(FieldType.DECIMAL, value)}]
