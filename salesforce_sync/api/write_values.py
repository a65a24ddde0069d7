"""Stored values as each way into the org needs them, with the same meaning on all. Pure.

An update sends null as null (REST) or `#N/A` (Bulk). A create leaves nulls out: the org's defaults are the same then,
whatever way it goes.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal, InvalidOperation

import msgspec

from salesforce_sync.models.outbox import Operation
from salesforce_sync.models.schema import Field, FieldType
from salesforce_sync.models.values import Stored
from salesforce_sync.ports import Order

NULL_CELL = "#N/A"
"""What Bulk reads as null (Bulk API guide, Prepare CSV Files); an empty cell leaves the field as it is."""

MAX_CELL = 131_072
"""Characters that Bulk takes in one field."""

MAX_CELLS = 400_000
"""Characters that Bulk takes in one row."""


def record(order: Order) -> dict[str, object]:
    """The change's edits as the body of a REST create or update."""
    return {field.name: to_json(field, value) for field, value in _sent(order)}


def cells(order: Order) -> dict[str, str]:
    """The change's edits as the cells of a Bulk row."""
    return {field.name: to_cell(field, value) for field, value in _sent(order)}


def _sent(order: Order) -> Iterable[tuple[Field, Stored]]:
    creates = order.change.operation is Operation.CREATE
    pairs = ((order.schema.field(each.field), each.value) for each in order.change.edits)
    return ((field, value) for field, value in pairs if not (creates and value is None))


def to_json(field: Field, stored: Stored) -> object:
    """The value in JSON. What the field cannot hold goes as it is: the org's refusal says why."""
    if stored is None:
        return None
    if field.type is FieldType.BOOLEAN and stored in (0, 1):
        return bool(stored)
    if field.type is FieldType.DECIMAL:
        digits = _digits(stored)
        # Raw, because a float would round what has more than 15 digits.
        return str(stored) if digits is None else msgspec.Raw(digits.encode())
    return _whole(stored) if isinstance(stored, str) else stored


def to_cell(field: Field, stored: Stored) -> str:
    """The value in a CSV for Bulk."""
    if stored is None:
        return NULL_CELL
    if field.type is FieldType.BOOLEAN and stored in (0, 1):
        return str(bool(stored)).lower()
    if field.type is FieldType.DECIMAL:
        return _digits(stored) or str(stored)
    return _whole(str(stored))


def fits_bulk(order: Order) -> bool:
    """Whether Bulk would store just what REST stores.

    `#N/A` cannot be said as a text there; REST takes blanks off the ends, Bulk does not; and what readers of CSV make
    of a lone carriage return is their affair. The header about duplicate rules does not exist for Bulk.
    """
    if order.change.allow_duplicates:
        return False
    texts = [each.value for each in order.change.edits if isinstance(each.value, str)]
    return all(map(_survives, texts)) and sum(map(len, texts)) < MAX_CELLS


def fits_composite(order: Order) -> bool:
    """Whether the edits may stand in a composite call: it reads `@{…}` in any text as a reference to another part."""
    return not any("@{" in each.value for each in order.change.edits if isinstance(each.value, str))


def _survives(text: str) -> bool:
    if len(text) > MAX_CELL or text == NULL_CELL or text != text.strip():
        return False
    return not {"\r", "\0"} & set(text)


def _digits(stored: Stored) -> str | None:
    """A decimal with all its digits and without exponent; None if it is no number."""
    try:
        number = Decimal(stored if isinstance(stored, str) else repr(stored))
    except InvalidOperation:
        return None
    return f"{number:f}" if number.is_finite() else None


def _whole(text: str) -> str:
    """The text with U+FFFD for halves of characters: UTF-8 cannot carry them."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
