"""What a person reads of a preview."""

import shutil

import pytest

from salesforce_sync import SFSync
from salesforce_sync.config import Config
from salesforce_sync.reports_edits import Values
from salesforce_sync.reports_import import preview_document, say_preview
from tests.workbook.books import preview_of, work_out
from tests.workbook.deeds import apply_to, typed


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
