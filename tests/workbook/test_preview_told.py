"""What a person reads of a preview."""

import shutil

import pytest
from msgspec.structs import replace

from salesforce_sync import SFSync
from salesforce_sync.config import Config
from salesforce_sync.reports_edits import Values
from salesforce_sync.reports_import import preview_document, say_preview
from tests.contract.edits import ACCOUNT
from tests.workbook.books import preview_of, work_out
from tests.workbook.deeds import added, apply_to, typed


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
        cells = preview_document(preview, 5)["changes"][0]["cells"]
    assert {each["field"]: each.get("typed") for each in cells} == {"Founded__c": "13.04.2026", "Revenue__c": "12.3456"}


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
