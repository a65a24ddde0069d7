"""A workbook against the replica: every row that is not as it was exported goes into a ledger. Nothing is written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from msgspec import Struct, field

from salesforce_sync.ports import Store
from salesforce_sync.workbook.book import ObjectPart, drift, find_places, quick_columns, unread_copies
from salesforce_sync.workbook.cells import read_row_mark
from salesforce_sync.workbook.changes import CellProblem, Counts, Kind, RowChange
from salesforce_sync.workbook.earlier import Earlier
from salesforce_sync.workbook.exported_rows import Exported, ExportedRows
from salesforce_sync.workbook.externals import Externals
from salesforce_sync.workbook.incoming import Merged, Row
from salesforce_sync.workbook.layout import ID, Metadata, Places
from salesforce_sync.workbook.ledger import Ledger
from salesforce_sync.workbook.lookups import Lookups
from salesforce_sync.workbook.missing import Missing
from salesforce_sync.workbook.new_rows import NewRows
from salesforce_sync.workbook.parents import ParentNames
from salesforce_sync.workbook.quick import QuickLook
from salesforce_sync.workbook.reader import Sheet, WorkbookReader
from salesforce_sync.workbook.rows_back import Read, problem_row
from salesforce_sync.workbook.tally import Tally, counts, said_of_cells
from salesforce_sync.workbook.triage import New, Skipped, Wrong, sort_out
from salesforce_sync.workbook.uniques import Uniques

BATCH: Final = 200
BATCH_CELLS: Final = 6_000
"""Cells of edited rows that are held at once: an object may have eight hundred fields, and each of its rows is there
as it was read, as it was exported, as it is here and as what is to be done."""
SEEN_BATCH: Final = 1_000
TOLD_EVERY: Final = 1_000
_MOVE: Final = "Write its rows on the sheet of their object."

Tell = Callable[[str, int, int], None]
"""Told of an object: rows compared so far, of how many."""


class _Page(Struct, frozen=True):
    """A sheet that is being compared, and those of its rows that are gathered for the ledger and the replica."""

    part: ObjectPart
    sheet: Sheet
    places: Places
    quick: QuickLook
    seen: list[tuple[str, int]] = field(default_factory=list)
    waiting: list[Exported] = field(default_factory=list)

    @property
    def is_full(self) -> bool:
        """Whether what was gathered is enough."""
        waiting = len(self.waiting)
        return len(self.seen) >= SEEN_BATCH or waiting >= BATCH or waiting * len(self.part.fields) >= BATCH_CELLS


class Comparison:
    """One comparison of a workbook with the replica."""

    def __init__(self, store: Store, ledger: Ledger, metadata: Metadata, tell: Tell, source: str) -> None:
        self._store, self._ledger, self._tell = store, ledger, tell
        self._exported_at = metadata.exported_at
        self._earlier = Earlier(store, ledger, metadata.export_id, source)
        self._lookups = Lookups(store, ledger)
        self._new_rows = NewRows(store, ledger, self._earlier)
        self._exported_rows = ExportedRows(store, self._earlier)
        self._tallies: dict[str, Tally] = {}
        self.notes: list[str] = []
        """What a person should know of the sheets, beyond their rows."""

    def run(self, reader: WorkbookReader, parts: Sequence[ObjectPart], *, delete_missing: bool) -> tuple[Counts, ...]:
        """Compare every row; gives the counts of each object."""
        for name in unread_copies(reader, parts):
            self.notes.append(f"Sheet {name!r} is none of the export's: nothing of it is read. {_MOVE}")
        for part in parts:
            self._object(reader, part, delete_missing=delete_missing)
        self._spoil_copies()
        self._new_rows.spoil_perhaps_known()
        Uniques(self._store, self._ledger).spoil_taken()
        Externals(self._store, self._ledger).resolve()
        self._lookups.spoil_wrong()
        self._lookups.forget_done(self._tallies)
        return counts(self._tallies, self._ledger.counts())

    def _object(self, reader: WorkbookReader, part: ObjectPart, *, delete_missing: bool) -> None:
        name = part.schema.name
        if part.drifted:
            self.notes.append(f"{name}: {drift(part)}. Edits of it are not taken in.")
        tally = self._tallies[name] = Tally()
        for sheet in part.sheets:
            self._sheet(reader, part, sheet)
        Missing(self._store, self._ledger, tally.unread, self._exported_at).note(part, delete=delete_missing)
        self.notes += said_of_cells(name, tally)

    # ── the rows of a sheet ──────────────────────────────────────────────────────────────────────────────────────

    def _sheet(self, reader: WorkbookReader, part: ObjectPart, sheet: Sheet) -> None:
        rows = reader.rows(sheet)
        header = next(rows, None)
        places = find_places(part, sheet, header)
        if gone := [header for name, header in part.entry.header_of.items() if name not in places.fields]:
            self.notes.append(f"{sheet.name} has no column {', '.join(map(repr, gone))}: nothing of it is read.")
        page = _Page(part, sheet, places, QuickLook(part.fields, quick_columns(part.fields, places.fields)))
        names = ParentNames.of(part, places, {} if header is None else header[1])
        for done, row in enumerate(rows, 1):
            names.look_at(*row)
            if (record_id := self._as_exported(page, row)) is not None:
                page.seen.append((record_id, row[0]))
                self._tallies[part.schema.name].unchanged += 1
            else:
                self._closer(page, row)
            if page.is_full:
                self._settle(page)
            if done % TOLD_EVERY == 0:
                self._tell(part.schema.name, done, part.entry.record_count or done)
        self._settle(page)
        self.notes += names.said(sheet.name)
        self._spoil_merged(sheet, places, reader.merged)

    def _as_exported(self, page: _Page, row: Row) -> str | None:
        """The record of a row that shows exactly what was exported; None if it does not, or must be looked at."""
        places, cells = page.places, row[1]
        assert places.row is not None
        mark = read_row_mark(cells.get(places.row))
        record_id = cells.get(places.fields[ID])
        if mark is None or type(record_id) is not str or (places.change is not None and cells.get(places.change)):
            return None
        as_exported = page.quick.is_as_exported(cells, mark[1]) and not self._earlier.touched(record_id)
        return record_id if as_exported else None

    def _closer(self, page: _Page, row: Row) -> None:
        """A row that is not as it was exported: into the ledger, or to those that the replica is asked about."""
        schema, sheet = page.part.schema, page.sheet.name
        tally = self._tallies[schema.name]
        match sort_out(self._store, schema, sheet, page.places, row):
            case Exported() as found:
                page.waiting.append(found)
                page.seen.append((found.record_id, row[0]))
            case New(place, copied, as_new):
                new = self._new_rows.look_at(place, tally, copied=copied, as_new=as_new)
                if new is not None:
                    self._note(*new)
            case Skipped(record_id):
                self._ledger.saw(schema.name, sheet, [(record_id, row[0])])
            case Wrong(place, record_id, why, unread):
                self._ledger.put(problem_row(place, record_id, why))
                if record_id:  # its record is not missing
                    self._ledger.saw(schema.name, sheet, [(record_id, row[0])])
                elif unread:
                    tally.unread = tally.unread or row[0]

    def _settle(self, page: _Page) -> None:
        """Put what was gathered into the ledger."""
        name = page.part.schema.name
        self._ledger.saw(name, page.sheet.name, page.seen)
        page.seen.clear()
        if page.waiting:
            for found in self._exported_rows.look_at(page.part, page.waiting, self._tallies[name]):
                self._note(*found)
            page.waiting.clear()

    def _note(self, change: RowChange, read: Read) -> None:
        """Into the ledger, with what is to be looked up once every row is known."""
        change = self._lookups.checked(change)
        if change.kind is Kind.EDITED and not change.cells:
            self._tallies[change.object_name].unchanged += 1
        else:
            self._ledger.put(change, looks=bool(read.references or read.externals))

    # ── what can be said once every row is known ─────────────────────────────────────────────────────────────────

    def _spoil_merged(self, sheet: Sheet, places: Places, merged: Sequence[Merged]) -> None:
        """Cells that were made one with another are empty, and nobody has emptied their fields."""
        for area in merged:
            for number, change in self._ledger.between(sheet.name, area.top, area.bottom):
                for cell in change.cells:
                    if cell.new is None and area.hides(change.row, places.fields[cell.field]):
                        why = f"is merged with other cells ({area.name}), and has no value of its own. Take that back."
                        self._ledger.spoil(number, change, CellProblem(why, cell.field))
                        break

    def _spoil_copies(self) -> None:
        """A record with two rows of which one was edited: which is meant cannot be known."""
        for number, change in self._ledger.copies():
            first = self._ledger.rows_of(change.object_name, change.record_id)
            other = f"row {first}" if first != change.row else "another row"
            why = f"The record is in {other} too. To make a new record of a copied row, empty its Id (or write new in"
            self._ledger.spoil(number, change, CellProblem(f"{why} Change); else delete one of the two rows."))
