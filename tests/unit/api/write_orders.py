"""Orders for the tests of the pure parts of writing."""

from __future__ import annotations

from itertools import count

from salesforce_sync.models.outbox import Change, Edit, Operation
from salesforce_sync.models.values import Stored
from salesforce_sync.ports import Order
from salesforce_sync.testing import make_schema

SCHEMAS = {
    name: make_schema(name, Text="string", Flag="boolean", Number="double", Whole="int", Day="date", Clock="time")
    for name in ("Account", "Contact", "Lead", "Case")
}
STAMP = "2024-01-15T10:30:00.000Z"

_numbers = count(1)


def order(operation: Operation, name: str = "Contact", /, *, stamp: str | None = STAMP, **values: Stored) -> Order:
    number = next(_numbers)
    edits = tuple(Edit(field, None, value) for field, value in values.items())
    record_id = f"local-{number}" if operation is Operation.CREATE else f"003{number:012d}"
    return Order(SCHEMAS[name], Change(number, name, record_id, operation, edits, stamp))


def update(name: str = "Contact", /, **values: Stored) -> Order:
    return order(Operation.UPDATE, name, **(values or {"Text": "x"}))


def create(name: str = "Contact", /, **values: Stored) -> Order:
    return order(Operation.CREATE, name, **(values or {"Text": "x"}))


def delete(name: str = "Contact") -> Order:
    return order(Operation.DELETE, name)


def undelete(name: str = "Contact") -> Order:
    return order(Operation.UNDELETE, name)
