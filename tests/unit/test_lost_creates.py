"""Which of the org's records is which create whose answer was lost."""

from __future__ import annotations

import random
from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from salesforce_sync.models.outbox import Change, Edit, Kind, Operation
from salesforce_sync.models.outcome import Applied, Conflicted, Outcome, Rejected
from salesforce_sync.sync.lost_creates import find
from salesforce_sync.testing import make_field, make_schema

CONTACT = make_schema(
    "Contact",
    make_field("Key__c", unique=True, externalId=True),
    make_field("Amount__c", "currency", precision=16, scale=2),
    LastName="string",
    FirstName="string",
    Phone="phone",
    Status__c="picklist",
    Seen__c="datetime",
)


def create(number: int, **values) -> Change:
    edits = tuple(Edit(name, None, value) for name, value in values.items())
    return Change(number, "Contact", f"local-{number}", Operation.CREATE, edits)


def told(outcome: Outcome) -> str | None:
    match outcome:
        case Applied():
            return outcome.record_id
        case Rejected(kind=Kind.UNCERTAIN, matches=matches):
            return f"{matches[0].record_id}?"
        case Conflicted():
            return None
    raise AssertionError(outcome)


def found(creates: list[Change], *rows: dict) -> list[str | None]:
    outcomes = find(CONTACT, creates, rows)
    assert [each.change for each in outcomes] == creates
    return [told(each) for each in outcomes]


def test_a_record_with_all_values_that_were_sent_is_it():
    assert found([create(1, LastName="Doe", Phone="1")], {"Id": "a", "LastName": "Doe", "Phone": "1"}) == ["a"]


def test_no_record_means_that_it_is_sent_again():
    assert found([create(1, LastName="Doe")]) == [None]


@pytest.mark.parametrize(
    ("field", "sent", "shown"),
    [
        ("LastName", " Doe ", "Doe"),
        ("Status__c", "open", "Open"),
        ("Amount__c", 1.005, 1.01),
        ("Amount__c", "1.50", 1.5),
        ("Seen__c", "2026-01-01T00:00:00.123Z", "2026-01-01T00:00:00.000Z"),
    ],
)
def test_what_the_org_tidies_up_is_no_difference(field, sent, shown):
    assert found([create(1, **{field: sent})], {"Id": "a", field: shown}) == ["a"]


@pytest.mark.parametrize(("phone", "expected"), [("1", "a"), (None, "a?")])
def test_a_unique_value_decides_unless_nothing_else_agrees(phone, expected):
    """In the same second, somebody may have made a record with the value: ours had been gone without a word."""
    row = {"Id": "a", "Key__c": "k", "LastName": "Changed", "Phone": phone}

    assert found([create(1, Key__c="k", LastName="Doe", Phone="1")], row) == [expected]


@pytest.mark.parametrize(
    ("values", "modified", "expected"),
    [
        ({"FirstName": "Robert", "Phone": "2"}, "2026-01-31T12:00:10.000Z", "a?"),
        ({"FirstName": "Robert", "Phone": "2"}, "2026-01-31T12:05:00.000Z", "a"),  # changed since it was made
        ({"FirstName": "JANE", "Phone": "(1)"}, "2026-01-31T12:00:10.000Z", "a"),  # what a trigger makes of them
        ({"FirstName": "Jane", "Phone": "1"}, "2026-01-31T12:00:10.000Z", "a"),
    ],
)
def test_a_record_as_it_was_made_with_other_values_is_not_taken_for_it_by_its_unique_value(values, modified, expected):
    sent = create(1, Key__c="k", LastName="Roe", FirstName="Jane", Phone="1")
    times = {"CreatedDate": "2026-01-31T12:00:10.000Z", "LastModifiedDate": modified}

    assert found([sent], {"Id": "a", "Key__c": "k", "LastName": "Roe", **values, **times}) == [expected]


def test_a_unique_value_that_was_sent_alone_decides():
    assert found([create(1, Key__c="k", Phone=None)], {"Id": "a", "Key__c": "k", "LastName": "X"}) == ["a"]


@pytest.mark.parametrize(
    ("made", "last_name", "expected"),
    [
        ("2026-01-31T12:00:09.000Z", "Roe", None),  # sent again, it is refused: the value is taken
        ("2026-01-31T12:00:09.000Z", "Doe", "a"),
        ("2026-01-31T12:00:10.000Z", "DOE of a trigger", "a?"),
        ("2026-01-31T12:00:11.000Z", "DOE of a trigger", "a?"),
        ("2026-01-31T12:00:10.000Z", "Doe", "a"),
    ],
)
def test_a_record_that_was_there_before_is_not_taken_for_it_by_its_unique_value(made, last_name, expected):
    sent = replace(create(1, Key__c="k", LastName="Doe"), sent_at=datetime(2026, 1, 31, 12, 0, 10, 400_000, UTC))

    assert found([sent], {"Id": "a", "Key__c": "k", "LastName": last_name, "CreatedDate": made}) == [expected]


def test_without_the_unique_value_it_is_not_there():
    assert found([create(1, Key__c="k", LastName="Doe")], {"Id": "a", "Key__c": "j", "LastName": "Doe"}) == [None]


def test_of_equal_creates_as_many_are_there_as_there_are_records():
    creates = [create(number, LastName="Doe") for number in range(4)]

    assert found(creates, {"Id": "a", "LastName": "Doe"}, {"Id": "b", "LastName": "Doe"}) == ["a", "b", None, None]


def test_a_record_that_a_trigger_may_have_changed_is_for_a_person():
    row = {"Id": "a", "LastName": "DOE", "Phone": "+1 555"}

    assert found([create(1, LastName="Doe", Phone="555")], row) == ["a?"]


def test_somebody_else_s_record_is_not_taken_for_it():
    row = {"Id": "a", "LastName": "Roe", "FirstName": "Al", "Phone": "2", "Status__c": "Open"}

    assert found([create(1, LastName="Doe", FirstName="Jo", Phone="1", Status__c="Open")], row) == [None]


def test_each_record_is_the_likeness_of_one_create_at_most():
    creates = [create(1, LastName="Doe", Phone="9"), create(2, LastName="Doe", Phone="2")]

    assert found(creates, {"Id": "a", "LastName": "Doe", "Phone": "2x", "Status__c": None}) in (
        [None, "a?"],
        ["a?", None],
    )


def test_exact_matches_come_before_likenesses():
    creates = [create(1, LastName="Doe", Phone="1"), create(2, LastName="Doe", Phone="2")]

    assert found(creates, {"Id": "a", "LastName": "Doe", "Phone": "2"}) == [None, "a"]


def test_a_part_of_a_collection_was_saved():
    chance = random.Random(4)
    creates = [create(number, LastName=f"N{number}", Phone=str(number % 7)) for number in range(200)]
    saved = sorted(chance.sample(range(200), 90))
    rows = [{"Id": f"id{number}", **creates[number].values} for number in saved]
    chance.shuffle(rows)

    assert found(creates, *rows) == [f"id{number}" if number in saved else None for number in range(200)]


def test_thousands_of_creates_are_found_among_thousands_of_records():
    creates = [create(number, LastName=f"N{number}", Phone="1") for number in range(3000)]
    rows = [{"Id": f"id{number}", "LastName": f"n{number}", "Phone": "1"} for number in range(0, 3000, 2)]

    outcomes = found(creates, *rows)

    assert outcomes[::2] == [f"id{number}?" for number in range(0, 3000, 2)]
    # Every second one agrees in the telephone number with records that are others' likenesses: those it cannot be.
    assert set(outcomes[1::2]) == {None}


def test_a_record_that_was_deleted_since_is_not_made_again():
    gone = {"Id": "a", "LastName": "Doe", "Phone": "1", "IsDeleted": 1}

    assert found([create(1, LastName="Doe", Phone="1")], gone) == ["a"]
    assert found([create(1, Key__c="k", LastName="Doe")], gone | {"Key__c": "k"}) == ["a"]


def test_of_a_living_and_a_deleted_record_the_living_one_is_it():
    gone, living = ({"Id": each, "LastName": "Doe", "IsDeleted": dead} for each, dead in (("a", 1), ("b", 0)))

    assert found([create(1, LastName="Doe")], gone, living) == ["b"]
    assert found([create(1, LastName="Doe"), create(2, LastName="Doe")], gone, living) == ["b", "a"]


@pytest.mark.parametrize(("made", "expected"), [("2026-01-31T12:00:09.000Z", None), ("2026-01-31T12:00:10.000Z", "a")])
def test_a_record_that_was_made_and_deleted_before_is_not_it(made, expected):
    change = replace(create(1, LastName="Doe"), sent_at=datetime(2026, 1, 31, 12, 0, 10, 500_000, UTC))

    assert found([change], {"Id": "a", "LastName": "Doe", "CreatedDate": made, "IsDeleted": 1}) == [expected]


def test_a_deleted_record_that_agrees_only_in_part_asks_nobody():
    gone = {"Id": "a", "LastName": "Doe", "Phone": "2", "IsDeleted": 1}

    assert found([create(1, LastName="Doe", Phone="1")], gone) == [None]
