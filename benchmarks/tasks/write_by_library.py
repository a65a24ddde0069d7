"""Writes the same sheet cell by cell: xlsxwriter (constant memory) | openpyxl (write-only), FOLDER FILE.

With all that ours has: header with comments, styles, filter, frozen panes, protection, drop-downs.
"""

import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import apsw

from benchmarks.wide import CREATE_ONLY, OBJECT, PICKLISTS, READ_ONLY, WIDE

LIBRARY, DATABASE, FILE = sys.argv[1], Path(sys.argv[2]) / "replica.db", sys.argv[3]
HEADERS = ("Change", "Status", *(column.name for column in WIDE), "_Row")
LISTED = ", ".join(f'"{column.name}"' for column in WIDE)
ROWS = 1_048_576
FORMATS = {"date": "yyyy-mm-dd", "datetime": "yyyy-mm-dd hh:mm:ss", "currency": "#,##0.00", "double": "#,##0.00"}
LISTS = {"Lists": PICKLISTS["LeadSource"]}


def plain(name: str) -> str:
    return name.removesuffix("_2__c")


def is_locked(name: str) -> bool:
    return plain(name) in READ_ONLY | CREATE_ONLY | {"SystemModstamp"}


def values() -> Iterator[tuple[Any, ...]]:
    """A row's stored values, and its last cell."""
    for row in apsw.Connection(str(DATABASE)).execute(f'SELECT {LISTED} FROM "{OBJECT}"'):
        yield *row, f"{row[26]}|0123456789abcdef"


def by_xlsxwriter() -> None:
    from xlsxwriter import Workbook

    book = Workbook(FILE, {"constant_memory": True, "strings_to_urls": False})
    page = book.add_worksheet(OBJECT)
    lists = book.add_worksheet("_Lists")
    for at, value in enumerate(PICKLISTS["LeadSource"]):
        lists.write_string(at, 0, value)
    lists.hide()
    head = book.add_format({"bold": True, "bg_color": "#1F4E79", "font_color": "#FFFFFF", "text_wrap": True})
    styles = [
        book.add_format({"num_format": FORMATS.get(each.type, "@"), "locked": is_locked(each.name)}) for each in WIDE
    ]
    page.freeze_panes(1, 3)
    page.protect("", {"sort": True, "autofilter": True, "insert_rows": True})
    for at, name in enumerate(HEADERS):
        page.set_column(at, at, 20)
        page.write_string(0, at, name, head)
        page.write_comment(0, at, name)
    for at, column in enumerate(WIDE, 2):
        if plain(column.name) in PICKLISTS:
            inline = list(PICKLISTS["Salutation"])
            source = inline if plain(column.name) == "Salutation" else "=_Lists!$A$1:$A$40"
            page.data_validation(1, at, ROWS - 1, at, {"validate": "list", "source": source})
        elif column.type == "boolean" and not is_locked(column.name):
            page.data_validation(1, at, ROWS - 1, at, {"validate": "list", "source": ["TRUE", "FALSE"]})
    number = 0
    for number, row in enumerate(values(), 1):
        for at, (column, value) in enumerate(zip(WIDE, row[:-1], strict=True), 2):
            style = styles[at - 2]
            if value is None:
                if is_locked(column.name):
                    page.write_blank(number, at, None, style)
            elif column.type == "boolean":
                page.write_boolean(number, at, bool(value), style)
            elif column.type in ("date", "datetime"):
                moment = datetime.fromisoformat(value).replace(tzinfo=None)
                page.write_datetime(number, at, moment, style)
            elif isinstance(value, str):
                page.write_string(number, at, value, style)
            else:
                page.write_number(number, at, value, style)
        page.write_string(number, len(WIDE) + 2, row[-1])
    page.autofilter(0, 0, number, len(HEADERS) - 1)
    book.close()


def by_openpyxl() -> None:
    from openpyxl import Workbook
    from openpyxl.cell import WriteOnlyCell
    from openpyxl.comments import Comment
    from openpyxl.styles import Protection
    from openpyxl.utils import get_column_letter
    from openpyxl.worksheet.datavalidation import DataValidation

    book = Workbook(write_only=True)
    page = book.create_sheet(OBJECT)
    styles = []
    for each in WIDE:
        pattern = WriteOnlyCell(page)
        pattern.number_format = FORMATS.get(each.type, "@")
        pattern.protection = Protection(locked=is_locked(each.name))
        styles.append(pattern._style)  # setting a cell's style by its parts takes three times as long as all the rest
    page.freeze_panes = "D2"
    page.protection.sheet = True
    for at, column in enumerate(WIDE, 3):
        values_of = PICKLISTS["Salutation"] if plain(column.name) in PICKLISTS else ("TRUE", "FALSE")
        if plain(column.name) in PICKLISTS or column.type == "boolean":
            letters = get_column_letter(at)
            rule = DataValidation("list", formula1=f'"{",".join(values_of)}"')
            rule.add(f"{letters}2:{letters}{ROWS}")
            page.data_validations.append(rule)
    head = []
    for name in HEADERS:
        cell = WriteOnlyCell(page, name)
        cell.comment = Comment(name, "")
        head.append(cell)
    page.append(head)
    styled = list(zip(WIDE, styles, strict=True))
    for row in values():
        cells: list[Any] = [None, None]
        for (column, style), value in zip(styled, row[:-1], strict=True):
            if value is None and not is_locked(column.name):
                cells.append(None)
                continue
            if column.type == "boolean":
                value = bool(value)
            elif column.type in ("date", "datetime") and value is not None:
                value = datetime.fromisoformat(value).replace(tzinfo=None)
            cell = WriteOnlyCell(page, value)
            if isinstance(value, str):
                cell.data_type = "s"
            cell._style = style
            cells.append(cell)
        page.append([*cells, row[-1]])
    book.save(FILE)


{"xlsxwriter": by_xlsxwriter, "openpyxl": by_openpyxl}[LIBRARY]()
