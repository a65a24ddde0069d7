"""An object that would lose many rows stops and asks, and over HTTP somebody can say that it is right."""

import threading

import pytest

from salesforce_sync.access import Role
from tests.web.conftest import events_of
from tests.web.test_promise import ended

CONTACT = {"objects": ["Contact"], "acceptLoss": ["Contact"]}


def ids_of(site, name, count=30):
    return [each.id for each in site.sync.objects[name].all()][:count]


@pytest.fixture
def losing(site, api):
    """A program of an editor, over a replica of whose contacts most are gone in the org."""
    assert api.post("/api/sync/Contact").json()["recordCount"] == 40
    assert api.post("/api/sync/Lead").json()["success"]
    site.org.delete(ids_of(site, "Contact"))
    return site.client("ed", Role.EDITOR)


def test_a_refused_loss_names_the_request_that_agrees_to_it(losing):
    answer = losing.post("/api/sync/Contact")

    assert (answer.status_code, answer.json()["error"]) == (409, "LOSS_REFUSED")
    assert '"acceptLoss": [' in answer.json()["details"]


def test_one_object_may_lose_its_rows_once_somebody_says_so(losing):
    assert losing.post("/api/sync/Contact").status_code == 409

    agreed = losing.post("/api/sync/Contact", json={"acceptLoss": ["contact"]})

    assert (agreed.status_code, agreed.json()["recordCount"]) == (200, 10)


def test_a_session_may_lose_the_rows_of_the_objects_that_are_named(site, losing):
    session = ended(losing, losing.post("/api/sync", json={"objects": ["Contact", "Lead"]}).json()["sessionId"])
    assert [each["error"] for each in session["objects"]] == ["LOSS_REFUSED", None]

    begun = losing.post("/api/sync", json={"objects": ["Contact", "Lead"], "acceptLoss": ["Contact"]}).json()

    session = ended(losing, begun["sessionId"])
    assert (session["state"], session["objects"][0]["recordCount"]) == ("complete", 10)


def test_what_is_agreed_for_one_object_does_not_hold_for_another(site, losing):
    site.org.delete(ids_of(site, "Lead"))

    begun = losing.post("/api/sync", json={"objects": ["Contact", "Lead"], "acceptLoss": ["Contact"]}).json()

    session = ended(losing, begun["sessionId"])
    assert [each["error"] for each in session["objects"]] == [None, "LOSS_REFUSED"]


def test_within_its_session_too(losing):
    session_id = losing.post("/api/sync", json={"objects": ["Contact"]}).json()["sessionId"]
    ended(losing, session_id)

    agreed = losing.post("/api/sync/Contact", json={"sessionId": session_id, "acceptLoss": ["Contact"]})

    assert agreed.json()["recordCount"] == 10


def test_a_verify_may_lose_rows_once_somebody_says_so(site, api):
    api.post("/api/sync/Contact")
    for each in ids_of(site, "Contact"):  # polls cannot see that
        site.org.hide_record(each)
    refused = api.post("/api/verify", json={"objects": ["Contact"]}).json()
    assert refused["problems"]["Contact"]["error"] == "LOSS_REFUSED"
    assert "POST /api/verify" in refused["problems"]["Contact"]["details"]

    agreed = api.post("/api/verify", json=CONTACT).json()

    assert agreed["success"]
    assert agreed["proofs"]["Contact"]["rows"] == 10


def test_an_object_says_what_was_found_gone_since_its_proof(site, api):
    api.post("/api/sync/Contact")
    api.post("/api/verify", json={"objects": ["Contact"]})
    (proved,) = (each for each in api.get("/api/objects").json()["objects"] if each["objectApiName"] == "Contact")
    for each in ids_of(site, "Contact"):
        site.org.hide_record(each)
    api.post("/api/verify", json={"objects": ["Contact"]})

    (shown,) = (each for each in api.get("/api/objects").json()["objects"] if each["objectApiName"] == "Contact")

    assert proved["lossRefused"] is None
    assert shown["proof"] == proved["proof"]
    assert shown["lossRefused"] == "30 of 40 rows of Contact are gone in the org, or no longer visible."


def test_a_verify_of_everything_may_lose_the_rows_of_one(site, api):
    for name in ("Contact", "Lead"):
        api.post(f"/api/sync/{name}")
        for each in ids_of(site, name):
            site.org.hide_record(each)

    verified = api.post("/api/verify", json={"acceptLoss": ["Contact"]}).json()

    assert list(verified["problems"]) == ["Lead"]
    assert verified["proofs"]["Contact"]["rows"] == 10


def test_an_object_that_is_named_twice_is_one(losing):
    begun = losing.post("/api/sync", json={"objects": ["Lead", "lead"]}).json()

    assert [each["status"] for each in ended(losing, begun["sessionId"])["objects"]] == ["synced"]


def test_who_agrees_while_a_run_goes_on_that_asks_is_not_joined_to_it(site, losing):
    site.org.faults.add(path="/sobjects/Contact/(deleted|updated)", delay=1.0, times=None)
    begun, answers = losing.post("/api/sync", json={"objects": ["Contact"]}).json(), []
    with losing.stream("GET", f"/api/sync/{begun['sessionId']}/events") as stream:
        next(each for each in events_of(stream) if each.data.get("status") == "syncing")

    asking = threading.Thread(
        target=lambda: answers.append(losing.post("/api/sync/Contact", json={"acceptLoss": ["Contact"]}))
    )
    asking.start()
    asking.join()

    first = ended(losing, begun["sessionId"])
    assert [each["error"] for each in first["objects"]] == ["LOSS_REFUSED"]
    assert (answers[0].status_code, answers[0].json()["recordCount"]) == (200, 10)


def test_the_audit_log_has_who_agreed(losing, api):
    losing.post("/api/sync/Contact", json={"acceptLoss": ["Contact"]})
    losing.post("/api/verify", json=CONTACT)

    entries = [each for each in api.get("/api/audit").json()["entries"] if "accepts the loss" in each["detail"]]
    assert {(each["who"], each["action"], each["detail"]) for each in entries} == {
        ("user:ed", "sync", "accepts the loss of rows of Contact"),
        ("user:ed", "verify", "accepts the loss of rows of Contact"),
    }


@pytest.mark.parametrize(
    ("path", "body", "code"),
    [
        ("sync", {"objects": ["Contact"], "acceptLoss": ["Lead"]}, "BAD_REQUEST"),
        ("sync", {"objects": ["Contact"], "acceptLoss": ["Contact; DROP"]}, "INVALID_OBJECT_NAME"),
        ("sync", {"objects": ["Contact"], "acceptLoss": "Contact"}, "BAD_REQUEST"),
        ("sync/Contact", {"acceptLoss": ["Lead"]}, "BAD_REQUEST"),
        ("sync/Contact", {"acceptLoss": ["*"]}, "INVALID_OBJECT_NAME"),
        ("verify", {"objects": ["Contact"], "acceptLoss": ["Lead"]}, "BAD_REQUEST"),
    ],
)
def test_a_slip_agrees_to_nothing_and_says_so(losing, path, body, code):
    answer = losing.post(f"/api/{path}", json=body)

    assert (answer.status_code, answer.json()["error"]) == (400, code)
    assert losing.get("/api/objects/Contact").json()["recordCount"] == 40


def test_whoever_mistypes_an_object_is_told_which_was_meant(losing):
    answer = losing.post("/api/sync", json={"objects": ["Contact", "Lead"], "acceptLoss": ["Contakt"]})

    assert answer.json()["details"].endswith("Did you mean Contact?")


def test_a_viewer_cannot_agree(site, losing):
    viewer = site.client("vera", Role.VIEWER)

    for path in ("sync", "sync/Contact", "verify"):
        assert viewer.post(f"/api/{path}", json={"acceptLoss": ["Contact"]}).status_code == 403
