"""Looks at every cell of a workbook's first sheet: ours | openpyxl | calamine, FILE. Tells how many have a value."""

import json
import sys
from pathlib import Path

who, file = sys.argv[1], Path(sys.argv[2])


def ours() -> int:
    from salesforce_sync.workbook.reader import WorkbookReader

    with WorkbookReader(file) as book:
        return sum(len(cells) for _, cells in book.rows(book.sheets[0]))


def openpyxl() -> int:
    from openpyxl import load_workbook

    sheet = load_workbook(file, read_only=True).worksheets[0]
    return sum(1 for row in sheet.iter_rows(values_only=True) for value in row if value is not None)


def calamine() -> int:
    from python_calamine import CalamineWorkbook

    sheet = CalamineWorkbook.from_path(str(file)).get_sheet_by_index(0)
    return sum(1 for row in sheet.iter_rows() for value in row if value != "")


print(json.dumps({"cells": {"ours": ours, "openpyxl": openpyxl, "calamine": calamine}[who]()}))
