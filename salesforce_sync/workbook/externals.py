"""Lookups that name a record by a field of its own (`Code__c=A-17`): in the replica, or a new row of the workbook."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from salesforce_sync.errors import Misuse
from salesforce_sync.models.schema import Field, FieldType, ObjectSchema
from salesforce_sync.ports import Filter, Store
from salesforce_sync.workbook.changes import CellChange, CellProblem, Kind, Reference, RowChange
from salesforce_sync.workbook.ledger import Ledger
from salesforce_sync.workbook.typed import CONTENT, External, own_name


class Externals:
    """Those of one workbook, once all its rows are in the ledger."""

    def __init__(self, store: Store, ledger: Ledger) -> None:
        self._store, self._ledger = store, ledger
        self._sought: set[tuple[str, str]] = set()

    def resolve(self) -> None:
        """Put ids or names of new rows in their place; a lookup that names none, or several, spoils its row."""
        for number, change in self._ledger.looking():
            schema = self._store.schema(change.object_name)
            assert schema is not None
            for cell in change.cells:
                each = schema.field(cell.field)
                if each.type is FieldType.REFERENCE and isinstance(cell.new, str) and "=" in cell.new:
                    name, _, value = cell.new.partition("=")
                    change = self._resolved(number, change, cell, External(name, value), each.reference_to)

    def _resolved(
        self, number: int, change: RowChange, cell: CellChange, external: External, targets: Sequence[str]
    ) -> RowChange:
        if change.kind is Kind.PROBLEM:
            return change
        try:
            found = self._find(external, targets)
        except Misuse as error:
            problem = CellProblem(f"{error.message} {error.hint}".rstrip(), cell.field)
            self._ledger.spoil(number, change, problem)
            return replace(change, kind=Kind.PROBLEM)
        if own_name(found) or found.startswith(CONTENT):
            reference = Reference(cell.field, found)
            self._ledger.refer(number, change, reference)
            return replace(change, references=(*change.references, reference))
        cells = tuple(replace(each, new=found) if each.field == cell.field else each for each in change.cells)
        change = replace(change, cells=cells)
        self._ledger.rewrite(number, change)
        return change

    def _find(self, external: External, targets: Sequence[str]) -> str:
        """The id of the one record that has this value, or the name of the one new row."""
        found: list[str] = []
        fields = [(target, schema) for target in targets if (schema := self._store.schema(target)) is not None]
        usable = [(target, each) for target, schema in fields if (each := _named(schema, external.field)) is not None]
        if not usable:
            raise Misuse(
                f"{external.field!r} is no field of {' or '.join(targets) or 'its object'} in this replica.",
                hint="Write an id, new:NAME, or FIELD=VALUE with a field of the record that is looked up"
                f"{_for_example(schema for _, schema in fields)}.",
            )
        for target, each in usable:
            if each.type is not FieldType.TEXT:
                raise Misuse(f"{target}.{each.name} is no text, so no record can be named by it.")
            rows = self._store.scan(target, (Filter(each.name, "eq", external.value),))
            found += [str(row[0]) for row, _ in zip(rows, range(2), strict=False)]
            found += self._offered(target, each.name, external.value)
        if len(found) != 1:
            many = "Several records have" if found else "No record has"
            raise Misuse(f"{many} {external.field}={external.value!r}.", hint="Write the record's id.")
        return found[0]

    def _offered(self, target: str, field_name: str, value: str) -> list[str]:
        """The names of the new rows that have this value; two at most."""
        if (target, field_name) not in self._sought:
            self._sought.add((target, field_name))
            for _, change in self._ledger.changes(Kind.NEW, Kind.PROBLEM):
                for cell in (
                    change.cells if change.object_name == target and change.name and not change.record_id else ()
                ):
                    if cell.field == field_name and cell.new is not None:
                        self._ledger.offer(target, field_name, str(cell.new), change.name)
        return self._ledger.offered(target, field_name, value)


def _for_example(schemas: Iterable[ObjectSchema]) -> str:
    """The fields that records are best named by: `, such as Name or Code__c`."""
    fields = [each for schema in schemas for each in schema.columns if each.type is FieldType.TEXT]
    names = dict.fromkeys(each.name for each in fields if each.name_field or each.external_id)
    return f", such as {' or '.join([*names][:3])}" if names else ""


def _named(schema: ObjectSchema, name: str) -> Field | None:
    """The field of this API name, whatever its case."""
    return next((each for each in schema.columns if each.name.casefold() == name.casefold()), None)
