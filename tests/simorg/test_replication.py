"""getUpdated and getDeleted."""

from datetime import timedelta

import httpx2
import pytest

from simorg.org import SimOrg
from simorg.times import from_ms, rest_time


def window(org: SimOrg, back: int = 30, ahead: int = 2) -> dict[str, str]:
    """Return a window around now, in minutes."""
    now = from_ms(org.clock.now_ms())
    start, end = now - timedelta(minutes=back), now + timedelta(minutes=ahead)
    return {"start": start.isoformat(timespec="seconds"), "end": end.isoformat(timespec="seconds")}


def minute(ms: int) -> str:
    return rest_time(ms // 60_000 * 60_000)


def test_updated_lists_created_and_changed_rows(client: httpx2.Client, org: SimOrg) -> None:
    org.clock.advance(3600)
    record_id, gone = org.add("Account", Name="x"), org.add("Account", Name="gone")
    org.remove(gone)
    body = client.get("/sobjects/Account/updated/", params=window(org)).json()

    assert body["ids"] == [record_id]
    assert body["latestDateCovered"] == minute(org.clock.now_ms())


def test_seconds_of_the_window_are_dropped(client: httpx2.Client, org: SimOrg) -> None:
    org.clock.advance(3600)
    org.clock.freeze()
    org.clock.set(org.clock.now_ms() // 60_000 * 60_000 + 30_000)
    record_id = org.add("Account", Name="x")
    now = from_ms(org.clock.now_ms())
    late = {"start": (now + timedelta(seconds=20)).isoformat(), "end": (now + timedelta(minutes=2)).isoformat()}
    early = {"start": (now - timedelta(minutes=2)).isoformat(), "end": (now + timedelta(seconds=20)).isoformat()}

    assert client.get("/sobjects/Account/updated", params=late).json()["ids"] == [record_id]
    assert client.get("/sobjects/Account/updated", params=early).json()["ids"] == []


def test_an_open_transaction_holds_the_covered_date_back(client: httpx2.Client, org: SimOrg) -> None:
    org.clock.freeze()
    began = org.clock.now_ms()
    with org.late_commit(1200):
        org.add("Account", Name="late")
    org.clock.advance(600)
    held = client.get("/sobjects/Account/updated/", params=window(org)).json()["latestDateCovered"]
    org.clock.advance(601)
    free = client.get("/sobjects/Account/updated/", params=window(org)).json()["latestDateCovered"]

    assert held == minute(began)
    assert free == minute(org.clock.now_ms())


def test_deleted_lists_deletes_and_forgets_undeleted_rows(client: httpx2.Client, org: SimOrg) -> None:
    org.clock.advance(3600)
    gone, back, purged = (org.add("Account", Name=name) for name in ("gone", "back", "purged"))
    org.delete([gone, back, purged])
    org.undelete([back])
    org.purge([purged])
    body = client.get("/sobjects/Account/deleted/", params=window(org)).json()

    assert {one["id"] for one in body["deletedRecords"]} == {gone, purged}
    assert body["deletedRecords"][0]["deletedDate"].endswith(".000+0000")
    assert set(body) == {"deletedRecords", "earliestDateAvailable", "latestDateCovered"}


@pytest.mark.parametrize(
    ("resource", "back", "ahead"),
    [("updated", 0, 0), ("updated", 44_000, 0), ("deleted", 22_000, 0), ("deleted", -5, 1)],
)
def test_bad_windows_are_refused(client: httpx2.Client, org: SimOrg, resource: str, back: int, ahead: int) -> None:
    answer = client.get(f"/sobjects/Account/{resource}/", params=window(org, back, ahead))

    assert (answer.status_code, answer.json()[0]["errorCode"]) == (400, "INVALID_REPLICATION_DATE")


def test_too_many_ids_are_refused(client: httpx2.Client, org: SimOrg) -> None:
    org.clock.advance(3600)
    org.create("Account", [{"Name": str(number)} for number in range(4)])
    org.replication_cap = 3
    answer = client.get("/sobjects/Account/updated/", params=window(org))
    org.replication_cap = 600_000

    assert (answer.status_code, answer.json()[0]["errorCode"]) == (400, "EXCEEDED_ID_LIMIT")


def test_a_plus_that_was_not_encoded_is_understood(client: httpx2.Client, org: SimOrg) -> None:
    asked = window(org)
    path = f"/sobjects/Account/updated/?start={asked['start']}&end={asked['end']}"

    assert "+00:00" in path
    assert client.get(path).status_code == 200
