"""Lookups of changed rows: whether their ids can be what they look up, and whether the new rows they name are there."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec.structs import replace

from salesforce_sync.errors import Misuse
from salesforce_sync.models.outbox import is_local
from salesforce_sync.models.salesforce_id import is_formed, is_guarded, to_18
from salesforce_sync.models.schema import Field, FieldType, ObjectSchema
from salesforce_sync.models.values import Stored, same
from salesforce_sync.ports import Filter, Selection, Store
from salesforce_sync.workbook.changes import CellProblem, Kind, RowChange
from salesforce_sync.workbook.layout import ID
from salesforce_sync.workbook.ledger import Ledger
from salesforce_sync.workbook.tally import Tally
from salesforce_sync.workbook.typed import own_name

_READ = (Kind.NEW, Kind.EDITED, Kind.PROBLEM)
"""Rows whose cells were read: all that is wrong with one is told at once."""


class Lookups:
    """Those of one workbook."""

    def __init__(self, store: Store, ledger: Ledger) -> None:
        self._store, self._ledger = store, ledger
        self._unguarded: dict[str, bool] = {}

    def checked(self, change: RowChange) -> RowChange:
        """The same with each id as the org names it; with a problem for each that is none, or of another object."""
        return self._of_right_objects(self._as_named(change)) if change.kind in _READ else change

    def _as_named(self, change: RowChange) -> RowChange:
        schema = self._store.schema(change.object_name)
        assert schema is not None
        cells, problems = [], []
        for cell in change.cells:
            each = schema.field(cell.field)
            try:
                named = self._named(schema, each, cell.new) if each.type is FieldType.REFERENCE else cell.new
            except Misuse as error:
                problems.append(CellProblem(f"{error.message} {error.hint}".rstrip(), cell.field))
                named = cell.new
            if named == cell.new or not same(each.type, named, cell.now):
                cells.append(replace(cell, new=named))
        kind = Kind.PROBLEM if problems else change.kind
        return replace(change, kind=kind, cells=tuple(cells), problems=(*change.problems, *problems))

    def _named(self, schema: ObjectSchema, lookup: Field, text: Stored) -> Stored:
        """The id as the org names it; `Misuse` if it can be none. What is written in another way stays as it is."""
        if isinstance(text, str) and is_local(text):
            return self._made_here(lookup, text)
        if not isinstance(text, str) or not is_formed(text):
            return text
        if len(text) == 18 and is_guarded(text):
            return text
        here = [name for name in lookup.reference_to if self._store.schema(name) is not None]
        if found := self._known(here, text):
            return found
        try:
            return to_18(text)
        except Misuse:
            if any(self._guards_none(name) for name in here or [schema.name]):
                return text
            raise

    def _made_here(self, lookup: Field, text: str) -> str:
        """The id, by now, of a record that was made here; `Misuse` if there is none: an import would refuse it."""
        record_id = self._store.real_id(text)
        here = [name for name in lookup.reference_to if self._store.schema(name) is not None]
        if not is_local(record_id) or any(self._store.rows(name, [record_id]) for name in here):
            return record_id
        raise Misuse("is the id of no record that was made here.", hint="Was it dropped since?")

    def _known(self, objects: Sequence[str], text: str) -> str:
        """The id of the one record that is called so; '' if there is none."""
        operator = "startswith" if len(text) == 15 else "eq"
        wanted = Selection((Filter(ID, operator, text),), most=2)
        found = [str(row[0]) for name in objects for row in self._store.select(name, wanted)]
        return found[0] if len(found) == 1 else ""

    def _guards_none(self, name: str) -> bool:
        """Whether the object's ids, as its org makes them, do not tell their case by their last letters."""
        if name not in self._unguarded:
            some = self._store.select(name, Selection(most=1))
            self._unguarded[name] = any(len(str(row[0])) == 18 and not is_guarded(str(row[0])) for row in some)
        return self._unguarded[name]

    def _of_right_objects(self, change: RowChange) -> RowChange:
        """The same, with a problem for each lookup whose id begins as those of no object that it takes."""
        schema = self._store.schema(change.object_name)
        assert schema is not None
        problems = []
        for cell in change.cells:
            each = schema.field(cell.field)
            if each.type is FieldType.REFERENCE and _is_id(cell.new):
                begins = self._prefixes(each.reference_to)
                if begins and str(cell.new)[:3] not in begins:
                    why = f"{cell.new} is no id of {' or '.join(each.reference_to)}: those begin with"
                    problems.append(CellProblem(f"{why} {' or '.join(sorted(begins))}.", cell.field))
        problems = [each for each in problems if each.field not in {told.field for told in change.problems}]
        return replace(change, kind=Kind.PROBLEM, problems=(*change.problems, *problems)) if problems else change

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
        spoil_lacking(self._ledger, self._why_not_there)

    def _why_not_there(self, name: str) -> str:
        if self._ledger.has_name(name):
            return "whose row has problems itself"
        return "which is not in the workbook: no row has that in its Id"

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


def spoil_lacking(ledger: Ledger, why: Callable[[str], str]) -> None:
    """Rows that refer to a new row that cannot be taken in cannot be taken in either, and so on. `why` says of a name
    what is the matter with its row."""
    while ledger.has_lacking():
        for number, change, name in ledger.lacking():
            reference = next((each.field for each in change.references if each.name == name), "")
            ledger.spoil(number, change, CellProblem(f"It refers to {_called(name)}, {why(name)}.", reference))


def _called(name: str) -> str:
    return name if own_name(name) else "a new row"


def _is_id(value: Stored) -> bool:
    return isinstance(value, str) and len(value) == 18 and value.isalnum()
