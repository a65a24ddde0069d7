"""A workbook against the replica: every row that is not as it was exported goes into a ledger. Nothing is written."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from msgspec import Struct, field
from msgspec.structs import replace

from salesforce_sync.errors import Misuse
from salesforce_sync.models.draft import Drafted
from salesforce_sync.models.outbox import is_local
from salesforce_sync.models.salesforce_id import to_18
from salesforce_sync.models.schema import FieldType, ObjectSchema
from salesforce_sync.models.values import Stored
from salesforce_sync.ports import Store
from salesforce_sync.workbook.bases import find_base, has_hash
from salesforce_sync.workbook.book import ObjectPart, find_places, quick_columns, unread_copies
from salesforce_sync.workbook.cells import Cell, read_row_mark
from salesforce_sync.workbook.changes import CellProblem, Counts, Kind, RowChange
from salesforce_sync.workbook.earlier import Earlier, Standing, written_elsewhere
from salesforce_sync.workbook.externals import Externals
from salesforce_sync.workbook.incoming import Merged, Row
from salesforce_sync.workbook.layout import CHANGES, DELETE, ID, NEW, SKIP, Metadata, Places
from salesforce_sync.workbook.ledger import Ledger
from salesforce_sync.workbook.missing import Missing
from salesforce_sync.workbook.quick import QuickLook
from salesforce_sync.workbook.reader import Sheet, WorkbookReader
from salesforce_sync.workbook.rows_back import (
    CONTENT,
    Place,
    Read,
    content_name,
    deleted_row,
    edited_again,
    edited_row,
    edited_since,
    field_cells,
    formula_fields,
    new_row,
    problem_row,
)
from salesforce_sync.workbook.typed import own_name

BATCH: Final = 200
SEEN_BATCH: Final = 1_000
_MOVE: Final = "Write its rows on the sheet of their object."

Tell = Callable[[str, int, int], None]
"""Told of an object: rows compared so far, of how many."""


class Exported(Struct, frozen=True):
    """A row that was exported, and is not as it was."""

    place: Place
    record_id: str
    digest: str
    delete: bool
    key: str = ""
    """The id that it was exported with: a record that was made here may have the org's by now."""


class Tally(Struct):
    """What was counted of one object."""

    unchanged: int = 0
    unread: int = 0
    """The first row that was exported, and whose Id cannot be read any more."""
    contents: dict[str, int] = field(default_factory=dict)
    left: dict[str, tuple[int, str]] = field(default_factory=dict)
    """Cells that are left alone: why → how many, and where the first one is."""


class Comparison:
    """One comparison of a workbook with the replica."""

    def __init__(self, store: Store, ledger: Ledger, metadata: Metadata, tell: Tell, source: str) -> None:
        self._store, self._ledger, self._tell = store, ledger, tell
        self._earlier = Earlier(store, ledger, metadata.export_id, source)
        self._tallies: dict[str, Tally] = {}
        self.notes: list[str] = []
        """What a person should know of the sheets, beyond their rows."""

    def run(self, reader: WorkbookReader, parts: Sequence[ObjectPart], *, delete_missing: bool) -> tuple[Counts, ...]:
        """Compare every row; gives the counts of each object."""
        for name in unread_copies(reader, parts):
            self.notes.append(f"Sheet {name!r} is none of the export's: nothing of it is read. {_MOVE}")
        for part in parts:
            if part.drifted:
                self.notes.append(f"{part.schema.name}: {_drift(part)}. Edits of it are not taken in.")
            self._tallies[part.schema.name] = Tally()
            for sheet in part.sheets:
                self._sheet(reader, part, sheet)
            unread = self._tallies[part.schema.name].unread
            Missing(self._store, self._ledger, unread).note(part, delete=delete_missing)
            self._tell_left(part.schema.name)
        self._copies()
        self._perhaps_known()
        Externals(self._store, self._ledger).resolve()
        self._lacking()
        self._done_by_now()
        return self._counts(parts)

    def _tell_left(self, name: str) -> None:
        """Say which cells are left alone, and why."""
        for why, (times, first) in self._tallies[name].left.items():
            cells = "1 cell shows" if times == 1 else f"{times:,} cells show"
            told = why.removeprefix("show").replace("have been", "has been") if times == 1 else why.removeprefix("show")
            again = "Export again to edit " + ("it" if times == 1 else "them")
            self.notes.append(f"{name}: {cells}{told}: left alone ({first}). {again}.")

    # ── rows ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _sheet(self, reader: WorkbookReader, part: ObjectPart, sheet: Sheet) -> None:
        rows = reader.rows(sheet)
        places = find_places(part, sheet, next(rows, None))
        if gone := [header for name, header in part.entry.header_of.items() if name not in places.fields]:
            self.notes.append(f"{sheet.name} has no column {', '.join(map(repr, gone))}: nothing of it is read.")
        name, tally = part.schema.name, self._tallies[part.schema.name]
        quick = QuickLook(part.fields, quick_columns(part.fields, places.fields))
        id_column, row_column = places.fields[ID], places.row
        assert row_column is not None
        seen: list[tuple[str, int]] = []
        waiting: list[Exported] = []
        for done, (number, cells) in enumerate(rows, 1):
            mark = read_row_mark(cells.get(row_column))
            record_id = cells.get(id_column)
            said = "" if places.change is None else cells.get(places.change, "")
            if (
                mark is not None
                and not said
                and type(record_id) is str
                and quick.is_as_exported(cells, mark[1])
                and not self._earlier.touched(record_id)
            ):
                seen.append((record_id, number))
                tally.unchanged += 1
            else:
                found = self._closer(part, sheet, places, (number, cells))
                if found is not None:
                    waiting.append(found)
                    seen.append((found.record_id, number))
            if len(seen) >= SEEN_BATCH:
                self._ledger.saw(name, sheet.name, seen)
                seen.clear()
            if len(waiting) >= BATCH:
                self._exported(part, waiting)
                waiting.clear()
            if done % 1_000 == 0:
                self._tell(name, done, part.entry.record_count or done)
        self._ledger.saw(name, sheet.name, seen)
        self._exported(part, waiting)
        self._merged(sheet, places, reader.merged)

    def _merged(self, sheet: Sheet, places: Places, merged: Sequence[Merged]) -> None:
        """Cells that were made one with another are empty, and nobody has emptied their fields."""
        for area in merged:
            for number, change in self._ledger.between(sheet.name, area.top, area.bottom):
                for cell in change.cells:
                    if cell.new is None and area.hides(change.row, places.fields[cell.field]):
                        why = f"is merged with other cells ({area.name}), and has no value of its own. Take that back."
                        self._ledger.spoil(number, change, CellProblem(why, cell.field))
                        break

    def _closer(self, part: ObjectPart, sheet: Sheet, places: Places, row: Row) -> Exported | None:
        """A row that is not as it was exported: put into the ledger, or given back if the replica must be asked."""
        number, cells = row
        place = Place(part.schema, sheet.name, number, field_cells(places, cells), formula_fields(places, cells))
        word = _plain(None if places.change is None else cells.get(places.change))
        mark = read_row_mark(None if places.row is None else cells.get(places.row))
        id_cell = place.cells[ID]
        if word == SKIP:
            self._ledger.saw(part.schema.name, sheet.name, [(self._plain_id(part.schema.name, id_cell), number)])
        elif word and word not in CHANGES:
            problem = f"Change says {word[:40]!r}. Write {', '.join(CHANGES[:-1])} or {CHANGES[-1]}, or empty it."
            self._wrong(place, self._plain_id(part.schema.name, id_cell), problem)
        elif word == NEW or id_cell is None or id_cell == "" or own_name(id_cell):
            if word == DELETE:
                self._wrong(place, "", "Change says delete, and the row has no Id. Write the Id, or delete the row.")
                return None
            self._new(place, copied=mark is not None, as_new=word == NEW)
        else:
            return self._identified(place, mark, delete=word == DELETE)
        return None

    def _identified(self, place: Place, mark: tuple[str, str] | None, *, delete: bool) -> Exported | None:
        try:
            record_id = self._record_id(place.schema.name, place.cells[ID])
        except Misuse as error:
            self._wrong(place, "", f"Id: {error.message} {error.hint}".rstrip())
            tally = self._tallies[place.schema.name]
            tally.unread = tally.unread or (place.row if mark is not None else 0)
            return None
        if mark is None:
            why = f"This row was not exported. To make a new record, empty its Id; to change {record_id}, export it."
            self._wrong(place, record_id, why)
            return None
        return Exported(place, record_id, mark[1], delete)

    def _record_id(self, object_name: str, cell: Cell) -> str:
        """The id in the form that the replica has it in.

        A record that is here is taken as the org names it: not every org's ids end in a checksum.
        """
        text = _written_id(cell)
        try:
            return text if is_local(text) else to_18(text)
        except Misuse:
            if self._store.rows(object_name, [text]):
                return text
            raise

    def _plain_id(self, object_name: str, cell: Cell) -> str:
        """The same; '' if it is none."""
        try:
            return self._record_id(object_name, cell)
        except Misuse:
            return ""

    def _wrong(self, place: Place, record_id: str, why: str) -> None:
        """A row that cannot be understood; its record is not missing."""
        self._ledger.put(problem_row(place, record_id, why))
        if record_id:
            self._ledger.saw(place.schema.name, place.sheet, [(record_id, place.row)])

    def _new(self, place: Place, *, copied: bool, as_new: bool) -> None:
        if as_new and not own_name(place.cells[ID]):
            place = replace(place, cells={**place.cells, ID: None})
        found = new_row(place, copied=copied)
        if found is None:
            return
        change, read = found
        if change.name and self._ledger.has_name(change.name):
            problem = CellProblem(f"Another new row is called {change.name} too.", ID)
            change = replace(change, kind=Kind.PROBLEM, problems=(*change.problems, problem), name="")
        elif not change.name and change.kind is Kind.NEW:
            contents = self._tallies[place.schema.name].contents
            first = content_name(change, 0)
            contents[first] = contents.get(first, 0) + 1
            change = replace(change, name=content_name(change, contents[first] - 1))
        self._note(self._known(place, change, read), read)

    def _note(self, change: RowChange, read: Read) -> None:
        """Into the ledger, with what is to be looked up once every row is known."""
        self._ledger.put(self._of_right_objects(change), looks=bool(read.references or read.externals))

    def _of_right_objects(self, change: RowChange) -> RowChange:
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

    def _known(self, place: Place, change: RowChange, read: Read) -> RowChange:
        """The same; if an earlier import has made its record, as what was done to that since."""
        drafted = self._earlier.of(change.name) if change.name else None
        if drafted is None:
            return change
        change = replace(change, record_id=drafted.record_id)
        if change.kind is not Kind.NEW:
            return change
        name = change.object_name
        if not drafted.wrote:  # a version that remembered no values has taken it in
            edited = edited_since(change, read, place.schema, self._store.known_values(name, drafted.record_id))
            return replace(change, kind=Kind.PROBLEM if edited else Kind.KNOWN, problems=edited)
        row = self._store.rows(name, [drafted.record_id]).get(drafted.record_id)
        here = {} if row is None else _by_name(place.schema, row)
        if row is None or here.get("IsDeleted"):
            return replace(change, kind=Kind.KNOWN)
        others = ((each.name, self._earlier.of(each.name)) for each in change.references)
        made = {other: found.record_id for other, found in others if found is not None}
        again = edited_again(change, read, place, drafted.wrote, here, made)
        twice = self._earlier.twice(again, drafted, place.schema) if again.kind is Kind.EDITED else ()
        return replace(again, kind=Kind.PROBLEM, problems=twice) if twice else again

    def _exported(self, part: ObjectPart, rows: Sequence[Exported]) -> None:
        """Rows that were exported and are not as they were: against the values that are known of their records."""
        if not rows:
            return
        name = part.schema.name
        # A record that was made here may have the org's id by now.
        real = {each.record_id: self._store.real_id(each.record_id) for each in rows if is_local(each.record_id)}
        rows = [replace(each, record_id=real.get(each.record_id, each.record_id), key=each.record_id) for each in rows]
        here = self._store.rows(name, [each.record_id for each in rows])
        for each in rows:
            row = here.get(each.record_id)
            found = self._one(part, each, None if row is None else _by_name(part.schema, row))
            if found is None:
                self._tallies[name].unchanged += 1
            else:
                self._note(*found)

    def _one(self, part: ObjectPart, row: Exported, here: dict[str, Stored] | None) -> tuple[RowChange, Read] | None:
        """What was done to one row; None if nothing is left to be done."""
        if here is None:
            return self._problem(row, "This replica has no such record any more.")
        drafted = self._earlier.of(row.key)
        base = here if has_hash(part.fields, here, row.digest) else self._base(part, row, drafted)
        if base is None:
            if not row.delete and edited_row(row.place, part.fields, here, here) is None:
                return None
            why = "The record has changed since the export, and what it was then is not known here any more."
            if part.drifted:
                why = f"{why[:-1]}; or it was edited where it cannot be: {_drift(part)}."
            return self._problem(row, f"{why} Export again, and edit that.")
        stand = Standing(base, base, {})
        if drafted is not None:
            stand = self._earlier.standing(part.schema, row.place.cells, base, here, drafted)
        if row.delete:
            return self._deletion(part, row, stand.base, here)
        self._leave(part, row, stand)
        found = edited_row(row.place, part.fields, stand.shown, here)
        if found is not None and here.get("IsDeleted"):
            return self._problem(row, "The record was deleted since the export.")
        if found is None:
            return None
        change = replace(found[0], record_id=row.record_id, base=_sound(part, stand.base), key=row.key)
        return _held_against(change, stand), found[1]

    def _leave(self, part: ObjectPart, row: Exported, stand: Standing) -> None:
        """Note the cells that are left alone."""
        left = self._tallies[part.schema.name].left
        for name, why in stand.left:
            times, first = left.get(why, (0, f"{name} in row {row.place.row}"))
            left[why] = times + 1, first

    def _problem(self, row: Exported, why: str) -> tuple[RowChange, Read]:
        return problem_row(row.place, row.record_id, why), Read()

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

    def _deletion(
        self, part: ObjectPart, row: Exported, base: Mapping[str, Stored], here: dict[str, Stored]
    ) -> tuple[RowChange, Read] | None:
        if here.get("IsDeleted"):
            return None
        if not part.schema.deletable:
            return self._problem(row, f"{part.schema.name} records cannot be deleted by the connected user.")
        return deleted_row(row.place, row.record_id, _sound(part, base)), Read()

    # ── what can be said once every row is known ─────────────────────────────────────────────────────────────────

    def _copies(self) -> None:
        """A record with two rows of which one was edited: which is meant cannot be known."""
        for number, change in self._ledger.copies():
            first = self._ledger.rows_of(change.object_name, change.record_id)
            other = f"row {first}" if first != change.row else "another row"
            why = f"The record is in {other} too. To make a new record of a copied row, empty its Id (or write new in"
            self._ledger.spoil(number, change, CellProblem(f"{why} Change); else delete one of the two rows."))

    def _perhaps_known(self) -> None:
        """New rows without a name: one that was taken in, and edited after that, would be made once more."""
        lost = self._earlier.lost_rows(CONTENT)
        for number, change in self._ledger.changes(Kind.NEW) if lost else ():
            if change.object_name in lost and change.name.startswith(CONTENT):
                made = f"An earlier import made {lost[change.object_name]} of a row that is gone, or edited."
                hint = "If this is that row, export again and edit it there; else give it a name in Id, such as new:1."
                self._ledger.spoil(number, change, CellProblem(f"{made} {hint}"))

    def _lacking(self) -> None:
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

    def _done_by_now(self) -> None:
        """Lookups that name a record in another way than by its id, and show that record already."""
        for number, change in self._ledger.looking():
            if change.kind is not Kind.EDITED:
                continue
            made = {each.field: self._ledger.made(each.name) for each in change.references}
            left = [each for each in change.cells if made.get(each.field, each.new) not in (each.now, each.old)]
            if not left:
                self._ledger.forget(number)
                self._tallies[change.object_name].unchanged += 1
            elif len(left) < len(change.cells):
                fields = {each.field for each in left}
                references = tuple(each for each in change.references if each.field in fields)
                self._ledger.rewrite(number, replace(change, cells=tuple(left), references=references))

    def _counts(self, parts: Sequence[ObjectPart]) -> tuple[Counts, ...]:
        found = {part.schema.name: dict.fromkeys(Kind, 0) for part in parts}
        edited: dict[str, int] = {}
        for name, kind, rows, cells in self._ledger.counts():
            found[name][kind] = rows
            if kind is Kind.EDITED:
                edited[name] = cells
        return tuple(
            Counts(
                name,
                self._tallies[name].unchanged,
                kinds[Kind.NEW],
                kinds[Kind.EDITED],
                kinds[Kind.DELETED],
                kinds[Kind.REMOVED],
                kinds[Kind.PROBLEM],
                kinds[Kind.KNOWN],
                edited.get(name, 0),
            )
            for name, kinds in found.items()
        )


def _drift(part: ObjectPart) -> str:
    return f"{', '.join(part.drifted)}: not in the org any more, or of another type there since the export"


def _sound(part: ObjectPart, base: Mapping[str, Stored]) -> dict[str, Stored]:
    """The values at the export of the fields that are still as they were."""
    return {name: value for name, value in base.items() if name not in part.drifted}


def spoil_lacking(ledger: Ledger, why: str) -> None:
    """Rows that refer to a new row that cannot be taken in cannot be taken in either, and so on."""
    while ledger.has_lacking():
        for number, change, name in ledger.lacking():
            reference = next((each.field for each in change.references if each.name == name), "")
            ledger.spoil(number, change, CellProblem(f"It refers to {_called(name)}, {why}.", reference))


def _called(name: str) -> str:
    return name if own_name(name) else "a new row"


def _held_against(change: RowChange, stand: Standing) -> RowChange:
    """The same, without edits of cells that another copy of the workbook has edited too."""
    twice = tuple(
        written_elsewhere(each.field, stand.foreign[each.field]) for each in change.cells if each.field in stand.foreign
    )
    return replace(change, kind=Kind.PROBLEM, problems=(*change.problems, *twice)) if twice else change


def _by_name(schema: ObjectSchema, row: Sequence[object]) -> dict[str, Stored]:
    values: Any = row
    return dict(zip((each.name for each in schema.columns), values, strict=True))


def _written_id(cell: Cell) -> str:
    if not isinstance(cell, str):
        raise Misuse("is no id.", hint="Put the old one back, or empty it to make a new record.")
    return cell.strip()


def _is_id(value: Stored) -> bool:
    return isinstance(value, str) and len(value) == 18 and value.isalnum()


def _plain(cell: Cell) -> str:
    return str(cell or "").strip().casefold()
