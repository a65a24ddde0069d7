"""The workbook without its rows: XlsxWriter makes every sheet with all that it has but its cells.

The cover is the workbook with empty sheets. Each sheet is made when its rows are to be written, in a workbook of its
own, and takes the place of the cover's: XlsxWriter holds about 2 KB for each column until it packs a workbook.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct

from salesforce_sync.models.schema import ObjectSchema
from salesforce_sync.workbook.cells import Cell
from salesforce_sync.workbook.describing import TEXT_FORMAT, DropDown, comment, drop_down, number_format
from salesforce_sync.workbook.incoming import column_letters
from salesforce_sync.workbook.layout import DATA_ROWS, LISTS, METADATA, Access, Column, Role, access
from salesforce_sync.workbook.palette import Key, Palette, style_numbers
from salesforce_sync.workbook.rows import Look, text_body

if TYPE_CHECKING:
    from xlsxwriter import Workbook
    from xlsxwriter.worksheet import Worksheet

FROZEN_COLUMNS: Final = 3
"""`Change`, `Status` and `Id` stay in sight."""

ROWS_TO_COME: Final = 5_000
"""Rows below the last that have drop-downs. Not all to the sheet's end: exceljs holds each of these cells by its
address, and did not come to the end of a workbook of some columns in ten minutes."""

HEADER_HEIGHT: Final = 32
"""Points: two lines."""

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
    """One sheet's XML before and behind its rows (`part` is its name in the package), and the look of each column.

    `beside`: its other parts, with their names.
    """

    part: str
    before: bytes
    after: bytes
    looks: tuple[Look, ...]
    beside: tuple[tuple[str, bytes], ...]


class Skeleton:
    """The workbook with all but the rows of the objects' sheets."""

    def __init__(self, sheets: Sequence[Sheet], metadata: Sequence[Sequence[Cell]], made_at: datetime) -> None:
        self._sheets = sheets
        self._lists = _lists(sheets)
        self._cover = zipfile.ZipFile(_cover(sheets, self._lists, metadata, made_at))

    def parts(self) -> Iterator[tuple[str, bytes]]:
        """Every part of the package that is not of an object's sheet, with its name."""
        made = {name for number in range(1, len(self._sheets) + 1) for name in _part_names(number)}
        for name in self._cover.namelist():
            if name not in made:
                yield name, self._cover.read(name)

    def frames(self) -> Iterator[Frame]:
        """The frames of the objects' sheets in their order."""
        blocks = 0
        for number, sheet in enumerate(self._sheets, 1):
            yield _frame(number, sheet, self._lists, blocks)
            blocks += _blocks(sheet)


def _part_names(number: int) -> tuple[str, str, str]:
    """The parts of a sheet as XlsxWriter calls them where every sheet has comments: cells, comments, their boxes."""
    return f"xl/worksheets/sheet{number}.xml", f"xl/comments{number}.xml", f"xl/drawings/vmlDrawing{number}.vml"


# ── a sheet's frame ──────────────────────────────────────────────────────────────────────────────────────────────

_DIMENSION = re.compile(rb'<dimension ref="[^"]*"/>')
_PALETTE_PART, _PAGE_PART = "xl/worksheets/sheet1.xml", "xl/worksheets/sheet2.xml"


def _frame(number: int, sheet: Sheet, lists: Mapping[tuple[str, ...], str], blocks: int) -> Frame:
    made = zipfile.ZipFile(_alone(number, sheet, lists))
    styles = style_numbers(made.read(_PALETTE_PART))
    part, *beside = _part_names(number)
    comments, boxes = map(made.read, _part_names(1)[1:])
    others = tuple(zip(beside, (comments, _boxes(boxes, blocks, _blocks(sheet))), strict=True))
    looks = tuple(_look(sheet.schema, column, place, styles) for place, column in enumerate(sheet.columns))
    before, _, rest = made.read(_PAGE_PART).partition(b"<sheetData>")
    after = rest.partition(b"</sheetData>")[2]
    dimension = f'<dimension ref="A1:{looks[-1].letters}{sheet.rows + 1}"/>'.encode()
    before = _DIMENSION.sub(dimension, before, count=1) + b"<sheetData>" + _header(sheet, looks, styles)
    return Frame(part, before, b"</sheetData>" + after, looks, others)


_BLOCK: Final = 1024
"""The boxes of the comments are numbered through the whole workbook, and each sheet begins a new block of numbers."""

_BOX = re.compile(rb"(?<=_x0000_s)\d+")
_BLOCKS_USED = re.compile(rb'(?<=data=")1[\d,]*')


def _blocks(sheet: Sheet) -> int:
    return len(sheet.columns) // _BLOCK + 1


def _boxes(vml: bytes, before: int, used: int) -> bytes:
    """The same with the numbers that follow those of the sheets before, which use so many blocks."""
    listed = b",".join(b"%d" % (before + at) for at in range(1, used + 1))
    numbered = _BOX.sub(lambda found: b"%d" % (int(found[0]) + before * _BLOCK), vml)
    return _BLOCKS_USED.sub(listed, numbered, count=1)


def _look(schema: ObjectSchema, column: Column, place: int, styles: Mapping[Key, str]) -> Look:
    allowed = _allowed(schema, column)
    locked = allowed in (Access.CREATE, Access.NEVER)
    # An empty cell in a row that is there may be unlike the empty column below.
    fills = allowed in (Access.CREATE, Access.UPDATE)
    letters = column_letters(place)
    return Look(letters, styles[_shown(column), locked], styles[TEXT_FORMAT, locked], styles[TEXT_FORMAT, True], fills)


def _header(sheet: Sheet, looks: Sequence[Look], styles: Mapping[Key, str]) -> bytes:
    cells = [
        f'<c r="{look.letters}1" s="{styles[_kind(sheet.schema, column)]}" {text_body(column.header)}'
        for look, column in zip(looks, sheet.columns, strict=True)
    ]
    return f'<row r="1" ht="{HEADER_HEIGHT}" customHeight="1">{"".join(cells)}</row>'.encode()


def _shown(column: Column) -> str:
    return number_format(column.field if column.role is Role.FIELD else None)


def _kind(schema: ObjectSchema, column: Column) -> str:
    """Which kind of header the column has."""
    if column.field is None:
        return "own"
    if column.role is Role.FIELD and column.field.required:
        return "required"
    return "locked" if _allowed(schema, column) is Access.NEVER else "open"


def _allowed(schema: ObjectSchema, column: Column) -> Access:
    if column.role is Role.CHANGE:
        return Access.ALWAYS
    return access(schema, column.field) if column.field and column.role is Role.FIELD else Access.NEVER


# ── XlsxWriter's part ────────────────────────────────────────────────────────────────────────────────────────────


def _lists(sheets: Sequence[Sheet]) -> dict[tuple[str, ...], str]:
    """The picklists that are too long for a cell's own drop-down, and where each stands on the hidden sheet."""
    offered = (drop_down(each) for sheet in sheets for each in sheet.columns if _is_open(sheet.schema, each))
    long = dict.fromkeys(each.values for each in offered if each is not None and not each.fits_the_cell)
    letters = map(column_letters, range(len(long)))
    return {each: f"={LISTS}!${at}$1:${at}${len(each)}" for each, at in zip(long, letters, strict=False)}


def _is_open(schema: ObjectSchema, column: Column) -> bool:
    """Whether there are rows in which the column can be filled in."""
    return _allowed(schema, column) is not Access.NEVER


def _new_book() -> tuple[io.BytesIO, Workbook, Palette]:
    from xlsxwriter import Workbook  # takes 60 ms, and only this needs it

    package = io.BytesIO()
    book = Workbook(package, {"in_memory": True, "strings_to_urls": False})
    return package, book, Palette(book)


def _close(book: Workbook) -> None:
    """Pack it, and let go of its sheets: they refer to it, and would stay until Python looks for such circles."""
    book.close()
    book.worksheets().clear()
    book.sheetnames.clear()


def _alone(number: int, sheet: Sheet, lists: Mapping[tuple[str, ...], str]) -> io.BytesIO:
    """A workbook of this one sheet, without any cell, behind one that shows the formats."""
    package, book, palette = _new_book()
    palette.show(book.add_worksheet())
    page = book.add_worksheet(sheet.name)
    if number == 1:
        page.activate()
    page.freeze_panes(1, FROZEN_COLUMNS)
    page.set_landscape()
    page.autofilter(0, 0, max(sheet.rows, 1), len(sheet.columns) - 1)
    page.protect("", dict.fromkeys(_CAN, True))
    page.ignore_errors({"number_stored_as_text": f"A1:XFD{DATA_ROWS + 1}"})
    for place, column in enumerate(sheet.columns):
        _add_column(page, palette, place, column, sheet)
        offered = drop_down(column) if _is_open(sheet.schema, column) else None
        if offered is not None:
            _add_drop_down(page, place, offered, lists, min(sheet.rows + ROWS_TO_COME, DATA_ROWS))
    _close(book)
    return package


def _add_column(page: Worksheet, palette: Palette, place: int, column: Column, sheet: Sheet) -> None:
    allowed = _allowed(sheet.schema, column)
    below = palette.cell(_shown(column), locked=allowed in (Access.UPDATE, Access.NEVER))
    page.set_column(place, place, sheet.widths[place], below, {"hidden": column.role is Role.ROW})
    told = comment(column, allowed)
    page.write_comment(0, place, told, {"author": "", "width": 270, "height": 24 + 18 * (told.count("\n") + 1)})


def _add_drop_down(
    page: Worksheet, place: int, offered: DropDown, lists: Mapping[tuple[str, ...], str], rows: int
) -> None:
    source = list(offered.values) if offered.fits_the_cell else lists[offered.values]
    rule: dict[str, Any] = {"validate": "list", "source": source, "ignore_blank": True}
    if offered.strict:
        title, message = "Not in the list", "This value is not one that the field offers."
        rule |= {"error_type": offered.strict, "error_title": title, "error_message": message}
    else:
        rule["show_error"] = False
    page.data_validation(1, place, rows, place, rule)


def _cover(
    sheets: Sequence[Sheet],
    lists: Mapping[tuple[str, ...], str],
    metadata: Sequence[Sequence[Cell]],
    made_at: datetime,
) -> io.BytesIO:
    """The workbook with its objects' sheets empty, but for what other parts of the package tell of them."""
    package, book, palette = _new_book()
    book.set_properties({"title": "Salesforce data", "created": made_at.replace(tzinfo=None)})
    for number, sheet in enumerate(sheets, 1):
        page = book.add_worksheet(sheet.name)
        if number == 1:
            palette.show(page)
        page.repeat_rows(0)
        page.autofilter(0, 0, max(sheet.rows, 1), len(sheet.columns) - 1)
        page.write_comment(0, 0, "")
    if lists:
        _add_lists(book.add_worksheet(LISTS), palette, lists)
    _add_metadata(book.add_worksheet(METADATA), palette, metadata)
    _close(book)
    return package


def _add_lists(page: Worksheet, palette: Palette, lists: Mapping[tuple[str, ...], str]) -> None:
    page.hide()
    page.protect()
    shown = palette.cell(TEXT_FORMAT, locked=True)
    for place, values in enumerate(lists):
        for row, value in enumerate(values):
            page.write_string(row, place, value, shown)


def _add_metadata(page: Worksheet, palette: Palette, rows: Sequence[Sequence[Cell]]) -> None:
    page.freeze_panes(1, 1)
    page.protect("", dict.fromkeys(_CAN, True))
    for place, size in enumerate(_METADATA_WIDTHS):
        page.set_column(place, place, size)
    head = palette.header("own")
    for row, cells in enumerate(rows):
        for place, cell in enumerate(cells):
            shown = head if row == 0 else None
            if isinstance(cell, str):
                page.write_string(row, place, cell, shown)
            elif cell is not None:
                page.write_number(row, place, cell, shown)


_METADATA_WIDTHS: Final = (28, 14, 22, 60, 28, 26, 60, 40, 40)
