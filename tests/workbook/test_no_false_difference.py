"""A workbook that nobody has edited says nothing new, whatever program has saved it."""

import zipfile

import openpyxl
import pytest
import xlsxwriter
from openpyxl.utils.datetime import to_excel

from salesforce_sync.storage.sqlite import SqliteStore
from salesforce_sync.testing import FrozenClock
from salesforce_sync.workbook.changes import Kind
from tests.workbook import excel
from tests.workbook.books import OFFICE, column, edit, export_to, fill_nasty, preview_of, save_in_libreoffice


@pytest.fixture(scope="module")
def replica(tmp_path_factory):
    store = SqliteStore(tmp_path_factory.mktemp("replica") / "replica.db", FrozenClock())
    store.rows_there = fill_nasty(store)
    yield store
    store.close()


def assert_unchanged(store, path):
    with preview_of(store, path) as preview:
        told = [(each.row, each.kind, each.cells, each.problems) for each in preview.changes()]
        assert told == []
        assert preview.empty
        assert [each.unchanged for each in preview.counts] == [store.rows_there]


def test_as_it_was_written(replica, tmp_path):
    export_to(replica, tmp_path / "book.xlsx")

    assert_unchanged(replica, tmp_path / "book.xlsx")


def test_opened_and_saved_by_openpyxl(replica, tmp_path):
    path = tmp_path / "book.xlsx"
    export_to(replica, path)
    openpyxl.load_workbook(path).save(path)

    assert_unchanged(replica, path)


@pytest.mark.skipif(OFFICE is None, reason="LibreOffice is not installed")
@pytest.mark.parametrize("locale", ["en-US", "de-DE"])
def test_opened_and_saved_by_libreoffice(replica, tmp_path, locale):
    path = tmp_path / "book.xlsx"
    export_to(replica, path)

    saved = save_in_libreoffice(path, tmp_path, locale)

    assert_unchanged(replica, saved)


@pytest.mark.skipif(OFFICE is None, reason="LibreOffice is not installed")
def test_saved_by_libreoffice_and_then_by_openpyxl(replica, tmp_path):
    path = tmp_path / "book.xlsx"
    export_to(replica, path)
    saved = save_in_libreoffice(path, tmp_path, "en-US")

    openpyxl.load_workbook(saved).save(saved)

    assert_unchanged(replica, saved)


def test_sorted_the_other_way_round_with_columns_moved_and_inserted(replica, tmp_path):
    path = tmp_path / "book.xlsx"
    export_to(replica, path)

    edit(path, _turned, "Nasty__c")

    assert_unchanged(replica, path)


def _turned(sheet):
    """Every row and every column in the other order, and a column of a person's own before them."""
    kept = [[(cell.value, cell.data_type, cell.number_format) for cell in row] for row in sheet.iter_rows()]
    for at, row in enumerate([kept[0], *reversed(kept[1:])], 1):
        for to, (value, kind, number_format) in enumerate(reversed(row), 2):
            cell = sheet.cell(at, to)
            # Past openpyxl, which takes a text that begins with = for a formula, and cuts what it counts as too long.
            cell._value, cell.data_type, cell.number_format = value, kind, number_format
        sheet.cell(at, 1).value = f"My remark {at}"


def test_with_columns_taken_out(replica, tmp_path):
    path = tmp_path / "book.xlsx"
    export_to(replica, path)

    edit(path, lambda sheet: [sheet.delete_cols(column(sheet, name)) for name in ("Text__c", "Moment__c")], "Nasty__c")

    assert_unchanged(replica, path)


def test_saved_with_days_counted_from_1904(replica, tmp_path):
    path = tmp_path / "book.xlsx"
    export_to(replica, path)
    book = openpyxl.load_workbook(path)
    book.epoch = openpyxl.utils.datetime.CALENDAR_MAC_1904
    book.save(path)

    assert_unchanged(replica, path)


@pytest.mark.parametrize("more", [(), (excel.with_macros,), (excel.strict,)], ids=["xlsx", "xlsm", "strict"])
def test_written_as_excel_writes_it(replica, tmp_path, more):
    path = tmp_path / "book.xlsx"
    export_to(replica, path)
    before = cells_of(path)

    excel.rewritten(path, *excel.EXCEL, *more)

    with zipfile.ZipFile(path) as package:
        assert b"<rPh" in package.read("xl/sharedStrings.xml")
        assert (b' t="d">' in package.read("xl/worksheets/sheet1.xml")) == (more == (excel.strict,))
    assert more == (excel.strict,) or cells_of(path) == before
    assert_unchanged(replica, path)


def cells_of(path):
    """What another program reads of it."""
    sheet = openpyxl.load_workbook(path)["Nasty__c"]
    return [[cell.value for cell in row] for row in sheet.iter_rows(max_row=sheet.max_row)]


def test_read_and_written_by_a_script_that_knows_no_escapes(replica, tmp_path):
    path = tmp_path / "book.xlsx"
    export_to(replica, path)

    passed_on(path)

    with preview_of(replica, path) as preview:
        changes = [*preview.changes()]
    # Texts that count as too long with their escapes were cut, and that is told.
    assert [(each.kind, each.problems[0].field) for each in changes] == [
        (Kind.PROBLEM, "Long__c"),
        (Kind.PROBLEM, "Formula__c"),
        (Kind.PROBLEM, "Long__c"),
        (Kind.PROBLEM, "Text__c"),
    ]
    assert preview.notes == ()


def passed_on(path):
    """As pandas does it: read by one library, which leaves escapes as they are, and written by another."""
    read = openpyxl.load_workbook(path)
    written = xlsxwriter.Workbook(path, {"strings_to_urls": False, "strings_to_formulas": False})
    date_time = written.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
    for sheet in read:
        page = written.add_worksheet(sheet.title)
        for row in sheet.iter_rows():
            for cell in row:
                if cell.is_date:
                    page.write_number(cell.row - 1, cell.column - 1, to_excel(cell.value), date_time)
                elif cell.value is not None:
                    page.write(cell.row - 1, cell.column - 1, cell.value)
    written.close()
