"""Connections over HTTP: added, logged in to, used, forgotten; each user's own."""

import html
import io
import os
import re
import time
from contextlib import suppress
from datetime import UTC, datetime
from urllib.parse import urlsplit

import httpx2
import pytest
from msgspec.structs import replace
from openpyxl import load_workbook

from salesforce_sync.access import Limit, Role
from salesforce_sync.api.jwt_key import files_beside, make
from salesforce_sync.web import replicas
from simorg.clients import CLIENT_ID, CLIENT_SECRET
from simorg.org import SimOrg
from tests.plain import PLAIN
from tests.web.conftest import PATIENT, settle, start
from tests.web.test_promise import ended
from tests.web.test_workbook_http import cells_of, sent


@pytest.fixture
def other():
    """Another org."""
    with SimOrg(records=5, seed=8) as org, org.serve():
        yield org


def added(client, org, name="second"):
    answer = client.post("/api/connections", json={"name": name, "instanceUrl": org.url})
    assert answer.status_code == 201
    return answer.json()["id"]


def test_another_org_is_added_connected_and_synced_beside_the_first(site, api, other):
    made = added(api, other)
    keys = {"method": "client_credentials", "clientId": CLIENT_ID, "clientSecret": CLIENT_SECRET}

    connected = api.post(f"/api/connections/{made}/connect", json=keys).json()
    synced = api.post("/api/sync/Contact", headers={"X-Connection-Id": "second"}).json()
    first = api.post("/api/sync/Contact").json()

    assert (connected["connected"], connected["instanceUrl"]) == (True, other.url)
    assert (synced["recordCount"], first["recordCount"]) == (5, 40)
    listed = api.get("/api/connections").json()["connections"]
    assert [(each["name"], each["connected"]) for each in listed] == [("default", True), ("second", True)]
    assert CLIENT_SECRET not in api.get("/api/audit").text


def test_the_next_page_of_another_connection_is_of_that_connection(site, api, other):
    made = added(api, other)
    other.create("Contact", [{"LastName": f"Further {number}"} for number in range(120)])
    keys = {"method": "client_credentials", "clientId": CLIENT_ID, "clientSecret": CLIENT_SECRET}
    api.post(f"/api/connections/{made}/connect", json=keys)

    answer = api.post("/api/sync/Contact", headers={"X-Connection-Id": made}).json()
    rest = api.get(answer["nextRecordsUrl"]).json()

    assert (answer["totalSize"], len(answer["records"]), len(rest["records"])) == (125, 100, 25)


def test_every_address_in_an_answer_of_another_connection_leads_to_that_connection(site, api, other):
    made = added(api, other)
    keys = {"method": "client_credentials", "clientId": CLIENT_ID, "clientSecret": CLIENT_SECRET}
    api.post(f"/api/connections/{made}/connect", json=keys)
    there = site.client(**{"X-Connection-Id": made})
    begun = there.post("/api/sync", json={"objects": ["Contact"]})
    session = ended(there, begun.json()["sessionId"])
    new = there.post("/api/objects/Contact/records", json={"LastName": "Roe"})

    followed = api.get(begun.headers["Location"]).json()
    book = load_workbook(io.BytesIO(api.get(session["workbook"]).content))
    cells_of(book["Contact"])(followed_id(api, new), "Birthdate").value = "some day"
    preview = sent(there, book).json()
    applied = there.post(f"/api/workbook/{preview['uploadId']}/apply").json()

    assert followed["sessionId"] == session["sessionId"]
    assert book["Contact"].max_row < 20  # the other has forty
    assert api.get(applied["resultUrl"]).status_code == 200


def followed_id(api, made):
    """The id at the address of a record that was made."""
    return api.get(made.headers["Location"]).json()["record"]["Id"]


def test_a_browser_login_comes_back_to_the_page_that_completes_it(site, api, other):
    made = added(api, other)

    begun = api.post(
        f"/api/connections/{made}/login", json={"clientId": CLIENT_ID, "clientSecret": CLIENT_SECRET}
    ).json()
    came_back = httpx2.get(begun["authorizeUrl"], verify=PLAIN).headers["location"]
    page = site.bare().get(f"/connect/callback?{urlsplit(came_back).query}")
    connected = api.post("/api/connections/complete", json={"cameBack": f"?{urlsplit(came_back).query}"}).json()
    again = api.post("/api/connections/complete", json={"cameBack": came_back})

    assert came_back.startswith(begun["redirectUri"])
    assert (page.status_code, "/static/callback.js" in page.text) == (200, True)
    assert (connected["connected"], connected["instanceUrl"]) == (True, other.url)
    assert again.status_code == 401


def test_a_login_that_another_user_has_begun_is_not_completed(site, api, other):
    made = added(api, other)
    begun = api.post(f"/api/connections/{made}/login", json={"clientId": CLIENT_ID}).json()
    came_back = httpx2.get(begun["authorizeUrl"], verify=PLAIN).headers["location"]

    answer = site.client("eve", Role.ADMIN).post("/api/connections/complete", json={"cameBack": came_back})

    assert (answer.status_code, answer.json()["error"]) == (401, "INVALID_SESSION_ID")


def test_wrong_credentials_are_told_and_not_kept(api, other):
    made = added(api, other)
    wrong = {"method": "client_credentials", "clientId": CLIENT_ID, "clientSecret": "wrong-secret-of-mine"}

    answer = api.post(f"/api/connections/{made}/connect", json=wrong)

    assert (answer.status_code, answer.json()["error"]) == (401, "INVALID_SESSION_ID")
    assert "wrong-secret-of-mine" not in answer.text
    assert [each["connected"] for each in api.get("/api/connections").json()["connections"]] == [True, False]


@pytest.mark.parametrize("path", ["login", "connect"])
def test_an_editor_does_not_log_the_houses_connection_in(site, path):
    body = {"clientId": CLIENT_ID} if path == "login" else {"method": "session", "accessToken": "x"}

    answer = site.client("ed", Role.EDITOR).post(f"/api/connections/default/{path}", json=body)

    assert answer.status_code in (400, 403)


def test_an_editor_does_not_make_the_server_talk_to_this_machine(site, other):
    answer = site.client("ed", Role.EDITOR).post("/api/connections", json={"name": "inside", "instanceUrl": other.url})

    assert (answer.status_code, answer.json()["error"]) == (403, "FORBIDDEN")


@pytest.mark.parametrize(
    "host",
    [
        *("localhost:8443", "127.0.0.1", "[::1]:80", "10.0.0.1", "169.254.169.254", "2130706433", "0x7f.0.0.0x1"),
        *("127.1", "a.localhost", "localhost.", "intranet", "printer.local", "metadata.google.internal"),
    ],
)
def test_an_editor_does_not_make_the_server_talk_to_its_network_by_https_either(site, host):
    body = {"name": "inside", "instanceUrl": f"https://{host}"}

    answer = site.client("ed", Role.EDITOR).post("/api/connections", json=body)

    assert (answer.status_code, answer.json()["error"]) in ((403, "FORBIDDEN"), (400, "BAD_REQUEST"))


@pytest.mark.parametrize("url", ["https://acme.my.salesforce.com", "https://acme--dev.sandbox.my.salesforce.com/"])
def test_an_editor_connects_an_org_by_its_domain(site, url):
    answer = site.client("ed", Role.EDITOR).post("/api/connections", json={"name": "mine", "instanceUrl": url})

    assert answer.status_code == 201


@pytest.mark.parametrize("path", ["connect", "login"])
def test_an_editor_does_not_make_the_server_log_in_at_this_machine(site, other, path):
    editor = site.client("ed", Role.EDITOR)
    editor.post("/api/connections", json={"name": "mine", "instanceUrl": "https://acme.example"})
    keys = {"method": "client_credentials", "clientId": CLIENT_ID, "clientSecret": CLIENT_SECRET}

    answer = editor.post(f"/api/connections/mine/{path}", json=keys | {"loginUrl": other.url})

    assert (answer.status_code, answer.json()["error"]) == (403, "FORBIDDEN")


@pytest.mark.parametrize("url", ["https://[", "https://acme\0.example", "http://", "", "https://a:b@c.example", "//x"])
def test_what_is_no_address_is_no_connection(api, other, url):
    made = added(api, other)

    answers = [
        api.post("/api/connections", json={"name": "third", "instanceUrl": url}),
        api.post(
            f"/api/connections/{made}/connect", json={"method": "session", "accessToken": "x", "loginUrl": url or "x"}
        ),
        api.post(f"/api/connections/{made}/login", json={"clientId": "x", "loginUrl": url or "x"}),
    ]

    assert {(each.status_code, each.json()["error"]) for each in answers} == {(400, "BAD_REQUEST")}


def test_a_browser_comes_back_to_the_one_name_that_salesforce_takes_without_tls(site, api, other):
    made, port = added(api, other), urlsplit(site.url).port

    by_number = api.post(f"/api/connections/{made}/login", json={"clientId": CLIENT_ID}).json()
    by_name = api.post(
        f"/api/connections/{made}/login", json={"clientId": CLIENT_ID}, headers={"Host": f"localhost:{port}"}
    ).json()

    assert by_number["redirectUri"] == by_name["redirectUri"] == f"http://localhost:{port}/connect/callback"


def test_a_connection_is_forgotten(api, other):
    made = added(api, other)

    done = api.delete(f"/api/connections/{made}").json()

    assert done == {"success": True}
    assert api.get("/api/inbox", headers={"X-Connection-Id": made}).status_code == 404
    assert api.delete("/api/connections/default").status_code == 400


def test_the_login_of_a_forgotten_connection_is_off_the_disk_and_its_replica_is_not(site, api, other):
    made = added(api, other)
    keys = {"method": "client_credentials", "clientId": CLIENT_ID, "clientSecret": CLIENT_SECRET}
    api.post(f"/api/connections/{made}/connect", json=keys)
    api.post("/api/sync/Contact", headers={"X-Connection-Id": made})
    database = site.house.access.connections.get(made).database
    pair = files_beside(database)
    make(pair, datetime.now(UTC))

    api.delete(f"/api/connections/{made}")

    secrets = [database.with_name(f"{database.name}.{each}") for each in ("connection", "key")]
    assert [each for each in (*secrets, pair.key_file, pair.certificate_file) if each.exists()] == []
    assert database.exists()


def test_a_connection_without_a_login_says_so(api, other):
    made = added(api, other)

    answer = api.post("/api/sync/Contact", headers={"X-Connection-Id": made})

    assert (answer.status_code, answer.json()["error"]) == (409, "NOT_CONNECTED")


# ── by a browser, on the page ────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def begun(site, api, other):
    """A browser that has begun a login on the page, and the address that the org has sent it back to."""
    made = added(api, other)
    browser = site.bare()
    csrf = browser.post("/api/login", json={"token": site.tokens["ada"]}).json()["csrfToken"]
    form = {"method": "browser", "where": made, "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
    page = browser.post("/org/default/connections", data=form, headers={"X-CSRF-Token": csrf})
    authorize = html.unescape(re.search(r'id="authorize" href="([^"]+)"', page.text)[1])
    return browser, httpx2.get(authorize, verify=PLAIN).headers["location"]


def connected(api):
    return [each["connected"] for each in api.get("/api/connections").json()["connections"]]


def at_localhost(client, came_back):
    """What the browser gets where the org has sent it to: `localhost`, whichever of its addresses that is."""
    address = urlsplit(came_back)
    return client.get(f"{address.path}?{address.query}", headers={"Host": address.netloc})


def test_the_browser_that_began_a_login_completes_it_under_the_name_that_has_its_cookie(site, api, begun):
    browser, came_back = begun

    sent_on = at_localhost(browser, came_back)
    page = browser.get(sent_on.headers["location"])

    assert came_back.startswith("http://localhost:")
    assert (sent_on.status_code, sent_on.headers["location"].startswith(f"{site.url}/connect/callback?")) == (303, True)
    assert page.status_code == 200
    assert connected(api) == [True, True]


def test_a_browser_that_was_only_sent_through_the_org_gives_its_access_to_nobody(site, api, begun):
    browser, came_back = begun

    victim = site.bare().get(at_localhost(site.bare(), came_back).headers["location"])
    left = connected(api)
    his_own = browser.get(at_localhost(browser, came_back).headers["location"])

    assert (victim.status_code, "has not begun the login" in victim.text) == (400, True)
    assert left == [True, False]
    assert (his_own.status_code, connected(api)) == (200, [True, True])


def test_a_login_that_a_program_has_begun_comes_back_to_the_name_that_it_used(site, api, other):
    made = added(api, other)
    begun = api.post(f"/api/connections/{made}/login", json={"clientId": CLIENT_ID}).json()
    came_back = httpx2.get(begun["authorizeUrl"], verify=PLAIN).headers["location"]

    sent_on = at_localhost(site.bare(), came_back)

    assert sent_on.headers["location"].startswith(f"{site.url}/connect/callback?code=")


def open_files_of(name):
    """How many files whose path has this name this process holds open."""
    found = 0
    for each in os.listdir("/proc/self/fd"):
        with suppress(FileNotFoundError):
            found += name in os.readlink(f"/proc/self/fd/{each}")
    return found


def test_a_connection_that_is_forgotten_while_it_syncs_leaves_nothing_open(site, api, other, monkeypatch):
    monkeypatch.setattr(replicas, "LEAVING_SECONDS", 0.05)
    made = added(api, other)
    keys = {"method": "client_credentials", "clientId": CLIENT_ID, "clientSecret": CLIENT_SECRET}
    api.post(f"/api/connections/{made}/connect", json=keys)
    other.faults.add(path="/sobjects/Contact/describe", delay=0.5)
    api.post("/api/sync", json={"objects": ["Contact"]}, headers={"X-Connection-Id": made})
    while_it_syncs = open_files_of(made)

    assert api.delete(f"/api/connections/{made}").json()["success"]

    until = time.monotonic() + 20
    while open_files_of(made) and time.monotonic() < until:
        time.sleep(0.05)
    assert (while_it_syncs > 0, open_files_of(made)) == (True, 0)
    entries = [(each["action"], each["outcome"]) for each in api.get("/api/audit").json()["entries"]]
    assert ("sync", "interrupted") in entries
    assert api.get("/healthz").status_code == 200


@pytest.mark.parametrize("name", ["", "Upper", "two words", "-dash", "ü", "x" * 41, "default", "con_0123456789abcdef"])
def test_a_name_that_is_refused_is_told_in_words_what_a_name_may_hold(api, name):
    answer = api.post("/api/connections", json={"name": name, "instanceUrl": "https://x.my.salesforce.com"})

    body = answer.json()
    assert (answer.status_code, body["error"]) == (400, "BAD_REQUEST")
    assert "Up to 40 lower-case letters, digits, _ and -, beginning with a letter or digit" in body["details"]
    assert "[a-z" not in body["details"]


@pytest.mark.parametrize(
    ("wrong", "named"), [({"clientSecret": "wrong"}, "clientSecret"), ({"clientId": "nobody"}, "clientId")]
)
def test_a_login_that_the_org_refuses_names_what_was_sent(api, other, wrong, named):
    made = added(api, other)
    keys = {"method": "client_credentials", "clientId": CLIENT_ID, "clientSecret": CLIENT_SECRET}

    answer = api.post(f"/api/connections/{made}/connect", json=keys | wrong)

    details = answer.json()["details"]
    assert (answer.status_code, f"Check {named} (" in details, "SF_" in details) == (401, True, False), details


def test_a_user_has_twenty_connections_and_an_admin_more(site):
    editor, admin = site.client("ed", Role.EDITOR), site.client("ann", Role.ADMIN)

    answers = [
        client.post("/api/connections", json={"name": f"org-{number}", "instanceUrl": "https://acme.example.com"})
        for client in (editor, admin)
        for number in range(21)
    ]

    assert [each.status_code for each in answers] == [201] * 20 + [400] + [201] * 21
    assert "You have 20 connections already." in answers[20].json()["details"]


def test_who_adds_one_connection_after_the_other_has_to_wait(tmp_path, simorg):
    few = replace(PATIENT, limits=replace(PATIENT.limits, additions=Limit(2, per_second=0.001)))
    for site in start(settle(tmp_path, simorg.url), simorg, few):
        client = site.client("ed", Role.EDITOR)

        for _ in range(2):
            made = client.post("/api/connections", json={"name": "org", "instanceUrl": "https://acme.example.com"})
            assert client.delete(f"/api/connections/{made.json()['id']}").status_code == 200
        refused = client.post("/api/connections", json={"name": "org", "instanceUrl": "https://acme.example.com"})

        assert (refused.status_code, refused.json()["error"]) == (429, "THROTTLED")
        assert int(refused.headers["retry-after"]) > 100
