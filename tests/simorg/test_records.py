"""Single records over REST, as bytes on the wire."""

import re
from urllib.parse import quote

import httpx2
import pytest

from simorg.org import SimOrg


def test_a_create_answers_201_with_the_place(client: httpx2.Client) -> None:
    answer = client.post("/sobjects/Account", json={"Name": "Acme"})
    record_id = answer.json()["id"]

    assert answer.status_code == 201
    assert answer.text == f'{{"id":"{record_id}","success":true,"errors":[]}}'
    assert re.fullmatch(r"001\w{15}", record_id)
    assert answer.headers["location"] == f"/services/data/v58.0/sobjects/Account/{record_id}"


def test_a_read_begins_with_the_attributes_and_has_every_field(client: httpx2.Client, org: SimOrg) -> None:
    record_id = org.add("Account", Name="Acme", AnnualRevenue="123456789012345678")
    answer = client.get(f"/sobjects/Account/{record_id}")
    described = [one["name"] for one in client.get("/sobjects/Account/describe").json()["fields"]]

    url = f"/services/data/v58.0/sobjects/Account/{record_id}"
    assert answer.text.startswith(f'{{"attributes":{{"type":"Account","url":"{url}"}},"Id":"{record_id}"')
    assert list(answer.json()) == ["attributes", *described]
    assert '"AnnualRevenue":123456789012345678.0' in answer.text
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.000\+0000", answer.json()["CreatedDate"])


def test_fifteen_characters_are_enough(client: httpx2.Client, org: SimOrg) -> None:
    record_id = org.add("Account", Name="Acme")

    assert client.get(f"/sobjects/Account/{record_id[:15]}").json()["Id"] == record_id


def test_chosen_fields_come_in_the_asked_order(client: httpx2.Client, org: SimOrg) -> None:
    record_id = org.add("Account", Name="Acme", BillingCity="Zürich", BillingLatitude="47.37")
    body = client.get(f"/sobjects/Account/{record_id}?fields=Name,Id,BillingAddress").json()

    assert list(body) == ["attributes", "Name", "Id", "BillingAddress"]
    assert body["BillingAddress"] == {
        "city": "Zürich",
        "country": None,
        "geocodeAccuracy": None,
        "latitude": 47.37,
        "longitude": None,
        "postalCode": None,
        "state": None,
        "street": None,
    }


def test_an_address_of_nothing_is_null(client: httpx2.Client, org: SimOrg) -> None:
    record_id = org.add("Account", Name="Acme")

    assert client.get(f"/sobjects/Account/{record_id}?fields=BillingAddress").json()["BillingAddress"] is None


@pytest.mark.parametrize(
    ("path", "status", "code", "message"),
    [
        (
            "0015e00000zzzzzAAA",
            404,
            "NOT_FOUND",
            "Provided external ID field does not exist or is not accessible: 0015e00000zzzzzAAA",
        ),
        ("001abc", 400, "MALFORMED_ID", "malformed id 001abc"),
        ("0035e0000000001AAA", 400, "MALFORMED_ID", "Account ID: id value of incorrect type: 0035e0000000001AAA"),
    ],
)
def test_ids_that_lead_nowhere(client: httpx2.Client, path: str, status: int, code: str, message: str) -> None:
    answer = client.get(f"/sobjects/Account/{path}")

    assert answer.status_code == status
    assert (answer.json()[0]["errorCode"], answer.json()[0]["message"]) == (code, message)


def test_an_unknown_field_is_400(client: httpx2.Client, org: SimOrg) -> None:
    record_id = org.add("Account", Name="Acme")
    answer = client.get(f"/sobjects/Account/{record_id}?fields=Name,Foo")

    assert (answer.status_code, answer.json()[0]["errorCode"]) == (400, "INVALID_FIELD")


def test_a_change_is_204_and_touches_only_what_was_sent(client: httpx2.Client, org: SimOrg) -> None:
    record_id = org.add("Contact", LastName="Bell", FirstName="Ann", Phone="1")
    answer = client.patch(f"/sobjects/Contact/{record_id}", json={"FirstName": None, "Title": "CEO"})
    body = client.get(f"/sobjects/Contact/{record_id}").json()

    assert (answer.status_code, answer.content) == (204, b"")
    assert "content-length" not in answer.headers
    assert (body["FirstName"], body["Title"], body["Phone"], body["Name"]) == (None, "CEO", "1", "Bell")


def test_a_delete_is_204_and_the_second_one_404(client: httpx2.Client, org: SimOrg) -> None:
    record_id = org.add("Account", Name="Acme")
    first, second = (client.delete(f"/sobjects/Account/{record_id}") for _ in range(2))

    assert (first.status_code, first.content) == (204, b"")
    assert second.status_code == 404
    assert second.text == '[{"message":"entity is deleted","errorCode":"ENTITY_IS_DELETED","fields":[]}]'
    assert client.get(f"/sobjects/Account/{record_id}").text == second.text


def test_an_upsert_creates_then_updates(client: httpx2.Client) -> None:
    path = "/sobjects/Account/Ext__c/" + quote("K 1/ä", safe="")
    first, second = (client.patch(path, json={"Name": name}) for name in ("one", "two"))

    record_id = first.json()["id"]
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.text == f'{{"id":"{record_id}","success":true,"errors":[],"created":true}}'
    assert second.text == f'{{"id":"{record_id}","success":true,"errors":[],"created":false}}'
    assert client.get(path).json()["Ext__c"] == "K 1/ä"


def test_an_old_version_answers_an_updating_upsert_with_204(client: httpx2.Client, org: SimOrg) -> None:
    org.add("Account", Name="Acme", Ext__c="OLD")
    answer = client.patch(f"{org.url}/services/data/v45.0/sobjects/Account/Ext__c/old", json={"Name": "new"})

    assert (answer.status_code, answer.content) == (204, b"")


def test_update_only_forbids_the_insert(client: httpx2.Client) -> None:
    answer = client.patch("/sobjects/Account/Ext__c/none?updateOnly=true", json={"Name": "x"})

    assert (answer.status_code, answer.json()[0]["errorCode"]) == (404, "NOT_FOUND")


def test_a_key_that_fits_several_rows_is_300(client: httpx2.Client, org: SimOrg) -> None:
    twins = [org.add("Contact", LastName="Twin", Email="twin@example.com") for _ in range(2)]
    answer = client.get("/sobjects/Contact/Email/twin@example.com")

    assert answer.status_code == 300
    assert answer.json() == [f"/services/data/v58.0/sobjects/Contact/{one}" for one in twins]


def test_a_key_field_that_is_none_is_404(client: httpx2.Client) -> None:
    answer = client.patch("/sobjects/Account/Site/x", json={"Name": "x"})

    assert answer.status_code == 404
    assert answer.json()[0]["message"] == ("Provided external ID field does not exist or is not accessible: Site")


def test_a_key_in_the_body_of_its_upsert_is_refused(client: httpx2.Client) -> None:
    answer = client.patch("/sobjects/Account/Ext__c/K9", json={"Name": "x", "Ext__c": "K9"})

    assert (answer.status_code, answer.json()[0]["errorCode"]) == (400, "INVALID_FIELD")


def test_the_upsert_resource_also_creates_by_id(client: httpx2.Client) -> None:
    assert client.post("/sobjects/Account/Id", json={"Name": "x"}).status_code == 201


def test_relationships_lead_up_and_down(client: httpx2.Client, org: SimOrg) -> None:
    account = org.add("Account", Name="Acme")
    contacts = [org.add("Contact", LastName=name, AccountId=account) for name in ("A", "B")]

    parent = client.get(f"/sobjects/Contact/{contacts[0]}/Account?fields=Name")
    children = client.get(f"/sobjects/Account/{account}/Contacts").json()
    empty = client.get(f"/sobjects/Contact/{contacts[0]}/ReportsTo")

    assert parent.json()["Name"] == "Acme"
    assert (children["done"], children["totalSize"]) == (True, 2)
    assert [one["Id"] for one in children["records"]] == contacts
    assert empty.status_code == 404


def test_a_blob_shows_as_a_url_and_its_bytes_are_behind_it(client: httpx2.Client) -> None:
    sent = {"Title": "t", "PathOnClient": "t.txt", "VersionData": "w7xieXRlcwD/"}
    record_id = client.post("/sobjects/ContentVersion", json=sent).json()["id"]
    row = client.get(f"/sobjects/ContentVersion/{record_id}").json()

    path = f"/services/data/v58.0/sobjects/ContentVersion/{record_id}/VersionData"
    assert row["VersionData"] == path
    assert (row["ContentSize"], row["FileExtension"], row["IsLatest"]) == (9, "txt", True)
    assert client.get(f"/sobjects/ContentVersion/{record_id}/VersionData").content == b"\xc3\xbcbytes\x00\xff"


def test_the_basics_of_an_object(client: httpx2.Client, org: SimOrg) -> None:
    record_id = org.add("Account", Name="Newest")
    body = client.get("/sobjects/Account").json()

    assert body["objectDescribe"]["name"] == "Account"
    assert body["recentItems"][0]["Id"] == record_id


@pytest.mark.parametrize("sent", [b"{", b'{"Name":}', b"", b"\xff\xfe"])
def test_what_is_not_json_is_a_parser_error(client: httpx2.Client, sent: bytes) -> None:
    answer = client.post("/sobjects/Account", content=sent)

    assert (answer.status_code, answer.json()[0]["errorCode"]) == (400, "JSON_PARSER_ERROR")
    assert "[line:1, column:" in answer.json()[0]["message"]


def test_an_array_is_not_a_record(client: httpx2.Client) -> None:
    assert client.post("/sobjects/Account", json=[]).json() == [
        {
            "message": "Can not deserialize SObject out of START_ARRAY token at [line:1, column:1]",
            "errorCode": "JSON_PARSER_ERROR",
        }
    ]


class TestConditions:
    """Conditional requests: HTTP dates in whole seconds, and the ETag of accounts."""

    def test_an_unchanged_row_is_304(self, client: httpx2.Client, org: SimOrg) -> None:
        path = f"/sobjects/Contact/{org.add('Contact', LastName='x')}"
        stamp = client.get(path).headers["last-modified"]
        early = "Mon, 01 Jan 2001 00:00:00 GMT"

        assert client.get(path, headers={"If-Modified-Since": stamp}).status_code == 304
        assert client.get(path, headers={"If-Modified-Since": early}).status_code == 200

    def test_a_row_that_moved_on_is_412_and_stays(self, client: httpx2.Client, org: SimOrg) -> None:
        record_id = org.add("Contact", LastName="x")
        stamp = client.get(f"/sobjects/Contact/{record_id}").headers["last-modified"]
        org.clock.advance(2)
        org.change(record_id, Title="theirs")
        answer = client.patch(
            f"/sobjects/Contact/{record_id}", json={"Title": "mine"}, headers={"If-Unmodified-Since": stamp}
        )

        assert answer.status_code == 412
        assert (org.row(record_id) or {})["Title"] == "theirs"

    def test_a_condition_holds_also_where_the_user_may_not_see_the_stamp(
        self, client: httpx2.Client, org: SimOrg
    ) -> None:
        record_id = org.add("Contact", LastName="x")
        stamp = client.get(f"/sobjects/Contact/{record_id}").headers["last-modified"]
        org.permissions.hide_field("Contact", "SystemModstamp")
        org.clock.advance(2)
        org.change(record_id, Title="theirs")
        path, headers = f"/sobjects/Contact/{record_id}", {"If-Unmodified-Since": stamp}
        answer = client.patch(path, json={"Title": "mine"}, headers=headers)

        assert answer.status_code == 412

    def test_two_edits_in_one_second_are_not_seen(self, client: httpx2.Client, org: SimOrg) -> None:
        org.clock.freeze()
        record_id = org.add("Contact", LastName="x")
        stamp = client.get(f"/sobjects/Contact/{record_id}").headers["last-modified"]
        org.change(record_id, Title="theirs")
        answer = client.patch(
            f"/sobjects/Contact/{record_id}", json={"Title": "mine"}, headers={"If-Unmodified-Since": stamp}
        )

        assert answer.status_code == 204

    def test_a_bad_date_is_400_on_a_write_and_nothing_on_a_read(self, client: httpx2.Client, org: SimOrg) -> None:
        path, bad = f"/sobjects/Contact/{org.add('Contact', LastName='x')}", {"If-Unmodified-Since": "yesterday"}

        assert client.patch(path, json={"Title": "x"}, headers=bad).status_code == 400
        assert client.get(path, headers=bad).status_code == 200

    def test_accounts_have_an_etag_and_others_have_none(self, client: httpx2.Client, org: SimOrg) -> None:
        path = f"/sobjects/Account/{org.add('Account', Name='x')}"
        tag = client.get(path, headers={"Accept-Encoding": "identity"}).headers["etag"]
        zipped = tag[:-1] + '-gzip"'

        assert re.fullmatch(r'"[\w+/]{27}="', tag)
        assert client.get(path, headers={"If-None-Match": zipped}).status_code == 304
        assert client.patch(path, json={"Site": "1"}, headers={"If-None-Match": tag}).status_code == 412
        assert client.patch(path, json={"Site": "1"}, headers={"If-Match": '"other"'}).status_code == 412
        assert client.patch(path, json={"Site": "1"}, headers={"If-Match": tag}).status_code == 204
        contact = client.get(f"/sobjects/Contact/{org.add('Contact', LastName='x')}")
        assert "etag" not in contact.headers

    def test_a_delete_takes_no_conditions(self, client: httpx2.Client, org: SimOrg) -> None:
        path = f"/sobjects/Contact/{org.add('Contact', LastName='x')}"

        assert client.delete(path, headers={"If-Unmodified-Since": "Mon, 01 Jan 2001 00:00:00 GMT"}).status_code == 204
