"""Writes whose answer is lost: done and not told, half done, done too late, or not done at all."""

import gzip
import time
from typing import Any

import httpx2
import pytest

from simorg.org import SimOrg

DONE_BUT_LOST: list[dict[str, Any]] = [
    {"drop": "after"},
    {"drop": "after", "reset": True},
    {"cut_after": 0},
    {"cut_after": 1},
    {"status": 502, "done": True, "body": "<html>Bad Gateway</html>"},
    {"delay": 2.0, "done": True},
]
REFUSED: list[dict[str, Any]] = [{"drop": "before"}, {"status": 503}, {"status": 502, "body": "<html/>"}]


def lost(client: httpx2.Client, method: str, path: str, **sent: Any) -> None:
    """Send a request that must end without its real answer."""
    try:
        answer = client.request(method, path, timeout=0.5, **sent)
    except httpx2.TransportError:
        return
    assert answer.status_code in (502, 503)


def contact(name: str) -> dict[str, Any]:
    return {"attributes": {"type": "Contact"}, "LastName": name}


def collections(*names: tuple[str, ...], all_or_none: bool = False, inner: bool = False) -> dict[str, Any]:
    """Return a composite body with a collection of new contacts per tuple of names."""
    parts = [
        {
            "method": "POST",
            "url": "/services/data/v58.0/composite/sobjects",
            "referenceId": f"r{number}",
            "body": {"allOrNone": inner, "records": [contact(name) for name in some]},
        }
        for number, some in enumerate(names)
    ]
    return {"allOrNone": all_or_none, "compositeRequest": parts}


def saved(org: SimOrg, start: str) -> list[str]:
    """Return the last names that begin so, in the order of their making."""
    sql = 'SELECT "LastName" FROM "Contact" WHERE "LastName" LIKE ? AND "IsDeleted" = 0 ORDER BY "Id"'
    return [name for (name,) in org.database.rows(sql, (start + "%",))]


@pytest.mark.parametrize("fault", DONE_BUT_LOST, ids=str)
class TestDoneButLost:
    """The org has done what it was asked; the caller cannot know."""

    def test_a_create(self, client: httpx2.Client, org: SimOrg, fault: dict[str, Any]) -> None:
        org.faults.add(method="POST", path="/sobjects/Account$", **fault)
        before = org.count("Account")
        lost(client, "POST", "/sobjects/Account", json={"Name": "once"})

        assert org.count("Account") == before + 1

    def test_collections_in_a_composite(self, client: httpx2.Client, org: SimOrg, fault: dict[str, Any]) -> None:
        start = f"all-{abs(hash(str(fault)))}-"
        org.faults.add(method="POST", path="/composite$", **fault)
        lost(client, "POST", "/composite", json=collections((start + "1", start + "2"), (start + "3",)))

        assert saved(org, start) == [start + "1", start + "2", start + "3"]


@pytest.mark.parametrize("fault", [one for one in DONE_BUT_LOST if "cut_after" not in one], ids=str)  # 204: no body
def test_an_update_and_a_delete(client: httpx2.Client, org: SimOrg, fault: dict[str, Any]) -> None:
    account = org.add("Account", Name="old")
    org.faults.add(method="PATCH|DELETE", path=f"/{account}$", times=2, **fault)
    lost(client, "PATCH", f"/sobjects/Account/{account}", json={"Name": "new"})
    changed = org.row(account)
    lost(client, "DELETE", f"/sobjects/Account/{account}")
    deleted = org.row(account)

    assert changed is not None and changed["Name"] == "new"
    assert deleted is not None and deleted["IsDeleted"] == 1


@pytest.mark.parametrize("fault", REFUSED, ids=str)
def test_what_is_refused_before_the_work_is_not_done(client: httpx2.Client, org: SimOrg, fault: dict[str, Any]) -> None:
    account = org.add("Account", Name="old")
    before = org.count("Account")
    org.faults.add(method="POST|PATCH|DELETE", times=4, **fault)
    lost(client, "POST", "/sobjects/Account", json={"Name": "never"})
    lost(client, "PATCH", f"/sobjects/Account/{account}", json={"Name": "never"})
    lost(client, "DELETE", f"/sobjects/Account/{account}")
    lost(client, "POST", "/composite", json=collections(("never-1",)))

    assert org.count("Account") == before
    assert (org.row(account) or {})["Name"] == "old"
    assert saved(org, "never-") == []


def test_a_caller_who_gave_up_is_obeyed_all_the_same_later(client: httpx2.Client, org: SimOrg) -> None:
    org.faults.add(method="POST", path="/sobjects/Account$", delay=0.8)
    before = org.count("Account")
    with pytest.raises(httpx2.TimeoutException):
        client.post("/sobjects/Account", json={"Name": "late"}, timeout=0.2)
    at_once = org.count("Account")
    time.sleep(1.2)

    assert (at_once, org.count("Account")) == (before, before + 1)


class TestHalfDone:
    """The request dies between two rows."""

    def test_the_first_rows_of_a_collection_stay(self, client: httpx2.Client, org: SimOrg) -> None:
        number = org.faults.add(method="POST", path="/composite/sobjects$", save_rows=2)
        with pytest.raises(httpx2.RemoteProtocolError):
            client.post("/composite/sobjects", json={"records": [contact(f"half-{n}") for n in range(5)]})

        assert saved(org, "half-") == ["half-0", "half-1"]
        assert org.faults.happened(number) == 1

    def test_rows_are_counted_over_the_parts(self, client: httpx2.Client, org: SimOrg) -> None:
        org.faults.add(path="/composite$", save_rows=3, status=502, body="<html/>")
        answer = client.post("/composite", json=collections(("part-1", "part-2"), ("part-3", "part-4"), ("part-5",)))

        assert answer.status_code == 502
        assert saved(org, "part-") == ["part-1", "part-2", "part-3"]

    @pytest.mark.parametrize("which", ["all_or_none", "inner"])
    def test_all_or_none_leaves_nothing(self, client: httpx2.Client, org: SimOrg, which: str) -> None:
        org.faults.add(path="/composite$", save_rows=1)
        lost(client, "POST", "/composite", json=collections((f"none-{which}-1", f"none-{which}-2"), **{which: True}))

        assert saved(org, f"none-{which}") == []

    def test_updates_and_deletes_too(self, client: httpx2.Client, org: SimOrg) -> None:
        ids = [org.add("Account", Name="old") for _ in range(3)]
        rows = [{"attributes": {"type": "Account"}, "id": one, "Name": "new"} for one in ids]
        org.faults.add(method="PATCH", path="/composite/sobjects", save_rows=1)
        org.faults.add(method="DELETE", path="/composite/sobjects", save_rows=2)
        lost(client, "PATCH", "/composite/sobjects", json={"records": rows})
        names = [(org.row(one) or {})["Name"] for one in ids]
        lost(client, "DELETE", f"/composite/sobjects?ids={','.join(ids)}")

        assert names == ["new", "old", "old"]
        assert [(org.row(one) or {})["IsDeleted"] for one in ids] == [1, 1, 0]

    def test_the_answer_is_lost_even_when_all_rows_were_saved(self, client: httpx2.Client, org: SimOrg) -> None:
        org.faults.add(path="/composite/sobjects", save_rows=200)
        lost(client, "POST", "/composite/sobjects", json={"records": [contact("whole-1")]})

        assert saved(org, "whole-") == ["whole-1"]


class TestChosenByWhatIsSent:
    """A fault may ask for the body, since a composite call does everything at one address."""

    def test_the_second_request_that_creates(self, client: httpx2.Client, org: SimOrg) -> None:
        reading = {
            "compositeRequest": [{"method": "GET", "url": "/services/data/v58.0/limits", "referenceId": "a"}],
        }
        control = org.url + "/_control/faults"
        sent = {"path": "/composite$", "sends": '"method":"POST"', "nth": 2, "drop": "after"}
        number = client.post(control, json=sent).json()["number"]
        client.post("/composite", json=reading)
        client.post("/composite", json=collections(("sent-1",)))
        client.post("/composite", json=reading)
        lost(client, "POST", "/composite", json=collections(("sent-2",)))

        assert client.get(f"{control}/{number}").json() == {"happened": 1}
        assert saved(org, "sent-") == ["sent-1", "sent-2"]

    def test_a_packed_body_is_searched_unpacked(self, client: httpx2.Client, org: SimOrg) -> None:
        org.faults.add(sends="packed-1", status=503)
        packed = gzip.compress(b'{"LastName":"packed-1"}')
        headers = {"Content-Encoding": "gzip", "Content-Type": "application/json"}

        assert client.post("/sobjects/Contact", content=packed, headers=headers).status_code == 503

    def test_a_wrong_pattern_or_number_is_told(self, outside: httpx2.Client) -> None:
        for wrong in ({"sends": "("}, {"save_rows": -1}, {"done": "yes"}):
            assert outside.post("/_control/faults", json=wrong).status_code == 400


CSV = b"LastName\nbulk-1\nbulk-2\n"


class TestBulk:
    """Each of the four calls of an ingest job may lose its answer."""

    @pytest.fixture
    def job(self, client: httpx2.Client) -> str:
        return str(client.post("/jobs/ingest", json={"object": "Contact", "operation": "insert"}).json()["id"])

    def listed(self, client: httpx2.Client) -> set[str]:
        return {one["id"] for one in client.get("/jobs/ingest").json()["records"]}

    def finish(self, client: httpx2.Client, job: str) -> dict[str, Any]:
        until = time.monotonic() + 10
        while time.monotonic() < until:
            state: dict[str, Any] = client.get(f"/jobs/ingest/{job}").json()
            if state["state"] in ("JobComplete", "Failed"):
                return state
            time.sleep(0.02)
        raise AssertionError(f"the job is still {state['state']}")

    @pytest.mark.parametrize("fault", DONE_BUT_LOST, ids=str)
    def test_a_job_that_nobody_knows_of_is_listed(
        self, client: httpx2.Client, org: SimOrg, fault: dict[str, Any]
    ) -> None:
        before = self.listed(client)
        org.faults.add(method="POST", path="/jobs/ingest$", **fault)
        lost(client, "POST", "/jobs/ingest", json={"object": "Contact", "operation": "insert"})
        made = self.listed(client) - before

        assert len(made) == 1
        assert client.get(f"/jobs/ingest/{made.pop()}").json()["state"] == "Open"

    def test_an_upload_that_arrived_cannot_be_repeated(self, client: httpx2.Client, org: SimOrg, job: str) -> None:
        org.faults.add(method="PUT", path="/batches$", drop="after")
        csv = {"Content-Type": "text/csv"}
        lost(client, "PUT", f"/jobs/ingest/{job}/batches", content=CSV, headers=csv)
        again = client.put(f"/jobs/ingest/{job}/batches", content=CSV, headers=csv)

        assert again.status_code == 400
        assert "multiple contents" in again.json()[0]["message"]

    def test_an_upload_that_was_refused_can(self, client: httpx2.Client, org: SimOrg, job: str) -> None:
        org.faults.add(method="PUT", path="/batches$", drop="before")
        csv = {"Content-Type": "text/csv"}
        lost(client, "PUT", f"/jobs/ingest/{job}/batches", content=CSV, headers=csv)

        assert client.put(f"/jobs/ingest/{job}/batches", content=CSV, headers=csv).status_code == 201

    def test_a_closed_job_is_worked_on_though_nobody_heard(self, client: httpx2.Client, org: SimOrg, job: str) -> None:
        client.put(f"/jobs/ingest/{job}/batches", content=CSV, headers={"Content-Type": "text/csv"})
        before = len(saved(org, "bulk-"))
        org.faults.add(method="PATCH", path=f"/jobs/ingest/{job}$", status=502, done=True, body="<html/>")
        lost(client, "PATCH", f"/jobs/ingest/{job}", json={"state": "UploadComplete"})

        assert self.finish(client, job)["numberRecordsProcessed"] == 2
        assert len(saved(org, "bulk-")) == before + 2

    @pytest.mark.parametrize("fault", [{"drop": "after"}, {"cut_after": 30}, {"status": 502, "done": True}], ids=str)
    def test_results_can_be_read_again(
        self, client: httpx2.Client, org: SimOrg, job: str, fault: dict[str, Any]
    ) -> None:
        client.put(f"/jobs/ingest/{job}/batches", content=CSV, headers={"Content-Type": "text/csv"})
        client.patch(f"/jobs/ingest/{job}", json={"state": "UploadComplete"})
        self.finish(client, job)
        org.faults.add(path="/successfulResults", **fault)
        lost(client, "GET", f"/jobs/ingest/{job}/successfulResults")

        assert client.get(f"/jobs/ingest/{job}/successfulResults").text.count("\n") == 3
