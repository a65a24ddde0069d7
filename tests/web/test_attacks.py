"""What somebody might try against the server, and what he gets: a table of attacks."""

import json
import re
import socket
import time
from contextlib import ExitStack, suppress

import httpx2
import pytest
from msgspec.structs import replace

from salesforce_sync.access import Limit, Role
from salesforce_sync.web import house
from salesforce_sync.web.guard import Bounds
from salesforce_sync.web.house import Limits, Settings
from salesforce_sync.web.incoming import Incoming
from simorg.org import SimOrg
from tests.plain import PLAIN
from tests.web.conftest import OFTEN, settle, start

SMALL = Settings(
    Bounds(most_bytes=10_000, most_uploaded=50_000),
    Limits(
        user=Limit(30, per_second=0.001),
        connection=OFTEN,
        syncs=Limit(2, per_second=0.001),
        failures=Limit(3, per_second=0.001),
    ),
)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """One server for all attacks that leave it as it was; its replica has the contacts."""
    with SimOrg(records=40, seed=7) as org, org.serve():
        for site in start(settle(tmp_path_factory.mktemp("site"), org.url), org):
            assert site.client().post("/api/sync/Contact").json()["success"]
            yield site


@pytest.fixture(autouse=True)
def without_faults(request):
    yield
    if "site" in request.fixturenames:
        request.getfixturevalue("site").org.faults.clear()


@pytest.fixture
def strict(tmp_path, simorg):
    """A server that allows little."""
    yield from start(settle(tmp_path, simorg.url), simorg, SMALL)


@pytest.fixture
def hasty(tmp_path, simorg):
    """A server that does not wait for bodies: not for a test whose bodies have to arrive, as machines are slow."""
    yield from start(settle(tmp_path, simorg.url), simorg, replace(SMALL, bounds=Bounds(body_seconds=0.5)))


def error_of(answer):
    return answer.status_code, answer.json()["error"]


EVERYTHING = [
    ("POST", "/api/sync"),
    ("GET", "/api/sync"),
    ("POST", "/api/sync/Contact"),
    ("GET", "/api/sync/sync_x"),
    ("GET", "/api/sync/sync_x/events"),
    ("GET", "/api/objects"),
    ("GET", "/api/objects/Contact"),
    ("GET", "/api/objects/Contact/records"),
    ("GET", "/api/objects/Contact/records.ndjson"),
    ("POST", "/api/objects/Contact/records"),
    ("PATCH", "/api/objects/Contact/records/003000000000001AAA"),
    ("DELETE", "/api/objects/Contact/records/003000000000001AAA"),
    ("GET", "/api/outbox"),
    ("POST", "/api/push"),
    ("GET", "/api/inbox"),
    ("GET", "/api/budget"),
    ("GET", "/api/connections"),
    ("GET", "/api/audit"),
    ("GET", "/metrics"),
]

# ── who are you ──────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer sfsync_" + "A" * 43},
        {"Authorization": "Bearer"},
        {"Authorization": "Basic YWRtaW46YWRtaW4="},
        {"Cookie": "{cookie}=" + "A" * 43},
    ],
    ids=["nothing", "another token", "no token", "basic", "another cookie"],
)
def test_nobody_gets_anything(site, headers):
    client = site.bare(**{name: value.replace("{cookie}", site.house.cookie) for name, value in headers.items()})
    for method, path in EVERYTHING:
        assert error_of(client.request(method, path)) == (401, "NOT_AUTHENTICATED"), path


def test_every_route_but_a_few_wants_to_know_who_asks(site):
    open_ones = {"/healthz", "/api/login"}
    described = site.bare().get("/openapi.json").json()["paths"]

    wanting = {path for path, methods in described.items() if all(each["security"] for each in methods.values())}

    assert set(described) - wanting == open_ones


ROLES = [
    (Role.VIEWER, "POST", "/api/sync", 403),
    (Role.VIEWER, "POST", "/api/sync/Contact", 403),
    (Role.VIEWER, "POST", "/api/objects/Contact/records", 403),
    (Role.VIEWER, "POST", "/api/push", 403),
    (Role.VIEWER, "POST", "/api/inbox/1", 403),
    (Role.VIEWER, "POST", "/api/verify", 403),
    (Role.VIEWER, "GET", "/api/objects", 200),
    (Role.VIEWER, "GET", "/api/audit", 403),
    (Role.EDITOR, "GET", "/api/audit", 403),
    (Role.EDITOR, "GET", "/api/inbox", 200),
    (Role.ADMIN, "GET", "/api/audit", 200),
]


@pytest.mark.parametrize(("role", "method", "path", "status"), ROLES)
def test_a_role_may_do_what_it_may_and_no_more(site, role, method, path, status):
    spent = site.org.usage.used

    assert site.client(f"some {role}".replace(" ", "-"), role).request(method, path).status_code == status
    assert site.org.usage.used == spent


def test_a_viewer_changes_nothing_by_any_route(site):
    viewer = site.client("vera", Role.VIEWER)
    described = site.bare().get("/openapi.json").json()["paths"]
    changing = [(method, path) for path, methods in described.items() for method in methods if method != "get"]

    answers = {
        (method, path): viewer.request(method, re.sub(r"\{\w+\}", "Contact", path), json={}).status_code
        for method, path in changing
        if path not in ("/api/login", "/api/logout")
    }

    assert len(answers) > 15
    assert {each: status for each, status in answers.items() if status != 403} == {}


def test_a_revoked_user_is_out_at_once(site):
    client = site.client("bob", Role.EDITOR)
    before = client.get("/api/me").status_code

    site.house.access.users.revoke("bob")

    assert (before, client.get("/api/me").status_code) == (200, 401)


# ── whose connection ─────────────────────────────────────────────────────────────────────────────────────────────


OF_A_CONNECTION = [each for each in EVERYTHING if each[1] not in ("/api/audit", "/api/connections", "/metrics")]


@pytest.fixture(scope="module")
def theirs(site):
    """A connection of somebody else."""
    site.client("owner", Role.EDITOR)
    owner = site.house.access.users.named("owner")
    return site.house.access.connections.add("secret-org", "https://secret.example.com", owner)


@pytest.mark.parametrize(("method", "path"), OF_A_CONNECTION)
def test_somebody_elses_connection_answers_as_one_that_does_not_exist(site, theirs, method, path):
    names = theirs.id, "secret-org", "con_0123456789abcdef", "no-such-org"
    client = site.client("eve", Role.EDITOR)

    answers = [client.request(method, path, headers={"X-Connection-Id": name}) for name in names]

    assert {error_of(each) for each in answers} == {(404, "CONNECTION_NOT_FOUND")}
    told = {each.text.replace(name, "…") for each, name in zip(answers, names, strict=True)}
    assert len(told) == 1


def test_a_connection_is_in_its_owners_list_and_in_nobody_elses(site, theirs):
    def names(client):
        return [each["name"] for each in client.get("/api/connections").json()["connections"]]

    assert names(site.client("owner")) == ["default", "secret-org"]
    assert names(site.client("eve", Role.EDITOR)) == ["default"]
    assert "secret-org" not in site.client("eve").get("/metrics").text


def test_a_session_of_another_connection_is_not_there(site, theirs):
    mine = site.client("owner")
    session_id = mine.post("/api/sync", json={"objects": ["Contact"]}).json()["sessionId"]

    answer = mine.get(f"/api/sync/{session_id}", headers={"X-Connection-Id": theirs.id})

    assert error_of(answer) == (404, "SESSION_NOT_FOUND")


@pytest.mark.parametrize(
    "name", ["../default", "default/../x", "con_..", "a" * 500, "ünder", "%00", "default\t", "' OR 1=1"]
)
def test_a_connection_name_is_no_path_and_no_sql(site, name):
    answer = site.client().get("/api/inbox", params={"connection": name})

    assert error_of(answer) == (404, "CONNECTION_NOT_FOUND")


# ── names ────────────────────────────────────────────────────────────────────────────────────────────────────────

NAMES = [
    "Contact WHERE Id != null",
    "Contact--",
    'Contact"',
    "Contact]",
    "sqlite_master",
    "_sync_edit",
    "Kontakt",
    "a" * 81,
    "..",
    ".%2e",
]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "path", ["/api/objects/{}", "/api/objects/{}/records", "/api/objects/{}/fields", "/api/objects/{}/records.ndjson"]
)
def test_an_object_name_is_no_soql_no_sql_and_no_path(site, path, name):
    spent = site.org.usage.used

    answer = site.client().get(path.format(httpx2.URL("/" + name).raw_path.decode()[1:] if "%" not in name else name))

    assert answer.status_code in (400, 404)
    assert answer.json()["error"] in ("INVALID_OBJECT_NAME", "OBJECT_NOT_FOUND", "NOT_FOUND")
    assert site.org.usage.used == spent


@pytest.mark.parametrize("record_id", ["x", "003' OR '1'='1", "local-x", "003000000000001", "A" * 18, "%00"])
def test_a_record_id_is_no_sql_and_no_path(site, record_id):
    client = site.client()
    for answer in (
        client.get(f"/api/objects/Contact/records/{record_id}"),
        client.patch(f"/api/objects/Contact/records/{record_id}", json={"Phone": "1"}),
        client.delete(f"/api/objects/Contact/records/{record_id}"),
    ):
        assert answer.status_code in (400, 404, 405)
        assert answer.json()["success"] is False
    assert client.get("/api/objects/Contact/records").json()["totalSize"] == 40


# ── browsers ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "host",
    [
        "evil.example.com",
        "evil.example.com:8765",
        "127.0.0.1.evil.example.com",
        "localhost.evil.example.com",
        "",
        "[::1].evil.example.com",
        "localhost@evil.example.com",
        "localhost.",
        "127.1",
        "::1",
        "localhost, evil.example.com",
    ],
)
def test_a_name_that_somebody_else_gave_this_machine_is_not_answered(site, host):
    answer = site.client().get("/api/objects", headers={"Host": host})

    assert error_of(answer) == (421, "WRONG_HOST")


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:1", "LOCALHOST:80", "[::1]:8080"])
def test_the_names_of_this_machine_are_answered(site, host):
    assert site.client().get("/api/objects", headers={"Host": host}).status_code == 200


def logged_in(site):
    """A browser, and the CSRF token of its page."""
    site.client()
    browser = site.bare()
    csrf = browser.post("/api/login", json={"token": site.tokens["ada"]}).json()["csrfToken"]
    return browser, csrf


def test_a_cookie_alone_changes_nothing(site):
    browser, csrf = logged_in(site)

    without = browser.post("/api/sync")
    wrong = browser.post("/api/sync", headers={"X-CSRF-Token": csrf[:-1] + "x"})
    right = browser.post("/api/sync", headers={"X-CSRF-Token": csrf})

    assert error_of(without) == error_of(wrong) == (403, "WRONG_CSRF_TOKEN")
    assert right.status_code == 200
    assert browser.get("/api/me").json()["csrfToken"] == csrf


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example.com"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": ""},
        {"Origin": "http://["},
        {"Origin": "//127.0.0.1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_a_page_of_another_origin_changes_nothing(site, headers):
    browser, csrf = logged_in(site)

    answer = browser.post("/api/sync", headers=headers | {"X-CSRF-Token": csrf})

    assert error_of(answer) == (403, "WRONG_ORIGIN")
    assert browser.post("/api/sync", headers={"Origin": site.url, "X-CSRF-Token": csrf}).status_code == 200


def test_no_answer_lets_another_origin_read_it(site):
    answer = site.client().get("/api/objects", headers={"Origin": "http://evil.example.com"})

    assert not [name for name in answer.headers if name.lower().startswith("access-control")]


def test_the_cookie_is_for_this_site_and_no_script(site):
    site.client()
    answer = site.bare().post("/api/login", json={"token": site.tokens["ada"]})

    cookie = answer.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert site.tokens["ada"] not in cookie


def test_two_servers_on_one_machine_leave_each_other_their_browsers(site, tmp_path, simorg):
    """A browser sends its cookies to every port of a host."""
    for other in start(settle(tmp_path, simorg.url), simorg):
        with httpx2.Client(trust_env=False, timeout=30, verify=PLAIN) as browser:
            for each in (site, other):
                each.client("ann", Role.ADMIN)
                assert browser.post(f"{each.url}/api/login", json={"token": each.tokens["ann"]}).status_code == 200

            assert [browser.get(f"{each.url}/api/me").status_code for each in (site, other)] == [200, 200]


def test_after_logging_out_the_cookie_is_worth_nothing(site):
    browser, csrf = logged_in(site)
    kept = dict(browser.cookies)

    browser.post("/api/logout", headers={"X-CSRF-Token": csrf})

    assert site.bare(Cookie="; ".join(f"{k}={v}" for k, v in kept.items())).get("/api/me").status_code == 401


@pytest.mark.parametrize("path", ["/", "/login", "/docs", "/api/me", "/healthz", "/nowhere"])
def test_every_answer_keeps_the_browser_in_bounds(site, path):
    headers = site.bare().get(path).headers

    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"


@pytest.mark.parametrize("path", ["/login", "/docs"])
def test_pages_have_no_script_inline_and_nothing_of_another_host(site, path):
    text = site.bare().get(path).text

    assert "<script>" not in text
    assert " onclick" not in text
    assert "<style" not in text
    assert 'src="http' not in text
    assert 'href="http' not in text


# ── secrets ──────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", ["token", "access_token", "Authorization", "client_secret", "x"])
def test_a_token_in_a_url_is_refused(site, name):
    site.client()

    answer = site.bare().get("/api/objects", params={name: site.tokens["ada"]})

    assert error_of(answer) == (400, "SECRET_IN_URL")
    assert site.tokens["ada"] not in answer.text


@pytest.mark.parametrize("address", ["/api/objects?x=%73fsync_abc", "/api/objects/sfsync_abc/records", "/%73fsync_abc"])
def test_a_token_in_a_url_is_refused_however_it_is_written_and_wherever(site, address):
    assert error_of(site.client().get(address)) == (400, "SECRET_IN_URL")


def test_what_the_org_repeats_of_a_secret_is_not_told(site, caplog):
    token = site.org.sessions.open(site.org.user_id).token
    text = f"invalid token {token} for Bearer abcdefgh12345 client_secret=hunter2hunter2"
    site.org.faults.add(
        path="/sobjects/Widget__c/describe",
        status=400,
        times=None,
        body=[{"errorCode": "UNKNOWN_EXCEPTION", "message": text}],
    )
    client = site.client()

    answer = client.post("/api/sync/Widget__c")
    everything = answer.text + client.get("/api/sync").text + client.get("/api/objects").text + caplog.text

    assert answer.json()["success"] is False
    for secret in (token, "abcdefgh12345", "hunter2hunter2"):
        assert secret not in everything


def test_a_mistake_of_ours_tells_the_caller_nothing_of_it(site, monkeypatch, caplog):
    def broken(*anything):
        raise RuntimeError("the secret of the house")

    monkeypatch.setattr(type(site.house.access.connections), "list", broken)

    answer = site.client().get("/api/connections")

    assert error_of(answer) == (500, "INTERNAL_ERROR")
    assert "secret of the house" not in answer.text
    until = time.monotonic() + 20
    while "secret of the house" not in caplog.text and time.monotonic() < until:
        time.sleep(0.01)
    assert "secret of the house" in caplog.text


def test_files_are_never_served_by_their_path(site, tmp_path):
    client = site.client()

    for path in (
        "/data/salesforce.db",
        "/../config.yaml",
        "/%2e%2e/.env",
        "/static/../.env",
        "/login/../../.env",
        "/docs/%2e%2e%2f.env",
    ):
        answer = client.get(path)
        assert answer.status_code in (400, 404)
        assert "SF_CLIENT_SECRET" not in answer.text


# ── too much ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_wrong_tokens_make_an_address_wait_and_are_written_down(strict):
    thief = strict.bare(Authorization="Bearer sfsync_" + "B" * 43)
    strict.client()

    answers = [thief.get("/api/me") for _ in range(6)]

    assert [error_of(each) for each in answers] == [(401, "NOT_AUTHENTICATED")] * 3 + [(429, "THROTTLED")] * 3
    assert int(answers[-1].headers["Retry-After"]) > 0
    assert answers[-1].json()["details"].endswith(f"Try again in {answers[-1].headers['Retry-After']} s.")
    entries = strict.house.access.audit.entries()
    assert [(each.deed.action, each.outcome) for each in entries] == [("login", "refused")] * 3


def test_somebody_elses_wrong_tokens_lock_nobody_out(strict):
    thief = strict.bare(Authorization="Bearer sfsync_" + "B" * 43)
    link = strict.house.access.logins.link(strict.house.access.users.add("bob", Role.VIEWER)[0])
    while thief.get("/api/me").status_code != 429:
        pass

    assert strict.client().get("/api/me").status_code == 200
    assert strict.bare().post("/api/login", json={"token": strict.tokens["ada"]}).status_code == 200
    assert strict.bare().post("/api/login", json={"token": link}).status_code == 200


def test_logging_in_is_no_way_around_that(strict):
    guesses = [strict.bare().post("/api/login", json={"token": f"guess {number}"}) for number in range(4)]

    assert [each.status_code for each in guesses] == [401, 401, 401, 429]


def test_a_user_who_asks_too_often_waits(strict):
    client = strict.client()

    answers = [client.get("/api/me") for _ in range(31)]

    assert {each.status_code for each in answers[:30]} == {200}
    assert error_of(answers[30]) == (429, "THROTTLED")
    assert int(answers[30].headers["Retry-After"]) > 0


def test_a_connection_is_not_synced_too_often(strict):
    client = strict.client()

    answers = [client.post("/api/sync", json={"objects": ["Contact"]}) for _ in range(3)]

    assert [each.status_code for each in answers] == [200, 200, 429]


def chunks(size):
    for _ in range(size // 1000):
        yield b"x" * 1000


@pytest.mark.parametrize("content", [b"x" * 20_000, chunks(20_000)], ids=["declared", "in chunks"])
def test_a_body_that_is_too_large_is_refused(strict, content):
    answer = strict.client().post("/api/objects/Contact/records", content=content)

    assert error_of(answer) == (413, "BODY_TOO_LARGE")


def test_whoever_goes_on_sending_what_is_too_large_still_sees_why_it_is_refused(strict):
    """More than the kernel holds for both sides: a connection that is closed with unread bytes is reset."""
    with connected(strict) as connection:
        head = b"POST /api/login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 30000000\r\n\r\n"
        connection.sendall(head + b"x" * 30_000_000 + b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        answer = b"".join(iter(lambda: connection.recv(65_536), b""))

    assert b" 413 " in answer.splitlines()[0]
    assert b"BODY_TOO_LARGE" in answer
    assert answer.count(b"HTTP/1.1 ") == 1, "what is left is no request"


def test_a_connection_is_not_kept_for_what_is_left_of_a_refused_body(strict):
    with connected(strict) as connection:
        connection.sendall(b"POST /api/login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 30000000\r\n\r\n")
        assert b" 413 " in connection.recv(65_536).splitlines()[0]
        began = time.monotonic()
        with suppress(OSError):
            while time.monotonic() - began < 20:
                connection.sendall(b"x" * 1000)
                time.sleep(0.05)

    assert time.monotonic() - began < 10


def test_a_body_that_does_not_come_is_not_waited_for(hasty):
    host, port = hasty.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(b"POST /api/login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{")
        began = time.monotonic()
        answer = b"".join(iter(lambda: connection.recv(4096), b""))

    assert b" 408 " in answer.splitlines()[0]
    assert time.monotonic() - began < 5


def test_a_body_that_comes_byte_by_byte_is_not_waited_for(hasty):
    with connected(hasty) as connection:
        connection.sendall(b"POST /api/login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n")
        began = time.monotonic()
        with suppress(OSError):
            while time.monotonic() - began < 5:
                connection.sendall(b" ")
                connection.settimeout(0.1)
                with suppress(TimeoutError):
                    answer = connection.recv(4096)
                    break

    assert b" 408 " in answer.splitlines()[0]


def test_a_server_with_too_much_under_way_says_when_to_come_back(tmp_path, simorg):
    for site in start(settle(tmp_path, simorg.url), simorg, replace(SMALL, bounds=Bounds(most_requests=1))):
        client = site.client()
        with client.stream("GET", "/api/signals/stream") as stream:
            open_one = stream.iter_raw()
            next(open_one)
            answer = client.get("/api/me")

        assert error_of(answer) == (503, "SERVER_BUSY")
        assert int(answer.headers["Retry-After"]) > 0


def test_connections_that_send_nothing_keep_nobody_out(site, monkeypatch):
    monkeypatch.setattr(Incoming, "most_connections", 20)
    with ExitStack() as stack:
        client = site.client()
        with client.stream("GET", "/api/signals/stream") as stream:
            open_one = stream.iter_raw()
            next(open_one)
            idle = [stack.enter_context(connected(site)) for _ in range(40)]
            idle[-1].sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")

            assert idle[-1].recv(4096).startswith(b"HTTP/1.1 200")
            assert site.bare().get("/healthz").status_code == 200
            with suppress(ConnectionError):
                assert idle[0].recv(4096) == b""
            assert stream.is_closed is False


def connected(site):
    host, port = site.url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=10)


@pytest.mark.parametrize("begun", [b"", b"GET /healthz HTT"])
def test_a_head_that_does_not_come_is_not_waited_for(site, monkeypatch, begun):
    monkeypatch.setattr(Incoming, "head_seconds", 0.3)
    with connected(site) as connection:
        connection.sendall(begun)
        assert connection.recv(4096) == b""


def test_a_later_head_that_does_not_come_is_not_waited_for(site, monkeypatch):
    monkeypatch.setattr(Incoming, "head_seconds", 0.5)
    with connected(site) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        first = connection.recv(4096)
        connection.sendall(b"GET /")
        rest = b"".join(iter(lambda: connection.recv(4096), b""))

    assert first.startswith(b"HTTP/1.1 200")
    assert b"HTTP/1.1" not in rest


@pytest.mark.parametrize("piece", [b"X: y\r\n", b"z"], ids=["many headers", "a long one"])
def test_a_head_without_end_is_not_read_to_its_end(site, piece):
    with connected(site) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: y\r\nX: ")
        with suppress(OSError):
            for _ in range(200):
                connection.sendall(piece * (10_000 // len(piece)))
        with suppress(OSError):
            assert b" 431 " in connection.recv(4096).splitlines()[0]
    assert site.client().get("/healthz").status_code == 200


@pytest.mark.parametrize("headers", [{"X-Big": "z" * 70_000}, {f"X-{n}": "z" * 1_000 for n in range(70)}])
def test_a_head_that_is_too_large_is_refused_though_it_came_whole(site, headers):
    refused = site.client().get("/api/me", headers=headers)
    taken = site.client().get("/api/me", headers={"X-Large": "z" * 60_000})

    assert (error_of(refused), taken.status_code) == ((431, "HEADERS_TOO_LARGE"), 200)


def test_a_large_body_before_the_next_request_is_no_head(site):
    client = site.client()

    answers = [client.post("/api/objects/Contact/records", content=b"x" * 900_000) for _ in range(3)]

    assert {error_of(each) for each in answers} == {(400, "BAD_REQUEST")}


def test_a_user_follows_a_hundred_streams_and_no_more(site, monkeypatch):
    monkeypatch.setattr(house, "MOST_STREAMS", 2)
    client, other = site.client(), site.client("listener", Role.VIEWER)

    with client.stream("GET", "/api/signals/stream") as one, client.stream("GET", "/api/signals/stream") as two:
        open_ones = one.iter_raw(), two.iter_raw()  # kept: one that is dropped closes its stream
        assert [next(each) for each in open_ones] == [b"retry: 2000\n"] * 2
        third = client.get("/api/signals/stream")
        with other.stream("GET", "/api/signals/stream") as theirs:
            assert theirs.status_code == 200

    assert error_of(third) == (429, "THROTTLED")


@pytest.mark.parametrize("path", ["/healthz", "/api/objects", "/api/objects/Contact/records", "/api/signals/stream"])
def test_whoever_asks_for_the_head_alone_gets_it(site, path):
    client = site.client()

    head = client.head(path)

    assert (head.status_code, head.content) == (200, b"")
    assert client.get("/api/me").status_code == 200


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/api/sync/Contact", "GET, HEAD, POST"),
        ("/api/sync", "GET, HEAD, POST"),
        ("/api/push", "POST"),
        ("/api/objects/Contact/records/003000000000001AAA", "DELETE, GET, HEAD, PATCH"),
    ],
)
def test_what_cannot_be_done_at_an_address_is_refused_with_what_can(site, path, allowed):
    answer = site.client().put(path)

    assert (error_of(answer), answer.headers["Allow"]) == ((405, "METHOD_NOT_ALLOWED"), allowed)


def test_what_is_refused_before_it_is_looked_at_names_its_object_too(site):
    answer = site.bare().post("/api/sync/Contact?access_token=x")

    assert (answer.json()["error"], answer.json()["objectApiName"]) == ("SECRET_IN_URL", "Contact")


def test_an_address_that_is_too_long_is_refused(site):
    answer = site.client().get("/api/objects", params={"x": "y" * 9000})

    assert answer.status_code == 414


@pytest.mark.parametrize(
    "raw",
    [
        b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil\r\n\r\n",
        b"GARBAGE\r\n\r\n",
        b"POST /api/login HTTP/1.1\r\nHost: localhost\r\nContent-Length: -5\r\n\r\n",
    ],
)
def test_a_request_that_is_no_http_is_refused(site, raw):
    host, port = site.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(raw)
        connection.shutdown(socket.SHUT_WR)
        answer = connection.recv(4096)

    assert answer == b"" or b" 400 " in answer.splitlines()[0]


def test_deep_and_odd_json_is_refused(site):
    client = site.client()
    for body in (
        b"[" * 100_000,
        b'{"LastName": ' + b"[" * 10_000,
        b'{"LastName": "\xff"}',
        b"\x00",
        json.dumps([1]).encode(),
    ):
        answer = client.post("/api/objects/Contact/records", content=body)
        assert answer.status_code in (400, 404)


@pytest.mark.parametrize(
    "request_line_and_heads",
    [
        b"nonsense\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nabcde",
    ],
)
def test_what_is_no_request_of_http_is_refused_in_the_same_form_as_all_else(site, request_line_and_heads):
    with connected(site) as connection:
        connection.sendall(request_line_and_heads)
        answer = b"".join(iter(lambda: connection.recv(4096), b""))

    head, _, body = answer.partition(b"\r\n\r\n")
    told = json.loads(body)
    assert head.splitlines()[0] == b"HTTP/1.1 400 Bad Request"
    assert b"content-length: %d" % len(body) in head.lower()
    assert (told["success"], told["error"]) == (False, "BAD_REQUEST")
    assert "HTTP" in told["details"]
