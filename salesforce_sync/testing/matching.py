"""Whether a stored value passes a `Filter`. Pure."""

from __future__ import annotations

import string
from collections.abc import Callable
from operator import ge, gt, le, lt
from typing import Any

from salesforce_sync.errors import Misuse
from salesforce_sync.models.schema import Field, FieldType, ObjectSchema
from salesforce_sync.ports import OPERATORS, Filter, Place

_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)
_ORDER: dict[str, Callable[[Any, Any], bool]] = {"gt": gt, "gte": ge, "lt": lt, "lte": le}
_NO_TEXT = (FieldType.BOOLEAN, FieldType.INTEGER, FieldType.DECIMAL)


def check(field: Field, each: Filter) -> None:
    """`Misuse` for a filter that cannot mean anything."""
    if each.operator not in OPERATORS:
        raise Misuse(f"There is no comparison {each.operator!r}.", hint=f"Use one of {', '.join(OPERATORS)}.")
    if not field.synced:
        raise Misuse(f"{field.name} is not kept here.")
    if each.value is None and each.operator not in ("eq", "ne", "isnull"):
        raise Misuse(f"None cannot be compared with {each.operator!r}.")
    if each.operator in ("contains", "startswith", "endswith") and field.type in _NO_TEXT:
        raise Misuse(f"{field.name} holds no text.")


def passes(field: Field, each: Filter, stored: object) -> bool:
    """Whether this value of the field passes. A null never passes a comparison, except `ne`: as in SOQL."""
    wanted = each.value
    if each.operator == "isnull":
        return (stored is None) == bool(wanted)
    if each.operator == "in":
        assert isinstance(wanted, tuple)
        return any(_equal(field, stored, one) for one in wanted)
    if each.operator == "eq":
        return _equal(field, stored, wanted)
    if each.operator == "ne":
        return not _equal(field, stored, wanted)
    if stored is None:
        return False
    if each.operator in _ORDER:
        return _ORDER[each.operator](_sortable(field, stored), _sortable(field, wanted))
    return _has(each.operator, str(_sortable(field, stored)), str(_sortable(field, wanted)))


def ordered(schema: ObjectSchema, sort: str) -> Callable[[Place | tuple[object, ...]], tuple[Any, ...]]:
    """Where a row, or a place, stands when rows are sorted by this field: nulls first, ids last."""
    field = schema.field(sort)
    if not field.synced:
        raise Misuse(f"{field.name} is not kept here.")
    at = schema.columns.index(field)

    def place(row: Place | tuple[object, ...]) -> tuple[Any, ...]:
        key, value = (row.id, row.value) if isinstance(row, Place) else (row[0], row[at])
        if field.name == "Id":
            return (key,)
        return value is not None, 0 if value is None else _sortable(field, value), key

    return place


def _equal(field: Field, stored: object, wanted: object) -> bool:
    if stored is None or wanted is None:
        return stored is wanted
    return _folded(field, stored) == _folded(field, wanted)


def _has(operator: str, text: str, part: str) -> bool:
    if operator == "contains":
        return part in text
    return text.startswith(part) if operator == "startswith" else text.endswith(part)


def _sortable(field: Field, value: object) -> Any:
    # Decimals of more than 15 digits are stored as texts, and compare as the doubles next to them.
    return float(str(value)) if field.type is FieldType.DECIMAL else _folded(field, value)


def _folded(field: Field, value: object) -> object:
    folds = field.type is FieldType.TEXT and not field.case_sensitive
    return value.translate(_LOWER) if folds and isinstance(value, str) else value
