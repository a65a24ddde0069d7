"""The form of the workbook: its sheets, their columns, the header cells and the way back from a header to its field."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from salesforce_sync.errors import Misuse
from salesforce_sync.models.schema import Field, ObjectSchema
from salesforce_sync.workbook.cells import Cell

FORM: Final = 1
"""The version of this form, told in `_Metadata`."""

METADATA: Final = "_Metadata"
LISTS: Final = "_Lists"
"""The hidden sheet with the picklists that are too long for a cell's own drop-down."""

CHANGE: Final = "Change"
STATUS: Final = "Status"
ROW: Final = "_Row"
ID: Final = "Id"
DELETE: Final = "delete"
NEW: Final = "new"
SKIP: Final = "skip"
CHANGES: Final = (DELETE, NEW, SKIP)
"""What a person may write into the `Change` column: delete the record, make a new one of this row, leave it alone."""

DATA_ROWS: Final = 1_048_575
"""Rows of a sheet, without its header."""

NAME_LENGTH: Final = 31
HEADER_LENGTH: Final = 200


# ── sheets ───────────────────────────────────────────────────────────────────────────────────────────────────────


def sheet_name(object_name: str, part: int, taken: Collection[str]) -> str:
    """The name of an object's sheet (its second one: part 2), as Excel allows it, and not among those `taken`.

    API names have no characters that Excel forbids; but they may be too long, alike but for their case, or `History`,
    which Excel keeps for itself.
    """
    used = {each.casefold() for each in taken} | {"history", METADATA.casefold(), LISTS.casefold()}
    suffix = f" ({part})" if part > 1 else ""
    number = 1
    while True:
        tail = (f"~{number}" if number > 1 else "") + suffix
        name = object_name[: NAME_LENGTH - len(tail)] + tail
        if name.casefold() not in used:
            return name
        number += 1


# ── columns ──────────────────────────────────────────────────────────────────────────────────────────────────────


class Role(StrEnum):
    """What a column of an object's sheet is."""

    CHANGE = "change"
    STATUS = "status"
    FIELD = "field"
    NAME = "name"
    """The name of the record that the lookup to its left points to."""
    ROW = "row"


class Access(StrEnum):
    """When a field's cell can be filled in."""

    ALWAYS = "always"
    CREATE = "create"
    """Only in a new row."""
    UPDATE = "update"
    """Only in a row that is there."""
    NEVER = "never"


class Column(Struct, frozen=True):
    """One column: its role, the text of its header cell, and its field (a name column's: the lookup)."""

    role: Role
    header: str
    field: Field | None = None


def access(schema: ObjectSchema, each: Field) -> Access:
    """When the field can be written. A new row's `Id` takes a name of its own (`new:1`)."""
    creates = schema.createable and (each.createable or each.name == ID)
    updates = schema.updateable and each.updateable
    if creates and updates:
        return Access.ALWAYS
    if updates:
        return Access.UPDATE
    return Access.CREATE if creates else Access.NEVER


def columns_of(schema: ObjectSchema, named: Collection[str]) -> tuple[Column, ...]:
    """The columns of an object's sheet in their order; lookups in `named` have the parent's name beside them."""
    bare = [Column(Role.CHANGE, CHANGE), Column(Role.STATUS, STATUS)]
    for each in schema.columns:
        bare.append(Column(Role.FIELD, _label(each), each))
        if each.name in named:
            bare.append(Column(Role.NAME, _name_label(each), each))
    return (*_told_apart(bare), Column(Role.ROW, ROW))


def _label(each: Field) -> str:
    return ID if each.name == ID else _tidy(each.label) or each.name


def _name_label(lookup: Field) -> str:
    return name_headers(lookup.name, _label(lookup))[0]


def called(name: str, header: str) -> str:
    """How a person knows a field whose column is headed so: by the header, and by its API name where that is not it."""
    label = header.removesuffix(" *")
    return label if name.casefold() == label.casefold() or label.endswith(f"({name})") else f"{label} ({name})"


def name_headers(name: str, header: str) -> tuple[str, ...]:
    """What the column with the names beside this lookup may be headed, by the lookup's own header."""
    label = header.removesuffix(" *").removesuffix(f" ({name})")
    shown = f"{label.removesuffix(' ID').removesuffix(' Id')}: Name"
    return shown, f"{shown} ({name})"


def _told_apart(columns: Iterable[Column]) -> list[Column]:
    """Give columns whose headers are the same, whatever their case, their field's API name; mark required ones."""
    listed = list(columns)
    times = Counter(each.header.casefold() for each in listed) + Counter({ROW.casefold(): 1})
    marked = [_marked(each, alone=times[each.header.casefold()] == 1) for each in listed]
    while True:
        again = Counter(map(_bare, marked))
        named = [each if again[_bare(each)] == 1 else _by_name(each) for each in marked]
        if named == marked:
            return marked
        marked = named  # a name may be how yet another column is headed


def _bare(column: Column) -> str:
    return column.header.removesuffix(" *").casefold()


def _by_name(column: Column) -> Column:
    """The column of a field headed by its API name alone: its label is how another column is headed."""
    if column.role is not Role.FIELD or column.field is None or column.field.name == ID:
        return column
    name = column.field.name
    if _bare(column).endswith(f"({name.casefold()})"):
        return column
    return replace(column, header=f"{name} *" if column.field.required else name)


def _marked(column: Column, *, alone: bool) -> Column:
    if column.field is None:
        return column
    header = column.header
    if column.field.name != ID and not alone:
        header = f"{header} ({column.field.name})"
    required = column.role is Role.FIELD and column.field.required
    return replace(column, header=f"{header} *" if required else header)


def _tidy(text: str) -> str:
    return " ".join(text.split())[:HEADER_LENGTH]


# ── from a header back to its column ─────────────────────────────────────────────────────────────────────────────


class Places(Struct, frozen=True):
    """Where the columns of a sheet are, counted from 0; columns that are a person's own are not told."""

    fields: Mapping[str, int]
    """Field's API name → column."""
    change: int | None = None
    status: int | None = None
    row: int | None = None


def find_columns(header_row: Sequence[Cell], headers: Mapping[str, str]) -> Places:
    """Find the columns of a sheet in its header row; `headers`: field's API name → header text, as `_Metadata` tells.

    Case, blanks and the mark of required fields do not matter; a field's API name is understood too. `Misuse` if two
    columns are the same field.
    """
    own = {CHANGE: "change", STATUS: "status", ROW: "row"}
    known = {_plain(text): (name, True) for name, text in reversed([*headers.items()])}
    for name in headers:
        known.setdefault(_plain(name), (name, True))
    known |= {_plain(text): (key, False) for text, key in own.items()}
    exact = {text: (name, True) for name, text in headers.items()} | {text: (key, False) for text, key in own.items()}
    found: dict[tuple[str, bool], int] = {}
    for place, cell in enumerate(header_row):
        key = exact.get(str(cell or "")) or known.get(_plain(cell))
        if key is None:
            continue
        if key in found:
            raise Misuse(f"Two columns are headed {cell!r}.", hint="Take one of them out, or give it another header.")
        found[key] = place
    fields = {name: place for (name, is_field), place in found.items() if is_field}
    return Places(fields, *(found.get((key, False)) for key in own.values()))


def _plain(cell: Cell) -> str:
    return " ".join(str(cell or "").split()).removesuffix(" *").casefold()


# ── _Metadata ────────────────────────────────────────────────────────────────────────────────────────────────────

PROMISED: Final = ("Object Name", "Record Count", "Last Synced", "Fields List")
_FURTHER: Final = ("Sheets", "Base Stamp", "Note", "Types", "Headers")
_FACTS: Final = ("Export Id", "Org Id", "API Version", "Exported At", "Form")
_CHUNK: Final = 15_000
"""Characters of a list that go into one cell; even if each were two UTF-16 units, a cell holds them."""

_SEPARATOR: Final = ", "
_LINE: Final = "\n"


class ObjectEntry(Struct, frozen=True):
    """One object's row of `_Metadata`. An object that is not in the workbook has a `note` that says why, and no sheet;
    of which rows are missing, a note too.

    `fields`, `headers` and `types` go side by side: the sheet's real fields, in the order that a row's hash is made in.
    Workbooks of earlier versions tell no types.
    Times are ISO texts in UTC, '' where there is none.
    """

    object_name: str
    record_count: int | None = None
    last_synced: str = ""
    fields: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()
    sheets: tuple[str, ...] = ()
    base_stamp: str = ""
    note: str = ""
    types: tuple[str, ...] = ()

    @property
    def header_of(self) -> dict[str, str]:
        """Field's API name → the text of its header cell."""
        return dict(zip(self.fields, self.headers, strict=True))


@dataclass(frozen=True, slots=True)
class Metadata:
    """What `_Metadata` tells."""

    entries: tuple[ObjectEntry, ...]
    export_id: str = ""
    org_id: str = ""
    api_version: str = ""
    exported_at: str = ""
    form: int = FORM
    notes: tuple[str, ...] = field(default=(), compare=False)
    """Sentences for a person, below everything else."""


def metadata_rows(metadata: Metadata) -> list[list[Cell]]:
    """The cells of `_Metadata`: a row an object, an empty row, the facts of the export, an empty row, the notes."""
    split = [(_split(each.fields, _SEPARATOR), _split(each.headers, _LINE)) for each in metadata.entries]
    wide = max((len(part) for pair in split for part in pair), default=1) or 1
    more = [title for at in range(2, wide + 1) for title in (f"Fields List ({at})", f"Headers ({at})")]
    rows: list[list[Cell]] = [[*PROMISED, *_FURTHER, *more]]
    for each, (fields, headers) in zip(metadata.entries, split, strict=True):
        fields, headers = ([*part, *[None] * (wide - len(part))] for part in (fields, headers))
        types = _SEPARATOR.join(each.types) or None
        first = [each.object_name, each.record_count, each.last_synced or None, fields[0]]
        further = [_SEPARATOR.join(each.sheets) or None, each.base_stamp or None, each.note or None, types, headers[0]]
        rest = [cell for pair in zip(fields[1:], headers[1:], strict=True) for cell in pair]
        rows.append([*first, *further, *rest])
    facts = (metadata.export_id, metadata.org_id, metadata.api_version, metadata.exported_at, str(metadata.form))
    rows.append([])
    rows += [[name, value or None] for name, value in zip(_FACTS, facts, strict=True)]
    rows.append([])
    rows += [[note] for note in metadata.notes]
    return rows


def _split(names: Sequence[str], separator: str) -> list[Cell]:
    """The names in as few cells as hold them, none of them cut."""
    cells: list[str] = []
    for name in names:
        if cells and len(cells[-1]) + len(separator) + len(name) <= _CHUNK:
            cells[-1] += separator + name
        else:
            cells.append(name)
    return list(cells)


def read_metadata(rows: Sequence[Sequence[Cell]]) -> Metadata:
    """The way back; `Misuse` if these are not the cells of a `_Metadata`."""
    titles = [str(cell or "") for cell in rows[0]] if rows else []
    if tuple(titles[: len(PROMISED)]) != PROMISED:
        raise Misuse(f"{METADATA} does not begin with {', '.join(PROMISED)}.", hint="Export the workbook again.")
    # Some programs leave out empty rows; no object has a name with a blank in it, as the first fact has.
    end = next((at for at, row in enumerate(rows) if not any(row) or row[0] == _FACTS[0]), len(rows))
    entries = tuple(_read_entry(dict(zip(titles, row, strict=False))) for row in rows[1:end])
    facts = {str(row[0]): str(row[1] or "") for row in rows[end:] if len(row) > 1 and row[0]}
    if any(name not in facts for name in _FACTS):
        raise Misuse(f"{METADATA} does not say which export this was.", hint="Export the workbook again.")
    export_id, org_id, api_version, exported_at, form = (facts[name] for name in _FACTS)
    if not form.isdecimal() or int(form) > FORM:
        hint = "Use the program that made it, or export the workbook again."
        raise Misuse(f"The workbook has form {form}, and this program knows forms up to {FORM}.", hint=hint)
    return Metadata(entries, export_id, org_id, api_version, exported_at, int(form))


def _read_entry(cells: Mapping[str, Cell]) -> ObjectEntry:
    def text(title: str) -> str:
        return str(cells.get(title) or "")

    fields, headers = _joined(cells, "Fields List", _SEPARATOR), _joined(cells, "Headers", _LINE)
    if len(fields) != len(headers):
        raise Misuse(f"{METADATA} tells {len(fields)} fields of {text('Object Name')} and {len(headers)} headers.")
    types = _joined(cells, "Types", _SEPARATOR)
    if types and len(types) != len(fields):
        raise Misuse(f"{METADATA} tells {len(fields)} fields of {text('Object Name')} and {len(types)} types.")
    count = cells.get("Record Count")
    return ObjectEntry(
        text("Object Name"),
        None if count is None else int(count),
        text("Last Synced"),
        fields,
        headers,
        tuple(text("Sheets").split(_SEPARATOR)) if text("Sheets") else (),
        text("Base Stamp"),
        text("Note"),
        types,
    )


def _joined(cells: Mapping[str, Cell], title: str, separator: str) -> tuple[str, ...]:
    parts = [str(cells[each]) for each in cells if each and each.partition(" (")[0] == title and cells[each]]
    return tuple(separator.join(parts).split(separator)) if parts else ()
