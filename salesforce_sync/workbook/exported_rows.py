"""Rows that were exported, and are not as they were: against what is known of their records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from salesforce_sync.errors import Misuse
from salesforce_sync.models.draft import Draft, Drafted
from salesforce_sync.models.outbox import Operation, Wanted, is_local
from salesforce_sync.models.schema import FieldType
from salesforce_sync.models.values import Stored, same
from salesforce_sync.ports import Store
from salesforce_sync.resolve import check_draft_deletion
from salesforce_sync.workbook.bases import find_base, has_hash
from salesforce_sync.workbook.book import ObjectPart, drift
from salesforce_sync.workbook.changes import CellProblem, Kind, RowChange
from salesforce_sync.workbook.earlier import Earlier, Standing, written_elsewhere
from salesforce_sync.workbook.layout import ROW
from salesforce_sync.workbook.rows_back import Place, Read, by_name, deleted_row, edited_row, problem_row
from salesforce_sync.workbook.tally import Tally


class Exported(Struct, frozen=True):
    """A row that was exported, and is not as it was."""

    place: Place
    record_id: str
    digest: str
    delete: bool
    key: str = ""
    """The id that it was exported with: a record that was made here may have the org's by now."""


class ExportedRows:
    """Those of one workbook."""

    def __init__(self, store: Store, earlier: Earlier) -> None:
        self._store, self._earlier = store, earlier

    def look_at(self, part: ObjectPart, rows: Sequence[Exported], tally: Tally) -> list[tuple[RowChange, Read]]:
        """What was done to these rows of an object; those that say nothing new are counted as unchanged."""
        # A record that was made here may have the org's id by now.
        real = {each.record_id: self._store.real_id(each.record_id) for each in rows if is_local(each.record_id)}
        rows = [replace(each, record_id=real.get(each.record_id, each.record_id), key=each.record_id) for each in rows]
        here = self._store.rows(part.schema.name, [each.record_id for each in rows])
        found = []
        for each in rows:
            row = here.get(each.record_id)
            changed = self._one(part, each, None if row is None else by_name(part.schema, row), tally)
            if changed is None:
                tally.unchanged += 1
            else:
                found.append(changed)
        return found

    def _one(
        self, part: ObjectPart, row: Exported, here: dict[str, Stored] | None, tally: Tally
    ) -> tuple[RowChange, Read] | None:
        """What was done to one row; None if nothing is left to be done."""
        if here is None:
            return _problem(row, "This replica has no such record any more.")
        drafted = self._earlier.of(row.key)
        base = here if has_hash(part.fields, here, row.digest) else self._base(part, row, drafted)
        row = replace(row, place=self._by_now(row.place))
        if base is None:
            return _without_base(part, row, here)
        stand = Standing(base, base, {})
        if drafted is not None:
            stand = self._earlier.standing(part.schema, row.place.cells, base, here, drafted)
        if row.delete:
            return _deletion(part, row, stand.base, here)
        for name, why in stand.left:
            tally.leave(why, f"{part.called(name)} in row {row.place.row}")
        found = edited_row(row.place, part.fields, stand.shown, here)
        if found is not None and here.get("IsDeleted"):
            return _problem(row, "The record was deleted since the export.")
        if found is None:
            return None
        change = replace(found[0], record_id=row.record_id, base=_sound(part, stand.base), key=row.key)
        return self._held_here(part, _held_against(change, stand), here), found[1]

    def _by_now(self, place: Place) -> Place:
        """The row with the ids that its records have by now."""
        cells = {
            each.name: self._store.real_id(cell)
            for each in place.schema.columns
            if each.type in (FieldType.ID, FieldType.REFERENCE)
            and isinstance(cell := place.cells.get(each.name), str)
            and is_local(cell)
        }
        return replace(place, cells={**place.cells, **cells})

    def _held_here(self, part: ObjectPart, change: RowChange, here: Mapping[str, Stored]) -> RowChange:
        """The same, with a problem for each cell whose field was edited here since: that edit is not replaced."""
        moved = [each for each in change.cells if not _same_as(part, change.base, here, each.field)]
        if not moved:
            return change
        pending = self._store.changes(Wanted(records=(change.record_id,)))
        edited = {name for each in pending for name in each.values}
        hint = "Export again, or write the value that is to hold in the replica."
        found = tuple(
            CellProblem(f"was edited here since the export, to {here.get(each.field)!r}. {hint}", each.field)
            for each in moved
            if each.field in edited
        )
        return replace(change, kind=Kind.PROBLEM, problems=(*change.problems, *found)) if found else change

    def _base(self, part: ObjectPart, row: Exported, drafted: Drafted | None) -> dict[str, Stored] | None:
        """The row as it was exported, with the ids that its records have now."""
        known = self._store.known_values(part.schema.name, row.record_id)
        known = {name: values for name, values in known.items() if name not in part.drifted}
        for name, wrote in () if drafted is None else drafted.wrote.items():
            if name in known:
                known[name] = tuple(dict.fromkeys((wrote.seen, *known[name])))
        for each in part.fields:
            cell = row.place.cells.get(each.name)
            if each.type in (FieldType.ID, FieldType.REFERENCE) and isinstance(cell, str) and is_local(cell):
                known[each.name] = (cell, *known.get(each.name, ()))
        base = find_base(part.fields, known, row.place.cells, row.digest)
        if base is None:
            return None
        return {
            name: self._store.real_id(value) if isinstance(value, str) and is_local(value) else value
            for name, value in base.items()
        }


def _without_base(part: ObjectPart, row: Exported, here: Mapping[str, Stored]) -> tuple[RowChange, Read] | None:
    """A row of which it is not known what was exported: no problem if it shows what is here."""
    if not row.delete and edited_row(row.place, part.fields, here, here) is None:
        return None
    why = "The record has changed since the export, and what it was then is not known here any more."
    if part.drifted:
        why = f"{why[:-1]}; or it was edited where it cannot be: {drift(part)}."
    why = f"{why[:-1]}; or the sheet was sorted, or pasted over, without its hidden last column, {ROW}."
    return _problem(row, f"{why} Put that back; else export again, and edit that.")


def _deletion(
    part: ObjectPart, row: Exported, base: Mapping[str, Stored], here: Mapping[str, Stored]
) -> tuple[RowChange, Read] | None:
    if here.get("IsDeleted"):
        return None
    if not part.schema.deletable:
        return _problem(row, f"{part.schema.name} records cannot be deleted by the connected user.")
    base = _sound(part, base)
    try:
        check_draft_deletion(Draft(part.schema.name, Operation.DELETE, row.record_id, base=base), part.schema, here)
    except Misuse as error:
        return _problem(row, f"{error.message} {error.hint}")
    return deleted_row(row.place, row.record_id, base), Read()


def _problem(row: Exported, why: str) -> tuple[RowChange, Read]:
    return problem_row(row.place, row.record_id, why), Read()


def _same_as(part: ObjectPart, base: Mapping[str, Stored], here: Mapping[str, Stored], name: str) -> bool:
    """Whether the field is as it was in the base; of one that is not in that, nobody knows better."""
    return name not in base or same(part.schema.field(name).type, base[name], here.get(name))


def _sound(part: ObjectPart, base: Mapping[str, Stored]) -> dict[str, Stored]:
    """The values at the export of the fields that are still as they were."""
    return {name: value for name, value in base.items() if name not in part.drifted}


def _held_against(change: RowChange, stand: Standing) -> RowChange:
    """The same, without edits of cells that another copy of the workbook has edited too."""
    twice = tuple(
        written_elsewhere(each.field, stand.foreign[each.field]) for each in change.cells if each.field in stand.foreign
    )
    return replace(change, kind=Kind.PROBLEM, problems=(*change.problems, *twice)) if twice else change
