"""Bulk API 2.0 ingest jobs over a real socket."""

import csv
import gzip
import io
import time
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from simorg.ids import make
from simorg.org import SimOrg
from tests.plain import PLAIN

ROOT = "/services/data/v58.0"
JOBS = f"{ROOT}/jobs/ingest"


class Door:
    """An HTTP client that is logged in and knows ingest jobs."""

    def __init__(self, org: SimOrg, url: str) -> None:
        self.org = org
        token = org.sessions.open(org.user_id).token
        self.http = httpx2.Client(base_url=url, timeout=30, headers={"Authorization": f"Bearer {token}"}, verify=PLAIN)

    def create(self, operation: str, object_name: str = "Contact", **settings: str) -> dict[str, Any]:
        """An open job."""
        answer = self.http.post(JOBS, json={"operation": operation, "object": object_name, **settings})
        assert answer.status_code == 200, answer.text
        job: dict[str, Any] = answer.json()
        return job

    def put(self, job: dict[str, Any], text: str) -> httpx2.Response:
        """Upload the CSV."""
        return self.http.put("/" + job["contentUrl"], content=text.encode(), headers={"Content-Type": "text/csv"})

    def close(self, job: dict[str, Any]) -> dict[str, Any]:
        """Close the job and wait for its end."""
        self.http.patch(f"{JOBS}/{job['id']}", json={"state": "UploadComplete"})
        return self.wait(job)

    def wait(self, job: dict[str, Any]) -> dict[str, Any]:
        """The job at its end."""
        while job["state"] not in ("JobComplete", "Failed", "Aborted"):
            job = self.http.get(f"{JOBS}/{job['id']}").json()
            time.sleep(0.005)
        return job

    def load(self, operation: str, text: str, object_name: str = "Contact", **settings: str) -> dict[str, Any]:
        """A whole job."""
        job = self.create(operation, object_name, **settings)
        self.put(job, text)
        return self.close(job)

    def rows(self, job: dict[str, Any], kind: str) -> list[dict[str, str]]:
        """A result file."""
        text = self.http.get(f"{JOBS}/{job['id']}/{kind}/").content.decode()
        return list(csv.DictReader(io.StringIO(text, newline="")))


@pytest.fixture(scope="module")
def org() -> Iterator[SimOrg]:
    with SimOrg() as made:
        yield made


@pytest.fixture(scope="module")
def door(org: SimOrg) -> Iterator[Door]:
    with org.serve() as server:
        door = Door(org, server.url)
        yield door
        door.http.close()


def value(org: SimOrg, record_id: str, name: str) -> Any:
    """A stored value."""
    row = org.row(record_id)
    assert row is not None
    return row[name]


def test_a_new_job_is_open_and_says_where_to_put_the_data(door: Door) -> None:
    job = door.create("insert", lineEnding="LF", columnDelimiter="COMMA", contentType="CSV")

    assert (job["state"], job["apiVersion"], job["object"]) == ("Open", 58.0, "Contact")
    assert job["contentUrl"] == f"services/data/v58.0/jobs/ingest/{job['id']}/batches"


def test_insert_writes_rows_and_tells_their_ids(door: Door) -> None:
    job = door.load("insert", 'LastName,FirstName,Description\nBond,"Ja""mes","two\nlines, and a comma"\nMüller,,\n')

    rows = door.rows(job, "successfulResults")
    assert (job["state"], job["numberRecordsProcessed"], job["numberRecordsFailed"]) == ("JobComplete", 2, 0)
    assert list(rows[0]) == ["sf__Id", "sf__Created", "LastName", "FirstName", "Description"]
    assert [(row["sf__Created"], row["LastName"]) for row in rows] == [("true", "Bond"), ("true", "Müller")]
    assert value(door.org, rows[0]["sf__Id"], "Description") == "two\nlines, and a comma"
    assert value(door.org, rows[1]["sf__Id"], "FirstName") is None
    assert door.rows(job, "failedResults") == door.rows(job, "unprocessedrecords") == []


def test_a_complete_job_may_have_failed_rows(door: Door) -> None:
    job = door.load("insert", "LastName,Email\nGood,a@b.co\n,c@d.co\nBad,not-an-address\n")

    rows = door.rows(job, "failedResults")
    assert (job["state"], job["numberRecordsProcessed"], job["numberRecordsFailed"]) == ("JobComplete", 3, 2)
    assert list(rows[0]) == ["sf__Id", "sf__Error", "LastName", "Email"]
    assert [row["sf__Error"] for row in rows] == [
        "REQUIRED_FIELD_MISSING:Required fields are missing: [LastName]:LastName --",
        "INVALID_EMAIL_ADDRESS:Email: invalid email address: not-an-address:Email --",
    ]
    assert {row["sf__Id"] for row in rows} == {""}


def test_an_empty_value_changes_nothing_and_na_makes_null(door: Door) -> None:
    made = door.org.add("Contact", LastName="Old", Title="Boss", Department="D", Phone="1")

    door.load("update", f"Id,LastName,Title,Department,Phone\n{made[:15]},New,,#N/A,2\n")

    row = door.org.row(made)
    assert row is not None
    assert [row[name] for name in ("LastName", "Title", "Department", "Phone")] == ["New", "Boss", None, "2"]


def test_an_update_of_nothing_fails_with_its_id(door: Door) -> None:
    missing = make("003", 987_654)

    job = door.load("update", f"Id,LastName\n{missing},X\n")

    row = door.rows(job, "failedResults")[0]
    assert row["sf__Id"] == missing
    assert row["sf__Error"].endswith("--")


def test_upsert_creates_and_updates_by_an_external_id(door: Door) -> None:
    known = door.org.add("Contact", LastName="Known", Ext__c="U1")

    job = door.load("upsert", "Ext__c,LastName\nu1,Changed\nU2,Created\n", externalIdFieldName="Ext__c")

    rows = {row["Ext__c"]: row for row in door.rows(job, "successfulResults")}
    assert job["externalIdFieldName"] == "Ext__c"
    assert (rows["u1"]["sf__Id"], rows["u1"]["sf__Created"], rows["U2"]["sf__Created"]) == (known, "false", "true")
    assert value(door.org, known, "LastName") == "Changed"


def test_parents_are_found_by_their_external_id(door: Door) -> None:
    account = door.org.add("Account", Name="Parent", Ext__c="P1")

    job = door.load("insert", "LastName,Account.Ext__c\nChild,P1\nOrphan,\nLost,P2\n")

    found = {row["LastName"]: row["sf__Id"] for row in door.rows(job, "successfulResults")}
    assert value(door.org, found["Child"], "AccountId") == account
    assert value(door.org, found["Orphan"], "AccountId") is None
    assert door.rows(job, "failedResults")[0]["sf__Error"].startswith(
        "INVALID_FIELD:Foreign key external ID: p2 not found"
    )


def test_a_polymorphic_parent_is_named_with_its_object(door: Door) -> None:
    job = door.load("insert", "LastName,Company,User:Owner.Username\nL,Co,nobody@example.invalid\n", "Lead")

    assert door.rows(job, "failedResults")[0]["sf__Error"].startswith("INVALID_FIELD:Foreign key external ID")


def test_delete_and_hard_delete(door: Door) -> None:
    soft, hard = (door.org.add("Contact", LastName="x") for _ in range(2))

    first = door.load("delete", f"Id\n{soft}\n")
    second = door.load("hardDelete", f"Id\n{hard}\n")
    again = door.load("delete", f"Id\n{soft}\n001000000000000AAA\n")

    assert (value(door.org, soft, "IsDeleted"), door.org.row(hard)) == (1, None)
    assert door.rows(first, "successfulResults")[0] == {"sf__Id": soft, "sf__Created": "false", "Id": soft}
    assert second["numberRecordsFailed"] == 0
    assert [row["sf__Error"].split(":")[0] for row in door.rows(again, "failedResults")] == (
        ["ENTITY_IS_DELETED", "MALFORMED_ID"]
    )


def test_a_delete_with_more_than_ids_fails_as_a_whole(door: Door) -> None:
    made = door.org.add("Contact", LastName="stays")

    job = door.load("delete", f"Id,LastName\n{made},stays\n")

    assert (job["state"], job["errorMessage"]) == ("Failed", "InvalidBatch : The 'delete' batch must contain only ids")
    assert door.rows(job, "unprocessedrecords") == [{"Id": made, "LastName": "stays"}]


@pytest.mark.parametrize(
    ("name", "char"), [("TAB", "\t"), ("PIPE", "|"), ("SEMICOLON", ";"), ("CARET", "^"), ("BACKQUOTE", "`")]
)
def test_other_delimiters_and_line_endings(door: Door, name: str, char: str) -> None:
    text = f"LastName{char}Title\r\nA,B{char}T\r\n"

    job = door.load("insert", text, columnDelimiter=name, lineEnding="CRLF")

    raw = door.http.get(f"{JOBS}/{job['id']}/successfulResults").content.decode()
    assert raw.startswith(f'"sf__Id"{char}"sf__Created"{char}"LastName"{char}"Title"\r\n"003')
    assert raw.endswith(f'"{char}"true"{char}"A,B"{char}"T"\r\n')


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("LastName\r\nA\r\n", "LineEnding is invalid on user data. Current LineEnding setting is LF"),
        ("LastName,Foo\nA,B\n", "Field name not found : Foo"),
        ("LastName,Nope.Name\nA,B\n", "Field name not found : Nope.Name"),
        ("LastName,Title\nA\n", "Row 1 has 1 values, but the header has 2"),
        ("", "The file has no header row"),
    ],
)
def test_a_file_that_does_not_fit_fails_the_job(door: Door, text: str, message: str) -> None:
    job = door.load("insert", text)

    assert (job["state"], job["errorMessage"]) == ("Failed", f"InvalidBatch : {message}")
    assert job["numberRecordsProcessed"] == 0


def test_a_gzipped_upload_is_read(door: Door) -> None:
    job = door.create("insert")
    packed = gzip.compress(b"LastName\nZipped\n")

    headers = {"Content-Type": "text/csv", "Content-Encoding": "gzip"}
    answer = door.http.put("/" + job["contentUrl"], content=packed, headers=headers)

    assert (answer.status_code, answer.content) == (201, b"")
    assert door.close(job)["numberRecordsProcessed"] == 1


def test_data_is_put_once(door: Door) -> None:
    job = door.create("insert")
    first, second = door.put(job, "LastName\nA\n"), door.put(job, "LastName\nB\n")

    assert (first.status_code, second.status_code) == (201, 400)
    assert second.json()[0]["message"].startswith(f"Found multiple contents for job: <{job['id']}>")


def test_a_multipart_job_begins_at_once(door: Door) -> None:
    body = (
        '--BOUNDARY\r\nContent-Type: application/json\r\nContent-Disposition: form-data; name="job"\r\n\r\n'
        '{"object":"Contact","operation":"insert","lineEnding":"LF"}\r\n'
        '--BOUNDARY\r\nContent-Type: text/csv\r\nContent-Disposition: form-data; name="content"; filename="content"\r\n'
        "\r\nLastName\nFromParts\n\r\n--BOUNDARY--\r\n"
    )

    headers = {"Content-Type": "multipart/form-data; boundary=BOUNDARY"}
    job = door.http.post(JOBS, content=body.encode(), headers=headers).json()

    assert job["state"] == "UploadComplete"
    assert door.wait(job)["numberRecordsProcessed"] == 1
    assert door.rows(job, "successfulResults")[0]["LastName"] == "FromParts"


def test_a_job_can_be_aborted_while_open_and_deleted_when_closed(door: Door) -> None:
    job = door.create("insert")
    url = f"{JOBS}/{job['id']}"

    refused = door.http.delete(url)
    aborted = door.http.patch(url, json={"state": "Aborted"})
    closed = door.http.patch(url, json={"state": "UploadComplete"})
    deleted = door.http.delete(url)

    assert (refused.status_code, aborted.json()["state"], closed.status_code) == (400, "Aborted", 400)
    assert (deleted.status_code, door.http.get(url).status_code) == (204, 404)


def test_results_of_an_unfinished_job_are_not_there(door: Door) -> None:
    job = door.create("insert")

    answer = door.http.get(f"{JOBS}/{job['id']}/successfulResults")

    assert (answer.status_code, answer.json()[0]["errorCode"]) == (400, "INVALIDJOBSTATE")


def test_a_job_that_fails_midway_leaves_unprocessed_rows(door: Door) -> None:
    door.org.faults.add(job="failed", path="Contact")
    names = [f"row {number}" for number in range(1000)]

    job = door.load("insert", "LastName\n" + "\n".join(names) + "\n")

    done = [row["LastName"] for row in door.rows(job, "successfulResults")]
    rest = [row["LastName"] for row in door.rows(job, "unprocessedrecords")]
    assert job["state"] == "Failed"
    assert (job["numberRecordsProcessed"], done + rest) == (500, names)
    assert door.org.database.value("SELECT count(*) FROM Contact WHERE LastName LIKE 'row %'") == 500


def test_a_stuck_job_stays_at_work_until_it_is_aborted(door: Door) -> None:
    door.org.faults.add(job="stuck", path="Contact")
    job = door.create("insert")
    door.put(job, "LastName\nA\n")
    url = f"{JOBS}/{job['id']}"

    door.http.patch(url, json={"state": "UploadComplete"})
    running = door.http.get(url).json()["state"]
    aborted = door.http.patch(url, json={"state": "Aborted"}).json()["state"]

    assert (running, aborted) == ("InProgress", "Aborted")
    assert door.rows(job, "unprocessedrecords") == [{"LastName": "A"}]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"operation": "insert", "object": "Nothing"}, "INVALIDJOB"),
        ({"operation": "erase", "object": "Contact"}, "INVALIDJOB"),
        ({"operation": "upsert", "object": "Contact"}, "INVALIDJOB"),
        ({"operation": "upsert", "object": "Contact", "externalIdFieldName": "Title"}, "INVALIDJOB"),
        ({"operation": "insert", "object": "Contact", "contentType": "XML"}, "INVALIDJOB"),
    ],
)
def test_a_job_that_makes_no_sense_is_refused(door: Door, body: dict[str, str], code: str) -> None:
    answer = door.http.post(JOBS, json=body)

    assert (answer.status_code, answer.json()[0]["errorCode"]) == (400, code)


def test_an_insert_must_not_have_ids(door: Door) -> None:
    job = door.load("insert", f"Id,LastName\n{make('003', 5)},A\n,B\n")

    assert (job["numberRecordsProcessed"], job["numberRecordsFailed"]) == (2, 1)
    assert door.rows(job, "failedResults")[0]["sf__Error"].startswith("INVALID_FIELD_FOR_INSERT_UPDATE:")


def test_a_duplicate_value_is_told_as_salesforce_tells_it(door: Door) -> None:
    known = door.org.add("Contact", LastName="Known", Ext__c="D1")

    job = door.load("insert", "LastName,Ext__c\nOther,D1\n")

    error = door.rows(job, "failedResults")[0]["sf__Error"]
    assert error.startswith(
        f"DUPLICATE_VALUE:duplicate value found: Ext__c duplicates value on record with id: {known[:15]}"
    )
    assert error.endswith("--")


def test_jobs_are_listed_with_their_kind(door: Door) -> None:
    job = door.create("insert")

    records = door.http.get(JOBS).json()["records"]

    assert job["id"] in [one["id"] for one in records]
    assert {one["jobType"] for one in records} == {"V2Ingest"}


def test_an_open_job_dies_after_a_day(door: Door) -> None:
    job = door.create("insert")
    door.org.clock.advance(86_400 + 60)
    token = door.org.sessions.open(door.org.user_id).token
    door.http.headers["Authorization"] = f"Bearer {token}"

    assert door.http.get(f"{JOBS}/{job['id']}").json()["state"] == "Failed"
