"""SOQL over a real socket: pages, locators, sessions, errors."""

import json
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from simorg.org import SimOrg
from tests.plain import PLAIN

ROOT = "/services/data/v58.0"
TWO_DAYS = 2 * 86_400


class Door:
    """An HTTP client that is logged in."""

    def __init__(self, org: SimOrg, url: str) -> None:
        self.org = org
        self.http = httpx2.Client(base_url=url, timeout=30, verify=PLAIN)
        self.login()

    def login(self) -> None:
        """Begin a new session."""
        token = self.org.sessions.open(self.org.user_id).token
        self.http.headers["Authorization"] = f"Bearer {token}"

    def query(self, soql: str, *, batch: int | None = None, what: str = "query") -> httpx2.Response:
        """GET /query."""
        headers = {"Sforce-Query-Options": f"batchSize={batch}"} if batch else {}
        return self.http.get(f"{ROOT}/{what}", params={"q": soql}, headers=headers)

    def all(self, soql: str, batch: int) -> list[dict[str, Any]]:
        """All pages of a result."""
        pages = [self.query(soql, batch=batch).json()]
        while not pages[-1]["done"]:
            headers = {"Sforce-Query-Options": f"batchSize={batch}"}
            pages.append(self.http.get(pages[-1]["nextRecordsUrl"], headers=headers).json())
        return pages


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


def test_pages_hold_every_row_once_and_the_same_total(door: Door) -> None:
    pages = door.all("SELECT Id FROM Contact", 300)

    ids = [row["Id"] for page in pages for row in page["records"]]
    total = door.query("SELECT COUNT() FROM Contact").json()["totalSize"]
    assert [len(page["records"]) for page in pages[:-1]] == [300] * (len(pages) - 1)
    assert {page["totalSize"] for page in pages} == {total} == {len(ids)}
    assert len(set(ids)) == len(ids) > 600
    assert "nextRecordsUrl" not in pages[-1]


def test_an_empty_result_has_no_rows_and_is_done(door: Door) -> None:
    answer = door.query("SELECT Id FROM Contact WHERE LastName = 'nobody at all'")

    assert answer.content == b'{"totalSize":0,"done":true,"records":[]}'
    assert answer.headers["content-type"] == "application/json;charset=UTF-8"
    assert answer.headers["sforce-limit-info"].startswith("api-usage=")


@pytest.mark.parametrize(("asked", "given"), [(1, 200), (200, 200), (500, 500)])
def test_a_batch_size_is_a_hint_between_200_and_2000(door: Door, asked: int, given: int) -> None:
    assert len(door.query("SELECT Id FROM Contact", batch=asked).json()["records"]) == given


def test_two_long_texts_make_pages_of_200(door: Door) -> None:
    door.org.create("Widget__c", [])
    account = door.query("SELECT Id FROM Account LIMIT 1").json()["records"][0]["Id"]
    door.org.create("Widget__c", [{"Account__c": account} for _ in range(201)])

    answer = door.query("SELECT Id, Long__c, Rich__c FROM Widget__c").json()
    narrow = door.query("SELECT Id, Long__c FROM Widget__c").json()

    assert len(answer["records"]) == 200
    assert narrow["done"] is True


def test_a_locator_is_18_characters_of_0r8_and_an_offset(door: Door) -> None:
    url = door.query("SELECT Id FROM Contact", batch=200).json()["nextRecordsUrl"]

    path, _, offset = url.rpartition("-")
    assert path.startswith(f"{ROOT}/query/0r8")
    assert (len(path.rpartition("/")[2]), offset) == (18, "200")


def test_a_page_can_be_read_again_and_under_query_all(door: Door) -> None:
    url = door.query("SELECT Id FROM Contact", batch=200).json()["nextRecordsUrl"]

    first = door.http.get(url)

    assert door.http.get(url).content == first.content
    assert door.http.get(url.replace("/query/", "/queryAll/")).json()["records"] == first.json()["records"]


def test_a_result_is_a_snapshot_of_ids_with_the_values_of_the_page_s_moment(door: Door) -> None:
    soql = "SELECT Id, Title FROM Contact ORDER BY Id DESC"
    page = door.query(soql, batch=200).json()
    later = door.query(f"{soql} LIMIT 1 OFFSET 250").json()["records"][0]["Id"]
    door.org.change(later, Title="changed meanwhile")
    made = door.org.add("Contact", LastName="made meanwhile")

    following = [door.http.get(page["nextRecordsUrl"]).json()]
    while not following[-1]["done"]:
        following.append(door.http.get(following[-1]["nextRecordsUrl"]).json())

    rows = {row["Id"]: row["Title"] for one in following for row in one["records"]}
    assert rows[later] == "changed meanwhile"
    assert made not in rows
    assert {one["totalSize"] for one in following} == {page["totalSize"]}
    door.org.remove(made)


def test_a_locator_dies_after_two_days_of_the_org_s_clock(door: Door) -> None:
    url = door.query("SELECT Id FROM Contact", batch=200).json()["nextRecordsUrl"]

    door.org.clock.advance(TWO_DAYS - 60)
    door.login()
    expired_session = door.http.get(url)
    door.org.clock.advance(120)
    door.login()
    dead = door.http.get(url)

    assert expired_session.status_code == 401
    assert (dead.status_code, dead.json()) == (
        400,
        [{"message": "invalid query locator", "errorCode": "INVALID_QUERY_LOCATOR"}],
    )


@pytest.mark.parametrize("locator", ["nonsense", "0r8000000000000AAA-5", "0r8-", "0r8000000000000-99999999999"])
def test_an_unknown_locator_is_invalid(door: Door, locator: str) -> None:
    answer = door.http.get(f"{ROOT}/query/{locator}")

    assert (answer.status_code, answer.json()[0]["errorCode"]) == (400, "INVALID_QUERY_LOCATOR")


def test_an_offset_beyond_the_result_is_invalid(door: Door) -> None:
    url = door.query("SELECT Id FROM Contact", batch=200).json()["nextRecordsUrl"]

    assert door.http.get(url.replace("-200", "-999999")).status_code == 400


def test_a_locator_belongs_to_its_session(door: Door) -> None:
    url = door.query("SELECT Id FROM Contact", batch=200).json()["nextRecordsUrl"]
    door.login()

    answer = door.http.get(url)

    assert (answer.status_code, answer.json()[0]["errorCode"]) == (401, "INVALID_SESSION_ID")


def test_a_fault_can_expire_a_locator(door: Door) -> None:
    url = door.query("SELECT Id FROM Contact", batch=200).json()["nextRecordsUrl"]
    door.org.faults.add(locators="expired", path="Contact")

    first, second = door.http.get(url), door.http.get(url)

    assert (first.status_code, second.status_code) == (400, 200)


def test_query_all_shows_deleted_rows_on_every_page(door: Door) -> None:
    made = [door.org.add("Contact", LastName="to be deleted") for _ in range(3)]
    for one in made:
        door.org.remove(one)
    where = "FROM Contact WHERE LastName = 'to be deleted'"

    alive = door.query(f"SELECT Id {where}").json()["totalSize"]
    every = door.query(f"SELECT Id, IsDeleted {where}", what="queryAll").json()["records"]

    assert alive == 0
    assert [(row["Id"], row["IsDeleted"]) for row in every] == [(one, True) for one in made]


def test_a_purged_row_of_a_snapshot_is_left_out(door: Door) -> None:
    made = door.org.add("Contact", LastName="ZZZ to be purged")
    page = door.query("SELECT Id FROM Contact ORDER BY LastName", batch=200).json()
    door.org.purge([made])

    rows = []
    while not page["done"]:
        page = door.http.get(page["nextRecordsUrl"]).json()
        rows += [row["Id"] for row in page["records"]]

    assert made not in rows


def test_children_beyond_the_batch_have_their_own_pages(door: Door) -> None:
    account = door.org.add("Account", Name="many children")
    door.org.create("Contact", [{"LastName": f"child {n:03}", "AccountId": account} for n in range(450)])
    soql = f"SELECT Name, (SELECT LastName FROM Contacts ORDER BY LastName) FROM Account WHERE Id = '{account}'"

    children = door.query(soql, batch=200).json()["records"][0]["Contacts"]
    names = [row["LastName"] for row in children["records"]]
    while not children["done"]:
        headers = {"Sforce-Query-Options": "batchSize=200"}
        children = door.http.get(children["nextRecordsUrl"], headers=headers).json()
        names += [row["LastName"] for row in children["records"]]

    assert children["totalSize"] == 450
    assert names == [f"child {n:03}" for n in range(450)]


def test_child_rows_count_in_the_batch(door: Door) -> None:
    for number in range(5):
        account = door.org.add("Account", Name=f"crowded {number}")
        door.org.create("Contact", [{"LastName": "c", "AccountId": account} for _ in range(90)])
    soql = "SELECT Name, (SELECT Id FROM Contacts) FROM Account WHERE Name LIKE 'crowded%' ORDER BY Name"

    pages = door.all(soql, 200)

    assert [[row["Name"][-1] for row in page["records"]] for page in pages] == [["0", "1"], ["2", "3"], ["4"]]
    assert all(row["Contacts"]["totalSize"] == 90 for page in pages for row in page["records"])


def test_aggregates_cannot_have_a_second_page(door: Door) -> None:
    door.org.create("Contact", [{"LastName": f"group {number}"} for number in range(2001)])

    answer = door.query("SELECT LastName, COUNT(Id) FROM Contact GROUP BY LastName")

    assert (answer.status_code, answer.json()[0]["errorCode"]) == (400, "EXCEEDED_ID_LIMIT")
    assert door.query("SELECT LastName FROM Contact GROUP BY LastName LIMIT 2000").json()["totalSize"] == 2000


def test_errors_are_an_array_with_code_and_place(door: Door) -> None:
    answer = door.query("SELECT Bacon__c FROM Account LIMIT 2")

    assert answer.status_code == 400
    assert answer.json()[0]["errorCode"] == "INVALID_FIELD"
    assert answer.json()[0]["message"].startswith(
        "\nSELECT Bacon__c FROM Account LIMIT 2\n       ^\nERROR at Row:1:Column:8\n"
    )


def test_a_missing_query_is_malformed(door: Door) -> None:
    answer = door.http.get(f"{ROOT}/query")

    assert (answer.status_code, answer.json()[0]["errorCode"]) == (400, "MALFORMED_QUERY")


def test_a_hidden_field_and_a_hidden_object_are_unknown(door: Door) -> None:
    permissions = door.org.permissions
    permissions.hide_field("Contact", "Title")
    permissions.deny("Lead", "read")

    field = door.query("SELECT Title FROM Contact").json()[0]["errorCode"]
    filtered = door.query("SELECT Id FROM Contact WHERE Title = 'x'").json()[0]["errorCode"]
    thing = door.query("SELECT Id FROM Lead").json()[0]["errorCode"]
    permissions.allow("Contact")
    permissions.allow("Lead")

    assert (field, filtered, thing) == ("INVALID_FIELD", "INVALID_FIELD", "INVALID_TYPE")
    assert door.query("SELECT Title FROM Contact LIMIT 1").status_code == 200


def test_hidden_rows_are_not_found_and_are_no_parents(door: Door) -> None:
    account = door.org.add("Account", Name="secret parent")
    contact = door.org.add("Contact", LastName="open child", AccountId=account)
    door.org.hide_record(account)

    rows = door.query("SELECT Id FROM Account WHERE Name = 'secret parent'").json()["totalSize"]
    child = door.query(f"SELECT Account.Name FROM Contact WHERE Id = '{contact}'").json()["records"][0]
    door.org.show_record(account)

    assert (rows, child["Account"]) == (0, None)
    assert door.query("SELECT Id FROM Account WHERE Name = 'secret parent'").json()["totalSize"] == 1


def test_a_late_commit_is_seen_when_its_time_has_come(door: Door) -> None:
    with door.org.late_commit(60):
        door.org.add("Contact", LastName="late")
    where = "SELECT Id FROM Contact WHERE LastName = 'late'"

    before = door.query(where).json()["totalSize"]
    door.org.clock.advance(61)

    assert (before, door.query(where).json()["totalSize"]) == (0, 1)


def test_date_literals_follow_the_user_s_time_zone(door: Door) -> None:
    door.org.database.rows(
        'UPDATE "User" SET "TimeZoneSidKey" = ? WHERE "Id" = ?', ("Pacific/Auckland", door.org.user_id)
    )
    made = door.org.add("Contact", LastName="zoned")
    # 2024-05-15 12:30 UTC is already the 16th in Auckland.
    door.org.database.rows('UPDATE "Contact" SET "CreatedDate" = 1715776200000 WHERE "Id" = ?', (made,))
    door.org.clock.set(1_715_781_600_000)  # 14:00 UTC
    door.login()

    def found(literal: str) -> int:
        where = f"LastName = 'zoned' AND CreatedDate = {literal}"
        return int(door.query(f"SELECT COUNT() FROM Contact WHERE {where}").json()["totalSize"])

    assert [found("TODAY"), found("YESTERDAY")] == [1, 0]
    door.org.database.rows('UPDATE "User" SET "TimeZoneSidKey" = ? WHERE "Id" = ?', ("UTC", door.org.user_id))
    door.org.clock.advance(43_200)  # the 16th in Greenwich, where the row is of the 15th
    door.login()
    assert [found("TODAY"), found("YESTERDAY")] == [0, 1]


def test_nasty_texts_survive_as_json(door: Door) -> None:
    nasty = 'quote " backslash \\ newline \n tab \t nul-free \x01 emoji 🎉 rtl \u202e\u05d0 line \u2028'
    made = door.org.add("Widget__c", Account__c=door.org.add("Account", Name="n"), Long__c=nasty)

    answer = door.query(f"SELECT Long__c FROM Widget__c WHERE Id = '{made}'")

    assert json.loads(answer.content)["records"][0]["Long__c"] == nasty


def test_the_values_of_every_type_have_the_form_of_rest(door: Door) -> None:
    values = {
        "Price__c": "1234567890123456.78",
        "Ratio__c": "0.1",
        "Percent__c": 10,
        "Day__c": "1700-01-01",
        "Moment__c": "1969-12-31T23:59:59Z",
        "Clock__c": "10:15:00.000Z",
        "Active__c": True,
        "Tags__c": None,
        "Place__Latitude__s": "52.5",
        "Place__Longitude__s": "-13.25",
    }
    made = door.org.add("Widget__c", Account__c=door.org.add("Account", Name="n"), **values)
    names = (
        "Price__c,Ratio__c,Percent__c,Day__c,Moment__c,Clock__c,Active__c,Tags__c,Place__c,Is_Costly__c,Account_Name__c"
    )

    raw = door.query(f"SELECT {names} FROM Widget__c WHERE Id = '{made}'").text

    expected = (
        '"Price__c":1234567890123456.78,"Ratio__c":0.1,"Percent__c":10.0,"Day__c":"1700-01-01",'
        '"Moment__c":"1969-12-31T23:59:59.000+0000","Clock__c":"10:15:00.000Z","Active__c":true,"Tags__c":null,'
        '"Place__c":{"latitude":52.5,"longitude":-13.25},"Is_Costly__c":true,"Account_Name__c":"n"}'
    )
    assert expected in raw


def test_binary_fields_are_urls(door: Door) -> None:
    row = door.query("SELECT Id, VersionData FROM ContentVersion LIMIT 1").json()["records"][0]

    assert row["VersionData"] == f"{ROOT}/sobjects/ContentVersion/{row['Id']}/VersionData"


def test_an_encrypted_text_is_asterisks_for_those_who_may_not_see_it(door: Door) -> None:
    made = door.org.add("Widget__c", Account__c=door.org.add("Account", Name="n"), Secret__c="ABCDé")
    soql = f"SELECT Secret__c FROM Widget__c WHERE Id = '{made}'"

    shown = door.query(soql).json()["records"][0]["Secret__c"]
    door.org.permissions.can_view_encrypted = not door.org.permissions.can_view_encrypted
    other = door.query(soql).json()["records"][0]["Secret__c"]
    door.org.permissions.reset()

    assert {shown, other} == {"ABCDé", "*****"}


def test_a_locator_whose_field_was_removed_is_invalid(door: Door) -> None:
    door.org.add_field("Contact", "Brief__c", "string 20")
    url = door.query("SELECT Id, Brief__c FROM Contact", batch=200).json()["nextRecordsUrl"]
    door.org.remove_field("Contact", "Brief__c")

    assert door.http.get(url).json()[0]["errorCode"] == "INVALID_QUERY_LOCATOR"
    assert door.query("SELECT Brief__c FROM Contact").json()[0]["errorCode"] == "INVALID_FIELD"


def test_explain_gives_plans(door: Door) -> None:
    plans = door.http.get(f"{ROOT}/query", params={"explain": "SELECT Id FROM Contact"}).json()["plans"]

    assert plans[0]["leadingOperationType"] == "TableScan"
