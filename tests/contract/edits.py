"""Objects to edit, rows of them as the org gives them, and the steps of a push."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime

from salesforce_sync.models.history import Replaced
from salesforce_sync.models.inbox import InboxItem
from salesforce_sync.models.outbox import Change, ChangeState
from salesforce_sync.models.outcome import Applied, Conflicted, Deferred, Lost, Rejected, Settled
from salesforce_sync.models.page import PullRequest
from salesforce_sync.models.salesforce_id import to_18
from salesforce_sync.models.schema import ObjectSchema
from salesforce_sync.ports import Store
from salesforce_sync.testing import make_field, make_schema
from tests.contract.stores import page

NOON, ONE, TWO, THREE = (f"2024-01-15T{hour}:00:00.000+0000" for hour in (12, 13, 14, 15))
SENT_AT = datetime(2024, 1, 15, 12, 30, tzinfo=UTC)

MODIFIED_BY = make_field("LastModifiedById", "reference", createable=False, updateable=False, referenceTo=["User"])

ACCOUNT = make_schema(
    "Account",
    make_field("Name", length=20, nillable=False),
    make_field("Phone", "phone", length=10),
    make_field(
        "Rating",
        "picklist",
        length=40,
        restrictedPicklist=True,
        picklistValues=[{"value": "Hot"}, {"value": "Warm"}, {"value": "Cold", "active": False}],
    ),
    make_field(
        "Tags__c",
        "multipicklist",
        length=100,
        restrictedPicklist=True,
        picklistValues=[{"value": "red"}, {"value": "blue"}],
    ),
    make_field("Code__c", updateable=False),
    make_field("Score__c", "double", createable=False, updateable=False, calculated=True),
    make_field("Late__c", createable=False),
    make_field("Active__c", "boolean", nillable=False, defaultedOnCreate=True),
    make_field("BillingAddress", "address", createable=False, updateable=False),
    make_field("BillingStreet", "textarea", length=255, compoundFieldName="BillingAddress"),
    make_field("BillingCity", length=40, compoundFieldName="BillingAddress"),
    make_field("ParentId", "reference", referenceTo=["Account"]),
    MODIFIED_BY,
    Employees__c="int",
    Revenue__c="currency",
    Founded__c="date",
    Seen__c="datetime",
    Opens__c="time",
)
CONTACT = make_schema(
    "Contact",
    make_field("LastName", length=80, nillable=False),
    make_field("AccountId", "reference", referenceTo=["Account"]),
    make_field("ReportsToId", "reference", referenceTo=["Contact"]),
)
TASK = make_schema(
    "Task",
    make_field("WhatId", "reference", referenceTo=["Account", "Contact"]),
    Subject="string",
)
PART = make_schema(
    "Part__c",
    make_field("Account__c", "reference", referenceTo=["Account"], cascadeDelete=True, updateable=False),
    make_field("Part__c", "reference", referenceTo=["Part__c"], cascadeDelete=True),
    MODIFIED_BY,
    Text__c="string",
)
"""Goes with its account, and with the part that it belongs to. `fill` does not bring it."""
OBJECTS = (ACCOUNT, CONTACT, TASK)

ACME, BOLT, NEW = (to_18(f"001{number:012d}") for number in (1, 2, 9))
JANE, NEW_CONTACT = (to_18(f"003{number:012d}") for number in (1, 9))
CALL = to_18(f"00T{1:012d}")
SOMEBODY = to_18(f"005{1:012d}")


def row(
    schema: ObjectSchema, record_id: str, at: str = NOON, *, deleted: bool = False, **values: object
) -> tuple[object, ...]:
    """A row as REST gives it; what is not named is null."""
    system = {"Id": record_id, "IsDeleted": deleted, "CreatedDate": NOON, "LastModifiedDate": at, "SystemModstamp": at}
    known = {**system, **values}
    assert all(schema.has(name) for name in known), known
    return tuple(known.get(field.name) for field in schema.columns)


def acme(at: str = NOON, *, deleted: bool = False, **values: object) -> tuple[object, ...]:
    """The account that every test has, as the org shows it at some time."""
    return row(ACCOUNT, ACME, at, deleted=deleted, **{"Name": "Acme", "Phone": "1", "Active__c": True, **values})


def fill(store: Store) -> None:
    """Adopt the objects, and pull an account, a contact and a task."""
    for schema in OBJECTS:
        store.adopt(schema)
    arrive(store, ACCOUNT, acme(), row(ACCOUNT, BOLT, Name="Bolt", Active__c=False))
    arrive(store, CONTACT, row(CONTACT, JANE, LastName="Doe", AccountId=ACME))
    arrive(store, TASK, row(TASK, CALL, Subject="Call", WhatId=ACME))


def arrive(store: Store, schema: ObjectSchema, *rows: tuple[object, ...], own: Collection[str] = ()) -> None:
    """These rows come from the org; of these ids our own push has caused what is new in them."""
    store.begin(PullRequest(schema))
    store.stage(page(*rows, schema=schema, resume="end", last=True))
    store.merge(schema.name, None, own=own)


def shown(store: Store, record_id: str, object_name: str = "Account") -> dict[str, object]:
    """The live row, by field."""
    found = store.get(object_name, record_id)
    assert found is not None, f"no live {object_name} {record_id}"
    schema = store.schema(object_name)
    assert schema is not None
    return dict(zip((field.name for field in schema.columns), found, strict=True))


# ── the outbox ───────────────────────────────────────────────────────────────────────────────────────────────────


def waiting(store: Store) -> list[Change]:
    """What the next push would send."""
    return [each for each in store.changes() if each.state is ChangeState.WAITING]


def only(store: Store) -> Change:
    """The one change in the outbox."""
    (change,) = store.changes()
    return change


def send(store: Store, push_id: str = "push-1") -> list[Change]:
    """Hand over all that waits; gives it."""
    changes = waiting(store)
    assert changes
    store.sending(changes, push_id, SENT_AT, None)
    return changes


def applied(store: Store, changes: list[Change], push_id: str = "push-1", **ids: str) -> Settled:
    """The org takes them; creates get their ids from `ids`, by object."""
    outcomes = [Applied(each, ids[each.object_name] if each.local else each.record_id) for each in changes]
    return store.settle(push_id, outcomes)


def push(store: Store, push_id: str = "push-1", **ids: str) -> Settled:
    """All that waits is sent and taken."""
    return applied(store, send(store, push_id), push_id, **ids)


def rejected(change: Change) -> Rejected:
    return Rejected(change, "FIELD_CUSTOM_VALIDATION_EXCEPTION", "The phone is wrong.", ("Phone",))


def deferred(change: Change) -> Deferred:
    return Deferred(change, "UNABLE_TO_LOCK_ROW", "unable to obtain exclusive access")


def lost(change: Change) -> Lost:
    return Lost(change, "No answer came.")


UNTAKEN = (rejected, deferred, Conflicted)
"""Answers that leave the org as it was."""


def item(store: Store) -> InboxItem:
    """The one item in the inbox."""
    (found,) = store.inbox()
    return found


def replaced(store: Store, field: str, record_id: str = ACME, object_name: str = "Account") -> list[Replaced]:
    """What the history has of one field."""
    return [each for each in store.history(object_name, record_id) if each.field == field]
