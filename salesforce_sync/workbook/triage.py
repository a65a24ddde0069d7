"""One row of a sheet that is not as it was exported: new, left alone, of a record that was exported, or not to be
understood."""

from __future__ import annotations

from msgspec import Struct

from salesforce_sync.errors import Misuse
from salesforce_sync.models.outbox import is_local
from salesforce_sync.models.salesforce_id import to_18
from salesforce_sync.models.schema import ObjectSchema
from salesforce_sync.ports import Store
from salesforce_sync.workbook.cells import Cell, read_row_mark
from salesforce_sync.workbook.exported_rows import Exported
from salesforce_sync.workbook.incoming import Row
from salesforce_sync.workbook.layout import CHANGES, DELETE, ID, NEW, SKIP, Places
from salesforce_sync.workbook.rows_back import Place, field_cells, formula_fields
from salesforce_sync.workbook.typed import own_name


class New(Struct, frozen=True):
    """A row that is to be a new record. `copied`: it was an exported one; `as_new`: it says that it is new."""

    place: Place
    copied: bool
    as_new: bool


class Skipped(Struct, frozen=True):
    """A row that says that it is to be left alone. `record_id`: '' if its Id cannot be read."""

    record_id: str


class Wrong(Struct, frozen=True):
    """A row that cannot be understood. `unread`: it was exported, and its Id cannot be read any more."""

    place: Place
    record_id: str
    why: str
    unread: bool = False


Sorted = New | Skipped | Wrong | Exported


def sort_out(store: Store, schema: ObjectSchema, sheet: str, places: Places, row: Row) -> Sorted:
    """What this row is."""
    number, cells = row
    place = Place(schema, sheet, number, field_cells(places, cells), formula_fields(places, cells))
    word = _plain(None if places.change is None else cells.get(places.change))
    mark = read_row_mark(None if places.row is None else cells.get(places.row))
    id_cell = place.cells[ID]
    if word == SKIP:
        return Skipped(_plain_id(store, schema, id_cell))
    if word and word not in CHANGES:
        problem = f"Change says {word[:40]!r}. Write {', '.join(CHANGES[:-1])} or {CHANGES[-1]}, or empty it."
        return Wrong(place, _plain_id(store, schema, id_cell), problem)
    if word == NEW or id_cell is None or id_cell == "" or own_name(id_cell):
        if word == DELETE:
            return Wrong(place, "", "Change says delete, and the row has no Id. Write the Id, or delete the row.")
        return New(place, copied=mark is not None, as_new=word == NEW)
    return _identified(store, place, mark, delete=word == DELETE)


def _identified(store: Store, place: Place, mark: tuple[str, str] | None, *, delete: bool) -> Exported | Wrong:
    try:
        record_id = _record_id(store, place.schema, place.cells[ID])
    except Misuse as error:
        return Wrong(place, "", f"Id: {error.message} {error.hint}".rstrip(), unread=mark is not None)
    if mark is None:
        why = f"This row was not exported. To make a new record, empty its Id; to change {record_id}, export it."
        return Wrong(place, record_id, why)
    return Exported(place, record_id, mark[1], delete)


def _record_id(store: Store, schema: ObjectSchema, cell: Cell) -> str:
    """The id in the form that the replica has it in.

    A record that is here is taken as the org names it: not every org's ids end in a checksum.
    """
    if not isinstance(cell, str):
        raise Misuse("is no id.", hint="Put the old one back, or empty it to make a new record.")
    text = cell.strip()
    try:
        return text if is_local(text) else to_18(text)
    except Misuse:
        if store.rows(schema.name, [text]):
            return text
        raise


def _plain_id(store: Store, schema: ObjectSchema, cell: Cell) -> str:
    """The same; '' if it is none."""
    try:
        return _record_id(store, schema, cell)
    except Misuse:
        return ""


def _plain(cell: Cell) -> str:
    return str(cell or "").strip().casefold()
