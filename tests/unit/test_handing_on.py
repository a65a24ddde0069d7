"""Unique values that go from one record of a push to another: who waits for whom, and what is emptied first."""

import pytest

from salesforce_sync.models.outbox import Change, Edit, Operation
from salesforce_sync.models.outcome import Rejected
from salesforce_sync.models.salesforce_id import to_18
from salesforce_sync.ports import Order
from salesforce_sync.sync.handing_on import Emptying, by_record, emptied, in_order, taking
from salesforce_sync.testing import make_field, make_schema

KEYED = make_schema(
    "Account",
    make_field("Key__c", unique=True),
    make_field("Must__c", unique=True, nillable=False),
    make_field("Name"),
)
SCHEMAS = {"Account": KEYED}
IDS = [to_18(f"001{number:012d}") for number in range(6)]


def update(number, field="Key__c", **more):
    edits = (Edit(field, f"old {number}", "new"), *(Edit(name, None, value) for name, value in more.items()))
    return Change(number, "Account", IDS[number], Operation.UPDATE, edits)


def refused(number, holder, field="Key__c", **more):
    text = f"duplicate value found: {field} duplicates value on record with id: {holder[:15]}"
    return Rejected(update(number, field, **more), "DUPLICATE_VALUE", text)


def takings(*pairs, field="Key__c"):
    """Of (taker, holder) each."""
    changes = by_record([Order(KEYED, update(number, field)) for number in range(6)])
    return [taking(refused(taker, IDS[holder], field), SCHEMAS, changes) for taker, holder in pairs]


def numbers(some):
    return [each.change.number for each in some]


@pytest.mark.parametrize(
    "message",
    [
        f"duplicate value found: Key__c duplicates value on record with id: {IDS[1][:15]}",
        f"Key__c: {IDS[1]}",
        f"doppelter Wert in {IDS[1][:15]} (Key__c)",
    ],
)
def test_the_record_that_has_the_value_is_read_from_the_refusal(message):
    changes = by_record([Order(KEYED, update(1))])
    told = taking(Rejected(update(0, Name="x"), "DUPLICATE_VALUE", message), SCHEMAS, changes)

    assert (told.field, told.holder) == ("Key__c", IDS[1])


@pytest.mark.parametrize(
    "outcome",
    [
        Rejected(
            update(0),
            "DUPLICATE_VALUE",
            "duplicate value found: <unknown> duplicates value on record with id: <unknown>",
        ),
        refused(0, IDS[0]),
        refused(0, IDS[5]),
        refused(0, IDS[1], Must__c="x", field="Name"),
        Rejected(update(0), "FIELD_CUSTOM_VALIDATION_EXCEPTION", f"Key__c {IDS[1]}"),
    ],
    ids=["nothing is said", "itself", "a record that is not sent", "no unique field", "another refusal"],
)
def test_what_the_push_takes_from_no_record_is_refused(outcome):
    assert taking(outcome, SCHEMAS, by_record([Order(KEYED, update(number)) for number in (0, 1)])) is None


def test_a_chain_is_sent_from_its_free_end():
    found = in_order(takings((0, 1), (1, 2), (2, 3)), {IDS[3]}, SCHEMAS)

    assert (numbers(found.empty), numbers(found.rest)) == ([], [2, 1, 0])


def test_one_field_of_each_circle_is_emptied():
    found = in_order(takings((0, 1), (1, 0), (2, 3), (3, 4), (4, 2), (5, 0)), set(), SCHEMAS)

    assert len(found.empty) == 2
    assert sorted(numbers(found.rest)) == [0, 1, 2, 3, 4, 5]


def test_what_waits_for_a_record_that_keeps_its_value_is_not_sent_again():
    found = in_order(takings((0, 1), (1, 2)), set(), SCHEMAS)

    assert (found.empty, found.rest) == ((), ())


def test_a_circle_of_fields_that_may_not_be_empty_stays_as_it_is():
    found = in_order(takings((0, 1), (1, 0), field="Must__c"), set(), SCHEMAS)

    assert (found.empty, found.rest) == ((), ())


def test_of_a_circle_over_several_fields_one_is_emptied_that_may_be_empty():
    changes = by_record(
        [Order(KEYED, update(0, "Must__c", Key__c="x")), Order(KEYED, update(1, "Key__c", Must__c="x"))]
    )
    must = taking(refused(0, IDS[1], "Must__c", Key__c="x"), SCHEMAS, changes)
    key = taking(refused(1, IDS[0], "Key__c", Must__c="x"), SCHEMAS, changes)

    found = in_order([must, key], set(), SCHEMAS)

    assert [(each.change.number, each.fields) for each in found.empty] == [(0, ("Key__c",))]
    assert numbers(found.rest) == [1, 0]


def test_what_a_refusal_does_not_name_is_seen_in_the_values():
    def swapping(number, other):
        edits = tuple(Edit(name, f"{name} {number}", f"{name} {other}".upper()) for name in ("Key__c", "More__c"))
        return Change(number, "Account", IDS[number], Operation.UPDATE, edits)

    schemas = {"Account": make_schema("Account", *(make_field(name, unique=True) for name in ("Key__c", "More__c")))}
    changes = by_record([Order(schemas["Account"], swapping(*pair)) for pair in ((0, 1), (1, 0))])
    told = [
        taking(Rejected(change, "DUPLICATE_VALUE", f"Key__c {IDS[1 - change.number]}"), schemas, changes)
        for change in changes.values()
    ]

    found = in_order(told, set(), schemas)

    assert [each.fields for each in found.empty] == [("Key__c", "More__c")]
    assert sorted(numbers(found.rest)) == [0, 1]


def test_only_the_one_field_is_emptied():
    one = Emptying(refused(0, IDS[1]), ("Key__c",))

    assert emptied(one, update(0, Name="x")).edits == (Edit("Key__c", "old 0", None),)
