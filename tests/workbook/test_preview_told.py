"""What a person reads of a preview."""

import shutil

import openpyxl
import pytest
from msgspec.structs import replace

from salesforce_sync import SFSync
from salesforce_sync.config import Config
from salesforce_sync.reports.edits import Values
from salesforce_sync.reports.import_ import preview_document, say_preview
from salesforce_sync.workbook.changes import Kind
from tests.contract.edits import ACCOUNT, ACME, BOLT, CONTACT, JANE
from tests.workbook.books import column, edit, export_to, preview_of, put, row_of, work_out
from tests.workbook.deeds import added, apply_to, changes, typed


@pytest.fixture
def said(store, book, capsys):
    """The lines that a preview of the workbook says."""

    def saying(path=book):
        config = Config.load(environ={"SF_STORAGE_PATH": str(store.path)})
        with SFSync(config) as sync, preview_of(store, path) as preview:
            say_preview(preview, Values(sync.objects), 50)
        return [line.strip() for line in capsys.readouterr().out.splitlines()]

    return saying


def test_blanks_that_nobody_sees_are_shown(book, said):
    typed(book, Name="Acme ", Phone="1\xa0")

    assert [line for line in said() if "→" in line] == ['Name: Acme → "Acme "', "Phone: 1 → 1\\xa0"]


def test_what_is_read_as_something_else_than_it_says_is_told(store, book, said):
    store.adopt(replace(ACCOUNT, fields=tuple(map(with_two_decimals, ACCOUNT.fields))))
    typed(book, Founded__c="13.04.2026", Revenue__c=12.3456)
    added(book, Name="Nova", Founded__c="4/13/2026", Revenue__c=7)

    lines = said()

    assert "Revenue__c: (empty) → 12.35  [typed as 12.3456]" in lines
    assert "Founded__c: (empty) → 2026-04-13  [typed as 13.04.2026]" in lines
    assert "Founded__c: (empty) → 2026-04-13  [typed as 4/13/2026]" in lines
    assert "Revenue__c: (empty) → 7" in lines
    with preview_of(store, book) as preview:
        (edited,) = (each for each in preview_document(preview, 5)["changes"] if each["kind"] == "edited")
    assert {each["field"]: each["typed"] for each in edited["cells"]} == {
        "Founded__c": "13.04.2026",
        "Revenue__c": "12.3456",
    }


def test_a_line_end_that_a_script_read_as_text_is_written_as_one_and_told(store, book, said):
    typed(book, BillingStreet="Ring 1_x005F_x000D_\nBack door")

    (found,) = changes(store, book)
    assert found.cells[0].new == "Ring 1\r\nBack door"
    assert any("[typed as Ring 1_x000D_" in line for line in said())


def with_two_decimals(field):
    return replace(field, precision=18, scale=2) if field.name == "Revenue__c" else field


def test_a_formula_is_told_as_one(store, book, said):
    typed(book, Phone='="1"&"2"')
    work_out(book, "12")

    assert "Phone: 1 → 12  [a formula: its value counts]" in said()
    with preview_of(store, book) as preview:
        assert preview_document(preview, 5)["changes"][0]["cells"][0]["formula"] is True


def test_cells_that_are_left_alone_are_told_before_everything(store, book, said, tmp_path):
    other = shutil.copy(book, tmp_path / "hers.xlsx")
    typed(book, Phone="2", Rating="Hot")
    apply_to(store, book)

    assert said(other)[0] == (
        "Account: 2 cells show what was exported, and another copy of this workbook has written something else: "
        "left alone (Phone in row 2). Export again to edit them."
    )


def test_an_edit_of_a_parents_name_is_told_and_not_read(store, book, said):
    edit(book, lambda page: put(page, row_of(page, JANE), **{"AccountId: Name": "Bolt"}), "Contact")
    added(book, "Contact", LastName="Roe", **{"AccountId: Name": "Bolt"})
    added(book, "Contact", LastName="Moe", AccountId=ACME, **{"AccountId: Name": "Acme"})

    assert said()[0] == (
        "Contact: 2 cells under 'AccountId: Name' edited (first in row 2): not read, that column only shows the "
        "name. Write into 'AccountId': an id, Name=…, or new:…"
    )
    assert [each.kind for each in changes(store, book)] == [Kind.NEW, Kind.NEW]


@pytest.mark.parametrize(
    ("createable", "end"),
    [(False, "shows the name."), (True, "name. In a new row write into 'AccountId': an id, Name=…, or new:…")],
)
def test_an_edit_of_a_name_says_where_its_lookup_can_be_filled_in(store, book, said, createable, end):
    def locked(field):
        return replace(field, createable=createable, updateable=False) if field.name == "AccountId" else field

    store.adopt(replace(CONTACT, fields=tuple(map(locked, CONTACT.fields))))
    edit(book, lambda page: put(page, row_of(page, JANE), **{"AccountId: Name": "Bolt"}), "Contact")

    assert said()[0].endswith(end)


def test_of_a_row_that_was_taken_in_before_no_edits_are_shown(store, book, said):
    added(book, Name="Nova", Id="new:n")
    apply_to(store, book)

    assert not any("→" in line for line in said())


def test_another_parent_beside_its_old_name_is_no_edit_of_the_name(store, book, said):
    typed(book, "Contact", JANE, AccountId=BOLT)

    assert not any("only shows" in line for line in said())


def test_a_column_of_names_that_was_taken_out_is_no_edit(store, book, said):
    edit(book, lambda page: page.delete_cols(column(page, "AccountId: Name")), "Contact")

    assert said() == ["The workbook shows what was exported: nothing to import."]


LABELLED = replace(
    ACCOUNT,
    fields=tuple(
        replace(field, label={"Employees__c": "Head Count", "Phone": "Phone"}.get(field.name, field.name))
        for field in ACCOUNT.fields
    ),
)


@pytest.fixture
def labelled(store, tmp_path):
    """A workbook whose headers are labels."""
    store.adopt(LABELLED)
    export_to(store, tmp_path / "labelled.xlsx")
    return tmp_path / "labelled.xlsx"


def test_a_cell_is_told_by_its_header_and_by_its_field(store, labelled, said):
    edit(labelled, lambda page: put(page, row_of(page, ACME), **{"Head Count": 7, "Phone": "2"}), "Account")
    edit(labelled, lambda page: put(page, row_of(page, BOLT), **{"Head Count": "many"}), "Account")

    lines = said(labelled)

    assert any(line.startswith("Head Count (Employees__c): ") and line.endswith("→ 7") for line in lines)
    assert any(line.startswith("Phone: ") for line in lines)
    assert any(line.startswith("Head Count (Employees__c): 'many' is") for line in lines)
    with preview_of(store, labelled) as preview:
        told = preview_document(preview, 5)["changes"]
    assert {(each["field"], each["header"]) for row in told for each in (*row["cells"], *row["problems"])} == {
        ("Employees__c", "Head Count"),
        ("Phone", "Phone"),
    }


def test_the_copy_tells_them_by_their_headers_too(store, labelled):
    edit(labelled, lambda page: put(page, row_of(page, BOLT), **{"Head Count": "many"}), "Account")

    result = apply_to(store, labelled).result

    sheet = openpyxl.load_workbook(result)["Account"]
    assert sheet.cell(row_of(sheet, BOLT), column(sheet, "Status")).value.startswith("Head Count (Employees__c): ")


def test_a_number_with_separators_of_thousands_is_read_and_told(store, book, said):
    store.adopt(replace(ACCOUNT, fields=tuple(map(with_two_decimals, ACCOUNT.fields))))
    typed(book, Revenue__c="1\xa0234,50", Employees__c="12 000")

    lines = said()

    assert "Revenue__c: (empty) → 1234.5  [typed as 1\\xa0234,50]" in lines
    assert any(line.startswith("Employees__c: ") and line.endswith("→ 12000  [typed as 12 000]") for line in lines)
