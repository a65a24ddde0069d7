"""What was promised of syncing over HTTP, name by name: a stranger's client knows no more than that."""

import threading
import time

import pytest

from tests.web.conftest import events_of

OBJECTS = ["Product2", "Pricebook2", "LegalEntity"]


def ended(api, session_id, **headers):
    """The session, once it has ended."""
    until = time.monotonic() + 30
    while time.monotonic() < until:
        session = api.get(f"/api/sync/{session_id}", headers=headers).json()
        if session["state"] != "running":
            return session
        time.sleep(0.05)
    raise AssertionError(f"{session_id} did not end")


def test_a_session_is_initiated(api):
    answer = api.post("/api/sync", json={"objects": OBJECTS})

    body = answer.json()
    assert answer.status_code == 200
    assert list(body) == ["success", "sessionId", "message"]
    assert (body["success"], body["message"]) == (True, "Sync session initiated")
    assert answer.headers["Location"] == f"/api/sync/{body['sessionId']}"
    assert answer.headers["Link"] == f'</api/sync/{body["sessionId"]}/events>; rel="events"'
    assert body["sessionId"].startswith("sync_")
    assert [each["status"] for each in ended(api, body["sessionId"])["objects"]] == ["synced"] * 3


def test_a_session_calls_its_objects_as_the_org_does_however_they_were_spelt(api):
    first = api.post("/api/sync", json={"objects": ["product2", "PRICEBOOK2"]}).json()["sessionId"]
    named_before_it_was_here = [each["objectApiName"] for each in ended(api, first)["objects"]]
    with api.stream("GET", f"/api/sync/{first}/events") as stream:
        told = [each.data["objectApiName"] for each in events_of(stream) if each.event == "progress"]

    again = api.post("/api/sync/product2", headers={"Prefer": "respond-async"}).json()
    named_at_once = api.get(again["statusUrl"]).json()["objects"][0]["objectApiName"]
    ended(api, again["sessionId"])

    assert named_before_it_was_here == ["Product2", "Pricebook2"]
    assert {each for each in told} == {"Product2", "Pricebook2"}
    assert (again["objectApiName"], named_at_once) == ("Product2", "Product2")
    subjects = {each["subject"] for each in api.get("/api/audit").json()["entries"] if each["action"] == "sync"}
    assert "default/Product2" in subjects


def test_an_object_that_fails_is_called_as_the_org_does(site, api):
    site.org.faults.add(
        path="/sobjects/Contact/describe",
        status=403,
        times=None,
        body=[{"errorCode": "INSUFFICIENT_ACCESS", "message": "no access to Contact"}],
    )

    assert api.post("/api/sync/contact").json()["objectApiName"] == "Contact"


def test_an_object_is_synced_and_answers_with_its_first_records(site):
    client = site.client(**{"X-Connection-Id": "default", "Content-Type": "application/json"})

    answer = client.post("/api/sync/Product2")

    body, there = answer.json(), site.org.count("Product2")
    assert answer.status_code == 200
    assert list(body) == [
        *("success", "objectApiName", "recordCount", "records", "hasMore", "totalSize", "done"),
        *("nextRecordsUrl", "syncedAt"),
    ]
    assert (body["success"], body["objectApiName"], body["done"]) == (True, "Product2", True)
    assert (body["recordCount"], body["totalSize"], len(body["records"])) == (there, there, there)
    assert (body["hasMore"], body["nextRecordsUrl"]) == (False, None)
    assert time.strptime(body["syncedAt"], "%Y-%m-%dT%H:%M:%SZ")
    assert all(each["Id"] and each["Name"] for each in body["records"])


def test_the_records_behind_the_first_hundred_are_at_the_next_url(site, api):
    site.org.create("Contact", [{"LastName": f"Further {number}"} for number in range(210)])

    answer = api.post("/api/sync/Contact").json()
    spent, ids, url = site.org.usage.used, [each["Id"] for each in answer["records"]], answer["nextRecordsUrl"]
    while url is not None:
        page = api.get(url).json()
        ids, url = ids + [each["Id"] for each in page["records"]], page["nextRecordsUrl"]
        assert page["done"] is (url is None)

    assert (len(answer["records"]), answer["hasMore"], answer["totalSize"]) == (100, True, 250)
    assert len(set(ids)) == len(ids) == 250
    assert site.org.usage.used == spent


def test_an_object_within_its_session_is_not_brought_twice(site, api):
    session_id = api.post("/api/sync", json={"objects": OBJECTS}).json()["sessionId"]
    ended(api, session_id)
    spent = site.org.usage.used

    first = api.post("/api/sync/Product2", json={"sessionId": session_id}).json()
    without_another = site.org.usage.used
    again = api.post("/api/sync/Product2", json={"sessionId": session_id}).json()

    assert (first["success"], first["recordCount"]) == (True, site.org.count("Product2"))
    assert without_another == spent
    assert again["success"] is True
    assert site.org.usage.used > spent


def test_an_object_that_the_session_did_not_name_is_brought_within_it(api):
    session_id = api.post("/api/sync", json={"objects": ["Product2"]}).json()["sessionId"]

    answer = api.post("/api/sync/Pricebook2", json={"sessionId": session_id}).json()

    assert (answer["success"], answer["objectApiName"]) == (True, "Pricebook2")


def test_what_an_ended_session_is_asked_for_again_has_a_session_of_its_own(site, api):
    session_id = api.post("/api/sync", json={"objects": ["Product2"]}).json()["sessionId"]
    ended(api, session_id)
    api.post("/api/sync/Product2", json={"sessionId": session_id})
    site.org.create("Product2", [{"Name": "Just Now"}])

    again = api.post("/api/sync/Product2", json={"sessionId": session_id}, headers={"Prefer": "respond-async"}).json()

    assert again["sessionId"] != session_id
    assert again["statusUrl"] == f"/api/sync/{again['sessionId']}"
    assert ended(api, again["sessionId"])["objects"][0]["changed"] == 1


def test_every_sync_within_a_session_is_in_the_audit_log(api):
    session_id = api.post("/api/sync", json={"objects": ["Product2"]}).json()["sessionId"]
    ended(api, session_id)
    for _ in range(2):  # the first is what the session has brought
        api.post("/api/sync/Product2", json={"sessionId": session_id})

    def outcomes():
        return [each["outcome"] for each in api.get("/api/audit").json()["entries"] if each["action"] == "sync"]

    until = time.monotonic() + 30
    while len(outcomes()) < 4 and time.monotonic() < until:  # the end of the second session comes after its answer
        time.sleep(0.05)
    assert outcomes() == ["complete", "begun"] * 2


def test_who_does_not_want_to_wait_gets_a_status_url(api):
    answer = api.post("/api/sync/Contact", headers={"Prefer": "respond-async"})

    body = answer.json()
    assert answer.status_code == 202
    assert answer.headers["Preference-Applied"] == "respond-async"
    assert answer.headers["Location"] == body["statusUrl"]
    assert (body["success"], body["objectApiName"]) == (True, "Contact")
    assert ended(api, body["sessionId"])["objects"][0]["status"] == "synced"


def test_an_object_that_is_under_way_is_joined_and_not_begun_again(site, api):
    site.org.faults.add(path="/sobjects/Contact/describe", delay=1.0)
    answers = []

    def ask():
        answers.append(site.client().post("/api/sync/Contact").json())

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [each["success"] for each in answers] == [True] * 4
    described = [count for call, count in site.org.usage.counters.items() if "describe" in call]
    assert described == [1]


# ── errors ───────────────────────────────────────────────────────────────────────────────────────────────────────


def failed(answer, name):
    body = answer.json()
    assert body["success"] is False
    assert body["objectApiName"] == name
    assert len(body["details"]) > 20
    return answer.status_code, body["error"]


def test_an_object_that_the_org_does_not_have_is_not_found(api):
    assert failed(api.post("/api/sync/Produkt3"), "Produkt3") == (404, "OBJECT_NOT_FOUND")
    assert "Product2" in api.post("/api/sync/Produkt2").json()["details"]
    assert "the connected user may read it" in api.post("/api/sync/Qqqqqq__c").json()["details"]


def test_an_object_that_the_user_may_not_read_is_told_as_the_org_tells_it(site, api):
    refusal = [{"errorCode": "INSUFFICIENT_ACCESS", "message": "no access to Contact"}]
    site.org.faults.add(path="/sobjects/Contact/describe", status=403, times=None, body=refusal)

    assert failed(api.post("/api/sync/Contact"), "Contact") == (403, "INSUFFICIENT_ACCESS")


@pytest.mark.parametrize(
    ("status", "code", "told"),
    [
        (403, "API_DISABLED_FOR_ORG", (403, "API_DISABLED_FOR_ORG")),
        (403, "FUNCTIONALITY_NOT_ENABLED", (403, "FUNCTIONALITY_NOT_ENABLED")),
        (404, "NOT_FOUND", (404, "OBJECT_NOT_FOUND")),
        (400, "UNKNOWN_EXCEPTION", (502, "UNKNOWN_EXCEPTION")),
    ],
)
def test_a_refusal_of_the_org_has_the_status_of_whose_fault_it_is(site, api, status, code, told):
    refusal = [{"errorCode": code, "message": "the org says no"}]
    site.org.faults.add(path="/sobjects/Contact/describe", status=status, times=None, body=refusal)

    answer = api.post("/api/sync/Contact")

    assert failed(answer, "Contact") == told
    assert "Did you mean Contact" not in answer.json()["details"]
    assert ("Retry-After" in answer.headers) is (told[0] == 502)


def test_a_session_that_has_ended_and_cannot_be_renewed_says_so(site, api):
    api.post("/api/sync/Contact")
    site.org.sessions.end_all()
    site.org.faults.add(
        path="/oauth2/token", status=400, times=None, body={"error": "invalid_grant", "error_description": "expired"}
    )

    assert failed(api.post("/api/sync/Contact"), "Contact") == (401, "INVALID_SESSION_ID")


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ({"status": 500, "body": [{"errorCode": "UNKNOWN_EXCEPTION", "message": "ErrorId 1-2"}]}, "UNKNOWN_EXCEPTION"),
        ({"status": 301, "body": "<html>moved</html>"}, "HTTP_301"),
        ({"status": 404, "body": "<html>default backend - 404</html>"}, "HTTP_404"),
    ],
)
def test_an_org_that_does_not_work_is_a_bad_gateway(fault, code, site, api):
    site.org.faults.add(path="/sobjects/Contact/describe", times=None, **fault)

    assert failed(api.post("/api/sync/Contact"), "Contact") == (502, code)


def test_an_org_without_calls_left_says_when_to_come_back(site, api):
    site.org.usage.reset(used=site.org.usage.limit)

    answer = api.post("/api/sync/Contact")

    assert failed(answer, "Contact") == (429, "REQUEST_LIMIT_EXCEEDED")
    assert 3_500 < int(answer.headers["Retry-After"]) <= 3_600, answer.json()["details"]


def test_an_org_where_too_many_long_requests_run_at_once_is_to_be_asked_again_soon(site, api):
    """It has the code of a day that is used up, and passes within moments."""
    refusal = [{"errorCode": "REQUEST_LIMIT_EXCEEDED", "message": "ConcurrentPerOrgLongTxn Limit exceeded."}]
    site.org.faults.add(path="/sobjects/Contact/describe", status=403, times=None, body=refusal)

    answer = api.post("/api/sync/Contact")

    assert failed(answer, "Contact") == (429, "REQUEST_LIMIT_EXCEEDED")
    assert int(answer.headers["Retry-After"]) == 30


def test_an_org_that_has_calls_again_is_asked_again_by_whoever_wants_to_sync(site, api):
    site.org.usage.reset(used=site.org.usage.limit)
    api.post("/api/sync/Contact")
    site.org.usage.reset()

    answer = api.post("/api/sync/Contact")

    assert (answer.status_code, answer.json()["success"]) == (200, True)


def test_a_query_that_the_org_does_not_understand_says_so(site, api):
    site.org.faults.add(
        path="/query", status=400, times=None, body=[{"errorCode": "MALFORMED_QUERY", "message": "unexpected token"}]
    )

    assert failed(api.post("/api/sync/Lead"), "Lead") == (400, "MALFORMED_QUERY")


@pytest.mark.parametrize("name", ["Contact'", "Contact;DROP TABLE Contact", "..%2f..%2fetc", "%00", "A" * 81, "1st"])
def test_what_is_no_name_is_refused_before_it_reaches_anything(site, api, name):
    answer = api.post(f"/api/sync/{name}")

    assert answer.status_code in (400, 404)
    assert answer.json()["error"] in ("INVALID_OBJECT_NAME", "NOT_FOUND")
    assert site.org.usage.used == 0


def test_an_object_that_another_process_is_syncing_is_busy(site, api, tmp_path):
    from salesforce_sync.storage.claims import Claims

    with Claims(tmp_path / "data/salesforce.db-pages").claim("Contact"):
        answer = api.post("/api/sync/Contact")

    assert failed(answer, "Contact") == (409, "STORE_BUSY")


def test_a_session_goes_on_without_the_objects_that_the_org_does_not_have(api):
    begun = api.post("/api/sync", json={"objects": ["Product2", "Produkt3"]}).json()

    session = ended(api, begun["sessionId"])
    assert session["state"] == "partial"
    assert {each["objectApiName"]: each["status"] for each in session["objects"]} == {
        "Product2": "synced",
        "Produkt3": "error",
    }
    assert [each["error"] for each in session["objects"]] == [None, "OBJECT_NOT_FOUND"]


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"objects": []}', b'{"objects": "Contact"}', b'{"objects": [1]}'])
def test_a_body_that_is_no_such_request_is_refused(site, api, body):
    answer = api.post("/api/sync", content=body)

    assert (answer.status_code, answer.json()["error"]) == (400, "BAD_REQUEST")
    assert site.org.usage.used == 0


def test_without_names_the_configured_objects_are_synced(api):
    session = ended(api, api.post("/api/sync").json()["sessionId"])

    assert [each["objectApiName"] for each in session["objects"]] == ["Contact", "Lead", "Account", "Opportunity"]


# ── progress ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_progress_goes_from_pending_through_syncing_to_synced(site, api):
    site.org.create("Contact", [{"LastName": f"Further {number}"} for number in range(4500)])
    begun = api.post("/api/sync", json={"objects": ["Contact", "Produkt3"]}).json()

    with api.stream("GET", f"/api/sync/{begun['sessionId']}/events") as stream:
        told = list(events_of(stream))

    contact = [each.data for each in told if each.event == "progress" and each.data["objectApiName"] == "Contact"]
    statuses = [each["status"] for each in contact]
    assert list(dict.fromkeys(statuses)) == ["pending", "syncing", "synced"]
    assert [each["percent"] for each in contact] == sorted(each["percent"] for each in contact)
    assert (contact[0]["percent"], contact[-1]["percent"]) == (0, 100)
    assert (contact[-1]["recordCount"], contact[-1]["totalSize"]) == (4540, 4540)
    assert contact[-1]["rowsPerSecond"] > 0
    assert contact[-1]["calls"] > 0
    other = [each.data["status"] for each in told if each.data.get("objectApiName") == "Produkt3"]
    assert other == ["pending", "error"]
    assert [each.id for each in told] == sorted({each.id for each in told})
    assert (told[-1].event, told[-1].data["state"]) == ("session", "partial")


def test_a_listener_that_comes_back_gets_only_what_it_has_missed(api):
    begun = api.post("/api/sync", json={"objects": ["Contact", "Lead"]}).json()
    ended(api, begun["sessionId"])
    with api.stream("GET", f"/api/sync/{begun['sessionId']}/events") as stream:
        told = list(events_of(stream))

    with api.stream(
        "GET", f"/api/sync/{begun['sessionId']}/events", headers={"Last-Event-ID": str(told[-3].id)}
    ) as stream:
        missed = list(events_of(stream))
    nothing = api.get(f"/api/sync/{begun['sessionId']}/events", headers={"Last-Event-ID": str(told[-1].id)})

    assert missed == told[-2:]
    assert nothing.status_code == 204


def test_a_session_that_is_cancelled_ends_and_keeps_what_is_complete(site, api):
    site.org.faults.add(path="/sobjects/Lead/describe", delay=2.0)
    begun = api.post("/api/sync", json={"objects": ["Lead", "Contact"]}).json()

    cancelled = api.post(f"/api/sync/{begun['sessionId']}/cancel").json()

    with api.stream("GET", f"/api/sync/{begun['sessionId']}/events") as stream:
        *told, last = events_of(stream)
    assert (cancelled["state"], last.data["state"], cancelled["success"]) == ("cancelled", "cancelled", False)
    assert cancelled["percent"] < 100
    for session in (cancelled, last.data, api.get(f"/api/sync/{begun['sessionId']}").json()):
        lead = next(each for each in session["objects"] if each["objectApiName"] == "Lead")
        assert (lead["status"], lead["error"]) == ("error", "STOPPED")
    assert {each.data["objectApiName"]: each.data["status"] for each in told}["Lead"] == "error"


def test_an_object_of_a_cancelled_session_that_another_one_wants_is_synced_there_alone(site, api):
    site.org.faults.add(path="/sobjects/Lead/describe", delay=1.0)
    cancelled, other = (api.post("/api/sync", json={"objects": ["Lead"]}).json()["sessionId"] for _ in range(2))

    api.post(f"/api/sync/{cancelled}/cancel")

    assert ended(api, other)["objects"][0]["status"] == "synced"
    assert api.get(f"/api/sync/{cancelled}").json()["objects"][0]["error"] == "STOPPED"


def test_a_session_of_which_an_object_failed_is_no_success(api):
    session = ended(api, api.post("/api/sync", json={"objects": ["Contact", "Contakt"]}).json()["sessionId"])

    assert (session["state"], session["success"]) == ("partial", False)


def test_what_was_cancelled_is_brought_by_whoever_asks_next(site, api):
    site.org.faults.add(path="/sobjects/Lead/describe", delay=0.5)
    begun = api.post("/api/sync", json={"objects": ["Lead", "Contact"]}).json()
    with api.stream("GET", f"/api/sync/{begun['sessionId']}/events") as stream:
        next(each for each in events_of(stream) if each.data.get("status") == "syncing")
    api.post(f"/api/sync/{begun['sessionId']}/cancel")

    answer = api.post("/api/sync/Lead")

    assert (answer.status_code, answer.json()["recordCount"]) == (200, site.org.count("Lead"))
    assert api.get(f"/api/sync/{begun['sessionId']}").json()["state"] == "cancelled"
