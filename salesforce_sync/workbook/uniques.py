"""New rows with a value that only one record may have, such as an external id: a copied row brings that along."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from msgspec.structs import replace

from salesforce_sync.models.schema import Field, FieldType, ObjectSchema
from salesforce_sync.models.values import Stored
from salesforce_sync.ports import Filter, Store
from salesforce_sync.workbook.changes import CellProblem, Kind, RowChange
from salesforce_sync.workbook.layout import ID
from salesforce_sync.workbook.ledger import Ledger

BATCH: Final = 100
"""Rows whose values are looked for at once."""

Rows = Sequence[tuple[int, RowChange]]
_HINT: Final = "Write another value, or empty the cell."


class Uniques:
    """Those of one workbook, once all its rows are in the ledger."""

    def __init__(self, store: Store, ledger: Ledger) -> None:
        self._store, self._ledger = store, ledger

    def spoil_taken(self) -> None:
        """New rows with a value that a record in the replica has, or a row before them: the org would refuse them."""
        waiting: dict[str, list[tuple[int, RowChange]]] = {}
        for number, change in self._ledger.changes(Kind.NEW):
            rows = waiting.setdefault(change.object_name, [])
            rows.append((number, change))
            if len(rows) >= BATCH:
                self._look_at(change.object_name, rows)
                rows.clear()
        for name, rows in waiting.items():
            self._look_at(name, rows)

    def _look_at(self, object_name: str, rows: Rows) -> None:
        schema = self._store.schema(object_name)
        assert schema is not None
        problems: dict[int, list[CellProblem]] = {}
        for each in schema.columns:
            if each.unique and each.type is FieldType.TEXT:
                given = {number: str(value) for number, change in rows if (value := _given(change, each.name))}
                for number, why in self._taken(schema, each, given).items():
                    problems.setdefault(number, []).append(CellProblem(f"is unique, and {why}. {_HINT}", each.name))
        for number, change in rows:
            for problem in problems.get(number, ()):
                self._ledger.spoil(number, change, problem)
                change = replace(change, kind=Kind.PROBLEM, problems=(*change.problems, problem))

    def _taken(self, schema: ObjectSchema, field: Field, given: dict[int, str]) -> dict[int, str]:
        """By rows, who has their value of this field."""
        if not given:
            return {}
        order = [each.name for each in schema.columns]
        at, key = order.index(ID), order.index(field.name)
        rows = self._store.scan(schema.name, (Filter(field.name, "in", tuple(given.values())),))
        here = {_compared(field, str(row[key])): str(row[at]) for row in rows}
        taken: dict[int, str] = {}
        for number, value in given.items():
            compared = _compared(field, value)
            if compared in here:
                taken[number] = f"{here[compared]} has {value!r} already"
            elif not self._ledger.is_first(schema.name, field.name, compared):
                taken[number] = f"another new row has {value!r} too"
        return taken


def _given(change: RowChange, name: str) -> Stored:
    return next((each.new for each in change.cells if each.field == name), None)


def _compared(field: Field, value: str) -> str:
    return value if field.case_sensitive else value.casefold()
