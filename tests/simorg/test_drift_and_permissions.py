"""Schema drift, and what the API user may see and do."""

from collections.abc import Iterator

import httpx2
import pytest

from simorg.org import OrgError, SimOrg
from tests.plain import PLAIN


@pytest.fixture
def drifting() -> Iterator[tuple[SimOrg, httpx2.Client]]:
    """An org of its own whose schema may change, with a client."""
    with SimOrg(20, 3) as org, org.serve() as server:
        token = org.sessions.open(org.user_id).token
        base = f"{server.url}/services/data/v58.0"
        with httpx2.Client(base_url=base, headers={"Authorization": f"Bearer {token}"}, verify=PLAIN) as client:
            yield org, client


def names(client: httpx2.Client, object_name: str) -> set[str]:
    return {one["name"] for one in client.get(f"/sobjects/{object_name}/describe").json()["fields"]}


def test_a_new_field_is_there_at_once(drifting: tuple[SimOrg, httpx2.Client]) -> None:
    org, client = drifting
    org.add_field("Account", "New__c", "string 20 externalid unique")
    org.add_field("Account", "Flag__c", "boolean default:true")
    record_id = org.add("Account", Name="x", New__c="n1")

    assert {"New__c", "Flag__c"} <= names(client, "Account")
    assert client.get("/sobjects/Account/New__c/n1").json()["Id"] == record_id
    old = org.database.value('SELECT "Flag__c" FROM "Account" LIMIT 1')
    assert old == 1


def test_archived_activities_are_shown_by_query_all_only(drifting: tuple[SimOrg, httpx2.Client]) -> None:
    org, client = drifting
    fields = {"Subject": "string 255 name", "IsArchived": "boolean readonly"}
    org.add_object("Task", {"label": "Task", "plural": "Tasks", "prefix": "00T", "fields": fields})
    old, new = org.add("Task", Subject="old"), org.add("Task", Subject="new")
    with org.transaction():
        org.database.update("Task", old, {"IsArchived": 1})

    def found(resource: str) -> set[str]:
        return {row["Id"] for row in client.get(f"/{resource}", params={"q": "SELECT Id FROM Task"}).json()["records"]}

    assert (found("query"), found("queryAll")) == ({new}, {old, new})


def test_a_removed_field_is_gone_everywhere(drifting: tuple[SimOrg, httpx2.Client]) -> None:
    org, client = drifting
    org.remove_field("Contact", "Ext__c")
    answer = client.post("/sobjects/Contact", json={"LastName": "x", "Ext__c": "1"})

    assert "Ext__c" not in names(client, "Contact")
    assert answer.json()[0]["message"] == "No such column 'Ext__c' on sobject of type Contact"


def test_a_renamed_field_keeps_its_values(drifting: tuple[SimOrg, httpx2.Client]) -> None:
    org, client = drifting
    record_id = org.add("Widget__c", Account__c=org.add("Account", Name="x"), Text__c="kept")
    org.rename_field("Widget__c", "Text__c", "Words__c")
    org.rename_field("Widget__c", "Contact__c", "Person__c")
    body = client.get(f"/sobjects/Widget__c/{record_id}").json()

    assert (body["Words__c"], "Text__c" in body) == ("kept", False)
    described = client.get("/sobjects/Widget__c/describe").json()["fields"]
    assert next(one["relationshipName"] for one in described if one["name"] == "Person__c") == "Person__r"


def test_a_retyped_field_loses_what_does_not_fit_and_moves_no_stamp(drifting: tuple[SimOrg, httpx2.Client]) -> None:
    org, client = drifting
    account = org.add("Account", Name="x")
    good, bad = (org.add("Widget__c", Account__c=account, Text__c=text) for text in ("12.345", "many"))
    stamp = (org.row(good) or {})["SystemModstamp"]
    org.clock.advance(60)
    org.retype_field("Widget__c", "Text__c", "double 10,2")

    assert (org.row(good) or {})["Text__c"] == "12.35"
    assert (org.row(bad) or {})["Text__c"] is None
    assert (org.row(good) or {})["SystemModstamp"] == stamp
    assert client.get(f"/sobjects/Widget__c/{good}?fields=Text__c").json()["Text__c"] == 12.35


def test_objects_come_and_go(drifting: tuple[SimOrg, httpx2.Client]) -> None:
    org, client = drifting
    fields = {"Name": "string 80 name required", "Account__c": "reference ->Account child:Gadgets__r"}
    org.add_object("Gadget__c", {"label": "Gadget", "plural": "Gadgets", "prefix": "a01", "fields": fields})
    record_id = org.add("Gadget__c", Name="g", Account__c=org.add("Account", Name="x"))
    org.remove_object("LegalEntity")

    assert record_id.startswith("a01")
    listed = {one["name"] for one in client.get("/sobjects").json()["sobjects"]}
    assert "Gadget__c" in listed and "LegalEntity" not in listed
    children = client.get("/sobjects/Account/describe").json()["childRelationships"]
    assert "Gadgets__r" in {one["relationshipName"] for one in children}


def test_an_unknown_name_is_told(drifting: tuple[SimOrg, httpx2.Client]) -> None:
    org, _ = drifting
    with pytest.raises(LookupError, match="Nothing__c"):
        org.remove_field("Account", "Nothing__c")


def test_a_hidden_field_is_absent_from_describe_rows_and_writes(client: httpx2.Client, org: SimOrg) -> None:
    record_id = org.add("Contact", LastName="x", Phone="1")
    org.permissions.hide_field("Contact", "Phone")

    assert "Phone" not in names(client, "Contact")
    assert "Phone" not in client.get(f"/sobjects/Contact/{record_id}").json()
    assert client.get(f"/sobjects/Contact/{record_id}?fields=Phone").status_code == 400
    assert client.patch(f"/sobjects/Contact/{record_id}", json={"Phone": "2"}).json()[0]["errorCode"] == "INVALID_FIELD"
    org.permissions.allow("Contact")
    assert "Phone" in names(client, "Contact")


def test_a_read_only_field_cannot_be_written(client: httpx2.Client, org: SimOrg) -> None:
    record_id = org.add("Contact", LastName="x")
    org.permissions.make_read_only("Contact", "Phone")
    answer = client.patch(f"/sobjects/Contact/{record_id}", json={"Phone": "2"})

    assert answer.json()[0]["errorCode"] == "INVALID_FIELD_FOR_INSERT_UPDATE"
    assert answer.json()[0]["fields"] == ["Phone"]


def test_a_hidden_object_does_not_exist(client: httpx2.Client, org: SimOrg) -> None:
    org.permissions.deny("Lead", "read")

    assert client.get("/sobjects/Lead/describe").status_code == 404
    assert "Lead" not in {one["name"] for one in client.get("/sobjects").json()["sobjects"]}


def test_denied_actions_are_403(client: httpx2.Client, org: SimOrg) -> None:
    record_id = org.add("Account", Name="x")
    org.permissions.deny("Account", "create", "update", "delete")
    answers = [
        client.post("/sobjects/Account", json={"Name": "x"}),
        client.patch(f"/sobjects/Account/{record_id}", json={"Name": "y"}),
        client.delete(f"/sobjects/Account/{record_id}"),
    ]

    assert [one.status_code for one in answers] == [403, 403, 403]
    assert answers[0].json()[0]["message"] == "insufficient access rights on object id"
    assert client.get("/sobjects/Account/describe").json()["createable"] is False


def test_a_hidden_record_is_not_found_and_not_a_parent(client: httpx2.Client, org: SimOrg) -> None:
    record_id = org.add("Account", Name="x")
    org.hide_record(record_id)
    missing = client.get(f"/sobjects/Account/{record_id}").status_code
    with pytest.raises(OrgError, match=f"insufficient access rights on cross-reference id: {record_id}"):
        org.add("Contact", LastName="x", AccountId=record_id)
    org.show_record(record_id)

    assert missing == 404
    assert client.get(f"/sobjects/Account/{record_id}").status_code == 200


def test_a_read_only_record_refuses_writes(client: httpx2.Client, org: SimOrg) -> None:
    record_id = org.add("Account", Name="x")
    org.permissions.read_only_records.add(record_id)
    answer = client.patch(f"/sobjects/Account/{record_id}", json={"Name": "y"})

    assert (answer.status_code, answer.json()[0]["errorCode"]) == (403, "INSUFFICIENT_ACCESS_OR_READONLY")
