"""Small things on the wire that clients rely on: headers, media types, exact bytes, caps."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import jwt
import pytest

from simorg.clients import CLIENT_ID, CLIENT_SECRET
from simorg.org import SimOrg
from simorg.soql.functions import zone_of

CALLBACK = "http://127.0.0.1:1717/OauthRedirect"
LIMITS = re.compile(r"api-usage=\d+/15000")


def records(*types: str) -> dict[str, Any]:
    values = {"Account": {"Name": "x"}, "Contact": {"LastName": "x"}}
    return {"records": [{"attributes": {"type": one}, **values[one]} for one in types]}


def test_at_most_ten_chunks_of_types(client: httpx2.Client, org: SimOrg) -> None:
    before = org.count("Account")
    ten = client.post("/composite/sobjects", json=records(*["Account", "Contact"] * 5))
    eleven = client.post("/composite/sobjects", json=records(*["Account", "Contact"] * 5, "Account"))
    sorted_ones = client.post("/composite/sobjects", json=records(*["Account"] * 20, *["Contact"] * 20))
    update = client.patch("/composite/sobjects", json=records(*["Account", "Contact"] * 6))

    assert [one["success"] for one in ten.json()] == [True] * 10
    assert (eleven.status_code, update.status_code) == (400, 400)
    assert "more than 10 chunks" in eleven.json()[0]["message"]
    assert [one["success"] for one in sorted_ones.json()] == [True] * 40
    assert org.count("Account") == before + 25


@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_at_most_200_records(client: httpx2.Client, method: str) -> None:
    answer = client.request(method, "/composite/sobjects", json=records(*["Account"] * 201))

    assert (answer.status_code, answer.json()[0]["errorCode"]) == (400, "EXCEEDED_ID_LIMIT")


@pytest.mark.parametrize(
    "record",
    [
        {"attributes": {"type": "Contact", "referenceId": "r1"}, "Name": "x"},
        {"attributes": {"referenceId": "r1"}, "Name": "x"},
        {
            "attributes": {"type": "Account", "referenceId": "r1"},
            "Name": "x",
            "Contacts": {"records": [{"attributes": {"type": "Lead", "referenceId": "r2"}, "LastName": "x"}]},
        },
        "no record",
        {"attributes": "r1", "Name": "x"},
    ],
)
def test_a_tree_holds_what_its_places_say(client: httpx2.Client, org: SimOrg, record: Any) -> None:
    before = org.count("Account")
    answer = client.post("/composite/tree/Account", json={"records": [record]})

    assert (answer.status_code, answer.json()[0]["errorCode"]) == (400, "INVALID_INPUT")
    assert org.count("Account") == before


def test_a_log_in_with_openid_brings_a_token_that_the_published_key_verifies(
    outside: httpx2.Client, org: SimOrg
) -> None:
    asked = {"response_type": "code", "client_id": CLIENT_ID, "redirect_uri": CALLBACK}
    codes = []
    for scope in ("openid api refresh_token", "api"):
        page = outside.get("/services/oauth2/authorize", params=asked | {"scope": scope, "nonce": "n1"})
        codes.append(dict(httpx2.URL(page.headers["location"]).params)["code"])
    sent = {"grant_type": "authorization_code", "redirect_uri": CALLBACK}
    app = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
    bodies = [outside.post("/services/oauth2/token", data={**sent, **app, "code": code}).json() for code in codes]
    again = {"grant_type": "refresh_token", "refresh_token": bodies[0]["refresh_token"], **app}
    refreshed = outside.post("/services/oauth2/token", data=again).json()
    found = outside.get("/.well-known/openid-configuration").json()
    keys = jwt.PyJWKSet.from_dict(outside.get(found["jwks_uri"].removeprefix(org.url)).json())

    assert "id_token" not in bodies[1]
    for body in (bodies[0], refreshed):
        key = keys[jwt.get_unverified_header(body["id_token"])["kid"]]
        claims = jwt.decode(body["id_token"], key, algorithms=["RS256"], audience=CLIENT_ID, issuer=org.url)
        assert claims["sub"] == body["id"]
    assert jwt.decode(bodies[0]["id_token"], options={"verify_signature": False})["nonce"] == "n1"


@pytest.mark.parametrize(
    ("tail", "chunked"), [("", True), (" ORDER BY Id", False), (" LIMIT 5", False), (" WHERE Name = 'x'", True)]
)
def test_order_and_limit_switch_chunking_off(client: httpx2.Client, tail: str, chunked: bool) -> None:
    body = {"operation": "query", "query": f"SELECT Id FROM Account{tail}"}
    job = client.post("/jobs/query", json=body).json()["id"]

    assert client.get(f"/jobs/query/{job}").json()["isPkChunkingSupported"] is chunked


def test_job_times_are_whole_seconds(client: httpx2.Client, org: SimOrg) -> None:
    org.clock.freeze()
    org.clock.set(org.clock.now_ms() // 1000 * 1000 + 789)
    job = client.post("/jobs/ingest", json={"operation": "insert", "object": "Account"}).json()

    assert job["createdDate"].endswith(".000+0000")
    assert job["systemModstamp"].endswith(".000+0000")


@pytest.mark.parametrize("version", ["58.0", "61.0"])
def test_duplicates_are_told_as_in_the_sample(outside: httpx2.Client, org: SimOrg, version: str) -> None:
    org.rules.add_duplicate_rule("Contact", ["Email"], name="Standard_Contact_Duplicate_Rule")
    first = org.add("Contact", LastName="x", Email=f"d{version}@x.example")
    headers = {"Authorization": f"Bearer {org.sessions.open(org.user_id).token}"}
    sent = {"LastName": "y", "Email": f"d{version}@x.example"}
    answer = outside.post(f"/services/data/v{version}/sobjects/Contact", json=sent, headers=headers)

    assert answer.text == (
        '[{"duplicateResut":{"allowSave":true,"duplicateRule":"Standard_Contact_Duplicate_Rule",'
        '"duplicateRuleEntityType":"Contact","errorMessage":"Use one of these records?","matchResults":['
        '{"entityType":"Contact","errors":[],"matchEngine":"FuzzyMatchEngine","matchRecords":['
        '{"additionalInformation":[],"fieldDiffs":[],"matchConfidence":100.0,"record":{"attributes":'
        f'{{"type":"Contact","url":"/services/data/v{version}/sobjects/Contact/{first}"}},"Id":"{first}"}}}}],'
        '"rule":"Standard_Contact_Match_Rule_v1_1","size":1,"success":true}]},'
        '"errorCode":"DUPLICATES_DETECTED","message":"Use one of these records?"}]'
    )


def test_a_failed_row_of_a_collection_has_these_keys_in_this_order(client: httpx2.Client) -> None:
    body = {"records": [{"attributes": {"type": "Account"}}]}

    assert client.post("/composite/sobjects", json=body).text == (
        '[{"success":false,"errors":[{"statusCode":"REQUIRED_FIELD_MISSING",'
        '"message":"Required fields are missing: [Name]","fields":["Name"]}]}]'
    )


@pytest.mark.parametrize("name", ["g" * 40, "", None, 7])
def test_a_graph_id_is_short(client: httpx2.Client, name: Any) -> None:
    url = "/services/data/v58.0/sobjects/Account"
    part = {"method": "POST", "url": url, "referenceId": "a", "body": {"Name": "g"}}
    good = client.post("/composite/graph", json={"graphs": [{"graphId": "g" * 39, "compositeRequest": [part]}]})
    bad = client.post("/composite/graph", json={"graphs": [{"graphId": name, "compositeRequest": [part]}]})

    assert good.json()["graphs"][0]["isSuccessful"] is True
    assert (bad.status_code, bad.json()[0]["errorCode"]) == (400, "INVALID_INPUT")


def test_having_needs_group_by(client: httpx2.Client) -> None:
    answer = client.get("/query", params={"q": "SELECT COUNT(Id) FROM Account HAVING COUNT(Id) > 1"})

    assert (answer.status_code, answer.json()[0]["errorCode"]) == (400, "MALFORMED_QUERY")


@pytest.mark.parametrize("value", ["", "  ", None])
def test_an_upsert_needs_a_key(client: httpx2.Client, org: SimOrg, value: Any) -> None:
    before = org.count("Account")
    body = {"records": [{"attributes": {"type": "Account"}, "Ext__c": value, "Name": "x"}]}
    answer = client.patch("/composite/sobjects/Account/Ext__c", json=body).json()
    alone = client.patch("/sobjects/Account/Ext__c/%20", json={"Name": "x"})

    assert answer[0]["errors"][0]["statusCode"] == "MISSING_ARGUMENT"
    assert alone.status_code == 400
    assert org.count("Account") == before


def test_a_compressed_answer_has_a_tag_of_its_own_and_both_count(client: httpx2.Client, org: SimOrg) -> None:
    path = f"/sobjects/Account/{org.add('Account', Name='x')}"
    plain = client.get(path, headers={"Accept-Encoding": "identity"}).headers["etag"]
    zipped = client.get(path, headers={"Accept-Encoding": "gzip"}).headers["etag"]

    assert zipped == plain[:-1] + '-gzip"'
    assert [client.get(path, headers={"If-None-Match": tag}).status_code for tag in (plain, zipped)] == [304, 304]


@pytest.mark.parametrize(
    ("accepts", "zipped"),
    [
        ("gzip", True),
        ("gzip;q=0", False),
        ("gzip; q=0.0, deflate", False),
        ("gzip;q=0.5", True),
        ("identity", False),
        ("*", True),
        ("deflate, *;q=0", False),
        ("xgzip", False),
    ],
)
def test_the_weight_of_gzip_is_heeded(client: httpx2.Client, accepts: str, zipped: bool) -> None:
    answer = client.get("/limits", headers={"Accept-Encoding": accepts})
    job = client.post("/jobs/query", json={"operation": "query", "query": "SELECT Id FROM User"}).json()["id"]
    while client.get(f"/jobs/query/{job}").json()["state"] != "JobComplete":
        pass
    rows = client.get(f"/jobs/query/{job}/results", headers={"Accept-Encoding": accepts})

    assert ["content-encoding" in one.headers for one in (answer, rows)] == [zipped, zipped]
    assert '"Id"' in rows.text and "DailyApiRequests" in answer.json()


@pytest.mark.parametrize(
    ("path", "sent", "status"),
    [
        ("/sobjects/Account", "application/json", 201),
        ("/sobjects/Account", "application/json; charset=utf-8", 201),
        ("/sobjects/Account", "text/plain", 415),
        ("/sobjects/Account", "application/x-www-form-urlencoded", 415),
        ("/composite/sobjects", "text/csv", 415),
        ("/jobs/query", "text/csv", 415),
        ("/jobs/ingest", "text/csv", 415),
    ],
)
def test_another_media_type_is_refused(client: httpx2.Client, path: str, sent: str, status: int) -> None:
    answer = client.post(path, content=b'{"Name":"x"}', headers={"Content-Type": sent})

    assert answer.status_code == status
    if status == 415:
        kind = sent.partition(";")[0]
        text = f"MediaType of '{kind}' is not supported by this resource"
        assert answer.json() == [{"message": text, "errorCode": "UNSUPPORTED_MEDIA_TYPE"}]


def test_an_upload_is_csv(client: httpx2.Client) -> None:
    job = client.post("/jobs/ingest", json={"operation": "insert", "object": "Account"}).json()["id"]
    sent = [
        client.put(f"/jobs/ingest/{job}/batches", content=b"Name\nx\n", headers={"Content-Type": kind}).status_code
        for kind in ("application/json", "text/csv; charset=UTF-8")
    ]

    assert sent == [415, 201]


def test_every_answer_tells_the_api_use_but_the_version_list(
    client: httpx2.Client, outside: httpx2.Client, org: SimOrg
) -> None:
    org.faults.add(path="/limits", status=503)
    answers = [
        client.get("/limits"),
        client.get("/limits"),
        outside.get("/services/data/v58.0/limits"),
        client.get("/nothing"),
        client.get("/sobjects/Account/001000000000000AAA"),
        client.post("/sobjects/Account", content=b"x", headers={"Content-Type": "text/plain"}),
        client.get("/query?q=" + "x" * 16_384),
    ]
    lists = [outside.get(path) for path in ("/services/data", "/services/data/", "/services/data.json")]

    assert [one.status_code for one in answers] == [503, 200, 401, 404, 404, 415, 414]
    assert all(LIMITS.fullmatch(one.headers["sforce-limit-info"]) for one in answers)
    assert [one.status_code for one in lists] == [200, 200, 200]
    assert not any("sforce-limit-info" in one.headers for one in lists)


def test_a_window_of_deletions_is_longer_than_a_minute(client: httpx2.Client, org: SimOrg) -> None:
    end = datetime.fromtimestamp(org.clock.now_ms() / 1000, UTC).replace(second=0, microsecond=0)
    codes = {}
    for what in ("updated", "deleted"):
        for minutes in (0, 1, 2):
            window = {"start": (end - timedelta(minutes=minutes)).isoformat(), "end": end.isoformat()}
            codes[what, minutes] = client.get(f"/sobjects/Account/{what}/", params=window).status_code

    assert codes == {
        ("updated", 0): 400,
        ("updated", 1): 200,
        ("updated", 2): 200,
        ("deleted", 0): 400,
        ("deleted", 1): 400,
        ("deleted", 2): 200,
    }


def test_rest_trims_values_and_bulk_does_not(client: httpx2.Client, org: SimOrg) -> None:
    made = client.post("/sobjects/Account", json={"Name": " trimmed ", "Site": "  "}).json()["id"]
    job = client.post("/jobs/ingest", json={"operation": "insert", "object": "Account"}).json()["id"]
    data = b'Name,Site,Ext__c\n" kept "," in ", key \n'
    client.put(f"/jobs/ingest/{job}/batches", content=data, headers={"Content-Type": "text/csv"})
    client.patch(f"/jobs/ingest/{job}", json={"state": "UploadComplete"})
    while client.get(f"/jobs/ingest/{job}").json()["state"] != "JobComplete":
        pass
    rows = org.database.rows('SELECT "Name", "Site" FROM "Account" WHERE "Ext__c" = ?', (" key ",))

    assert ((org.row(made) or {})["Name"], (org.row(made) or {})["Site"]) == ("trimmed", None)
    assert rows == [(" kept ", " in ")]


def test_a_path_may_end_in_json(client: httpx2.Client, org: SimOrg) -> None:
    account = org.add("Account", Name="x", Ext__c="key.json")
    contact = org.add("Contact", LastName="c", AccountId=account)

    assert client.get("/sobjects/Account/describe.json").json()["name"] == "Account"
    assert client.get(f"/sobjects/Account/{account}.json").json()["Id"] == account
    assert client.get("/query.json", params={"q": "SELECT COUNT() FROM User"}).json()["totalSize"] == 12
    assert client.get("/sobjects/Account/Ext__c/key.json").json()["Id"] == account
    related = client.get(f"/sobjects/Account/{account}/Contacts.json").json()
    assert [one["Id"] for one in related["records"]] == [contact]


def test_a_zone_without_data_is_told() -> None:
    with pytest.raises(RuntimeError, match="Nowhere/Land: install the package tzdata"):
        zone_of("Nowhere/Land")
