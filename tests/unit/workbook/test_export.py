"""The whole workbook, as other programs' readers find it: openpyxl and calamine."""

import io
import os
import re
import zipfile
from datetime import UTC, datetime, time

import openpyxl
import pytest
import python_calamine

from salesforce_sync.errors import DiskFull, NotSynced, StoreBusy
from salesforce_sync.models.run import Problem, RunRecord, RunState
from salesforce_sync.storage.private_files import new_private
from salesforce_sync.testing import MemoryStore, make_field, make_schema
from salesforce_sync.workbook.cells import canonical, row_mark
from salesforce_sync.workbook.describing import comment, number_format, width
from salesforce_sync.workbook.export import Facts, Wanted, export
from salesforce_sync.workbook.layout import Access, Column, Role, read_metadata
from salesforce_sync.workbook.skeleton import ROWS_TO_COME
from tests.contract.nasty import TEXTS
from tests.contract.stores import NOON, id_of, pull

NOW = datetime(2026, 11, 26, 14, 30, tzinfo=UTC)
FACTS = Facts("00D000000000001AAA", "58.0", NOW)
LONG_LIST = tuple(f"A rather long value, number {at}" for at in range(30))


def picklist(*values, inactive=()):
    return [{"value": each, "active": each not in inactive} for each in (*values, *inactive)]


ACCOUNT = make_schema("Account", Name="string")
WIDGET = make_schema(
    "Widget__c",
    make_field("Name", "string", label="Widget Name", nillable=False, nameField=True),
    make_field("Account__c", "reference", label="Account", referenceTo=["Account", "Lead"]),
    make_field("Owner__c", "reference", label="Owner ID", referenceTo=["User"]),
    make_field("Once__c", "string", label="Only once", updateable=False),
    make_field("Sum__c", "currency", label="Sum", createable=False, updateable=False, precision=18, scale=2),
    make_field(
        "Status", "picklist", picklistValues=picklist("Open", "Done", inactive=["Old"]), restrictedPicklist=True
    ),
    make_field("Long__c", "picklist", picklistValues=picklist(*LONG_LIST)),
    make_field("Tags__c", "multipicklist", picklistValues=picklist("A", "B")),
    make_field("Active__c", "boolean", label="Active", nillable=False, defaultedOnCreate=True),
    make_field("Count__c", "int"),
    make_field("Price__c", "currency", precision=18, scale=2),
    make_field("Day__c", "date"),
    make_field("At__c", "datetime"),
    make_field("Hour__c", "time"),
    make_field("Notes__c", "textarea", length=131_072),
)
AT = "2024-01-15T12:00:00.000Z"
ROW = {
    "Name": "Bolt",
    "Account__c": id_of(7),
    "Once__c": "00123",
    "Sum__c": 12.5,
    "Status": "Old",
    "Tags__c": "A;B",
    "Active__c": True,
    "Count__c": 5,
    "Price__c": "1234567890123456.78",
    "Day__c": "2024-02-29",
    "At__c": "2024-01-15T10:30:00.250+0000",
    "Hour__c": "10:15:00.000Z",
    "Notes__c": "=1+1",
}


def widget(number, **values):
    system = {"Id": id_of(number), "IsDeleted": False} | dict.fromkeys(
        ("CreatedDate", "LastModifiedDate", "SystemModstamp"), NOON
    )
    return tuple({**system, **ROW, **values}.get(each.name) for each in WIDGET.columns)


@pytest.fixture
def store():
    made = MemoryStore()
    for schema in (ACCOUNT, WIDGET):
        made.adopt(schema)
    pull(made, (id_of(7), False, NOON, NOON, NOON, "Acme & Söhne"), schema=ACCOUNT)
    return made


def written(store, *objects, told=lambda *told: None, **wanted):
    out = io.BytesIO()
    exported = export(store, Wanted(objects, **wanted), FACTS, out, told)
    out.seek(0)
    return exported, out


def opened(store, *rows):
    pull(store, *rows, schema=WIDGET)
    return openpyxl.load_workbook(written(store)[1])


def columns_by_header(sheet):
    return {cell.value: cell.column_letter for cell in sheet[1]}


def cell_of(sheet, header, row=2):
    return sheet[f"{columns_by_header(sheet)[header]}{row}"]


# ── cells ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_values_are_what_a_person_expects_in_a_spreadsheet(store):
    sheet = opened(store, widget(1))["Widget__c"]
    shown = {header: cell_of(sheet, header).value for header in columns_by_header(sheet)}

    assert shown["Widget Name *"] == "Bolt"
    assert (shown["Account"], shown["Account: Name"]) == (id_of(7), "Acme & Söhne")
    assert shown["Only once"] == "00123"
    assert (shown["Sum"], shown["Count__c"], shown["Active"]) == (12.5, 5, True)
    assert shown["Price__c"] == "1234567890123456.78"
    assert shown["Day__c"] == datetime(2024, 2, 29)
    assert shown["At__c"] == datetime(2024, 1, 15, 10, 30, 0, 250_000)
    assert shown["Hour__c"] == time(10, 15)
    assert shown["Notes__c"] == "=1+1"
    assert cell_of(sheet, "Notes__c").data_type == "s"
    assert (shown["Change"], shown["Status"], shown["Status (Status)"]) == (None, None, "Old")


def test_calamine_reads_the_same(store):
    pull(store, widget(1), schema=WIDGET)
    out = written(store)[1]

    rows = python_calamine.CalamineWorkbook.from_filelike(out).get_sheet_by_name("Widget__c").to_python()

    shown = dict(zip(*rows, strict=True))
    assert (shown["Widget Name *"], shown["Sum"], shown["Active"]) == ("Bolt", 12.5, True)
    assert shown["At__c"] == datetime(2024, 1, 15, 10, 30, 0, 250_000)


def test_nasty_texts_arrive_unbent(store):
    texts = [each for each in TEXTS if len(each) < 1000 and not re.search("[\0-\x08\x0b-\x1f\ufffe\uffff]", each)]
    sheet = opened(store, *(widget(at, Notes__c=text) for at, text in enumerate(texts)))["Widget__c"]
    place = columns_by_header(sheet)["Notes__c"]

    assert [cell.value for cell in sheet[place][1:]] == texts


def test_no_cell_is_a_formula_or_a_link(store):
    pull(store, widget(1, Notes__c="=HYPERLINK(1)", Name="https://example.com"), schema=WIDGET)

    with zipfile.ZipFile(written(store)[1]) as package:
        sheets = [package.read(name) for name in package.namelist() if "worksheets/sheet" in name]

    assert all(b"<f>" not in sheet and b"<hyperlink" not in sheet for sheet in sheets)
    assert len(sheets) == 4


def test_a_row_ends_with_its_stamp_and_the_hash_of_its_values(store):
    sheet = opened(store, widget(1))["Widget__c"]
    stored = store.rows("Widget__c", [id_of(1)])[id_of(1)]

    plain = [canonical(each.type, value) for each, value in zip(WIDGET.columns, stored, strict=True)]
    names = [cell_of(sheet, header).value for header in columns_by_header(sheet) if header.endswith(": Name")]
    assert len(names) == 1
    assert cell_of(sheet, "_Row").value == row_mark(AT, plain, names)
    assert sheet.column_dimensions[columns_by_header(sheet)["_Row"]].hidden


# ── what a person may do ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("header", "in_a_row", "below"),
    [
        ("Change", False, False),
        ("Status", True, True),
        ("Id", True, False),
        ("Widget Name *", False, False),
        ("Account: Name", True, True),
        ("Only once", True, False),
        ("Sum", True, True),
        ("_Row", True, True),
    ],
)
def test_what_cannot_be_edited_is_locked_and_grey_and_a_new_row_can_be_filled_in(store, header, in_a_row, below):
    sheet = opened(store, widget(1), widget(2, Once__c=None))["Widget__c"]
    letters = columns_by_header(sheet)[header]
    column = sheet.column_dimensions[letters]

    for row in (2, 3):
        cell = sheet[f"{letters}{row}"]
        here = cell if cell.has_style else column
        assert here.protection.locked is in_a_row
        assert (here.fill.fgColor.rgb == "FFF1F3F5") is in_a_row
    assert column.protection.locked is below
    assert (column.fill.fgColor.rgb == "FFF1F3F5") is below


def test_cells_show_what_they_hold_in_every_program(store):
    sheet = opened(store, widget(1))["Widget__c"]

    # LibreOffice shows a boolean as 1 or 0 in all rows but the first, unless its format says otherwise.
    assert cell_of(sheet, "Active").number_format == '"TRUE";"TRUE";"FALSE"'
    assert {cell.alignment.vertical for cell in sheet[2] if cell.value is not None} == {"top"}


def test_a_column_is_as_wide_as_its_widest_number():
    price = Column(Role.FIELD, "Price", WIDGET.field("Price__c"))

    assert width(price, [1, 2, *[5] * 50, 123_456_789_012.5]) == len("123,456,789,012.50") + 2


def test_no_word_of_a_header_is_broken():
    named = Column(Role.FIELD, "Widerrufsbelehrung am", WIDGET.field("Name"))

    assert width(named, ["x"]) > len("Widerrufsbelehrung")


def test_a_text_among_numbers_stays_one_when_it_is_edited(store):
    sheet = opened(store, widget(1), widget(2, Price__c=2.5))["Widget__c"]

    assert cell_of(sheet, "Price__c", 2).number_format == "@"
    assert cell_of(sheet, "Price__c", 3).number_format == "#,##0.00"


def test_a_percent_field_is_told_as_one_and_takes_the_format_of_what_is_typed():
    column = Column(Role.FIELD, "Share", make_schema("T", make_field("Share__c", "percent", scale=2)).field("Share__c"))

    assert number_format(column.field) == "General"
    assert "50 is 50 %." in comment(column, Access.ALWAYS)


def test_the_sheet_is_protected_frozen_and_filtered(store):
    sheet = opened(store, widget(1), widget(2))["Widget__c"]
    can = sheet.protection

    assert can.sheet and not can.password
    assert not any(
        (can.insertRows, can.sort, can.autoFilter, can.formatColumns, can.formatCells)
    )  # False: not forbidden
    assert sheet.freeze_panes == "D2"
    assert sheet.auto_filter.ref == sheet.dimensions == f"A1:{columns_by_header(sheet)['_Row']}3"


def validations(sheet):
    found = {}
    for each in sheet.data_validations.dataValidation:
        letters, last = re.fullmatch(r"([A-Z]+)2:\1(\d+)", str(each.sqref)).groups()
        assert (each.type, int(last)) == ("list", sheet.max_row + ROWS_TO_COME)
        found[letters] = each
    return {header: found[letters] for header, letters in columns_by_header(sheet).items() if letters in found}


def test_fields_with_values_to_choose_from_have_drop_downs(store):
    book = opened(store, widget(1))
    found = validations(book["Widget__c"])

    assert set(found) == {"Change", "Active", "Status (Status)", "Long__c"}
    assert found["Active"].formula1 == '"TRUE,FALSE"'
    assert found["Change"].formula1 == '"delete,new,skip"'
    assert (found["Status (Status)"].formula1, found["Status (Status)"].errorStyle) == ('"Open,Done"', None)
    assert (found["Long__c"].formula1, found["Long__c"].errorStyle) == ("_Lists!$A$1:$A$30", "warning")
    assert tuple(cell.value for cell in book["_Lists"]["A"]) == LONG_LIST
    assert book["_Lists"].sheet_state == "hidden"


def test_the_header_says_what_a_field_is(store):
    sheet = opened(store, widget(1))["Widget__c"]
    told = {cell.value: cell.comment.text for cell in sheet[1]}

    assert told["Widget Name *"].splitlines()[0] == "Name"
    assert "Required." in told["Widget Name *"]
    assert told["Account"].splitlines()[:2] == ["Account__c", "reference to Account, Lead"]
    assert "Read-only." in told["Sum"]
    assert "Can only be filled in for a new row." in told["Only once"]
    assert "UTC" in told["At__c"]
    required, plain = (cell_of(sheet, header, 1).fill.fgColor.rgb for header in ("Widget Name *", "Only once"))
    assert required != plain


def test_a_text_that_is_too_long_for_a_cell_is_cut_locked_and_told(store):
    pull(store, widget(1, Notes__c="x" * 40_000), widget(2, Notes__c="y" * 32_767), schema=WIDGET)

    exported, out = written(store)

    sheet = openpyxl.load_workbook(out)["Widget__c"]
    assert exported.cut_count == 1
    assert [(each.record_id, each.field) for each in exported.cut] == [(id_of(1), "Notes__c")]
    assert cell_of(sheet, "Notes__c", 2).protection.locked
    assert cell_of(sheet, "Notes__c", 2).value.endswith("40,000 characters]")
    assert not cell_of(sheet, "Notes__c", 3).protection.locked


# ── sheets ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_metadata_tells_every_object_and_is_the_last_sheet(store):
    ended = RunRecord("r", "Account", RunState.COMPLETE, NOW, NOW)
    store.record_run(ended)
    pull(store, widget(1), widget(2), schema=WIDGET)
    exported, out = written(store)
    book = openpyxl.load_workbook(out)

    rows = list(book["_Metadata"].iter_rows(values_only=True))
    told = read_metadata(rows)

    assert book.sheetnames == ["Account", "Widget__c", "_Lists", "_Metadata"]
    assert rows[0][:4] == ("Object Name", "Record Count", "Last Synced", "Fields List")
    assert [(each.object_name, each.record_count, each.sheets) for each in told.entries] == [
        ("Account", 1, ("Account",)),
        ("Widget__c", 2, ("Widget__c",)),
    ]
    assert told.entries[0].last_synced == "2026-11-26T14:30:00Z"
    assert told.entries[1].base_stamp == AT
    assert told.entries[1].fields == tuple(each.name for each in WIDGET.columns)
    headers = [cell.value for cell in book["Widget__c"][1]]
    assert set(told.entries[1].headers) <= set(headers)
    assert (told.export_id, told.org_id, told.api_version) == (exported.export_id, FACTS.org_id, "58.0")


def test_more_rows_than_a_sheet_holds_go_on_in_another(store):
    pull(store, *(widget(at) for at in range(7)), schema=WIDGET)

    exported, out = written(store, rows_a_sheet=3)

    book = openpyxl.load_workbook(out)
    assert exported.sheets["Widget__c"] == ("Widget__c", "Widget__c (2)", "Widget__c (3)")
    assert [book[name].max_row - 1 for name in exported.sheets["Widget__c"]] == [3, 3, 1]
    ids = [cell.value for name in exported.sheets["Widget__c"] for cell in book[name]["C"][1:]]
    assert ids == [id_of(at) for at in range(7)]
    assert book["Widget__c (3)"].auto_filter.ref.endswith("2")


def test_an_object_without_rows_has_a_sheet_that_can_be_filled_in(store):
    book = openpyxl.load_workbook(written(store)[1])

    assert book["Widget__c"].max_row == 1
    assert set(validations(book["Widget__c"])) == {"Change", "Active", "Status (Status)", "Long__c"}


def test_a_ready_set_notes_what_is_not_here(store):
    store.record_run(
        RunRecord("r", "Lead", RunState.FAILED, NOW, NOW, problem=Problem("OBJECT_NOT_FOUND", "There is no Lead."))
    )

    exported, out = written(store, ready_set="sales")

    told = read_metadata(list(openpyxl.load_workbook(out)["_Metadata"].iter_rows(values_only=True)))
    notes = {each.object_name: each.note for each in told.entries if each.note}
    assert notes == dict(exported.notes)
    assert notes["Lead"] == "Not in this workbook: There is no Lead."
    assert "salesforce-sync sync Contact" in notes["Contact"]
    assert list(exported.rows) == ["Account"]


def test_a_ready_set_of_which_nothing_is_here_is_a_workbook_of_notes():
    exported, out = written(MemoryStore(), ready_set="sales")

    told = read_metadata(list(openpyxl.load_workbook(out)["_Metadata"].iter_rows(values_only=True)))
    assert [each.object_name for each in told.entries if "not synced" in each.note] == list(exported.notes)
    assert (len(exported.notes), exported.rows) == (4, {})


def test_an_object_that_was_named_has_to_be_here(store):
    with pytest.raises(NotSynced, match="Account"):
        written(store, "Acount")
    assert list(written(store, "account")[0].rows) == ["Account"]


def test_nothing_at_all_is_no_workbook():
    with pytest.raises(NotSynced, match="nothing to export"):
        written(MemoryStore())


def test_progress_is_told_to_the_last_row(store):
    told = []
    pull(store, *(widget(at) for at in range(300)), schema=WIDGET)

    written(store, "Widget__c", told=lambda *each: told.append(each))

    assert told[0] == ("Widget__c", 0, 300)
    assert told[-1] == ("Widget__c", 300, 300)
    assert [rows for _, rows, _ in told] == sorted(rows for _, rows, _ in told)


# ── the file ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_file_appears_whole_and_for_its_owner_only(tmp_path):
    file = tmp_path / "book.xlsx"
    file.write_bytes(b"old")

    with new_private(file) as out:
        out.write(b"new")
        out.flush()
        assert file.read_bytes() == b"old"

    assert file.read_bytes() == b"new"
    assert file.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [file]


def test_a_file_that_could_not_be_finished_leaves_the_old_one(tmp_path):
    file = tmp_path / "book.xlsx"
    file.write_bytes(b"old")

    with pytest.raises(KeyError), new_private(file) as out:
        out.write(b"half")
        raise KeyError

    assert file.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [file]


def test_what_a_killed_process_left_is_taken_over(tmp_path):
    file, left = tmp_path / "book.xlsx", tmp_path / "book.xlsx.new"
    left.write_bytes(b"left, and longer than what comes")
    left.chmod(0o644)

    with new_private(file) as out:
        out.write(b"new")

    assert file.read_bytes() == b"new"
    assert file.stat().st_mode & 0o777 == 0o600
    assert not left.exists()


def test_two_do_not_write_one_file(tmp_path):
    file = tmp_path / "book.xlsx"

    with new_private(file) as out:
        with pytest.raises(StoreBusy), new_private(file):
            raise AssertionError("written twice")
        out.write(b"first")

    assert file.read_bytes() == b"first"


def test_a_full_disk_is_told_as_one(tmp_path):
    with pytest.raises(DiskFull), new_private(tmp_path / "book.xlsx"):
        raise OSError(28, os.strerror(28))
