"""Bulk API 2.0 query jobs over a real socket."""

import csv
import gzip
import io
import time
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from simorg.bulk_jobs import jobs_of
from simorg.org import SimOrg
from simorg.times import DAY_MS
from tests.plain import PLAIN

ROOT = "/services/data/v58.0"
JOBS = f"{ROOT}/jobs/query"


class Door:
    """An HTTP client that is logged in and knows query jobs."""

    def __init__(self, org: SimOrg, url: str) -> None:
        self.org = org
        self.http = httpx2.Client(base_url=url, timeout=30, headers={"Accept-Encoding": "identity"}, verify=PLAIN)
        self.login()

    def login(self) -> None:
        """Begin a new session."""
        token = self.org.sessions.open(self.org.user_id).token
        self.http.headers["Authorization"] = f"Bearer {token}"

    def create(self, soql: str, **settings: str) -> httpx2.Response:
        """POST a job."""
        return self.http.post(JOBS, json={"operation": "query", "query": soql, **settings})

    def finished(self, soql: str, **settings: str) -> dict[str, Any]:
        """A job that has come to its end."""
        job = self.create(soql, **settings).json()
        while job["state"] in ("UploadComplete", "InProgress"):
            time.sleep(0.01)
            job = self.http.get(f"{JOBS}/{job['id']}").json()
        return job

    def results(self, job: dict[str, Any], **params: str) -> httpx2.Response:
        """GET one page."""
        return self.http.get(f"{JOBS}/{job['id']}/results", params=params)

    def refused(self, soql: str) -> tuple[int, str]:
        """Status and code of a job that cannot be made."""
        answer = self.create(soql)
        return answer.status_code, answer.json()[0]["errorCode"]


@pytest.fixture(scope="module")
def org() -> Iterator[SimOrg]:
    with SimOrg(records=1_000) as made:
        yield made


@pytest.fixture(scope="module")
def door(org: SimOrg) -> Iterator[Door]:
    with org.serve() as server:
        door = Door(org, server.url)
        yield door
        door.http.close()


def rows_of(text: str) -> list[list[str]]:
    """A CSV text as rows, header included."""
    return list(csv.reader(io.StringIO(text, newline="")))


def test_a_new_job_tells_what_it_is(door: Door) -> None:
    answer = door.create("SELECT Id FROM Contact")

    job = answer.json()
    assert answer.status_code == 200
    assert list(job) == [
        *("id", "operation", "object", "createdById", "createdDate", "systemModstamp", "state", "concurrencyMode"),
        *("contentType", "apiVersion", "lineEnding", "columnDelimiter"),
    ]
    assert (job["id"][:3], len(job["id"]), job["object"], job["state"]) == ("750", 18, "Contact", "UploadComplete")
    assert b'"apiVersion":58.0' in answer.content


def test_a_finished_job_tells_how_many_records_it_has(door: Door) -> None:
    job = door.finished("SELECT Id FROM Contact")

    count = door.http.get(f"{ROOT}/query", params={"q": "SELECT COUNT() FROM Contact"}).json()["totalSize"]
    assert (job["state"], job["jobType"], job["numberRecordsProcessed"]) == ("JobComplete", "V2Query", count)
    assert job["isPkChunkingSupported"] is True


@pytest.mark.parametrize("size", [1, 7, 333, 5000])
def test_pages_of_any_size_join_to_the_whole_result(door: Door, size: int) -> None:
    job = door.finished("SELECT Id, Name, Description FROM Contact ORDER BY Id LIMIT 40")
    whole = rows_of(door.results(job).text)

    rows, locator, counts = [], "", []
    while locator != "null":
        params = {"maxRecords": str(size)} | ({"locator": locator} if locator else {})
        page = door.results(job, **params)
        header, *body = rows_of(page.text)
        assert header == ["Id", "Name", "Description"]
        rows += body
        counts.append(int(page.headers["sforce-numberofrecords"]))
        locator = page.headers["sforce-locator"]

    assert rows == whole[1:]
    assert sum(counts) == len(rows) == 40
    assert len(counts) == -(-40 // size) > 0
    assert counts[:-1] == [size] * (len(counts) - 1)


def test_a_locator_is_opaque_base64_of_a_place(door: Door) -> None:
    job = door.finished("SELECT Id FROM Contact")

    assert door.results(job, maxRecords="100").headers["sforce-locator"] == "MTAw"


def test_every_value_is_quoted_and_null_is_empty(door: Door) -> None:
    account = door.org.add("Account", Name='quo"te, comma\nline')
    values = {"Price__c": "12.30", "Moment__c": "2024-01-15T10:30:00Z", "Active__c": False, "Text__c": None}
    made = door.org.add("Widget__c", Account__c=account, Day__c="4000-12-31", **values)
    names = "Id, Account__r.Name, Price__c, Moment__c, Active__c, Text__c, Day__c, Count__c, account__r.Parent.Name"

    text = door.results(door.finished(f"SELECT {names} FROM Widget__c WHERE Id = '{made}'")).content.decode()

    assert text == (
        '"Id","Account__r.Name","Price__c","Moment__c","Active__c","Text__c","Day__c","Count__c","Account__r.Parent.Name"\n'
        f'"{made}","quo""te, comma\nline","12.3","2024-01-15T10:30:00.000Z","false","","4000-12-31","",""\n'
    )


def test_delimiter_and_line_ending_are_the_job_s(door: Door) -> None:
    job = door.finished("SELECT Id, IsDeleted FROM Contact LIMIT 1", columnDelimiter="PIPE", lineEnding="CRLF")

    text = door.results(job).content.decode()

    assert text.startswith('"Id"|"IsDeleted"\r\n"003')
    assert text.endswith('"|"false"\r\n')


def test_an_empty_result_is_a_header(door: Door) -> None:
    page = door.results(door.finished("SELECT Id, Name FROM Contact WHERE LastName = 'nobody at all'"))

    assert page.content == b'"Id","Name"\n'
    assert (page.headers["sforce-numberofrecords"], page.headers["sforce-locator"]) == ("0", "null")
    assert page.headers["content-type"].startswith("text/csv")


def test_gzip_gives_the_same_bytes_once_and_again(door: Door) -> None:
    job = door.finished("SELECT Id, Name, Description FROM Contact")
    plain = door.results(job).content
    url = f"{JOBS}/{job['id']}/results"

    packed = []
    for _ in range(2):
        with door.http.stream("GET", url, headers={"Accept-Encoding": "gzip"}) as answer:
            assert answer.headers["content-encoding"] == "gzip"
            packed.append(b"".join(answer.iter_raw()))

    assert packed[0] == packed[1]
    assert gzip.decompress(packed[0]) == plain
    assert len(packed[0]) < len(plain) / 2


def test_bulk_and_rest_give_the_same_values(door: Door) -> None:
    names = ["Id", "LastName", "FirstName", "Email", "Birthdate", "Description", "Title", "AccountId"]
    soql = f"SELECT {', '.join(names)} FROM Contact ORDER BY Id LIMIT 500"

    bulk = rows_of(door.results(door.finished(soql)).content.decode())[1:]
    rest = door.http.get(f"{ROOT}/query", params={"q": soql}).json()["records"]

    assert len(rest) == 500
    assert bulk == [[row[name] or "" for name in names] for row in rest]


def test_the_result_is_of_the_moment_of_the_job(door: Door) -> None:
    job = door.finished("SELECT Id FROM Contact")
    made = door.org.add("Contact", LastName="after the job")

    assert made not in door.results(job).text
    assert made in door.results(door.finished("SELECT Id FROM Contact")).text


def test_result_pages_can_be_read_side_by_side(door: Door) -> None:
    job = door.finished("SELECT Id FROM Contact ORDER BY Id LIMIT 70")
    whole = rows_of(door.results(job).text)[1:]

    rows, url = [], f"{JOBS}/{job['id']}/resultPages?maxRecords=10"
    lengths = []
    while url:
        answer = door.http.get(url).json()
        lengths.append(len(answer["resultPages"]))
        for page in answer["resultPages"]:
            rows += rows_of(door.http.get(page["resultUrl"]).text)[1:]
        url = answer.get("nextRecordsUrl", "")

    assert lengths == [5, 2]
    assert answer["done"] is True
    assert rows == whole
    assert len(rows) == 70


def test_query_all_has_the_deleted_rows_too(door: Door) -> None:
    made = door.org.add("Contact", LastName="dead")
    door.org.remove(made)
    soql = "SELECT Id FROM Contact WHERE LastName = 'dead'"

    assert door.finished(soql)["numberRecordsProcessed"] == 0
    assert door.finished(soql, operation="queryAll")["numberRecordsProcessed"] == 1


@pytest.mark.parametrize(
    ("soql", "code"),
    [
        ("SELECT COUNT(Id) FROM Contact", "API_ERROR"),
        ("SELECT COUNT() FROM Contact", "API_ERROR"),
        ("SELECT Title FROM Contact GROUP BY Title", "API_ERROR"),
        ("SELECT Id FROM Contact OFFSET 5", "API_ERROR"),
        ("SELECT Id, (SELECT Id FROM Contacts) FROM Account", "API_ERROR"),
        ("SELECT TYPEOF Owner WHEN User THEN Id END FROM Lead", "API_ERROR"),
        ("SELECT MailingAddress FROM Contact", "API_ERROR"),
        ("SELECT VersionData FROM ContentVersion", "API_ERROR"),
        ("SELECT FIELDS(ALL) FROM Contact LIMIT 200", "API_ERROR"),
        ("SELECT Id FROM Nothing", "INVALID_TYPE"),
        ("SELECT Nope FROM Contact", "INVALID_FIELD"),
        ("SELECT Id FROM", "MALFORMED_QUERY"),
        ("", "MALFORMED_QUERY"),
    ],
)
def test_what_bulk_does_not_know_is_refused_at_once(door: Door, soql: str, code: str) -> None:
    assert door.refused(soql) == (400, code)


def test_compound_fields_are_refused_in_salesforce_s_words(door: Door) -> None:
    error = door.create("SELECT MailingAddress FROM Contact").json()[0]

    assert error["message"] == "Selecting compound data not supported in Bulk Query"


def test_fields_standard_leaves_out_what_csv_cannot_hold(door: Door) -> None:
    job = door.finished("SELECT FIELDS(STANDARD) FROM Contact LIMIT 1")

    header = rows_of(door.results(job).text)[0]

    assert "LastName" in header
    assert "MailingAddress" not in header
    assert not [name for name in header if name.endswith("__c")]


@pytest.mark.parametrize(
    ("key", "value"), [("operation", "insert"), ("columnDelimiter", "COLON"), ("lineEnding", "CR")]
)
def test_settings_that_do_not_exist_are_refused(door: Door, key: str, value: str) -> None:
    answer = door.create("SELECT Id FROM Contact", **{key: value})

    assert (answer.status_code, answer.json()[0]["errorCode"]) == (400, "INVALIDJOB")


def test_another_api_version_is_a_conflict(door: Door) -> None:
    job = door.finished("SELECT Id FROM Contact")

    answer = door.http.get(f"/services/data/v59.0/jobs/query/{job['id']}/results")

    assert answer.status_code == 409


def test_a_bad_locator_is_refused(door: Door) -> None:
    job = door.finished("SELECT Id FROM Contact")

    assert {door.results(job, locator=bad).status_code for bad in ("!!", "OTk5OTk5OQ", "eHg")} == {400}
    assert door.results(job, maxRecords="0").status_code == 400


def test_results_come_when_the_processing_time_has_passed(door: Door) -> None:
    jobs = jobs_of(door.org)
    jobs.processing_seconds = 30
    job = door.create("SELECT Id FROM Contact").json()
    jobs.processing_seconds = 0
    url = f"{JOBS}/{job['id']}"
    time.sleep(0.2)

    early, state = door.results(job), door.http.get(url).json()["state"]
    door.org.clock.advance(31)
    while door.http.get(url).json()["state"] != "JobComplete":
        time.sleep(0.01)

    assert state == "InProgress"
    assert (early.status_code, early.json()[0]["errorCode"]) == (412, "JOB_NOT_COMPLETE")
    assert door.results(job).status_code == 200


def test_a_stuck_job_can_be_aborted(door: Door) -> None:
    door.org.faults.add(job="stuck", path="Contact")
    job = door.create("SELECT Id FROM Contact").json()
    url = f"{JOBS}/{job['id']}"

    running = door.http.get(url).json()["state"]
    aborted = door.http.patch(url, json={"state": "Aborted"})
    again = door.http.patch(url, json={"state": "Aborted"})

    assert (running, aborted.json()["state"], again.status_code) == ("InProgress", "Aborted", 400)
    assert door.results(job).status_code == 400


def test_a_failed_job_tells_why(door: Door) -> None:
    door.org.faults.add(job="failed", path="Contact")

    job = door.finished("SELECT Id FROM Contact")

    assert job["state"] == "Failed"
    assert job["errorMessage"].startswith("InternalServerError")


def test_a_complete_job_cannot_be_aborted_but_deleted(door: Door) -> None:
    job = door.finished("SELECT Id FROM Contact")
    url = f"{JOBS}/{job['id']}"

    abort = door.http.patch(url, json={"state": "Aborted"})
    gone = door.http.delete(url)

    assert abort.json() == [{"message": "Aborting already Completed Job not allowed", "errorCode": "INVALIDJOBSTATE"}]
    assert (gone.status_code, gone.content) == (204, b"")
    assert door.http.get(url).json() == [{"message": "The requested resource does not exist", "errorCode": "NOT_FOUND"}]
    assert not list(jobs_of(door.org).folder.glob(f"{job['id']}*"))


def test_a_double_slash_is_not_found(door: Door) -> None:
    assert door.http.get(f"{ROOT}/jobs//query").status_code == 404


def test_jobs_are_listed(door: Door) -> None:
    job = door.finished("SELECT Id FROM Contact")

    answer = door.http.get(JOBS).json()

    assert answer["done"] is True
    assert answer["nextRecordsUrl"] is None
    assert job["id"] in [one["id"] for one in answer["records"]]
    assert {one["jobType"] for one in answer["records"]} == {"V2Query"}


def test_the_daily_number_of_jobs_is_capped(door: Door) -> None:
    jobs = jobs_of(door.org)
    jobs.jobs_per_day = jobs.made_today("V2Query")

    error = door.create("SELECT Id FROM Contact").json()[0]
    jobs.jobs_per_day = 10_000

    assert error["message"].startswith("Max bulk v2 query jobs (")
    assert door.create("SELECT Id FROM Contact").status_code == 200


def test_a_result_lives_seven_days(door: Door) -> None:
    job = door.finished("SELECT Id FROM Contact")

    door.org.clock.advance(7 * DAY_MS / 1000 - 60)
    door.login()
    before = door.results(job).status_code
    door.org.clock.advance(120)
    door.login()

    assert (before, door.results(job).status_code) == (200, 404)
