"""Sessions that meet each other, and streams whose listeners go, come back, or may no longer listen."""

import threading
import time
from itertools import takewhile

import pytest
from msgspec.structs import replace

from salesforce_sync.access import Limit, Role
from salesforce_sync.web import routes_signals
from salesforce_sync.web.page import activity
from salesforce_sync.web.progress import SessionState
from tests.web.conftest import PATIENT, events_of, settle, start
from tests.web.test_promise import ended


def until(condition, seconds=20.0):
    """What the condition gives once it is true."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end
        time.sleep(0.02)
    return found


def statuses(api, session_id):
    objects = api.get(f"/api/sync/{session_id}").json()["objects"]
    return {each["objectApiName"]: each["status"] for each in objects}


def test_an_object_that_is_done_is_brought_again_while_its_session_goes_on_with_others(site, api):
    site.org.faults.add(path="/sobjects/Lead/describe", delay=3.0)
    session_id = api.post("/api/sync", json={"objects": ["Contact", "Lead"]}).json()["sessionId"]
    until(lambda: statuses(api, session_id)["Contact"] == "synced")
    site.org.create("Contact", [{"LastName": "Just Now"}])

    answer = api.post("/api/sync/Contact").json()

    assert answer["recordCount"] == 41
    assert statuses(api, session_id)["Lead"] == "syncing"
    assert ended(api, session_id)["state"] == "complete"


def test_two_runs_that_end_one_session_end_it_once(site, api):
    for name in ("Contact", "Lead"):
        site.org.faults.add(path=f"/sobjects/{name}/describe", delay=0.5)
    session_id = api.post("/api/sync", json={"objects": ["Contact"]}).json()["sessionId"]
    answers = [
        api.post(f"/api/sync/{name}", json={"sessionId": session_id}, headers={"Prefer": "respond-async"})
        for name in ("Lead", "Account", "Opportunity")
    ]

    done = ended(api, session_id)

    assert {each.json()["sessionId"] for each in answers} == {session_id}
    assert len(done["objects"]) == 4
    entries = [each for each in api.get("/api/audit").json()["entries"] if each["action"] == "sync"]
    assert [each["outcome"] for each in entries if session_id not in each["detail"]] == ["complete", "begun"]
    joined = [each["subject"] for each in reversed(entries) if each["outcome"] == "joined"]
    assert joined == ["default/Lead", "default/Account", "default/Opportunity"]


def test_what_was_answered_within_a_session_is_brought_again_while_it_goes_on(site, api):
    site.org.faults.add(path="/sobjects/Lead/describe", delay=3.0)
    session_id = api.post("/api/sync", json={"objects": ["Lead"]}).json()["sessionId"]
    before = api.post("/api/sync/Contact", json={"sessionId": session_id}).json()["recordCount"]
    site.org.create("Contact", [{"LastName": "Just Now"}])

    after = api.post("/api/sync/Contact", json={"sessionId": session_id}).json()["recordCount"]

    assert after == before + 1
    assert statuses(api, session_id)["Lead"] == "syncing"
    assert ended(api, session_id)["state"] == "complete"


def test_the_calls_of_a_sync_that_goes_on_are_known(site, api):
    site.org.faults.add(path="/sobjects/Lead/describe", delay=3.0)
    session_id = api.post("/api/sync", json={"objects": ["Contact", "Lead"]}).json()["sessionId"]
    until(lambda: statuses(api, session_id)["Contact"] == "synced")

    budget = api.get("/api/budget").json()

    assert statuses(api, session_id)["Lead"] == "syncing"
    assert (budget["limit"], budget["used"] > 0, budget["toldAt"] is None) == (15000, True, False)
    assert ended(api, session_id)["state"] == "complete"


def test_syncs_within_a_session_are_throttled_as_those_without_one(tmp_path, simorg):
    few = replace(PATIENT, limits=replace(PATIENT.limits, syncs=Limit(3, per_second=0.001)))
    for site in start(settle(tmp_path, simorg.url), simorg, few):
        api = site.client()
        session_id = api.post("/api/sync", json={"objects": ["Contact"]}).json()["sessionId"]
        ended(api, session_id)

        answers = [api.post("/api/sync/Contact", json={"sessionId": session_id}) for _ in range(4)]

        assert [each.status_code for each in answers] == [200, 200, 200, 429]


@pytest.fixture
def slow_book(site, monkeypatch):
    """A workbook that is not written until the event is set."""
    reached, go_on = threading.Event(), threading.Event()
    book = type(site.house.replicas.get("default", site.house.access.users.named("ada")).workbook)
    write = book.current

    def slowly(self):
        reached.set()
        assert go_on.wait(20)
        return write(self)

    monkeypatch.setattr(book, "current", slowly)
    yield reached
    go_on.set()


def test_a_session_whose_objects_are_done_ends_as_complete_when_it_is_cancelled(api, slow_book):
    session_id = api.post("/api/sync", json={"objects": ["Contact"]}).json()["sessionId"]
    assert slow_book.wait(20)

    cancelled = api.post(f"/api/sync/{session_id}/cancel").json()

    assert cancelled["state"] == SessionState.COMPLETE.value
    outcomes = [each["outcome"] for each in api.get("/api/audit").json()["entries"] if each["action"] == "sync"]
    assert outcomes == ["complete", "begun"]


# ── listeners ────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("last", ["99999", "-1", "1e3", "", "²"])
def test_whoever_comes_back_with_a_number_that_was_never_told_gets_everything(api, last):
    session_id = api.post("/api/sync", json={"objects": ["Contact"]}).json()["sessionId"]
    ended(api, session_id)

    headers = {"Last-Event-ID": last.encode("latin-1")}
    with api.stream("GET", f"/api/sync/{session_id}/events", headers=headers) as stream:
        told = list(events_of(stream))

    assert told[-1].event == "session"
    assert told[0].data["status"] == "pending"


def test_a_stream_of_signals_that_was_followed_elsewhere_begins_anew(api):
    api.post("/api/sync/Contact")

    with api.stream("GET", "/api/signals/stream", headers={"Last-Event-ID": "99999"}) as stream:
        first = next(events_of(stream))

    assert (first.event, first.id) == ("sync_started", 1)


def test_a_stream_tells_a_user_who_was_revoked_nothing_more(site, api):
    client = site.client("bob", Role.EDITOR)
    site.org.faults.add(path="/sobjects/Contact/describe", delay=1.0)
    session_id = api.post("/api/sync", json={"objects": ["Contact"]}).json()["sessionId"]

    with (
        client.stream("GET", f"/api/sync/{session_id}/events") as progress,
        client.stream("GET", "/api/signals/stream") as signals,
    ):
        told, heard = events_of(progress), events_of(signals)
        assert next(told).data["status"] == "pending"
        site.house.access.users.revoke("bob")
        rest = [each.event for each in told], [each.event for each in heard]

    assert ended(api, session_id)["state"] == "complete"
    assert "session" not in rest[0]
    assert "sync_complete" not in rest[1]


@pytest.mark.parametrize("path", ["/api/signals/stream", "/org/default/activity/events"])
def test_a_quiet_stream_ends_with_its_user_too(site, monkeypatch, path):
    monkeypatch.setattr(routes_signals, "STILL_HERE", 2)
    monkeypatch.setattr(activity, "_STILL_HERE", 2)
    client = site.client("bob", Role.EDITOR)
    client.post("/api/login", json={"token": site.tokens["bob"]})

    with client.stream("GET", path) as stream:
        lines = stream.iter_lines()
        assert next(each for each in lines if each.startswith(":"))
        site.house.access.users.revoke("bob")
        assert all(each in ("", ": still here") for each in lines)

    assert client.get(path).status_code in (303, 401)


def test_each_block_of_a_sessions_stream_is_an_event_with_data(api):
    session_id = api.post("/api/sync", json={"objects": ["Contact"]}).json()["sessionId"]
    ended(api, session_id)

    told = api.get(f"/api/sync/{session_id}/events").text

    # Clients that take any block for an event read its data as JSON.
    assert told.startswith("retry: 2000\n")
    assert all("\ndata: {" in block for block in told.removesuffix("\n\n").split("\n\n"))


@pytest.mark.parametrize("path", ["/api/signals/stream?after=0", "/org/default/activity/events?after=0"])
def test_a_sign_of_life_is_no_block_of_its_own(site, monkeypatch, path):
    monkeypatch.setattr(routes_signals, "STILL_HERE", 1)
    monkeypatch.setattr(activity, "_STILL_HERE", 1)
    client = site.client("bob", Role.EDITOR)
    client.post("/api/login", json={"token": site.tokens["bob"]})
    client.post("/api/sync/Contact")

    with client.stream("GET", path) as stream:
        lines = stream.iter_lines()
        before = list(takewhile(lambda line: not line.startswith(":"), lines))
        behind = next(lines)

    assert before[0] == "retry: 2000"
    assert [line for at, line in enumerate(before) if not line and not before[at - 1].startswith("data: {")] == []
    assert behind  # another one, or the next event


def test_an_object_whose_first_sync_failed_is_listed_with_the_reason(tmp_path, simorg):
    refusal = [{"errorCode": "INSUFFICIENT_ACCESS", "message": "no access to Lead"}]
    simorg.faults.add(path="/sobjects/Lead/describe", status=403, times=None, body=refusal)
    for site in start(settle(tmp_path, simorg.url, "[Contact, Produkt3]"), simorg):
        api = site.client()
        ended(api, api.post("/api/sync", json={"objects": ["Produkt3", "Lead"]}).json()["sessionId"])

        listed = {each["objectApiName"]: each for each in api.get("/api/objects").json()["objects"]}

        assert {
            name: (each["status"], each["problem"] and each["problem"]["error"]) for name, each in listed.items()
        } == {
            "Contact": ("not synced", None),
            "Lead": ("error", "INSUFFICIENT_ACCESS"),
            "Produkt3": ("error", "OBJECT_NOT_FOUND"),
        }
        simorg.faults.clear()
        assert api.post("/api/sync/Lead").json()["success"]
        assert api.get("/api/objects/Lead").json()["status"] == "synced"


@pytest.fixture
def impatient(tmp_path, simorg):
    """A server whose requests wait for a third of a second for a word of a sync; the org asks it to wait for longer."""
    simorg.faults.add(path="/sobjects/Contact/describe", status=503, headers={"Retry-After": "2"}, times=1)
    yield from start(settle(tmp_path, simorg.url), simorg, replace(PATIENT, quiet_seconds=0.3))


@pytest.mark.parametrize("in_a_session", [True, False])
def test_who_waits_while_nothing_is_heard_is_told_to_ask_again_and_joins_what_goes_on(impatient, in_a_session):
    api, body = impatient.client(), {}
    if in_a_session:
        body = {"sessionId": api.post("/api/sync", json={"objects": ["Contact"]}).json()["sessionId"]}

    first = api.post("/api/sync/Contact", json=body)
    then = until(lambda: (answer := api.post("/api/sync/Contact", json=body)).status_code == 200 and answer)

    assert (first.status_code, first.json()["error"]) == (503, "SYNC_UNDER_WAY")
    assert int(first.headers["Retry-After"]) > 0
    assert first.headers["Location"].startswith("/api/sync/sync_")
    assert then.json()["recordCount"] == 40
    assert len(api.get("/api/sync").json()["sessions"]) == 1 or not in_a_session


@pytest.mark.parametrize(
    ("path", "code"),
    [("push", "PUSH_UNDER_WAY"), ("verify", "VERIFY_UNDER_WAY")],
)
def test_who_waits_for_a_push_or_a_verify_of_which_nothing_is_heard_gets_its_end_later(impatient, path, code):
    api, org = impatient.client(), impatient.org
    until(lambda: api.post("/api/sync/Contact").status_code == 200)
    # An object is answered when it is here; then its run sends what was edited, which is nothing yet.
    until(lambda: all(each["state"] != "running" for each in api.get("/api/sync").json()["sessions"]))
    record = api.get("/api/objects/Contact/records?limit=1").json()["records"][0]["Id"]
    assert api.patch(f"/api/objects/Contact/records/{record}", json={"LastName": "Roe"}).status_code == 200
    org.faults.add(path="/services/data/", delay=1.5)

    first = api.post(f"/api/{path}")
    then = until(lambda: (answer := api.post(f"/api/{path}")).status_code == 200 and answer)
    deeds = [each for each in api.get("/api/audit").json()["entries"] if each["action"] == path]

    assert (first.status_code, first.json()["error"]) == (503, code)
    assert int(first.headers["Retry-After"]) > 0
    assert then.json()["success"] is True
    assert path == "verify" or then.json()["applied"] == 1
    assert [each["outcome"] for each in deeds] == ["complete", "begun"]


def test_an_object_that_could_not_be_synced_keeps_the_count_of_its_rows(site, api):
    assert api.post("/api/sync/Contact").json()["recordCount"] == 40
    expired = [{"errorCode": "INVALID_SESSION_ID", "message": "Session expired or invalid"}]
    site.org.faults.add(path="/services/data", status=401, times=None, body=expired)
    session_id = api.post("/api/sync", json={"objects": ["Contact", "Lead"]}).json()["sessionId"]

    with api.stream("GET", f"/api/sync/{session_id}/events") as stream:
        told = [each.data for each in events_of(stream) if each.event == "progress"]

    of_contact = [each for each in told if each["objectApiName"] == "Contact"]
    of_lead = [each for each in told if each["objectApiName"] == "Lead"]
    assert {"pending", "error"} <= {each["status"] for each in of_contact}
    assert {(each["recordCount"], each["totalSize"]) for each in of_contact} == {(40, 40)}
    assert (of_lead[-1]["status"], of_lead[-1]["recordCount"], of_lead[-1]["totalSize"]) == ("error", 0, None)
    contact = api.get(f"/api/sync/{session_id}").json()["objects"][0]
    assert (contact["status"], contact["recordCount"], contact["totalSize"]) == ("error", 40, 40)


def test_a_cancelled_object_keeps_the_count_of_its_rows(site, api):
    api.post("/api/sync/Contact")
    site.org.faults.add(path="/query|/composite", delay=1.0, times=None)
    session_id = api.post("/api/sync", json={"objects": ["Contact"]}).json()["sessionId"]

    api.post(f"/api/sync/{session_id}/cancel")

    contact = api.get(f"/api/sync/{session_id}").json()["objects"][0]
    assert (contact["status"], contact["recordCount"], contact["totalSize"]) == ("error", 40, 40)
