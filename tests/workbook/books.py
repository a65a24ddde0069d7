"""A replica with every type and nasty value, its workbook, and people who edit that."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import openpyxl
from openpyxl.worksheet.worksheet import Worksheet

from salesforce_sync.ports import Store
from salesforce_sync.testing import make_field, make_schema
from salesforce_sync.workbook.export import Exported, Facts, export
from salesforce_sync.workbook.export import Wanted as ToExport
from salesforce_sync.workbook.importing import Preview, Wanted, preview
from tests.contract.nasty import NASTY, TEXTS
from tests.contract.stores import NOON, id_of, pull

ORG = "00D000000000001EAA"
NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)

COLOURS = [{"value": "red"}, {"value": "blue", "active": False}, {"value": "green"}]

NASTY_SCHEMA = make_schema(
    "Nasty__c",
    make_field("Name", length=255, nillable=False),
    make_field("Parent__c", "reference", referenceTo=["Nasty__c"], relationshipName="Parent__r"),
    make_field("Picked__c", "picklist", length=40, restrictedPicklist=True, picklistValues=COLOURS),
    make_field("Several__c", "multipicklist", length=400, restrictedPicklist=True, picklistValues=COLOURS),
    make_field("Free__c", "picklist", length=40, picklistValues=COLOURS),
    make_field("Formula__c", "string", createable=False, updateable=False, calculated=True),
    make_field("Once__c", "string", updateable=False, length=20),
    make_field("Number__c", "double", precision=18, scale=6),
    Text__c="string",
    Long__c="textarea",
    Count__c="int",
    Price__c="currency",
    Yes__c="boolean",
    Day__c="date",
    Moment__c="datetime",
    Clock__c="time",
)


def fill_nasty(store: Store) -> int:
    """Rows with every nasty value of every type, and a text that no cell can hold; gives how many rows there are."""
    longest = max(map(len, NASTY.values()))
    rows = [_nasty_row(at) for at in range(longest)]
    rows.append(_row(longest, Name="whole", Long__c="x" * 40_000 + "\n👍"))
    store.adopt(NASTY_SCHEMA)
    pull(store, *rows, schema=NASTY_SCHEMA)
    return len(rows)


def _nasty_row(at: int) -> tuple[object, ...]:
    def rest(kind: str) -> Any:
        return NASTY[kind][at % len(NASTY[kind])].rest

    return _row(
        at,
        Name=f"Row {at}",
        Parent__c=None if at == 0 else id_of(at // 2),
        Picked__c=("red", "blue", None)[at % 3],
        Several__c=("red;blue", "green", None)[at % 3],
        Free__c=rest("string")[:40] if rest("string") else None,
        Formula__c=TEXTS[at % len(TEXTS)],
        Once__c=("00123", "=1+1", "1e5")[at % 3],
        Number__c=rest("double"),
        Text__c=rest("string"),
        Long__c=TEXTS[-1 - at % len(TEXTS)],
        Count__c=rest("int"),
        Price__c=rest("double"),
        Yes__c=rest("boolean"),
        Day__c=rest("date"),
        Moment__c=rest("datetime"),
        Clock__c=rest("time"),
    )


def _row(at: int, **values: object) -> tuple[object, ...]:
    system = {
        "Id": id_of(at),
        "IsDeleted": False,
        "CreatedDate": NOON,
        "LastModifiedDate": NOON,
        "SystemModstamp": NOON,
    }
    known = system | values
    return tuple(known.get(field.name) for field in NASTY_SCHEMA.columns)


# ── out and back ─────────────────────────────────────────────────────────────────────────────────────────────────


def export_to(
    store: Store, path: Path, *objects: str, rows_a_sheet: int | None = None, org_id: str = ORG, now: datetime = NOW
) -> Exported:
    """The workbook of these objects, or of all."""
    wanted = ToExport(objects) if rows_a_sheet is None else ToExport(objects, rows_a_sheet=rows_a_sheet)
    with path.open("wb+") as out:
        return export(store, wanted, Facts(org_id, "58.0", now), out, lambda *_: None)


def preview_of(store: Store, path: Path, **more: Any) -> Preview:
    """What an import of it would do."""
    return preview(store, path, Wanted(path.parent, more.pop("org_id", ORG), **more))


def edit(path: Path, change: Callable[[Worksheet], object], sheet: str) -> None:
    """Open the workbook as a person would, change one sheet, and save it."""
    book = openpyxl.load_workbook(path)
    change(book[sheet])
    book.save(path)


def column(sheet: Worksheet, header: str) -> int:
    """The number of the column under this header, from 1; a field's mark of being required is no part of it."""
    for cell in sheet[1]:
        if str(cell.value or "").removesuffix(" *") == header:
            return int(cell.column)
    raise AssertionError(f"no column {header!r} in {[cell.value for cell in sheet[1]]}")


def put(sheet: Worksheet, row: int, **values: object) -> None:
    """Write these values under their headers into a row."""
    for header, value in values.items():
        sheet.cell(row, column(sheet, header)).value = value


def row_of(sheet: Worksheet, record_id: str) -> int:
    """The row of a record."""
    at = column(sheet, "Id")
    return next(row for row in range(2, sheet.max_row + 1) if sheet.cell(row, at).value == record_id)


_OPEN_FORMULA = re.compile(rb'<c r="(\w+)"([^>]*)><f>(.*?)</f><v(?: ?/|></v)></c>')


def work_out(path: Path, value: str) -> None:
    """Give the formulas of the workbook this value, as a spreadsheet program would that has worked them out."""
    with zipfile.ZipFile(path) as package:
        parts = {name: package.read(name) for name in package.namelist()}
    worked = rb'<c r="\1"\2 t="str"><f>\3</f><v>' + value.encode() + b"</v></c>"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as package:
        for name, body in parts.items():
            package.writestr(name, _OPEN_FORMULA.sub(worked, body))


# ── LibreOffice ──────────────────────────────────────────────────────────────────────────────────────────────────

OFFICE = shutil.which("soffice")
_LOCALE = """<?xml version="1.0" encoding="UTF-8"?>
<oor:items xmlns:oor="http://openoffice.org/2001/registry">
<item oor:path="/org.openoffice.Setup/L10N"><prop oor:name="ooSetupSystemLocale"><value>{locale}</value></prop></item>
</oor:items>
"""


def save_in_libreoffice(path: Path, folder: Path, locale: str) -> Path:
    """Open the workbook in LibreOffice, in this locale, and save it as .xlsx."""
    assert OFFICE is not None
    profile = folder / f"profile-{locale}"
    (profile / "user").mkdir(parents=True)
    (profile / "user" / "registrymodifications.xcu").write_text(_LOCALE.format(locale=locale), "utf-8")
    out = folder / f"saved-{locale}"
    command = [
        OFFICE,
        "--headless",
        f"-env:UserInstallation=file://{profile}",
        "--convert-to",
        "xlsx:Calc MS Excel 2007 XML",
    ]
    surroundings = os.environ | {"HOME": str(folder)}
    subprocess.run([*command, "--outdir", out, path], check=True, capture_output=True, timeout=240, env=surroundings)
    return out / path.name
