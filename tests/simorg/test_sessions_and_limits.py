"""Sessions that end, API calls that run out, and the outer limits of a request."""

import gzip

import httpx2

from simorg.org import SimOrg

EXPIRED = '[{"message":"Session expired or invalid","errorCode":"INVALID_SESSION_ID"}]'


def test_without_a_good_token_it_is_401_in_salesforces_bytes(outside: httpx2.Client, org: SimOrg) -> None:
    none = outside.get("/services/data/v58.0/limits")
    wrong = outside.get("/services/data/v58.0/limits", headers={"Authorization": "Bearer 00Dx!y"})

    assert (none.status_code, none.text) == (wrong.status_code, wrong.text) == (401, EXPIRED)
    assert wrong.headers["sforce-limit-info"] == "api-usage=0/15000"
    assert org.usage.used == 0


def test_an_oauth_header_works_as_bearer_does(outside: httpx2.Client, org: SimOrg) -> None:
    token = org.sessions.open(org.user_id).token

    assert outside.get("/services/data/v58.0/", headers={"Authorization": f"OAuth {token}"}).status_code == 200
    basic = outside.get("/services/data/v58.0/", headers={"Authorization": f"Basic {token}"})
    assert (basic.status_code, basic.json()[0]["errorCode"]) == (401, "INVALID_AUTH_HEADER")


def test_a_session_dies_of_idleness_by_the_orgs_clock(client: httpx2.Client, org: SimOrg) -> None:
    org.sessions.idle_seconds = 600
    org.clock.advance(500)
    assert client.get("/limits").status_code == 200
    org.clock.advance(500)
    assert client.get("/limits").status_code == 200  # each use keeps it awake
    org.clock.advance(601)

    assert client.get("/limits").text == EXPIRED


def test_sessions_end_on_demand(client: httpx2.Client, org: SimOrg) -> None:
    org.sessions.end_all()

    assert client.get("/limits").status_code == 401


def test_each_call_is_counted_in_the_header(client: httpx2.Client) -> None:
    used = [client.get("/limits").headers["sforce-limit-info"] for _ in range(3)]

    assert used == ["api-usage=1/15000", "api-usage=2/15000", "api-usage=3/15000"]


def test_failed_calls_count_and_carry_the_header_too(client: httpx2.Client) -> None:
    answer = client.get("/sobjects/Nothing/describe")

    assert (answer.status_code, answer.headers["sforce-limit-info"]) == (404, "api-usage=1/15000")


def test_when_the_calls_are_used_up_it_is_403(client: httpx2.Client, org: SimOrg) -> None:
    org.usage.limit = 2
    client.get("/limits"), client.get("/limits")
    refused = [client.get("/limits") for _ in range(2)]

    assert [one.status_code for one in refused] == [403, 403]
    assert refused[0].text == '[{"message":"TotalRequests Limit exceeded.","errorCode":"REQUEST_LIMIT_EXCEEDED"}]'
    assert refused[1].headers["sforce-limit-info"] == "api-usage=2/2"


def test_calls_come_back_after_24_hours(client: httpx2.Client, org: SimOrg) -> None:
    org.sessions.idle_seconds = 1e9
    org.usage.limit = 1
    client.get("/limits")
    org.clock.advance(23 * 3600)
    assert client.get("/limits").status_code == 403
    org.clock.advance(2 * 3600)

    assert client.get("/limits").status_code == 200


def test_the_date_is_the_orgs(client: httpx2.Client, org: SimOrg) -> None:
    org.sessions.idle_seconds = 1e12
    before = org.clock.now_ms()
    org.clock.freeze()
    org.clock.set(1_705_314_600_000)
    answer = client.get("/limits")
    org.clock.set(before)

    assert answer.headers["date"] == "Mon, 15 Jan 2024 10:30:00 GMT"


def test_answers_are_compressed_only_for_those_who_ask(client: httpx2.Client) -> None:
    asked = client.get("/sobjects", headers={"Accept-Encoding": "gzip"})
    plain = client.get("/sobjects", headers={"Accept-Encoding": "identity"})

    assert asked.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert asked.json() == plain.json()


def test_compressed_requests_are_understood(client: httpx2.Client, org: SimOrg) -> None:
    headers = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
    answer = client.post("/sobjects/Account", content=gzip.compress(b'{"Name":"zipped"}'), headers=headers)
    broken = client.post("/sobjects/Account", content=b"not gzip", headers=headers)

    assert answer.status_code == 201
    assert (broken.status_code, broken.json()[0]["errorCode"]) == (400, "JSON_PARSER_ERROR")


def test_too_long_addresses_and_headers_are_refused(client: httpx2.Client) -> None:
    long_uri = client.get("/query?q=" + "x" * 16_384)
    long_head = client.get("/limits", headers={"X-Long": "x" * 16_384})

    assert (long_uri.status_code, long_head.status_code) == (414, 431)


def test_another_method_is_405_with_the_allowed_ones(client: httpx2.Client) -> None:
    answer = client.patch("/sobjects/Account", json={})

    assert answer.status_code == 405
    assert answer.json() == [
        {"message": "HTTP Method 'PATCH' not allowed. Allowed are HEAD,GET,POST", "errorCode": "METHOD_NOT_ALLOWED"}
    ]


def test_a_post_may_say_that_it_is_a_patch(client: httpx2.Client, org: SimOrg) -> None:
    record_id = org.add("Account", Name="before")
    answer = client.post(f"/sobjects/Account/{record_id}?_HttpMethod=PATCH", json={"Name": "after"})

    assert (answer.status_code, answer.content) == (204, b"")
    assert (org.row(record_id) or {})["Name"] == "after"


def test_pretty_print_indents(client: httpx2.Client) -> None:
    assert client.get("/limits", headers={"X-PrettyPrint": "1"}).text.startswith('{\n  "Daily')
