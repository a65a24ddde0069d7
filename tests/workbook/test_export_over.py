"""A workbook that is exported to where one is already."""

import json

import openpyxl
import pytest

from salesforce_sync import SFSync
from salesforce_sync.config import Config
from salesforce_sync.errors import Misuse
from salesforce_sync.reports.export import export_document, say_export
from tests.contract.edits import ACME
from tests.workbook.deeds import typed


@pytest.fixture
def sync(store, tmp_path):
    with SFSync(Config.load(environ={"SF_STORAGE_PATH": str(store.path)})) as made:
        yield made


def phone_in(path):
    sheet = openpyxl.load_workbook(path)["Account"]
    headers = [cell.value for cell in sheet[1]]
    return [row[headers.index("Phone")].value for row in sheet if row[headers.index("Id")].value == ACME]


def test_a_workbook_that_nobody_has_saved_since_its_export_is_replaced(sync, tmp_path):
    first = sync.export(path=tmp_path / "plan.xlsx")
    second = sync.export(path=tmp_path / "plan.xlsx")

    assert (first.kept, second.kept) == (None, None)
    assert [each.name for each in tmp_path.glob("plan*")] == ["plan.xlsx"]


def test_a_workbook_that_was_saved_since_its_export_is_kept(sync, tmp_path, capsys):
    path = tmp_path / "plan.xlsx"
    for number in ("11", "12"):
        sync.export(path=path)
        typed(path, Phone=number)
        exported = sync.export(path=path)

    assert exported.kept == tmp_path / "plan.edited-2.xlsx"
    assert [phone_in(tmp_path / name) for name in ("plan.edited.xlsx", "plan.edited-2.xlsx", "plan.xlsx")] == [
        ["11"],
        ["12"],
        ["1"],
    ]
    say_export(exported, path)
    assert f"is kept as {exported.kept}" in capsys.readouterr().out
    assert json.loads(json.dumps(export_document(exported)))["kept"] == str(exported.kept)


def test_a_file_that_is_no_workbook_is_kept_too(sync, tmp_path):
    path = tmp_path / "plan.xlsx"
    path.write_text("somebody else's")

    exported = sync.export(path=path)

    assert exported.kept is not None
    assert exported.kept.read_text() == "somebody else's"


def test_a_kept_workbook_goes_on_from_what_was_imported_of_it(sync, store, tmp_path):
    path = tmp_path / "plan.xlsx"
    sync.export(path=path)
    typed(path, Phone="11")
    with sync.import_workbook(path) as preview:
        sync.apply(preview)
    kept = sync.export(path=path).kept
    typed(kept, Phone="12")

    with sync.import_workbook(kept) as preview:
        assert [(each.kind, each.cells[0].new) for each in preview.changes()] == [("edited", "12")]


def test_an_export_that_fails_moves_nothing(sync, tmp_path):
    path = tmp_path / "plan.xlsx"
    path.write_text("somebody else's")

    with pytest.raises(Misuse):
        sync.export(path=path, ready_set="nothing")

    assert [each.name for each in tmp_path.glob("plan*")] == ["plan.xlsx"]


@pytest.mark.parametrize("name", ["plan.csv", "plan.xls", "plan", "plan.2026"])
def test_a_name_that_excel_would_not_open_is_refused(sync, tmp_path, name):
    with pytest.raises(Misuse, match=r"ends in \.xlsx"):
        sync.export(path=tmp_path / name)

    assert not (tmp_path / name).exists()
