"""One refusal, three doors: the single request, the collection (`statusCode`) and the Bulk job (`sf__Error`)."""

import csv
import io
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest

from simorg import triggers
from simorg.org import SimOrg

Setting = Callable[[SimOrg], None]
KNOWN = "known@example.com"


def no_rule(org: SimOrg) -> None:
    """Leave the org as it is."""


def validation(org: SimOrg) -> None:
    org.rules.add_validation("Contact", "LastName = 'Bad'", 'Not Bad, please: it is, "bad"', "LastName")


def validation_of_the_page(org: SimOrg) -> None:
    org.rules.add_validation("Contact", "LastName = 'Bad'", "Not Bad")


def duplicate(org: SimOrg) -> None:
    org.rules.add_duplicate_rule("Contact", ["Email"])
    org.create("Contact", [{"LastName": "First", "Email": KNOWN}], allow_duplicates=True)


def trigger(org: SimOrg) -> None:
    triggers.fail_when(org, "Contact", "LastName = 'Bad'", "a null")


TRIGGER_TEXT = (
    "ContactTrigger: execution of AfterInsert\n\ncaused by: a null\n\nTrigger.ContactTrigger: line 1, column 1"
)


@dataclass(frozen=True, slots=True)
class Case:
    """A row that is refused where the org is set so, and how."""

    setting: Setting
    row: dict[str, Any]
    code: str
    message: str
    fields: list[str]


CASES = [
    Case(
        no_rule, {"FirstName": "x"}, "REQUIRED_FIELD_MISSING", "Required fields are missing: [LastName]", ["LastName"]
    ),
    Case(
        no_rule,
        {"LastName": "Bad", "CleanStatus": "Dirty"},
        "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
        "Clean Status: bad value for restricted picklist field: Dirty",
        ["CleanStatus"],
    ),
    Case(
        no_rule,
        {"LastName": "Bad", "Email": "nobody"},
        "INVALID_EMAIL_ADDRESS",
        "Email: invalid email address: nobody",
        ["Email"],
    ),
    Case(
        no_rule,
        {"LastName": "Bad", "AccountId": "0015e00000zzzzzAAA"},
        "INVALID_CROSS_REFERENCE_KEY",
        "invalid cross reference id",
        ["AccountId"],
    ),
    Case(
        validation,
        {"LastName": "Bad"},
        "FIELD_CUSTOM_VALIDATION_EXCEPTION",
        'Not Bad, please: it is, "bad"',
        ["LastName"],
    ),
    Case(validation_of_the_page, {"LastName": "Bad"}, "FIELD_CUSTOM_VALIDATION_EXCEPTION", "Not Bad", []),
    Case(duplicate, {"LastName": "Bad", "Email": KNOWN}, "DUPLICATES_DETECTED", "Use one of these records?", []),
    Case(trigger, {"LastName": "Bad"}, "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", TRIGGER_TEXT, []),
]
DOORS = pytest.mark.parametrize("case", CASES, ids=lambda case: case.code)


def bulk(
    client: httpx2.Client, object_name: str, operation: str, rows: list[dict[str, Any]]
) -> tuple[list[dict[str, str]], list[dict[str, str]]]:
    """Run an ingest job; return the rows of its successful and failed results."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    job = client.post("/jobs/ingest", json={"object": object_name, "operation": operation}).json()["id"]
    headers = {"Content-Type": "text/csv"}
    client.put(f"/jobs/ingest/{job}/batches", content=text.getvalue().encode(), headers=headers)
    client.patch(f"/jobs/ingest/{job}", json={"state": "UploadComplete"})
    until = time.monotonic() + 20
    while client.get(f"/jobs/ingest/{job}").json()["state"] != "JobComplete":
        assert time.monotonic() < until
        time.sleep(0.02)
    files = (client.get(f"/jobs/ingest/{job}/{kind}").text for kind in ("successfulResults", "failedResults"))
    done, failed = (list(csv.DictReader(io.StringIO(file, newline=""))) for file in files)
    return done, failed


@DOORS
def test_alone(client: httpx2.Client, org: SimOrg, case: Case) -> None:
    case.setting(org)
    answer = client.post("/sobjects/Contact", json=case.row)

    (error,) = answer.json()
    assert answer.status_code == 400
    assert (error["errorCode"], error["message"], error.get("fields", [])) == (case.code, case.message, case.fields)


@DOORS
def test_in_a_collection_beside_a_good_row(client: httpx2.Client, org: SimOrg, case: Case) -> None:
    case.setting(org)
    records = [{"attributes": {"type": "Contact"}, **one} for one in (case.row, {"LastName": "Good"})]
    answer = client.post("/composite/sobjects", json={"allOrNone": False, "records": records})

    refused, saved = answer.json()
    assert answer.status_code == 200
    error = {"statusCode": case.code, "message": case.message, "fields": case.fields}
    assert refused == {"success": False, "errors": [error]}
    assert saved["success"] is True


@DOORS
def test_in_a_bulk_job_beside_a_good_row(client: httpx2.Client, org: SimOrg, case: Case) -> None:
    case.setting(org)
    blank = dict.fromkeys(("FirstName", "LastName", "Email", "CleanStatus", "AccountId"), "")
    done, failed = bulk(client, "Contact", "insert", [blank | case.row, blank | {"LastName": "Good"}])

    named = f"{','.join(case.fields)} " if case.fields else ""
    assert [one["LastName"] for one in done] == ["Good"]
    assert [(one["sf__Id"], one["sf__Error"]) for one in failed] == [("", f"{case.code}:{case.message}:{named}--")]


def test_a_record_type_of_another_object_is_refused_at_every_door(client: httpx2.Client, org: SimOrg) -> None:
    wrong = "0125e0000000009AAA"
    text = f"Record Type ID: this ID value isn't valid for the user: {wrong}"
    row = {"Name": "x", "RecordTypeId": wrong}
    (alone,) = client.post("/sobjects/Account", json=row).json()
    records = [{"attributes": {"type": "Account"}, **row}]
    (many,) = client.post("/composite/sobjects", json={"records": records}).json()
    _, (failed,) = bulk(client, "Account", "insert", [row])

    assert (alone["errorCode"], alone["message"]) == ("INVALID_CROSS_REFERENCE_KEY", text)
    assert (many["errors"][0]["statusCode"], many["errors"][0]["fields"]) == (
        "INVALID_CROSS_REFERENCE_KEY",
        ["RecordTypeId"],
    )
    assert failed["sf__Error"] == f"INVALID_CROSS_REFERENCE_KEY:{text}:RecordTypeId --"


class TestDuplicates:
    """Only single requests and parts of a composite name the matching records."""

    def test_the_match_is_named(self, client: httpx2.Client, org: SimOrg) -> None:
        org.rules.add_duplicate_rule("Contact", ["Email"], name="Standard_Contact_Duplicate_Rule")
        known = org.add("Contact", LastName="First", Email="match@example.com")
        body = {"LastName": "Second", "Email": "MATCH@example.com"}
        url = "/services/data/v58.0/sobjects/Contact"
        part = {"method": "POST", "url": url, "referenceId": "p", "body": body}
        alone = client.post("/sobjects/Contact", json=body).json()
        (inner,) = client.post("/composite", json={"compositeRequest": [part]}).json()["compositeResponse"]

        result = alone[0]["duplicateResut"]
        (match,) = result["matchResults"]
        assert inner["body"] == alone
        assert (result["duplicateRule"], result["allowSave"]) == ("Standard_Contact_Duplicate_Rule", True)
        assert [one["record"] for one in match["matchRecords"]] == [
            {"attributes": {"type": "Contact", "url": f"{url}/{known}"}, "Id": known}
        ]

    def test_the_header_asks_for_the_matching_record(self, client: httpx2.Client, org: SimOrg) -> None:
        org.rules.add_duplicate_rule("Contact", ["Email"])
        known = org.add("Contact", LastName="First", Email="details@example.com", Phone="1")
        header = {"Sforce-Duplicate-Rule-Header": "includeRecordDetails=true"}
        body = {"LastName": "Second", "Email": "details@example.com"}
        (told,) = client.post("/sobjects/Contact", json=body, headers=header).json()

        record = told["duplicateResut"]["matchResults"][0]["matchRecords"][0]["record"]
        assert record == client.get(f"/sobjects/Contact/{known}").json()
        assert record["Phone"] == "1"

    @pytest.mark.parametrize(("allow_save", "status"), [(True, 201), (False, 400)])
    def test_the_header_saves_anyway_where_the_rule_allows_it(
        self, client: httpx2.Client, org: SimOrg, allow_save: bool, status: int
    ) -> None:
        org.rules.add_duplicate_rule("Contact", ["Email"], allow_save=allow_save)
        org.add("Contact", LastName="First", Email=f"{status}@example.com")
        body = {"LastName": "Second", "Email": f"{status}@example.com"}
        header = {"Sforce-Duplicate-Rule-Header": "allowSave=true; includeRecordDetails=false"}

        assert client.post("/sobjects/Contact", json=body, headers=header).status_code == status

    def test_a_rule_makes_its_fields_quick_to_look_up(self, org: SimOrg) -> None:
        org.rules.add_duplicate_rule("contact", ["Department"])
        sql = 'EXPLAIN QUERY PLAN SELECT "Id" FROM "Contact" WHERE "Department" = ? COLLATE NOCASE'
        (plan,) = org.database.rows(sql, ("x",))

        assert "USING INDEX _Contact_Department" in plan[-1]

    def test_a_rule_on_a_field_that_is_not_there_is_refused(self, org: SimOrg) -> None:
        with pytest.raises(LookupError):
            org.rules.add_duplicate_rule("Contact", ["Nonsense"])

        assert org.rules.duplicate_rules == []


class TestLocks:
    """UNABLE_TO_LOCK_ROW, and that trying again helps."""

    def test_for_so_many_tries(self, client: httpx2.Client, outside: httpx2.Client, org: SimOrg) -> None:
        account = org.add("Account", Name="x")
        outside.post("/_control/rows", json={"operation": "lock", "ids": [account], "times": 2})
        path = f"/sobjects/Account/{account}"
        answers = [client.patch(path, json={"Site": "1"}) for _ in range(3)]

        assert [one.status_code for one in answers] == [400, 400, 204]
        assert answers[0].json()[0]["errorCode"] == "UNABLE_TO_LOCK_ROW"

    def test_a_locked_parent_in_a_collection_and_a_job(self, client: httpx2.Client, org: SimOrg) -> None:
        account = org.add("Account", Name="x")
        org.rules.lock_row(account, times=2)
        row = {"LastName": "x", "AccountId": account}
        records = [{"attributes": {"type": "Contact"}, **row}]
        (many,) = client.post("/composite/sobjects", json={"records": records}).json()
        _, (failed,) = bulk(client, "Contact", "insert", [row])
        done, _ = bulk(client, "Contact", "insert", [row])

        text = f"unable to obtain exclusive access to this record or 1 records: {account}"
        assert many["errors"] == [{"statusCode": "UNABLE_TO_LOCK_ROW", "message": text, "fields": []}]
        assert failed["sf__Error"] == f"UNABLE_TO_LOCK_ROW:{text}:--"
        assert len(done) == 1

    def test_the_chunks_of_a_job_contend_for_parents(
        self, client: httpx2.Client, outside: httpx2.Client, org: SimOrg
    ) -> None:
        contended = {"object_name": "Contact", "field": "AccountId"}
        assert outside.post("/_control/rules", json={"contend_for_parents": contended}).status_code == 200
        shared, own = org.add("Account", Name="shared"), org.add("Account", Name="own")
        rows = [{"LastName": f"c{number}", "AccountId": shared if number % 150 == 0 else own} for number in range(200)]
        rows += [{"LastName": f"d{number}", "AccountId": shared if number == 7 else ""} for number in range(200)]
        done, failed = bulk(client, "Contact", "insert", rows)
        again, _ = bulk(client, "Contact", "insert", [row for row in rows if row["LastName"] == "d7"])

        assert [one["LastName"] for one in failed] == ["d7"]
        assert failed[0]["sf__Error"].startswith("UNABLE_TO_LOCK_ROW:")
        assert (len(done), len(again)) == (399, 1)
