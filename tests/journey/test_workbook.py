"""The replica as a workbook: from the command line to what other programs make of the file."""

import io
import os
import shutil
import subprocess
from pathlib import Path

import msoffcrypto
import openpyxl
import pytest

from salesforce_sync import SFSync
from salesforce_sync.config import Config
from salesforce_sync.workbook.cells import shows, unescape
from salesforce_sync.workbook.layout import read_metadata
from salesforce_sync.workbook.sets import SETS
from simorg.clients import CLIENT_ID, CLIENT_SECRET
from simorg.org import SimOrg
from tests.conftest import CommandLine

OBJECTS = (*SETS["revenue-cloud"], *SETS["sales"], "User", "Widget__c")


@pytest.fixture(scope="module")
def replica(tmp_path_factory):
    """A folder with a replica of every object that tests here need, and the org, which must not be asked any more."""
    folder = tmp_path_factory.mktemp("workbook")
    with SimOrg(records=20, seed=7) as org, org.serve():
        cli = CommandLine(folder)
        cli.settle(org.url, objects=", ".join(OBJECTS))
        keys = {"SF_CLIENT_ID": CLIENT_ID, "SF_CLIENT_SECRET": CLIENT_SECRET}
        with SFSync(Config.load(folder / "config.yaml", environ=keys)) as sync:
            assert sync.pull().state == "complete"
        yield cli, org


def metadata(book):
    return read_metadata(list(book["_Metadata"].iter_rows(values_only=True)))


def test_export_writes_what_is_here_to_the_file_of_the_settings_and_asks_the_org_nothing(replica):
    cli, org = replica
    before = org.usage.used

    done = cli("export", "--json")

    file = cli.folder / "Revenue_Cloud_Data.xlsx"
    assert (done.code, done.err) == (0, "")
    assert org.usage.used == before
    assert file.stat().st_mode & 0o777 == 0o600
    assert done.json["file"] == str(file)
    assert {each["object"]: each["rows"] for each in done.json["objects"]} == {
        name: org.count(name) for name in OBJECTS
    }
    book = openpyxl.load_workbook(file, read_only=True)
    assert set(book.sheetnames) == {*OBJECTS, "_Lists", "_Metadata"}
    assert metadata(book).export_id == done.json["export_id"]


def test_the_revenue_cloud_set_is_whole_and_its_sheets_stand_parents_first(replica):
    cli, _ = replica

    done = cli("export", "--set", "revenue-cloud", "-o", "rc.xlsx", "--json")

    order = [each["object"] for each in done.json["objects"]]
    assert (done.code, done.json["notes"]) == (0, [])
    assert sorted(order) == sorted(SETS["revenue-cloud"])
    for parent, child in [
        ("Pricebook2", "PricebookEntry"),
        ("Product2", "PricebookEntry"),
        ("ProductCatalog", "ProductCategory"),
        ("Order", "OrderItem"),
        ("Asset", "AssetAction"),
        ("AssetAction", "AssetActionSource"),
        ("AttributePicklist", "AttributePicklistValue"),
        ("ProductClassification", "Product2"),
    ]:
        assert order.index(parent) < order.index(child)


def test_without_a_terminal_export_tells_its_progress_in_lines_and_its_result_in_a_table(replica):
    cli, org = replica

    done = cli("export", "Contact", "-o", "contacts.xlsx")

    assert done.code == 0
    assert f"Contact: {org.count('Contact')} of {org.count('Contact')} rows" in done.err
    assert f"{org.count('Contact')} rows written to contacts.xlsx." in done.out


def test_a_ready_set_is_synced_as_far_as_the_org_has_it(user, simorg):
    simorg.permissions.deny("AssetAction", "read")

    synced = user("sync", "--set", "revenue-cloud", "--json")
    done = user("export", "--set", "revenue-cloud", "--json")

    brought = {each["object"] for each in synced.json["objects"]}
    assert synced.code == done.code == 0
    assert brought == set(SETS["revenue-cloud"]) - {"AssetAction"}
    assert [each["object"] for each in done.json["notes"]] == ["AssetAction"]


def test_many_objects_that_are_not_here_are_told_together(user):
    user("sync", "Product2")

    done = user("export", "--set", "revenue-cloud")

    assert done.code == 0
    assert "Not in it, as they are not here: LegalEntity, TaxEngine" in done.out
    assert len(done.out.splitlines()) < 10


def test_an_object_of_a_set_that_is_not_here_is_a_note_and_no_failure(user):
    user("sync", "Account")

    done = user("export", "--set", "sales")

    assert done.code == 0
    assert "Lead: Not in this workbook: it is not synced. Run 'salesforce-sync sync Lead' first." in done.out
    told = metadata(openpyxl.load_workbook(user.folder / "Revenue_Cloud_Data.xlsx"))
    assert [each.object_name for each in told.entries if each.note] == ["Contact", "Lead", "Opportunity"]


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["Contakt"], 6, "Contact"),
        (["--set", "revenue-clod"], 2, "revenue-cloud"),
        (["-o", "nowhere/book.xlsx"], 1, "nowhere"),
        (["-o", "data"], 1, "is a folder"),
        (["-o", "pipe"], 1, "is no file that can be replaced"),
        (["--password"], 2, "SF_WORKBOOK_PASSWORD"),
    ],
)
def test_what_cannot_be_exported_is_said_and_leaves_no_file(replica, arguments, code, says):
    cli, _ = replica
    pipe = cli.folder / "pipe"
    if not pipe.exists():
        os.mkfifo(pipe)
    there = set(cli.folder.iterdir())

    done = cli("export", *arguments)

    assert done.code == code
    assert pipe.is_fifo()
    assert says in done.err
    assert set(cli.folder.iterdir()) == there


@pytest.mark.parametrize("by", ["environment", "standard input"])
def test_a_password_encrypts_the_file(replica, by):
    cli, _ = replica
    given = {"SF_WORKBOOK_PASSWORD": "sesame öffne"} if by == "environment" else {"stdin": "sesame öffne\n"}

    done = cli("export", "Account", "-o", "secret.xlsx", "--password", "--json", **given)

    assert (done.code, done.json["encrypted"]) == (0, True)
    file = cli.folder / "secret.xlsx"
    assert file.stat().st_mode & 0o777 == 0o600
    assert b"Account" not in file.read_bytes()
    with file.open("rb") as stream:
        locked, plain = msoffcrypto.OfficeFile(stream), io.BytesIO()
        locked.load_key(password="sesame öffne")
        locked.decrypt(plain)
    assert "Account" in openpyxl.load_workbook(plain).sheetnames
    assert "sesame" not in done.out + done.err


# ── LibreOffice ──────────────────────────────────────────────────────────────────────────────────────────────────


def saved_by_libreoffice(file: Path, folder: Path) -> Path:
    """Open and save in another process, as a person would."""
    soffice = shutil.which("soffice")
    assert soffice is not None, "tests need Debian's libreoffice-calc: .ci/install-debian-packages"
    out = folder / "saved"
    profile = f"-env:UserInstallation=file://{folder / 'profile'}"
    command = [soffice, "--headless", profile, "--convert-to", "xlsx", "--outdir", out, file]
    subprocess.run(command, check=True, capture_output=True, timeout=180)
    return out / file.name


def test_libreoffice_opens_the_file_and_every_cell_shows_its_value(replica, tmp_path):
    cli, _ = replica
    with SFSync(Config.load(cli.folder / "config.yaml", environ={})) as sync:
        sync.export("Widget__c", "Contact", "Account", path=tmp_path / "book.xlsx")
        schema = sync._store.schema("Widget__c")
        stored = {str(row[0]): row for row in sync._store.scan("Widget__c")}

    book = openpyxl.load_workbook(saved_by_libreoffice(tmp_path / "book.xlsx", tmp_path), data_only=True)

    sheet = book["Widget__c"]
    headers = [cell.value for cell in sheet[1]]
    entry = next(each for each in metadata(book).entries if each.object_name == "Widget__c")
    places = [headers.index(entry.header_of[field.name]) for field in schema.columns]
    shown = {row[headers.index("Id")].value: row for row in sheet.iter_rows(min_row=2) if row[2].value}
    assert set(shown) == set(stored)
    for record_id, row in shown.items():
        for field, place, value in zip(schema.columns, places, stored[record_id], strict=True):
            assert shows(field.type, value, as_number(row[place])), (field.name, value, row[place].value)
    assert sheet.protection.sheet
    assert len(sheet.data_validations.dataValidation) > 2
    assert sheet[1][2].comment.text.startswith("Id")


def as_number(cell):
    """A cell's value without openpyxl's own idea of dates and escapes."""
    if cell.is_date and cell.value is not None and not isinstance(cell.value, str):
        return openpyxl.utils.datetime.to_excel(cell.value)
    return unescape(cell.value) if isinstance(cell.value, str) else cell.value
