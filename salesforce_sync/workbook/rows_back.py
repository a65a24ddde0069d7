"""One row of a sheet against what was exported: edited, deleted, new, or not to be understood. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any

import msgspec
from msgspec import Struct, field
from msgspec.structs import replace

from salesforce_sync.errors import Misuse, SyncError
from salesforce_sync.models.draft import Wrote
from salesforce_sync.models.schema import Field, FieldType, ObjectSchema
from salesforce_sync.models.values import Stored, same
from salesforce_sync.resolve import arrived
from salesforce_sync.workbook.cells import Cell, is_cut, shows
from salesforce_sync.workbook.changes import CellChange, CellProblem, Kind, Reference, RowChange
from salesforce_sync.workbook.incoming import Computed, Uncounted
from salesforce_sync.workbook.layout import ID, Access, Places, access
from salesforce_sync.workbook.typed import (
    CONTENT,
    External,
    Named,
    check_counted,
    check_still_text,
    check_whole,
    own_name,
    read_typed,
    typed_otherwise,
)

SEVERAL = 3
"""Read-only cells that nobody overwrites one by one."""

MIXED_UP = (
    "Its cells seem to be another record's: was the sheet sorted, or pasted over, without its column Id? Then put that"
    " back before all else"
)

Values = Mapping[str, Stored]


class Place(Struct, frozen=True):
    """A row of an object's sheet, and its cells by field; columns that are gone are not among them."""

    schema: ObjectSchema
    sheet: str
    row: int
    cells: Mapping[str, Cell]
    formulas: frozenset[str] = frozenset()
    """Fields whose cells are formulas."""


class Read(Struct):
    """What the cells of a row give, and what is wrong with them."""

    cells: list[CellChange] = field(default_factory=list)
    problems: list[CellProblem] = field(default_factory=list)
    references: list[Reference] = field(default_factory=list)
    externals: list[tuple[str, External]] = field(default_factory=list)

    def wrong(self, error: SyncError, name: str = "") -> None:
        """Note why a cell is not taken."""
        self.problems.append(CellProblem(f"{error.message} {error.hint}".rstrip(), name))


def field_cells(places: Places, cells: Mapping[int, Cell]) -> dict[str, Cell]:
    """The cells of a row's fields; None for an empty one."""
    return {name: cells.get(column) for name, column in places.fields.items()}


def by_name(schema: ObjectSchema, row: Sequence[object]) -> dict[str, Stored]:
    """A row of the replica, by its fields' names."""
    values: Any = row
    return dict(zip((each.name for each in schema.columns), values, strict=True))


def formula_fields(places: Places, cells: Mapping[int, Cell]) -> frozenset[str]:
    """The fields of a row whose cells are formulas."""
    if not isinstance(cells, Computed):
        return frozenset()
    return frozenset(name for name, column in places.fields.items() if column in cells.formulas)


# ── rows that were exported ──────────────────────────────────────────────────────────────────────────────────────


def edited_row(place: Place, fields: Sequence[Field], base: Values, here: Values) -> tuple[RowChange, Read] | None:
    """What was edited in a row that was exported as `base` and is `here` now; None if nothing is left to be done."""
    read = Read()
    for each in fields:
        if each.name in place.cells and not shows(each.type, base.get(each.name), place.cells[each.name]):
            _read_edit(read, place, each, base, here)
    if not (read.cells or read.problems or read.references or read.externals):
        return None
    if sum(_is_overwritten(place, each.field) for each in read.problems) >= SEVERAL:
        read.problems.insert(0, CellProblem(MIXED_UP))
    change = _change(Kind.PROBLEM if read.problems else Kind.EDITED, place, str(base[ID]), read)
    return replace(change, base=base), read


def _is_overwritten(place: Place, name: str) -> bool:
    """Whether the cell is one of the org's, and says something."""
    if name == ID or not place.schema.has(name) or isinstance(place.cells.get(name), Uncounted):
        return False
    return access(place.schema, place.schema.field(name)) is Access.NEVER


def _read_edit(read: Read, place: Place, each: Field, base: Values, here: Values) -> None:
    old, now = base.get(each.name), here.get(each.name)
    try:
        check_counted(place.cells[each.name])
        _check_editable(place.schema, each, old)
        if each.type is FieldType.TEXT:
            check_still_text(old, place.cells[each.name])
            check_whole(old, place.cells[each.name])
        new = _taken(read, each, place.cells[each.name])
        _check_nillable(each, new)
    except SyncError as error:
        read.wrong(error, each.name)
        return
    if not same(each.type, new, now) or (isinstance(new, str) and _refers(read, each.name)):
        typed = typed_otherwise(each, place.cells[each.name], new, old)
        read.cells.append(CellChange(each.name, old, new, now, moved=not same(each.type, old, now), typed=typed))


def _check_editable(schema: ObjectSchema, each: Field, old: Stored) -> None:
    if each.name == ID:
        raise Misuse("was changed.", hint="An Id cannot be: put the old one back, or empty it to make a new record.")
    if is_cut(old):
        raise Misuse("is longer than a cell can hold, and cannot be edited here.", hint="Use 'salesforce-sync edit'.")
    match access(schema, each):
        case Access.NEVER:
            raise Misuse(f"is read-only{' (calculated)' if each.calculated else ''}.", hint="Put the old value back.")
        case Access.CREATE:
            raise Misuse("can only be set when the record is made.", hint="Put the old value back.")


def _taken(read: Read, each: Field, cell: Cell) -> Stored:
    """The value to write; for a lookup that names its record in another way, what it calls it."""
    typed = read_typed(each, cell)
    if isinstance(typed, Named):
        read.references.append(Reference(each.name, typed.name))
        return typed.name
    if isinstance(typed, External):
        read.externals.append((each.name, typed))
        return f"{typed.field}={typed.value}"
    return typed


def _refers(read: Read, name: str) -> bool:
    named = any(each.field == name for each in read.references)
    return named or any(field_name == name for field_name, _ in read.externals)


# ── new rows ─────────────────────────────────────────────────────────────────────────────────────────────────────


def new_row(place: Place, *, copied: bool) -> tuple[RowChange, Read] | None:
    """A row without an id of the org; None if nothing stands in it. `copied`: it was an exported row once, and what
    it has in columns that nobody can fill is not meant."""
    read = Read()
    given = {name: cell for name, cell in place.cells.items() if name != ID and cell is not None and cell != ""}
    name = own_name(place.cells.get(ID))
    if not given and not name:
        return None
    for each in place.schema.columns:
        if each.name in given:
            _read_new(read, place.schema, each, given[each.name], copied=copied)
    _check_complete(read, place.schema)
    change = _change(Kind.PROBLEM if read.problems else Kind.NEW, place, "", read, name=name)
    return change, read


def _read_new(read: Read, schema: ObjectSchema, each: Field, cell: Cell, *, copied: bool) -> None:
    may = access(schema, each)
    try:
        if may in (Access.NEVER, Access.UPDATE):
            if copied or (each.type is FieldType.BOOLEAN and cell is False):
                return
            later = "can only be set once the record is there" if may is Access.UPDATE else "is read-only"
            raise Misuse(f"{later}.", hint="Empty the cell.")
        value = _taken(read, each, cell)
    except SyncError as error:
        read.wrong(error, each.name)
        return
    read.cells.append(CellChange(each.name, None, value, typed=typed_otherwise(each, cell, value)))


def _check_complete(read: Read, schema: ObjectSchema) -> None:
    if not schema.createable:
        read.problems.append(CellProblem(f"{schema.name} records cannot be made by the connected user."))
        return
    known = {each.field for each in read.cells if not _is_blank(each.new)} | {each.field for each in read.problems}
    for each in schema.columns:
        if each.required and each.name not in known:
            read.problems.append(CellProblem("is required.", each.name))


def edited_again(
    change: RowChange, read: Read, place: Place, wrote: Mapping[str, Wrote], here: Values, made: Mapping[str, str]
) -> RowChange:
    """A new row whose record an earlier import has made, with these values: known, or an edit of that record.

    `here`: the record as it is now. `made`: the ids of the records that other new rows, by their names, have become.
    """
    given = {each.field: each.new for each in change.cells}
    named = {each.field: each.name for each in change.references}
    again, base = Read(), dict(here)
    for each in place.schema.columns:
        if each.name not in given and (each.name not in wrote or each.name not in place.cells):
            continue
        if any(each.name == name for name, _ in read.externals):
            continue
        old = wrote[each.name].value if each.name in wrote else (0 if each.type is FieldType.BOOLEAN else None)
        new = made.get(named.get(each.name, ""), given.get(each.name))
        if not same(each.type, old, new):
            now = here.get(each.name)
            base[each.name] = now if arrived(place.schema, each.name, old, now) else old
            _edit_again(again, place.schema, each, CellChange(each.name, base[each.name], new, now))
    if not (again.cells or again.problems):
        return replace(change, kind=Kind.KNOWN)
    kind = Kind.PROBLEM if again.problems else Kind.EDITED
    cells, references = tuple(again.cells), tuple(each for each in change.references if each.name not in made)
    return replace(
        change,
        kind=kind,
        cells=cells,
        problems=tuple(again.problems),
        references=references,
        base=base,
        key=change.name,
    )


def _edit_again(again: Read, schema: ObjectSchema, each: Field, cell: CellChange) -> None:
    try:
        _check_editable(schema, each, cell.old)
        _check_nillable(each, cell.new)
    except SyncError as error:
        again.wrong(error, each.name)
        return
    if not same(each.type, cell.new, cell.now):
        again.cells.append(replace(cell, moved=not same(each.type, cell.old, cell.now)))


def _check_nillable(each: Field, new: Stored) -> None:
    if _is_blank(new) and not each.nillable:
        raise Misuse("cannot be empty.")


def _is_blank(value: Stored) -> bool:
    """Whether nothing is left of the value once the org has trimmed it."""
    return value is None or (isinstance(value, str) and not value.strip())


def edited_since(
    change: RowChange, read: Read, schema: ObjectSchema, known: Mapping[str, Sequence[Stored]]
) -> tuple[CellProblem, ...]:
    """Cells of a new row that an import has taken in, and that hold what its record, of which these values are known,
    has never had: they were edited after that."""
    return tuple(
        CellProblem("was edited after the row was taken in. Export again, and edit the record there.", each.field)
        for each in change.cells
        if known.get(each.field)
        and not _refers(read, each.field)
        and not any(same(schema.field(each.field).type, each.new, value) for value in known[each.field])
    )


def content_name(change: RowChange, times: int) -> str:
    """What a new row is called that gives itself no name: what stands in it, and how often that stood there before."""
    content = [change.object_name, [[each.field, each.new] for each in change.cells], times]
    return f"{CONTENT}{blake2b(msgspec.json.encode(content), digest_size=16).hexdigest()}"


# ── both ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def problem_row(place: Place, record_id: str, message: str) -> RowChange:
    """A row that cannot be understood."""
    return RowChange(
        Kind.PROBLEM,
        place.schema.name,
        record_id,
        place.sheet,
        place.row,
        _title(place),
        problems=(CellProblem(message),),
    )


def deleted_row(place: Place, record_id: str, base: Values) -> RowChange:
    """A row whose record is to be deleted."""
    return replace(_change(Kind.DELETED, place, record_id, Read()), base=base)


def _change(kind: Kind, place: Place, record_id: str, read: Read, *, name: str = "") -> RowChange:
    return RowChange(
        kind,
        place.schema.name,
        record_id,
        place.sheet,
        place.row,
        _title(place),
        name,
        tuple(replace(each, formula=each.field in place.formulas) for each in read.cells),
        tuple(read.problems),
        tuple(read.references),
    )


def _title(place: Place) -> str:
    named = place.schema.name_field
    cell = None if named is None else place.cells.get(named.name)
    return "" if cell is None else str(cell)[:80]
