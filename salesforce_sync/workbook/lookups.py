"""Lookups of changed rows: whether their ids can be what they look up, and whether the new rows they name are there."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from salesforce_sync.models.schema import FieldType
from salesforce_sync.models.values import Stored
from salesforce_sync.ports import Store
from salesforce_sync.workbook.changes import CellProblem, Kind, RowChange
from salesforce_sync.workbook.ledger import Ledger
from salesforce_sync.workbook.tally import Tally
from salesforce_sync.workbook.typed import own_name


class Lookups:
    """Those of one workbook."""

    def __init__(self, store: Store, ledger: Ledger) -> None:
        self._store, self._ledger = store, ledger

    def of_right_objects(self, change: RowChange) -> RowChange:
        """The same, with a problem for each lookup whose id begins as those of no object that it takes."""
        schema = self._store.schema(change.object_name)
        assert schema is not None
        problems = []
        for cell in change.cells if change.kind in (Kind.NEW, Kind.EDITED) else ():
            each = schema.field(cell.field)
            if each.type is FieldType.REFERENCE and _is_id(cell.new):
                begins = self._prefixes(each.reference_to)
                if begins and str(cell.new)[:3] not in begins:
                    why = f"{cell.new} is no id of {' or '.join(each.reference_to)}: those begin with"
                    problems.append(CellProblem(f"{why} {' or '.join(sorted(begins))}.", cell.field))
        return replace(change, kind=Kind.PROBLEM, problems=tuple(problems)) if problems else change

    def _prefixes(self, objects: Sequence[str]) -> set[str]:
        """How the ids of these objects begin; nothing if that is not known of one of them."""
        found = [None if (schema := self._store.schema(name)) is None else schema.key_prefix for name in objects]
        return {each for each in found if each} if all(found) else set()

    def spoil_wrong(self) -> None:
        """Rows that refer to a new row which is not there or has problems itself, or is of another object."""
        for number, change in self._ledger.looking():
            schema = self._store.schema(change.object_name)
            assert schema is not None
            for each in change.references:
                target = self._ledger.object_of(each.name)
                allowed = schema.field(each.field).reference_to
                if target and allowed and target not in allowed:
                    why = f"{each.name} is a new {target}, and the lookup takes {' or '.join(allowed)}."
                    self._ledger.spoil(number, change, CellProblem(why, each.field))
                    break
        spoil_lacking(self._ledger, "which is not in the workbook, or has problems itself")

    def forget_done(self, tallies: dict[str, Tally]) -> None:
        """Lookups that name a record in another way than by its id, and show that record already, are no edits."""
        for number, change in self._ledger.looking():
            if change.kind is not Kind.EDITED:
                continue
            made = {each.field: self._ledger.made(each.name) for each in change.references}
            left = [each for each in change.cells if made.get(each.field, each.new) not in (each.now, each.old)]
            if not left:
                self._ledger.forget(number)
                tallies[change.object_name].unchanged += 1
            elif len(left) < len(change.cells):
                fields = {each.field for each in left}
                references = tuple(each for each in change.references if each.field in fields)
                self._ledger.rewrite(number, replace(change, cells=tuple(left), references=references))


def spoil_lacking(ledger: Ledger, why: str) -> None:
    """Rows that refer to a new row that cannot be taken in cannot be taken in either, and so on."""
    while ledger.has_lacking():
        for number, change, name in ledger.lacking():
            reference = next((each.field for each in change.references if each.name == name), "")
            ledger.spoil(number, change, CellProblem(f"It refers to {_called(name)}, {why}.", reference))


def _called(name: str) -> str:
    return name if own_name(name) else "a new row"


def _is_id(value: Stored) -> bool:
    return isinstance(value, str) and len(value) == 18 and value.isalnum()
