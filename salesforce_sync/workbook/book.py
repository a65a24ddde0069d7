"""A workbook that comes back: which export it was, and where each object's fields are in its sheets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct

from salesforce_sync.errors import ForeignWorkbook, Misuse, near
from salesforce_sync.models.schema import Field, FieldType, ObjectSchema
from salesforce_sync.ports import Store
from salesforce_sync.workbook.cells import Cell
from salesforce_sync.workbook.incoming import Row
from salesforce_sync.workbook.layout import (
    ID,
    LISTS,
    METADATA,
    ROW,
    Metadata,
    ObjectEntry,
    Places,
    called,
    find_columns,
    read_metadata,
)
from salesforce_sync.workbook.reader import Sheet, WorkbookReader

METADATA_ROWS = 20_000
AGAIN = "Export the workbook again."


class ObjectPart(Struct, frozen=True):
    """One object of the workbook: its sheets, and its fields in the order of the rows' hashes.

    A field that the org has lost since, or that has another type there, is as it was at the export, and read-only: its
    cells tell what was exported, and what is written into them cannot be taken in.
    """

    entry: ObjectEntry
    schema: ObjectSchema
    fields: tuple[Field, ...]
    sheets: tuple[Sheet, ...]
    drifted: tuple[str, ...] = ()
    """The fields that are not in the org any more as they were."""

    def called(self, name: str) -> str:
        """How a person knows the field: by its header, and by its API name."""
        return called(name, self.entry.header_of.get(name, name))


def read_facts(reader: WorkbookReader, org_id: str) -> Metadata:
    """What `_Metadata` tells; `ForeignWorkbook` if there is none, or if it is another org's."""
    name = reader.package.path.name
    sheet = reader.sheet(METADATA)
    if sheet is None:
        raise ForeignWorkbook(
            f"{name} has no sheet {METADATA}: it was not exported from here, or the sheet was deleted or renamed.",
            hint=f"Put it back as it was, or export the workbook again. {near(METADATA, _names(reader))}".rstrip(),
        )
    try:
        metadata = read_metadata(_dense(reader.rows(sheet)))
    except Misuse as error:
        raise ForeignWorkbook(f"{name}: {error.message}", hint=error.hint or AGAIN) from error
    except (ValueError, TypeError) as error:
        raise ForeignWorkbook(f"{name}: {METADATA} was edited and cannot be understood.", hint=AGAIN) from error
    if not metadata.export_id:
        # New rows are remembered by it: those of another workbook without one would be taken for them.
        raise ForeignWorkbook(f"{name}: {METADATA} does not say which export this was.", hint=AGAIN)
    if org_id and metadata.org_id and org_id != metadata.org_id:
        raise ForeignWorkbook(
            f"{name} was exported from org {metadata.org_id}, and this is a replica of org {org_id}.",
            hint="Import it where it was exported.",
            code="WRONG_ORG",
        )
    return metadata


def _dense(rows: Iterator[Row]) -> list[list[Cell]]:
    """The rows as lists as long as the first one, the empty ones between them too."""
    found: list[list[Cell]] = []
    width = 0
    for number, cells in rows:
        if number > METADATA_ROWS:
            break
        found += [[] for _ in range(number - 1 - len(found))]
        width = width or max(cells) + 1
        found.append([cells.get(column) for column in range(width)])
    return found


def _names(reader: WorkbookReader) -> tuple[str, ...]:
    return tuple(sheet.name for sheet in reader.sheets)


def parts_of(reader: WorkbookReader, metadata: Metadata, store: Store) -> tuple[ObjectPart, ...]:
    """The objects of the workbook, in its order; `ForeignWorkbook` where one cannot be understood any more."""
    _check_told_once(reader, [each.object_name for each in metadata.entries])
    _check_told_once(reader, [sheet for each in metadata.entries for sheet in each.sheets])
    return tuple(_part(reader, entry, store) for entry in metadata.entries if entry.sheets)


def _check_told_once(reader: WorkbookReader, names: Sequence[str]) -> None:
    twice = [name for name, times in Counter(each.casefold() for each in names).items() if times > 1]
    if twice:
        raise ForeignWorkbook(f"{reader.package.path.name}: {METADATA} tells of {', '.join(twice)} twice.", hint=AGAIN)


def unread_copies(reader: WorkbookReader, parts: Sequence[ObjectPart]) -> list[str]:
    """The names of sheets that are none of the export's, and look as if what is written there were to be read."""
    read = {sheet.part for part in parts for sheet in part.sheets}
    others = [each for each in reader.sheets if each.part not in read and each.name not in (METADATA, LISTS)]
    return [each.name for each in others if _looks_exported(reader, each, parts)]


def _looks_exported(reader: WorkbookReader, sheet: Sheet, parts: Sequence[ObjectPart]) -> bool:
    called = sheet.name.rpartition(" (")[0].casefold()
    if called in {part.schema.name.casefold() for part in parts}:
        return True
    first = next(reader.rows(sheet), (0, {}))
    return {ID, ROW} <= set(first[1].values())


def _part(reader: WorkbookReader, entry: ObjectEntry, store: Store) -> ObjectPart:
    schema = store.schema(entry.object_name)
    if schema is None:
        raise ForeignWorkbook(
            f"{entry.object_name} is in the workbook and not in this replica.",
            hint=f"Run 'salesforce-sync sync {entry.object_name}', and export the workbook again.",
        )
    gone = [name for name in entry.fields if not schema.has(name)]
    if gone and not entry.types:
        raise ForeignWorkbook(
            f"{entry.object_name} has lost the field {', '.join(gone)} in the org since the export.", hint=AGAIN
        )
    sheets = tuple(_sheet(reader, entry, name) for name in entry.sheets)
    types = entry.types or ("",) * len(entry.fields)
    fields = tuple(_field(schema, *told) for told in zip(entry.fields, types, strict=True))
    drifted = tuple(each.name for each in fields if not schema.has(each.name) or schema.field(each.name) is not each)
    return ObjectPart(entry, schema, fields, sheets, drifted)


def _field(schema: ObjectSchema, name: str, kind: str) -> Field:
    """The field, as it was at the export."""
    now = schema.field(name) if schema.has(name) else None
    if now is not None and now.type.value == (kind or now.type.value):
        return now
    try:
        return Field(name, name, FieldType(kind), kind)
    except ValueError as error:
        raise ForeignWorkbook(f"{METADATA} tells a type that there is not: {kind[:40]!r}.", hint=AGAIN) from error


def _sheet(reader: WorkbookReader, entry: ObjectEntry, name: str) -> Sheet:
    found = reader.sheet(name)
    if found is None:
        others = ", ".join(each for each in _names(reader) if each != METADATA) or "none"
        raise ForeignWorkbook(
            f"{reader.package.path.name} has no sheet {name!r} for {entry.object_name}: it was deleted or renamed.",
            hint=f"Give it its name back (the sheets are: {others}), or export the workbook again.",
        )
    return found


def find_places(part: ObjectPart, sheet: Sheet, header: Row | None) -> Places:
    """Where the columns are; `ForeignWorkbook` if the sheet's first row is no header, or lacks what is needed."""
    where = f"Sheet {sheet.name}"
    if header is None or header[0] != 1:
        raise ForeignWorkbook(f"{where} has no header in its first row.", hint="Put it back, or export it again.")
    cells = header[1]
    row = [cells.get(column) for column in range(max(cells) + 1)]
    headers = part.entry.header_of | {name: name for name in part.entry.fields if name not in part.entry.header_of}
    try:
        places = find_columns(row, headers)
    except Misuse as error:
        raise ForeignWorkbook(f"{where}: {error.message}", hint=error.hint) from error
    if ID not in places.fields:
        raise ForeignWorkbook(f"{where} has no column {ID}.", hint="Put it back, or export the workbook again.")
    if places.row is None:
        raise ForeignWorkbook(
            f"{where} has lost its hidden last column, {ROW}, which says what was exported.",
            hint="Put it back, or export the workbook again.",
        )
    return places


def drift(part: ObjectPart) -> str:
    """Which of its fields the org has not any more as they were."""
    fields = ", ".join(map(part.called, part.drifted))
    return f"{fields}: not in the org any more, or of another type there since the export"


def quick_columns(fields: Sequence[Field], columns: Mapping[str, int]) -> list[int | None]:
    """The column of each field; None for one that is gone."""
    return [columns.get(each.name) for each in fields]
