"""The workbook over HTTP: down, edited, back up, looked at, taken in."""

import io
import stat
import time

import httpx2
import pytest
from openpyxl import load_workbook

from salesforce_sync.access import Role
from salesforce_sync.web.answers import OpenFile
from tests.loops import in_loop
from tests.web.test_promise import ended

MEDIA = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


@pytest.fixture
def synced(site):
    """A program of an editor, over a replica with the org's accounts and contacts."""
    client = site.client("ed", Role.EDITOR)
    for name in ("Account", "Contact"):
        assert client.post(f"/api/sync/{name}").json()["success"]
    return client


def cells_of(sheet):
    """The sheet's cells by row's Id and column's header."""
    heads = {str(cell.value): cell.column for cell in sheet[1]}
    ids = {str(sheet.cell(row, heads["Id"]).value): row for row in range(2, sheet.max_row + 1)}
    return lambda record_id, head: sheet.cell(ids[record_id], heads[head])


def sent(client, book):
    body = io.BytesIO()
    book.save(body)
    return client.post("/api/workbook", content=body.getvalue(), headers={"Content-Type": MEDIA})


def test_the_workbook_of_a_session_lies_in_a_folder_of_its_owners_alone(site, api, tmp_path):
    tmp_path.chmod(0o755)

    ended(api, api.post("/api/sync", json={"objects": ["Contact"]}).json()["sessionId"])

    (file,) = tmp_path.rglob("Revenue_Cloud_Data.xlsx")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_a_session_whose_workbook_cannot_be_made_is_no_success(site, api, tmp_path):
    assert api.post("/api/sync/Contact").json()["success"]
    (tmp_path / "data" / "salesforce.db-workbooks").write_text("in the way")

    session = ended(api, api.post("/api/sync", json={"objects": ["Contact"]}).json()["sessionId"])
    asked = api.get("/api/workbook")

    assert (session["state"], session["success"], session["workbook"]) == ("partial", False, None)
    assert session["objects"][0]["status"] == "synced"
    assert (asked.status_code, asked.json()["error"]) == (500, "STORE_ERROR")
    assert "salesforce.db-workbooks" in asked.json()["details"]


def test_a_folder_beside_the_database_that_is_called_like_a_workbook_is_left(site, api, tmp_path):
    notes = tmp_path / "data" / "workbook-2025" / "notes.txt"
    notes.parent.mkdir(parents=True)
    notes.write_text("mine")

    api.post("/api/sync/Contact")
    api.get("/api/workbook")

    assert notes.read_text() == "mine"


def test_a_session_leaves_the_workbook_alone_that_somebody_exported_and_edits(site, api, tmp_path):
    file = site.sync.config.workbook.path
    file.write_bytes(b"exported, and edited since")

    ended(api, api.post("/api/sync", json={"objects": ["Contact"]}).json()["sessionId"])

    assert file.read_bytes() == b"exported, and edited since"
    assert api.get("/api/workbook").content.startswith(b"PK")


def test_an_edited_workbook_is_looked_at_taken_in_and_pushed(site, synced):
    answer = synced.get("/api/workbook")
    book = load_workbook(io.BytesIO(answer.content))
    contact = synced.get("/api/objects/Contact/records?limit=1").json()["records"][0]
    cells_of(book["Contact"])(contact["Id"], "Business Phone").value = "555-1234"

    preview = sent(synced, book).json()
    applied = synced.post(f"/api/workbook/{preview['uploadId']}/apply").json()
    synced.post("/api/push")

    assert answer.headers["Content-Type"] == MEDIA
    assert "Revenue_Cloud_Data.xlsx" in answer.headers["Content-Disposition"]
    assert book.sheetnames[:2] == ["Account", "Contact"]
    assert (preview["good"], preview["problems"], preview["more"]) == (1, 0, 0)
    assert preview["rows"][0]["cells"] == [
        {
            "field": "Phone",
            "header": "Business Phone",
            "old": contact["Phone"],
            "new": "555-1234",
            "moved": False,
            "now": None,
            "formula": False,
            "typed": "",
        }
    ]
    assert (applied["success"], applied["updated"], applied["resultUrl"]) == (True, 1, None)
    assert site.org.row(contact["Id"])["Phone"] == "555-1234"


@pytest.mark.parametrize("field", ["file", "workbook"])
def test_a_workbook_may_be_sent_as_a_form_with_a_file(site, synced, field):
    whole = synced.get("/api/workbook").content
    notes = {"remark": (None, "of mine", "text/plain")}

    preview = synced.post("/api/workbook", files=notes | {field: ("plan.xlsx", whole, MEDIA)})

    assert preview.status_code == 200
    assert (preview.json()["good"], preview.json()["problems"]) == (0, 0)
    assert sum(each["unchanged"] for each in preview.json()["objects"]) > 0


FORM = {"Content-Type": "multipart/form-data; boundary=end"}
PART = b'--end\r\nContent-Disposition: form-data; name="file"; filename="plan.xlsx"\r\n\r\n'


@pytest.mark.parametrize(
    ("headers", "content", "why"),
    [
        (FORM, b'--end\r\nContent-Disposition: form-data; name="file"\r\n\r\nPK\r\n--end--\r\n', "has no file"),
        (FORM, PART + b"PK\r\n" + PART + b"PK\r\n--end--\r\n", "several files"),
        (FORM, PART + b"PK", "breaks off"),
        (FORM, b"PK\x03\x04", "form"),
        (FORM, b"", "breaks off"),
        (FORM, b"--end\r\n" + b"x: y\r\n" * 5_000 + b"\r\n", "form"),
        (FORM, b"--end\r\nx: " + b"y" * 100_000 + b"\r\n", "form"),
        (FORM, b"--end\r\n\r\n\r\n" * 5_000 + PART + b"PK\r\n--end--\r\n", "too many parts"),
        ({"Content-Type": "multipart/form-data"}, PART + b"PK\r\n--end--\r\n", "boundary"),
        ({"Content-Type": f"multipart/form-data; boundary={'x' * 300}"}, b"--" + b"x" * 300, "oundary"),
    ],
)
def test_a_form_that_brings_no_workbook_is_told(synced, headers, content, why):
    answer = synced.post("/api/workbook", content=content, headers=headers)

    assert (answer.status_code, answer.json()["error"]) == (400, "BAD_REQUEST")
    assert why in answer.json()["details"]


def test_a_workbook_that_is_sent_again_goes_on_from_what_it_wrote(site, synced):
    book = load_workbook(io.BytesIO(synced.get("/api/workbook").content))
    contact = synced.get("/api/objects/Contact/records?limit=1").json()["records"][0]
    cell = cells_of(book["Contact"])(contact["Id"], "Business Phone")
    told = []
    for phone in ("555-1234", "555-9999"):
        cell.value = phone
        preview = sent(synced, book).json()
        told.append(preview["rows"][0]["cells"][0]["old"])
        assert synced.post(f"/api/workbook/{preview['uploadId']}/apply").json()["success"]
        synced.post("/api/push")

    assert told == [contact["Phone"], "555-1234"]
    assert site.org.row(contact["Id"])["Phone"] == "555-9999"


def test_what_is_wrong_comes_back_with_the_reason_beside_it(synced):
    book = load_workbook(io.BytesIO(synced.get("/api/workbook").content))
    contact = synced.get("/api/objects/Contact/records?limit=1").json()["records"][0]
    cells_of(book["Contact"])(contact["Id"], "Birthdate").value = "some day"

    preview = sent(synced, book).json()
    before = synced.get(f"/api/workbook/{preview['uploadId']}/result")
    applied = synced.post(f"/api/workbook/{preview['uploadId']}/apply").json()
    result = load_workbook(io.BytesIO(synced.get(applied["resultUrl"]).content))
    forgotten = synced.delete(f"/api/workbook/{preview['uploadId']}").json()

    assert (preview["problems"], applied["refused"], applied["success"]) == (1, 1, False)
    assert before.status_code == 400
    assert cells_of(result["Contact"])(contact["Id"], "Status").value
    assert forgotten == {"success": True}
    assert synced.get(f"/api/workbook/{preview['uploadId']}").status_code == 404


def test_after_a_session_the_workbook_is_current_and_made_once(site, synced, tmp_path):
    begun = synced.post("/api/sync", json={"objects": ["Account", "Contact", "Lead"]}).json()
    while (session := synced.get(f"/api/sync/{begun['sessionId']}").json())["state"] == "running":
        time.sleep(0.05)
    file = tmp_path / "data" / "salesforce.db-workbooks" / "Revenue_Cloud_Data.xlsx"
    made = file.stat()

    book = load_workbook(io.BytesIO(synced.get(session["workbook"]).content))

    assert (session["state"], session["workbook"]) == ("complete", "/api/workbook")
    assert {"Account", "Contact", "Lead"} < set(book.sheetnames)
    assert (file.stat().st_mtime_ns, stat.S_IMODE(made.st_mode)) == (made.st_mtime_ns, 0o600)


def test_a_workbook_follows_what_was_edited_since(synced):
    synced.get("/api/workbook")
    contact = synced.get("/api/objects/Contact/records?limit=1").json()["records"][0]
    synced.patch(f"/api/objects/Contact/records/{contact['Id']}", json={"Phone": "555-4321"})

    book = load_workbook(io.BytesIO(synced.get("/api/workbook").content))

    assert cells_of(book["Contact"])(contact["Id"], "Business Phone").value == "555-4321"


def test_a_ready_set_can_be_had(synced):
    book = load_workbook(io.BytesIO(synced.get("/api/workbook", params={"set": "sales"}).content))

    assert {"Account", "Contact"} <= set(book.sheetnames)
    assert synced.get("/api/workbook", params={"set": "everything"}).status_code == 400


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "NOT_A_WORKBOOK"),
        (b"PK\x03\x04 and nothing more", "NOT_A_WORKBOOK"),
        (b"<html></html>", "NOT_A_WORKBOOK"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600, None),
    ],
)
def test_what_is_no_workbook_is_refused_and_leaves_nothing(site, synced, tmp_path, body, code):
    answer = synced.post("/api/workbook", content=body, headers={"Content-Type": MEDIA})

    assert answer.status_code == 422
    assert answer.json()["error"] == (code or answer.json()["error"])
    assert list((tmp_path / "data" / "salesforce.db-workbooks").glob("workbook-*")) == []


@pytest.mark.parametrize(("asked", "given"), [({}, b"the old one"), ({"Range": "bytes=4-6"}, b"old")])
def test_a_download_is_of_one_workbook_though_the_next_one_takes_its_place(tmp_path, asked, given):
    path, new = tmp_path / "book.xlsx", tmp_path / "new.xlsx"
    path.write_bytes(b"the old one")
    new.write_bytes(b"new")
    file = path.open("rb")
    answer = OpenFile(file, media_type=MEDIA, filename="book.xlsx")
    new.replace(path)

    async def get():
        async with httpx2.AsyncClient(transport=httpx2.ASGITransport(answer), base_url="http://here") as client:
            return await client.get("/", headers=asked)

    got = in_loop(get())

    assert (got.content, got.headers["content-length"]) == (given, str(len(given)))
    assert file.closed


def test_a_viewer_downloads_and_sends_nothing(site, synced):
    viewer = site.client("vic", Role.VIEWER)

    assert viewer.get("/api/workbook").status_code == 200
    assert viewer.get("/api/workbook", params={"set": "sales"}).status_code == 200
    assert viewer.get("/api/objects/Contact/records.ndjson").status_code == 200
    assert viewer.post("/api/workbook", content=b"x").status_code == 403


def test_what_a_viewer_takes_along_is_in_the_audit_log(site, synced):
    viewer = site.client("vic", Role.VIEWER)
    for path in ("/api/workbook", "/api/workbook?set=sales", "/api/objects/Contact/records.ndjson"):
        viewer.get(path)

    entries = site.client().get("/api/audit").json()["entries"]
    mine = [each for each in entries if (each["who"], each["action"]) == ("user:vic", "export")]
    assert [each["outcome"] for each in mine] == ["done", "begun"] * 3
    assert [each["subject"] for each in mine[1::2]] == ["default/Contact", "default/sales", "default"]
