"""Mistakes in calls of the control API are told with 400, and never break a later request."""

from typing import Any

import httpx2
import pytest

from simorg.faults import Fault
from simorg.org import SimOrg

LINE = {"operation": "add_field", "object": "Account", "field": "Bad__c"}
WIDE = {"label": "G", "plural": "Gs", "prefix": "a05", "fields": {"Name": "string 80 name required"}}
RULE = {"object_name": "Account", "broken_when": "\"Name\" = 'x'", "message": "no"}

MISTAKES: list[tuple[str, Any, str]] = [
    ("clock", {"advance": "soon"}, "advance"),
    ("clock", {"advance": 1e300}, "advance"),
    ("clock", {"set": 10**18}, "the clock runs"),
    ("clock", {"set": True}, "set"),
    ("clock", {"freeze": "yes"}, "freeze"),
    ("clock", {"frezze": True}, "frezze"),
    ("clock", [], "Expected `object`"),
    ("faults", {"nth": 0}, "nth is a number"),
    ("faults", {"nth": "1"}, "nth"),
    ("faults", {"times": -1}, "times"),
    ("faults", {"status": 99}, "status"),
    ("faults", {"status": 1000}, "status"),
    ("faults", {"delay": -1}, "delay"),
    ("faults", {"delay": "long"}, "delay"),
    ("faults", {"cut_after": -5}, "cut_after"),
    ("faults", {"headers": {"X": "a\r\nSet-Cookie: b"}}, "not a header"),
    ("faults", {"headers": {"X": "☃"}}, "not a header"),
    ("faults", {"headers": {"X": 5}}, "headers"),
    ("faults", {"headers": {"a b": "x"}}, "not a header"),
    ("faults", {"path": "("}, "not a regular expression"),
    ("faults", {"method": "["}, "not a regular expression"),
    ("faults", {"path": 5}, "path"),
    ("faults", {"drop": "sideways"}, "drop is"),
    ("faults", {"job": "late"}, "job is"),
    ("faults", {"locators": True}, "locators"),
    ("faults", {"locators": "gone"}, "locators is"),
    ("faults", {"reset": 1}, "reset"),
    ("usage", {"used": -1}, "used"),
    ("usage", {"limit": "many"}, "limit"),
    ("sessions", {"idle_seconds": 0}, "idle_seconds"),
    ("sessions", {"idle_seconds": "long"}, "idle_seconds"),
    ("sessions", {"expire": 5}, "expire"),
    ("clients", {"redirect_uris": "http://x"}, "redirect_uris"),
    ("clients", {"public_key": "no key"}, "public_key"),
    ("clients", {"run_as": "005000000000099AAA"}, "there is no user"),
    ("clients", {"scopes": None}, "scopes"),
    ("rows", {"operation": "create", "object": "Nothing__c", "rows": [{}]}, "there is no object Nothing__c"),
    ("rows", {"operation": "create", "object": "Account", "rows": {"Name": "x"}}, "rows"),
    ("rows", {"operation": "create", "object": "Account", "rows": ["x"]}, "rows"),
    ("rows", {"operation": "create", "object": "Account"}, "create needs rows"),
    ("rows", {"operation": "upsert", "object": "Account", "rows": []}, "upsert needs key"),
    ("rows", {"operation": "delete", "ids": "001"}, "ids"),
    ("rows", {"operation": "delete", "ids": [5]}, "ids"),
    ("rows", {"operation": "hide", "ids": ["zzz000000000001AAA"]}, "no object has ids"),
    ("rows", {"operation": "lock", "ids": ["short"]}, "malformed id"),
    ("rows", {"operation": "convert", "ids": []}, "convert needs"),
    ("rows", {"operation": "convert", "ids": ["001000000000001AAA"]}, "invalid cross reference id"),
    ("rows", {"operation": "delete", "ids": [], "late_seconds": -1}, "late_seconds"),
    ("rows", {"operation": "empty_bin", "days": "all"}, "days"),
    ("rows", {"operation": "create", "object": "Account", "rows": [{"Name": "x"}], "user": "nobody"}, "malformed id"),
    ("schema", {"operation": "vanish", "object": "Account"}, "operation"),
    ("schema", {"operation": "add_field", "object": "Account", "field": "X__c"}, "add_field needs is"),
    ("schema", {"operation": "remove_field", "object": "Nothing", "field": "X__c"}, "there is no object Nothing"),
    ("schema", {"operation": "remove_field", "object": "Account", "field": "X__c"}, "there is no field X__c"),
    ("schema", {"operation": "remove_field", "object": "Account", "field": "Id"}, "system field"),
    ("schema", {"operation": "remove_object", "object": "User"}, "cannot be removed"),
    ("schema", {"operation": "rename_field", "object": "Lead", "field": "Title", "new_name": "a b"}, "not an API name"),
    ("schema", {**LINE, "is": "sting 80"}, "unknown type sting"),
    ("schema", {**LINE, "is": "string eighty"}, "the word eighty means nothing"),
    ("schema", {**LINE, "is": "reference"}, "needs a target"),
    ("schema", {**LINE, "is": "reference ->Nothing__c"}, "Nothing__c, which is not there"),
    ("schema", {**LINE, "is": "picklist 255 values:nothing"}, "values:nothing means nothing"),
    ("schema", {**LINE, "is": "double"}, "needs a target or a size"),
    ("schema", {**LINE, "is": ""}, "is"),
    ("schema", {**LINE, "is": {"label": "x"}}, "a declaration is"),
    ("schema", {**LINE, "is": {"is": "double 18,2", "sql": '{alias}."Nope"'}}, "no such column"),
    ("schema", {**LINE, "is": {"is": "picklist 255", "values": ["a", ""]}}, "values is a list"),
    ("schema", {"operation": "add_object", "object": "G__c", "declaration": {"label": "G"}}, "plural"),
    ("schema", {"operation": "add_object", "object": "G__c", "declaration": {**WIDE, "prefix": "long"}}, "prefix"),
    ("schema", {"operation": "add_object", "object": "G__c", "declaration": {**WIDE, "prefix": "001"}}, "prefix 001"),
    ("schema", {"operation": "add_object", "object": "G__c", "declaration": {**WIDE, "flags": {"fly": True}}}, "fly"),
    ("schema", {"operation": "add_object", "object": "G__c", "declaration": {**WIDE, "without": ["Title"]}}, "Title"),
    (
        "schema",
        {"operation": "add_object", "object": "G__c", "declaration": {**WIDE, "without": ["CreatedDate"]}},
        "hide",
    ),
    (
        "schema",
        {"operation": "add_object", "object": "G__c", "declaration": {**WIDE, "fields": {"a b": "int 8"}}},
        "a b",
    ),
    ("permissions", {"object": "Nothing", "deny": ["read"]}, "there is no object Nothing"),
    ("permissions", {"object": "Account", "deny": ["fly"]}, "deny"),
    ("permissions", {"object": "Account", "deny": "read"}, "deny"),
    ("permissions", {"object": "Account", "hide_fields": "Name"}, "hide_fields"),
    ("permissions", {"object": "Account", "hide_fields": ["Nothing"]}, "there is no field Nothing"),
    ("permissions", {"deny": ["read"]}, "need an object"),
    ("permissions", {"can_view_encrypted": "yes"}, "can_view_encrypted"),
    ("rules", {"validation": {**RULE, "object_name": "Nothing"}}, "there is no object Nothing"),
    ("rules", {"validation": {**RULE, "broken_when": '"Nope" = 1'}}, "no such column"),
    ("rules", {"validation": {**RULE, "broken_when": "SELECT"}}, "syntax error"),
    ("rules", {"validation": {**RULE, "broken_when": '1); DELETE FROM "Account"; SELECT (1'}}, "cannot be used"),
    ("rules", {"validation": {**RULE, "field": "Nope"}}, "there is no field Nope"),
    ("rules", {"validation": {"object_name": "Account"}}, "broken_when"),
    ("rules", {"duplicate": {"object_name": "Account", "fields": []}}, "fields"),
    ("rules", {"duplicate": {"object_name": "Account", "fields": ["Nope"]}}, "there is no field Nope"),
    ("rules", {"duplicate": {"object_name": "Account", "fields": "Name"}}, "fields"),
]


def healthy(org: SimOrg, client: httpx2.Client) -> None:
    assert client.get("/limits").status_code == 200
    assert client.get("/sobjects").status_code == 200
    names = [field["name"] for field in client.get("/sobjects/Account/describe").json()["fields"]]
    assert {"Id", "Name", "Site"} <= set(names)
    assert client.get("/query", params={"q": "SELECT FIELDS(ALL) FROM Account LIMIT 5"}).status_code == 200
    made = client.post("/sobjects/Account", json={"Name": "healthy"})
    assert made.status_code == 201
    assert client.delete(f"/sobjects/Account/{made.json()['id']}").status_code == 204
    assert org.objects.keys() >= {"Account", "User", "Lead"}


@pytest.mark.parametrize(("what", "body", "told"), MISTAKES)
def test_a_mistake_is_told_and_breaks_nothing(
    outside: httpx2.Client, client: httpx2.Client, org: SimOrg, what: str, body: Any, told: str
) -> None:
    objects, rules = org.objects, list(org.rules.validations)
    answer = outside.post(f"/_control/{what}", json=body)

    assert answer.status_code == 400
    assert told in answer.json()[0]["message"]
    assert (org.objects, org.rules.validations, org.faults.all()) == (objects, rules, [])
    healthy(org, client)


def test_what_is_not_json_is_told(outside: httpx2.Client) -> None:
    answers = [outside.post("/_control/clock", content=data) for data in (b"", b"{", b"\xff")]
    numbers = [outside.get("/_control/faults/first"), outside.delete("/_control/faults/first")]

    assert [one.status_code for one in (*answers, *numbers)] == [400] * 5


def test_a_rule_that_cannot_be_computed_refuses_the_row_only(
    outside: httpx2.Client, client: httpx2.Client, org: SimOrg
) -> None:
    broken = {**RULE, "broken_when": "json_extract(\"Site\", '$.x') = 1"}
    assert outside.post("/_control/rules", json={"validation": broken}).status_code == 200
    bad = client.post("/sobjects/Account", json={"Name": "x", "Site": "no json"})

    assert (bad.status_code, bad.json()[0]["errorCode"]) == (400, "FIELD_CUSTOM_VALIDATION_EXCEPTION")
    healthy(org, client)


@pytest.mark.parametrize("status", [204, 304])
def test_a_fault_without_a_body_can_be_read(client: httpx2.Client, org: SimOrg, status: int) -> None:
    org.faults.add(path="/limits", status=status, body={"a": 1})

    assert (client.get("/limits").status_code, client.get("/limits").status_code) == (status, 200)


@pytest.mark.parametrize("values", [{"nth": 0}, {"status": 42}, {"locators": "gone"}, {"delay": -1}])
def test_python_is_told_too(values: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(values))):
        Fault(**values)


def test_python_rules_are_compiled_when_they_are_added(org: SimOrg) -> None:
    with pytest.raises(ValueError, match="no such column"):
        org.rules.add_validation("Account", '"Nope" = 1', "no")


def test_an_object_can_be_added_over_http(outside: httpx2.Client, client: httpx2.Client) -> None:
    record_type = {"id": "0125e0000000009AAA", "name": "One", "developer_name": "One", "default": True}
    body = {**WIDE, "viewed": True, "record_types": [record_type], "flags": {"bulk": False}}
    added = outside.post("/_control/schema", json={"operation": "add_object", "object": "G__c", "declaration": body})
    described = client.get("/sobjects/G__c/describe").json()
    made = client.post("/sobjects/G__c", json={"Name": "g"})
    removed = outside.post("/_control/schema", json={"operation": "remove_object", "object": "G__c"})

    assert (added.status_code, made.status_code, removed.status_code) == (200, 201, 200)
    assert described["recordTypeInfos"][0]["developerName"] == "One"
    assert client.get("/sobjects/G__c/describe").status_code == 404
