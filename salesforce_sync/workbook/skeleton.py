"""The workbook without its rows: XlsxWriter makes every sheet with all that it has but its data.

Below each header stand three rows of empty cells, which only show the numbers of the styles that XlsxWriter gave to
them; the data take their place (`rows.py`).
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct

from salesforce_sync.models.schema import ObjectSchema
from salesforce_sync.workbook.cells import Cell
from salesforce_sync.workbook.describing import (
    BOOLEAN_FORMAT,
    TEXT_FORMAT,
    DropDown,
    comment,
    drop_down,
    number_format,
)
from salesforce_sync.workbook.layout import DATA_ROWS, LISTS, METADATA, Access, Column, Role, access
from salesforce_sync.workbook.rows import Look

if TYPE_CHECKING:
    from xlsxwriter import Workbook
    from xlsxwriter.format import Format
    from xlsxwriter.worksheet import Worksheet

FROZEN_COLUMNS: Final = 3
"""`Change`, `Status` and `Id` stay in sight."""

_SAMPLES: Final = ("style", "texts", "cut")
_CAN: Final = (
    *("select_locked_cells", "select_unlocked_cells", "format_cells", "format_columns", "format_rows"),
    *("insert_columns", "insert_rows", "delete_columns", "delete_rows", "sort", "autofilter"),
)
"""What a person may do on a protected sheet."""


class Sheet(Struct, frozen=True):
    """One sheet of an object: its name, how many rows it gets, its columns and their widths."""

    name: str
    schema: ObjectSchema
    columns: tuple[Column, ...]
    rows: int
    widths: Sequence[int]


class Frame(Struct, frozen=True):
    """One sheet's XML before and behind its rows (`part` is its name in the package), and the look of each column."""

    part: str
    before: bytes
    after: bytes
    looks: tuple[Look, ...]


class Skeleton:
    """The workbook with all but the rows of the objects' sheets; packed, because of many sheets it is large."""

    def __init__(self, package: io.BytesIO, sheets: Sequence[Sheet]) -> None:
        self._package = zipfile.ZipFile(package)
        self._sheets = {f"xl/worksheets/sheet{at}.xml": sheet for at, sheet in enumerate(sheets, 1)}

    def parts(self) -> Iterator[tuple[str, bytes]]:
        """Every other part of the package, with its name."""
        for name in self._package.namelist():
            if name not in self._sheets:
                yield name, self._package.read(name)

    def frames(self) -> Iterator[Frame]:
        """The frames of the objects' sheets in their order."""
        for name, sheet in self._sheets.items():
            yield _frame(name, self._package.read(name), sheet)


def make_skeleton(
    sheets: Sequence[Sheet], metadata: Sequence[Sequence[Cell]], made_at: datetime, folder: Path | None = None
) -> Skeleton:
    """The workbook of these sheets, without their rows.

    XlsxWriter keeps the parts until they are packed: in a private folder below `folder`, or, where there is none, in
    memory (0.2 MB for each sheet of 60 columns).
    """
    package = io.BytesIO()
    with nullcontext() if folder is None else TemporaryDirectory(dir=folder, prefix="workbook-") as private:
        book = _Book(package, made_at, private)
        for sheet in sheets:
            book.add(sheet)
        book.finish(metadata)
    return Skeleton(package, sheets)


_SAMPLE = re.compile(rb'<c r="([A-Z]+)([234])" s="(\d+)"/>')
_DIMENSION = re.compile(rb'<dimension ref="[^"]*"/>')


def _frame(part: str, xml: bytes, sheet: Sheet) -> Frame:
    before, _, rest = xml.partition(b'<row r="2"')
    samples, end, after = rest.partition(b"</sheetData>")
    styles: dict[str, dict[str, str]] = {}
    for letters, row, style in _SAMPLE.findall(samples):
        styles.setdefault(letters.decode(), {})[_SAMPLES[int(row) - 2]] = style.decode()
    looks = tuple(
        Look(letters, fills=_fills(sheet.schema, column), **found)
        for (letters, found), column in zip(styles.items(), sheet.columns, strict=True)
    )
    dimension = f'<dimension ref="A1:{looks[-1].letters}{sheet.rows + 1}"/>'.encode()
    return Frame(part, _DIMENSION.sub(dimension, before, count=1), end + after, looks)


def _allowed(schema: ObjectSchema, column: Column) -> Access:
    if column.role is Role.CHANGE:
        return Access.ALWAYS
    return access(schema, column.field) if column.field and column.role is Role.FIELD else Access.NEVER


def _fills(schema: ObjectSchema, column: Column) -> bool:
    """Whether an empty cell in a row that is there is not like the empty column below."""
    return _allowed(schema, column) in (Access.CREATE, Access.UPDATE)


# ── XlsxWriter's part ────────────────────────────────────────────────────────────────────────────────────────────

_GREY: Final = {"bg_color": "#F1F3F5", "font_color": "#5F6B7A"}
_HEAD: Final = {
    "bold": True,
    "font_color": "#FFFFFF",
    "text_wrap": True,
    "valign": "vcenter",
    "border_color": "#FFFFFF",
}
_HEAD_COLORS: Final = {"own": "#0B5345", "open": "#1F4E79", "required": "#9C2B12", "locked": "#7B8794"}


class _Book:
    """Writes the skeleton."""

    def __init__(self, package: io.BytesIO, made_at: datetime, folder: str | None) -> None:
        from xlsxwriter import Workbook  # takes 60 ms, and only this needs it

        kept = {"in_memory": True} if folder is None else {"tmpdir": folder}
        self._book: Workbook = Workbook(package, {**kept, "strings_to_urls": False})
        self._book.set_properties({"title": "Salesforce data", "created": made_at.replace(tzinfo=None)})
        self._formats: dict[tuple[tuple[str, Any], ...], Format] = {}
        self._lists: dict[tuple[str, ...], str] = {}

    def add(self, sheet: Sheet) -> None:
        page = self._book.add_worksheet(sheet.name)
        last = len(sheet.columns) - 1
        page.set_row(0, 32)
        page.freeze_panes(1, FROZEN_COLUMNS)
        page.set_landscape()
        page.repeat_rows(0)
        page.autofilter(0, 0, max(sheet.rows, 1), last)
        page.protect("", dict.fromkeys(_CAN, True))
        page.ignore_errors({"number_stored_as_text": f"A1:XFD{DATA_ROWS + 1}"})
        for place, column in enumerate(sheet.columns):
            self._add_column(page, place, column, sheet)

    def _add_column(self, page: Worksheet, place: int, column: Column, sheet: Sheet) -> None:
        allowed = _allowed(sheet.schema, column)
        shown = number_format(column.field if column.role is Role.FIELD else None)
        below = self._cell(shown, locked=allowed in (Access.UPDATE, Access.NEVER))
        locked = allowed in (Access.CREATE, Access.NEVER)
        page.set_column(place, place, sheet.widths[place], below, {"hidden": column.role is Role.ROW})
        self._add_header(page, place, column, allowed)
        page.write_blank(1, place, None, self._cell(shown, locked=locked))
        page.write_blank(2, place, None, self._cell(TEXT_FORMAT, locked=locked))
        page.write_blank(3, place, None, self._cell(TEXT_FORMAT, locked=True))
        offered = drop_down(column) if allowed is not Access.NEVER else None
        if offered is not None:
            self._add_drop_down(page, place, offered)

    def _add_header(self, page: Worksheet, place: int, column: Column, allowed: Access) -> None:
        if column.field is None:
            kind = "own"
        elif column.role is Role.FIELD and column.field.required:
            kind = "required"
        else:
            kind = "locked" if allowed is Access.NEVER else "open"
        page.write_string(0, place, column.header, self._format({**_HEAD, "bg_color": _HEAD_COLORS[kind]}))
        told = comment(column, allowed)
        page.write_comment(0, place, told, {"author": "", "width": 270, "height": 24 + 18 * (told.count("\n") + 1)})

    def _add_drop_down(self, page: Worksheet, place: int, offered: DropDown) -> None:
        source = list(offered.values) if offered.fits_the_cell else self._listed(offered.values)
        rule: dict[str, Any] = {"validate": "list", "source": source, "ignore_blank": True}
        if offered.strict:
            title, message = "Not in the list", "This value is not one that the field offers."
            rule |= {"error_type": offered.strict, "error_title": title, "error_message": message}
        else:
            rule["show_error"] = False
        page.data_validation(1, place, DATA_ROWS, place, rule)

    def _listed(self, values: tuple[str, ...]) -> str:
        """Where the values will stand on the hidden sheet."""
        if values not in self._lists:
            from xlsxwriter.utility import xl_col_to_name

            letters = xl_col_to_name(len(self._lists))
            self._lists[values] = f"={LISTS}!${letters}$1:${letters}${len(values)}"
        return self._lists[values]

    def _cell(self, shown: str, *, locked: bool) -> Format:
        place = {"align": "center"} if shown == BOOLEAN_FORMAT else {}
        # Of a text of several lines the first one is to be seen.
        return self._format(
            {"num_format": shown, "locked": locked, "valign": "top", **place, **(_GREY if locked else {})}
        )

    def _format(self, properties: Mapping[str, Any]) -> Format:
        key = tuple(sorted(properties.items()))
        if key not in self._formats:
            self._formats[key] = self._book.add_format(dict(properties))
        return self._formats[key]

    def finish(self, metadata: Sequence[Sequence[Cell]]) -> None:
        """Add the hidden lists and, last, `_Metadata`."""
        if self._lists:
            page = self._book.add_worksheet(LISTS)
            page.hide()
            page.protect()
            for place, values in enumerate(self._lists):
                for row, value in enumerate(values):
                    page.write_string(row, place, value, self._format({"num_format": TEXT_FORMAT}))
        self._add_metadata(metadata)
        self._book.close()

    def _add_metadata(self, rows: Sequence[Sequence[Cell]]) -> None:
        page = self._book.add_worksheet(METADATA)
        page.freeze_panes(1, 1)
        page.protect("", dict.fromkeys(_CAN, True))
        for place, size in enumerate(_METADATA_WIDTHS):
            page.set_column(place, place, size)
        head = self._format({**_HEAD, "bg_color": _HEAD_COLORS["own"]})
        for row, cells in enumerate(rows):
            for place, cell in enumerate(cells):
                shown = head if row == 0 else None
                if isinstance(cell, str):
                    page.write_string(row, place, cell, shown)
                elif cell is not None:
                    page.write_number(row, place, cell, shown)


_METADATA_WIDTHS: Final = (28, 14, 22, 60, 28, 26, 60, 40, 40)
