"""Rows of the replica as JSON objects that msgspec encodes: by API name, values in the form of Salesforce's REST."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import msgspec

from salesforce_sync.models.schema import Field, FieldType, ObjectSchema
from salesforce_sync.models.values import Stored

_NUMBER: Final = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?", re.ASCII)
_TRUTH: Final = {0: False, 1: True}


def _truth(stored: Any) -> Any:
    return _TRUTH.get(stored, stored)


def _number(stored: Any) -> Any:
    # A decimal of more than 15 digits is kept as text; in JSON it is a number, with all of them.
    if isinstance(stored, str) and _NUMBER.fullmatch(stored):
        return msgspec.Raw(stored.encode())
    return stored


def _truths(column: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(map(_TRUTH.get, column, column))


def _numbers(column: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(map(_number, column)) if str in map(type, column) else column


_FORMS: Final[dict[FieldType, Callable[[Any], Any]]] = {FieldType.BOOLEAN: _truth, FieldType.DECIMAL: _number}
_COLUMN_FORMS: Final[dict[FieldType, Callable[[tuple[Any, ...]], tuple[Any, ...]]]] = {
    FieldType.BOOLEAN: _truths,
    FieldType.DECIMAL: _numbers,
}
"""The same for a column of rows at once, without a call for each of its values."""


def form(field: Field | None, stored: Stored) -> Any:
    """One stored value as JSON shows it."""
    change = None if field is None else _FORMS.get(field.type)
    return stored if change is None else change(stored)


class RowForm:
    """How rows of one schema become JSON objects, with these fields or with all."""

    def __init__(self, schema: ObjectSchema, names: Sequence[str] = (), read: Sequence[str] = ()) -> None:
        """`read`: what the rows were chosen with, as in `Selection.fields`."""
        columns, fields = schema.chosen(read), schema.chosen(names)
        self._places = [columns.index(field) for field in fields]
        self._whole = len(fields) == len(columns)
        self._changed = [
            (at, _COLUMN_FORMS[field.type]) for at, field in enumerate(fields) if field.type in _COLUMN_FORMS
        ]
        # Attributes have plain names, as a field may be called `class`; the JSON has the API names.
        attributes = {field.name: f"f{at}" for at, field in enumerate(fields)}
        self._kind: Any = msgspec.defstruct(
            schema.name,
            [(attribute, Any) for attribute in attributes.values()],
            rename={attribute: name for name, attribute in attributes.items()},
            frozen=True,
            gc=False,
        )

    def shaped(self, rows: Iterable[Sequence[Any]]) -> list[Any]:
        """The rows as values that msgspec encodes as objects."""
        chosen = rows if self._whole else ([row[at] for at in self._places] for row in rows)
        columns = list(zip(*chosen, strict=True))
        if not columns:
            return []
        for at, change in self._changed:
            columns[at] = change(columns[at])
        return list(map(self._kind, *columns))
