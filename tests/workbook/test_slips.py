"""What people and programs do to a sheet without meaning it: told as what it is, and never taken for an edit."""

import openpyxl
import pytest

from salesforce_sync.storage.sqlite import SqliteStore
from salesforce_sync.testing import FrozenClock, make_field, make_schema
from salesforce_sync.workbook.changes import Kind
from tests.contract.edits import ACME, BOLT, ONE, arrive, row
from tests.workbook.books import column, edit, export_to, row_of
from tests.workbook.deeds import added, change, changes, told, typed

NOTES = make_schema("Account", make_field("Name", nillable=False), make_field("Notes__c", "textarea", length=131_072))


@pytest.fixture
def noted(tmp_path):
    """A replica with a text that is nearly as long as a cell can hold."""
    store = SqliteStore(tmp_path / "notes.db", FrozenClock())
    store.adopt(NOTES)
    arrive(store, NOTES, row(NOTES, ACME, Name="Acme", Notes__c="a line of 👍\r\n" * 2_200))
    export_to(store, tmp_path / "notes.xlsx")
    yield store
    store.close()


def by_characters(text):
    return text[:32_767]


def by_units(text):
    return text.encode("utf-16-le")[: 2 * 32_767].decode("utf-16-le", "ignore")


@pytest.mark.parametrize("cut", [by_characters, by_units])
@pytest.mark.parametrize("escape", ["_x000D_", "_x005F_x000D_"], ids=["escaped", "taken for a text"])
def test_a_text_that_the_program_cut_which_wrote_the_file_is_no_edit(noted, tmp_path, cut, escape):
    text = cut("a line of 👍_x000D_\n" * 2_200).replace("_x000D_", escape)

    typed_past_openpyxl(tmp_path / "notes.xlsx", text)

    assert "was cut by the program that wrote the file" in told(noted, tmp_path / "notes.xlsx")


def typed_past_openpyxl(path, text):
    """Which would cut it itself."""

    def change(sheet):
        sheet.cell(row_of(sheet, ACME), column(sheet, "Notes__c"))._value = text

    edit(path, change, "Account")


def test_a_text_that_the_program_left_out_which_wrote_the_file_is_no_edit(noted, tmp_path):
    typed(tmp_path / "notes.xlsx", Notes__c=None)  # as XlsxWriter does with what it counts as too long

    assert "was left out, as too long for a cell, by the program" in told(noted, tmp_path / "notes.xlsx")


def test_a_text_that_a_person_made_shorter_is_an_edit(noted, tmp_path):
    typed(tmp_path / "notes.xlsx", Notes__c="a line of 👍_x000D_\n" * 1_000)

    (change,) = changes(noted, tmp_path / "notes.xlsx")
    assert change.kind is Kind.EDITED


def test_a_text_that_has_lost_all_its_tabs_by_way_of_ods_is_no_edit(noted, tmp_path):
    arrive(noted, NOTES, row(NOTES, ACME, Name="semi\ttab", Notes__c="a\tb\r\nc\td"))
    export_to(noted, tmp_path / "tabs.xlsx")

    typed(tmp_path / "tabs.xlsx", Name="semitab", Notes__c="ab\ncd")

    assert changes(noted, tmp_path / "tabs.xlsx") == []


def test_a_tab_that_a_person_made_a_blank_is_an_edit(noted, tmp_path):
    arrive(noted, NOTES, row(NOTES, ACME, Name="semi\ttab"))
    export_to(noted, tmp_path / "tabs.xlsx")

    typed(tmp_path / "tabs.xlsx", Name="semi tab")

    assert change(noted, tmp_path / "tabs.xlsx").cells[0].new == "semi tab"


def test_rows_that_were_sorted_without_their_ids_are_told_as_that(noted, tmp_path):
    arrive(noted, NOTES, row(NOTES, BOLT, ONE, Name="Bolt", CreatedDate=ONE, LastModifiedDate=ONE, SystemModstamp=ONE))
    export_to(noted, tmp_path / "two.xlsx")
    book = openpyxl.load_workbook(tmp_path / "two.xlsx")
    sheet = book["Account"]
    one, two = row_of(sheet, ACME), row_of(sheet, BOLT)
    for at in range(column(sheet, "Id") + 1, sheet.max_column):
        upper, lower = sheet.cell(one, at), sheet.cell(two, at)
        upper.value, lower.value = lower.value, upper.value
    book.save(tmp_path / "two.xlsx")

    messages = [each.message for each in changes(noted, tmp_path / "two.xlsx")]

    assert len(messages) == 2
    assert all(each.startswith("Its cells seem to be another record's") for each in messages)


def test_a_sheet_that_was_sorted_without_its_hidden_last_column_may_be_why_an_edit_is_not_taken(noted, tmp_path):
    arrive(noted, NOTES, row(NOTES, BOLT, ONE, Name="Bolt", CreatedDate=ONE, LastModifiedDate=ONE, SystemModstamp=ONE))
    export_to(noted, tmp_path / "two.xlsx")

    def sort(page):
        upper, lower = (page.cell(row_of(page, each), column(page, "_Row")) for each in (ACME, BOLT))
        upper.value, lower.value = lower.value, upper.value

    edit(tmp_path / "two.xlsx", sort, "Account")
    typed(tmp_path / "two.xlsx", record_id=BOLT, Name="Bolt Ltd")

    assert "sorted, or pasted over, without its hidden last column, _Row" in told(noted, tmp_path / "two.xlsx")


def test_a_read_only_cell_that_was_overwritten_is_told_by_itself(noted, tmp_path):
    typed(tmp_path / "notes.xlsx", SystemModstamp="2020-01-01")

    assert told(noted, tmp_path / "notes.xlsx").startswith("SystemModstamp: is read-only")


def test_a_formula_without_a_value_in_a_read_only_cell_is_not_called_edited(noted, tmp_path):
    typed(tmp_path / "notes.xlsx", **dict.fromkeys(("CreatedDate", "LastModifiedDate", "SystemModstamp"), "=NOW()"))

    assert {each.message for each in change(noted, tmp_path / "notes.xlsx").problems} == {
        "is a formula without a value. Open the workbook in Excel or LibreOffice and save it."
    }


@pytest.mark.parametrize("blanks", ["   ", "\u00a0", "\n"])
def test_blanks_are_no_name(noted, tmp_path, blanks):
    typed(tmp_path / "notes.xlsx", Name=blanks)

    assert told(noted, tmp_path / "notes.xlsx") == "Name: cannot be empty."


def test_blanks_are_no_name_of_a_new_record(noted, tmp_path):
    added(tmp_path / "notes.xlsx", Name="  ", Notes__c="x")

    assert told(noted, tmp_path / "notes.xlsx") == "Name: is required."
