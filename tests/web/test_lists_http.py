"""Lists of records: read at once, in the thread of the event loop or in another one, they say the same."""

import subprocess
import sys

import pytest

LIST = "/api/objects/Contact/records"


@pytest.fixture
def listed(site, api):
    """A client after a first sync, to whom the list was told before."""
    api.post("/api/sync/Contact")
    assert [api.get(LIST).json() for _ in range(3)] == [api.get(LIST).json()] * 3
    return api


BY_ANOTHER_PROCESS = """
import apsw, sys
db = apsw.Connection(sys.argv[1])
db.set_busy_timeout(10_000)  # the server may be writing just now
db.execute(sys.argv[2])
"""


def test_the_next_list_has_what_another_process_has_committed(listed, site):
    before = listed.get(LIST).json()
    statement = "DELETE FROM Contact WHERE Id = (SELECT min(Id) FROM Contact)"
    subprocess.run(
        [sys.executable, "-c", BY_ANOTHER_PROCESS, str(site.sync.config.storage.path), statement], check=True
    )

    after = listed.get(LIST).json()

    assert after["totalSize"] == before["totalSize"] - 1
    assert before["records"][0]["Id"] not in [each["Id"] for each in after["records"]]


def test_a_token_that_another_process_has_revoked_is_nobodys_at_the_next_list(listed, site):
    bob = site.client("bob")
    assert [bob.get(LIST).status_code for _ in range(3)] == [200, 200, 200]
    statement = "UPDATE user SET revoked_at = '2026-01-01T00:00:00Z' WHERE name = 'bob'"
    subprocess.run([sys.executable, "-c", BY_ANOTHER_PROCESS, str(site.house.access.path), statement], check=True)

    assert bob.get(LIST).json()["error"] == "NOT_AUTHENTICATED"


@pytest.mark.parametrize(
    ("query", "status"),
    [("limit=0", 400), ("after=x", 400), ("sort=Nothing", 400), ("Nothing=1", 400), ("fields=Nothing", 400)],
)
def test_what_is_wrong_is_said_also_where_the_list_is_known(listed, query, status):
    answer = listed.get(f"{LIST}?{query}")

    assert (answer.status_code, answer.json()["success"]) == (status, False)


@pytest.mark.parametrize("query", ["Name__ne=a&Name__ne=b", "limit=1&limit=2"])
def test_a_parameter_that_stands_there_twice_is_refused_and_none_of_the_two_is_passed_over(listed, query):
    answer = listed.get(f"{LIST}?{query}")

    assert (answer.status_code, answer.json()["error"]) == (400, "BAD_REQUEST")
    assert "more than once" in answer.json()["details"]


def test_pages_behind_one_another_have_every_record_once(listed, site):
    site.org.create("Contact", [{"LastName": f"Further {number}"} for number in range(30)])
    listed.post("/api/sync/Contact")
    ids, url = [], f"{LIST}?limit=7"
    while url is not None:
        page = listed.get(url).json()
        ids += [each["Id"] for each in page["records"]]
        assert page["totalSize"] == site.org.count("Contact")
        url = page["nextRecordsUrl"]

    assert len(ids) == len(set(ids)) == site.org.count("Contact")
    assert ids == sorted(ids)


def test_a_list_carries_what_every_answer_carries(listed):
    answer = listed.get(LIST)

    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert listed.head(LIST).headers["Content-Length"] == str(len(answer.content))


def test_the_same_list_again_is_the_same_bytes_and_another_query_another_list(listed, site):
    first, again = listed.get(LIST), listed.get(LIST)
    narrowed = listed.get(LIST, params={"limit": "2"})
    someone = first.json()["records"][0]["Id"]
    listed.patch(f"{LIST}/{someone}", json={"LastName": "Changed"})
    after = listed.get(LIST)

    assert again.content == first.content
    assert [each["Id"] for each in narrowed.json()["records"]] == [each["Id"] for each in first.json()["records"][:2]]
    assert after.json()["records"][0]["LastName"] == "Changed"


def test_a_page_in_another_order_is_refused(listed):
    url = listed.get(LIST, params={"limit": 2, "sort": "-LastName"}).json()["nextRecordsUrl"]
    after = url.partition("after=")[2].partition("&")[0]

    answers = [listed.get(LIST, params={"limit": 2, "sort": sort, "after": after}) for sort in ("-LastName", "Id")]

    assert [each.status_code for each in answers] == [200, 400]
    assert "nextRecordsUrl" in answers[1].json()["details"]


def test_a_list_of_many_objects_reads_the_known_ones_a_few_times(site, api):
    api.post("/api/sync/Contact")
    assert api.get("/api/objects?available=true").json()["total"] > 50
    schemas, reads = site.sync._store._schemas, []
    read = schemas._read
    schemas._read = lambda: (reads.append(1), read())[1]

    listed = api.get("/api/objects?available=true").json()

    schemas._read = read
    assert [each["objectApiName"] for each in listed["objects"] if each["synced"]] == ["Contact"]
    assert len(reads) < 10
