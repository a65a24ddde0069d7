"""sObject Collections, composite, batch, graph and tree."""

from typing import Any

import httpx2
import pytest

from simorg.org import SimOrg
from simorg.times import http_date

ROLLED_BACK = {
    "message": "Record rolled back because not all records were valid and the request was using AllOrNone header",
    "statusCode": "ALL_OR_NONE_OPERATION_ROLLED_BACK",
    "fields": [],
}


def record(kind: str, **values: Any) -> dict[str, Any]:
    return {"attributes": {"type": kind}, **values}


class TestCollections:
    """Up to 200 records in one call, for one API call."""

    def test_good_and_bad_rows_are_told_apart_in_order(self, client: httpx2.Client, org: SimOrg) -> None:
        sent = [record("Account", Name="one"), record("Contact"), record("Contact", LastName="two")]
        answer = client.post("/composite/sobjects", json={"allOrNone": False, "records": sent})
        first, second, third = answer.json()

        assert answer.status_code == 200
        assert (first["success"], first["errors"], first["id"][:3]) == (True, [], "001")
        assert second == {
            "success": False,
            "errors": [
                {
                    "message": "Required fields are missing: [LastName]",
                    "statusCode": "REQUIRED_FIELD_MISSING",
                    "fields": ["LastName"],
                }
            ],
        }
        assert third["id"].startswith("003")
        assert org.usage.used == 1

    def test_all_or_none_takes_the_good_rows_back(self, client: httpx2.Client, org: SimOrg) -> None:
        before = org.count("Account")
        sent = [record("Account", Name="one"), record("Account"), record("Account", Name="three")]
        results = client.post("/composite/sobjects", json={"allOrNone": True, "records": sent}).json()

        assert [one["success"] for one in results] == [False, False, False]
        assert results[0]["errors"] == results[2]["errors"] == [ROLLED_BACK]
        assert results[1]["errors"][0]["statusCode"] == "REQUIRED_FIELD_MISSING"
        assert org.count("Account") == before

    def test_updates_carry_a_small_id(self, client: httpx2.Client, org: SimOrg) -> None:
        account, gone = org.add("Account", Name="x"), org.add("Account", Name="y")
        org.remove(gone)
        sent = [
            record("Account", id=account, Site="1"),
            record("Account", id=gone, Site="1"),
            record("Account", Site="2"),
        ]
        results = client.patch("/composite/sobjects", json={"records": sent}).json()

        assert results[0] == {"id": account, "success": True, "errors": []}
        assert results[1]["id"] == gone
        assert [one["errors"][0]["statusCode"] for one in results[1:]] == ["ENTITY_IS_DELETED", "MISSING_ARGUMENT"]

    def test_upserts_tell_what_was_created(self, client: httpx2.Client, org: SimOrg) -> None:
        org.add("Account", Name="x", Ext__c="C1")
        sent = [
            record("Account", Ext__c="C1", Name="a"),
            record("Account", Ext__c="C2", Name="b"),
            record("Account", Name="c"),
        ]
        results = client.patch("/composite/sobjects/Account/Ext__c", json={"records": sent}).json()

        assert [one.get("created") for one in results] == [False, True, None]
        assert results[2]["success"] is False

    def test_deletes_name_ids_in_the_address(self, client: httpx2.Client, org: SimOrg) -> None:
        ids = [org.add("Account", Name="x"), org.add("Contact", LastName="y")]
        results = client.delete(f"/composite/sobjects?ids={','.join([*ids, ids[0]])}&allOrNone=false").json()

        assert results[:2] == [{"id": one, "success": True, "errors": []} for one in ids]
        assert results[2]["id"] == ids[0]
        assert results[2]["errors"][0]["statusCode"] == "ENTITY_IS_DELETED"

    def test_missing_and_hidden_rows_are_null_when_read(self, client: httpx2.Client, org: SimOrg) -> None:
        one, gone, hidden = (org.add("Account", Name=name) for name in ("one", "gone", "hidden"))
        org.remove(gone)
        org.hide_record(hidden)
        wanted = [hidden, one[:15], gone, "0015e00000zzzzzAAA"]
        got = client.get(f"/composite/sobjects/Account?ids={','.join(wanted)}&fields=Id,Name").json()
        posted = client.post("/composite/sobjects/Account", json={"ids": wanted, "fields": ["Id", "Name"]}).json()

        url = f"/services/data/v58.0/sobjects/Account/{one}"
        assert got == [None, {"attributes": {"type": "Account", "url": url}, "Id": one, "Name": "one"}, None, None]
        assert posted == got

    def test_more_than_200_rows_are_refused(self, client: httpx2.Client) -> None:
        sent = [record("Account", Name="x")] * 201
        answer = client.post("/composite/sobjects", json={"records": sent})

        assert (answer.status_code, answer.json()[0]["errorCode"]) == (400, "EXCEEDED_ID_LIMIT")


def part(method: str, path: str, name: str, body: Any = None, **headers: str) -> dict[str, Any]:
    made = {"method": method, "url": f"/services/data/v58.0{path}", "referenceId": name}
    return made | ({"body": body} if body is not None else {}) | ({"httpHeaders": headers} if headers else {})


def composite(client: httpx2.Client, *parts: dict[str, Any], all_or_none: bool = False) -> list[dict[str, Any]]:
    answer = client.post("/composite", json={"allOrNone": all_or_none, "compositeRequest": parts})
    assert answer.status_code == 200
    return list(answer.json()["compositeResponse"])


class TestComposite:
    """Several requests in one call, later ones with the answers of earlier ones."""

    def test_parts_refer_to_earlier_answers(self, client: httpx2.Client, org: SimOrg) -> None:
        account, contact, asked, again = composite(
            client,
            part("POST", "/sobjects/Account", "a1", {"Name": "Acme"}),
            part("POST", "/sobjects/Contact", "c1", {"LastName": "B", "AccountId": "@{a1.id}"}),
            part("GET", "/query?q=SELECT Id, Name FROM Contact WHERE AccountId = '@{a1.id}'", "q1"),
            part("PATCH", "/sobjects/Contact/@{q1.records[0].Id}", "p1", {"Title": "Mr @{q1.records[0].Name}"}),
        )

        record_id = account["body"]["id"]
        assert account == {
            "body": {"id": record_id, "success": True, "errors": []},
            "httpHeaders": {"Location": f"/services/data/v58.0/sobjects/Account/{record_id}"},
            "httpStatusCode": 201,
            "referenceId": "a1",
        }
        assert asked["body"]["totalSize"] == 1
        assert again == {"body": None, "httpHeaders": {}, "httpStatusCode": 204, "referenceId": "p1"}
        assert (org.row(contact["body"]["id"]) or {})["Title"] == "Mr B"
        assert org.usage.used == 1

    def test_dependents_of_a_failed_part_are_halted(self, client: httpx2.Client) -> None:
        failed, halted, free = composite(
            client,
            part("POST", "/sobjects/Account", "a1", {}),
            part("POST", "/sobjects/Contact", "c1", {"LastName": "B", "AccountId": "@{a1.id}"}),
            part("POST", "/sobjects/Account", "a2", {"Name": "free"}),
        )

        assert failed["httpStatusCode"] == 400
        assert halted["body"] == [
            {
                "errorCode": "PROCESSING_HALTED",
                "message": "Invalid reference specified. No value for a1.id found in body",
            }
        ]
        assert free["httpStatusCode"] == 201

    def test_all_or_none_rolls_back_and_says_so(self, client: httpx2.Client, org: SimOrg) -> None:
        before = org.count("Account")
        answers = composite(
            client,
            part("POST", "/sobjects/Account", "a1", {"Name": "one"}),
            part("POST", "/sobjects/Account", "a2", {}),
            part("POST", "/sobjects/Account", "a3", {"Name": "three"}),
            all_or_none=True,
        )

        text = "The transaction was rolled back since another operation in the same transaction failed."
        halted = [{"errorCode": "PROCESSING_HALTED", "message": text}]
        assert [one["httpStatusCode"] for one in answers] == [400, 400, 400]
        assert answers[0]["body"] == answers[2]["body"] == halted
        assert answers[1]["body"][0]["errorCode"] == "REQUIRED_FIELD_MISSING"
        assert org.count("Account") == before

    def test_parts_may_have_conditions(self, client: httpx2.Client, org: SimOrg) -> None:
        account = org.add("Account", Name="x")
        past = {"If-Unmodified-Since": "Mon, 01 Jan 2001 00:00:00 GMT"}
        (refused,) = composite(client, part("PATCH", f"/sobjects/Account/{account}", "p", {"Site": "1"}, **past))

        assert refused["httpStatusCode"] == 412
        assert (org.row(account) or {})["Site"] is None

    def test_parts_have_their_own_codes_for_missing_rows_and_rights(self, client: httpx2.Client, org: SimOrg) -> None:
        org.permissions.deny("Lead", "create")
        missing, refused = composite(
            client,
            part("PATCH", "/sobjects/Account/0015e00000zzzzzAAA", "p", {"Site": "1"}),
            part("POST", "/sobjects/Lead", "l", {"LastName": "x", "Company": "y"}),
        )

        assert (missing["httpStatusCode"], missing["body"][0]["errorCode"]) == (404, "INVALID_CROSS_REFERENCE_KEY")
        assert (refused["httpStatusCode"], refused["body"][0]["errorCode"]) == (400, "INSUFFICIENT_ACCESS")

    def test_bad_references_and_too_many_parts_fail_the_whole(self, client: httpx2.Client) -> None:
        bad = [part("GET", "/limits", "a-b")], [part("GET", "/limits", "a"), part("GET", "/limits", "a")]
        many = [part("GET", "/limits", f"r{number}") for number in range(26)]
        asking = [part("GET", "/query?q=SELECT Id FROM User", f"q{number}") for number in range(6)]
        secret = [part("GET", "/limits", "a", Authorization="x")]
        codes = [
            client.post("/composite", json={"compositeRequest": parts}).status_code
            for parts in (*bad, many, asking, secret)
        ]

        assert codes == [400, 400, 400, 400, 400]

    def test_collections_inside_a_composite(self, client: httpx2.Client) -> None:
        body = {"allOrNone": False, "records": [record("Account", Name="in")]}
        (answer,) = composite(client, part("POST", "/composite/sobjects", "c", body))

        assert answer["body"][0]["success"] is True

    @pytest.mark.parametrize("inner", [False, True])
    @pytest.mark.parametrize("outer", [False, True])
    def test_all_or_none_of_the_whole_reaches_into_its_collections(
        self, client: httpx2.Client, org: SimOrg, outer: bool, inner: bool
    ) -> None:
        rows = [record("Account", Name="good"), record("Account")]
        accounts, contacts = org.count("Account"), org.count("Contact")
        collection, contact = composite(
            client,
            part("POST", "/composite/sobjects", "many", {"allOrNone": inner, "records": rows}),
            part("POST", "/sobjects/Contact", "one", {"LastName": "x"}),
            all_or_none=outer,
        )

        assert collection["httpStatusCode"] == 200
        assert [row["success"] for row in collection["body"]] == [not inner, False]
        assert contact["httpStatusCode"] == (400 if outer else 201)
        assert org.count("Account") - accounts == (0 if outer or inner else 1)
        assert org.count("Contact") - contacts == (0 if outer else 1)

    def test_rows_taken_back_say_so(self, client: httpx2.Client) -> None:
        rows = [record("Account", Name="good"), record("Account")]
        good, bad = client.post("/composite/sobjects", json={"allOrNone": True, "records": rows}).json()

        assert good["errors"] == [
            {
                "statusCode": "ALL_OR_NONE_OPERATION_ROLLED_BACK",
                "message": "Record rolled back because not all records were valid and the request was using AllOrNone "
                "header",
                "fields": [],
            }
        ]
        assert bad["errors"][0]["statusCode"] == "REQUIRED_FIELD_MISSING"

    def test_five_collections_of_200_rows_are_the_most(self, client: httpx2.Client, org: SimOrg) -> None:
        rows = {"records": [record("Account", Name="x")] * 200}
        before = org.count("Account")
        answers = composite(client, *(part("POST", "/composite/sobjects", f"c{number}", rows) for number in range(5)))
        six = [part("POST", "/composite/sobjects", f"c{number}", rows) for number in range(6)]

        assert [len(one["body"]) for one in answers] == [200] * 5
        assert client.post("/composite", json={"compositeRequest": six}).status_code == 400
        assert org.count("Account") == before + 1000

    def test_the_condition_of_a_part_has_the_grain_of_a_second(self, client: httpx2.Client, org: SimOrg) -> None:
        account, now = org.add("Account", Name="x"), org.now_stamp()
        dates = {"same": now, "older": now - 1000}
        headers = {name: {"If-Unmodified-Since": http_date(ms)} for name, ms in dates.items()}
        sent = [part("PATCH", f"/sobjects/Account/{account}", name, {"Site": name}, **headers[name]) for name in dates]
        codes = [one["httpStatusCode"] for one in composite(client, *sent)]

        assert codes == [204, 412]
        assert (org.row(account) or {})["Site"] == "same"

    def test_a_part_may_ask_for_the_tag_of_an_account(self, client: httpx2.Client, org: SimOrg) -> None:
        account = org.add("Account", Name="x")
        path = f"/sobjects/Account/{account}"
        tag = client.get(path, headers={"Accept-Encoding": "identity"}).headers["etag"]
        good, stale = composite(
            client,
            part("PATCH", path, "good", {"Site": "1"}, **{"If-Match": tag}),
            part("PATCH", path, "stale", {"Site": "2"}, **{"If-Match": '"stale"'}),
        )

        assert (good["httpStatusCode"], stale["httpStatusCode"]) == (204, 412)
        assert (org.row(account) or {})["Site"] == "1"

    def test_a_bad_date_fails_the_part_and_a_delete_has_no_conditions(self, client: httpx2.Client, org: SimOrg) -> None:
        account = org.add("Account", Name="x")
        bad, gone = composite(
            client,
            part("PATCH", f"/sobjects/Account/{account}", "bad", {"Site": "1"}, **{"If-Unmodified-Since": "lunch"}),
            part("DELETE", f"/sobjects/Account/{account}", "gone", **{"If-Unmodified-Since": http_date(0)}),
        )

        assert (bad["httpStatusCode"], gone["httpStatusCode"]) == (400, 204)
        assert (org.row(account) or {})["Site"] is None

    def test_collated_parts_may_run_in_another_order(
        self, client: httpx2.Client, outside: httpx2.Client, org: SimOrg
    ) -> None:
        outside.post("/_control/rules", json={"reorder_collated_parts": True})
        last = "/query?q=SELECT Name FROM Account WHERE Site = 'collated' ORDER BY Id"
        parts = [
            part("POST", "/sobjects/Account", "a", {"Name": "a", "Site": "collated"}),
            part("POST", "/sobjects/Account", "b", {"Name": "b", "Site": "collated"}),
            part("POST", "/sobjects/Contact", "c", {"LastName": "@{b.id}", "AccountId": "@{a.id}"}),
            part("POST", "/sobjects/Account", "d", {"Name": "d", "Site": "collated"}, **{"X-PrettyPrint": "1"}),
        ]
        answers = composite(client, *parts)
        made = [one["Name"] for one in client.get(last).json()["records"]]

        assert [(one["referenceId"], one["httpStatusCode"]) for one in answers] == [(name, 201) for name in "abcd"]
        assert made == ["b", "a", "d"]

    def test_who_asks_for_the_order_gets_it(self, client: httpx2.Client, org: SimOrg) -> None:
        org.rules.reorder_collated_parts = True
        parts = [part("POST", "/sobjects/Account", name, {"Name": name, "Site": "ordered"}) for name in "ab"]
        client.post("/composite", json={"collateSubrequests": False, "compositeRequest": parts})
        made = client.get("/query?q=SELECT Name FROM Account WHERE Site = 'ordered' ORDER BY Id").json()["records"]

        assert [one["Name"] for one in made] == ["a", "b"]

    def test_all_or_none_in_another_order_keeps_the_failure_in_its_place(
        self, client: httpx2.Client, org: SimOrg
    ) -> None:
        org.rules.reorder_collated_parts = True
        parts = [part("POST", "/sobjects/Account", "a", {}), part("POST", "/sobjects/Account", "b", {"Name": "b"})]
        answers = composite(client, *parts, all_or_none=True)

        assert [one["body"][0]["errorCode"] for one in answers] == ["REQUIRED_FIELD_MISSING", "PROCESSING_HALTED"]

    def test_which_stamp_a_condition_looks_at_can_be_set(
        self, client: httpx2.Client, outside: httpx2.Client, org: SimOrg
    ) -> None:
        org.clock.freeze()
        parent = org.add("Contact", LastName="p")
        contact = org.add("Contact", LastName="x", ReportsToId=parent)
        made = {"If-Unmodified-Since": http_date(org.now_stamp())}
        org.clock.advance(60)
        org.remove(parent)  # a system edit of the contact: only SystemModstamp moves
        path = f"/sobjects/Contact/{contact}"
        by_system = client.patch(path, json={"Title": "1"}, headers=made).status_code
        outside.post("/_control/rules", json={"condition_stamp": "LastModifiedDate"})

        assert (by_system, client.patch(path, json={"Title": "2"}, headers=made).status_code) == (412, 204)

    @pytest.mark.parametrize("name", ["If-Match", "If-None-Match"])
    def test_a_tag_without_quotes_is_400(self, client: httpx2.Client, org: SimOrg, name: str) -> None:
        account = org.add("Account", Name="x")
        answer = client.patch(f"/sobjects/Account/{account}", json={"Site": "1"}, headers={name: "abc"})

        assert answer.status_code == 400

    def test_a_batch_costs_a_call_per_part(self, client: httpx2.Client, org: SimOrg) -> None:
        account = org.add("Account", Name="x")
        parts = [
            {"method": "PATCH", "url": f"v58.0/sobjects/Account/{account}", "richInput": {"Name": "y"}},
            {"method": "GET", "url": "v58.0/sobjects/Account/nothing"},
            {"method": "GET", "url": f"v58.0/sobjects/Account/{account}?fields=Name"},
        ]
        answer = client.post("/composite/batch", json={"batchRequests": parts})
        halted = client.post("/composite/batch", json={"haltOnError": True, "batchRequests": parts}).json()

        assert answer.json()["hasErrors"] is True
        assert answer.json()["results"][0] == {"statusCode": 204, "result": None}
        assert answer.json()["results"][2]["result"]["Name"] == "y"
        assert answer.headers["sforce-limit-info"] == "api-usage=3/15000"
        assert halted["results"][2]["statusCode"] == 412
        assert halted["results"][2]["result"][0]["errorCode"] == "BATCH_PROCESSING_HALTED"

    def test_graphs_stand_and_fall_alone(self, client: httpx2.Client) -> None:
        good = [part("POST", "/sobjects/Account", "a", {"Name": "x"})]
        bad = [part("POST", "/sobjects/Account", "a", {"Name": "x"}), part("POST", "/sobjects/Account", "b", {})]
        graphs = [{"graphId": "g1", "compositeRequest": good}, {"graphId": "g2", "compositeRequest": bad}]
        body = client.post("/composite/graph", json={"graphs": graphs}).json()

        assert [(one["graphId"], one["isSuccessful"]) for one in body["graphs"]] == [("g1", True), ("g2", False)]


class TestTree:
    """Parents with their children in one call."""

    def tree(self, last: str | None) -> dict[str, Any]:
        child = {"attributes": {"type": "Contact", "referenceId": "ref2"}, "LastName": last}
        top = {"attributes": {"type": "Account", "referenceId": "ref1"}, "Name": "A", "Contacts": {"records": [child]}}
        return {"records": [top]}

    def test_children_get_their_parents_id(self, client: httpx2.Client, org: SimOrg) -> None:
        answer = client.post("/composite/tree/Account", json=self.tree("B"))
        results = {one["referenceId"]: one["id"] for one in answer.json()["results"]}

        assert (answer.status_code, answer.json()["hasErrors"]) == (201, False)
        assert (org.row(results["ref2"]) or {})["AccountId"] == results["ref1"]

    def test_one_bad_record_takes_all_back_and_is_told(self, client: httpx2.Client, org: SimOrg) -> None:
        before = org.count("Account")
        answer = client.post("/composite/tree/Account", json=self.tree(None))

        assert answer.status_code == 400
        assert answer.json() == {
            "hasErrors": True,
            "results": [
                {
                    "referenceId": "ref2",
                    "errors": [
                        {
                            "message": "Required fields are missing: [LastName]",
                            "statusCode": "REQUIRED_FIELD_MISSING",
                            "fields": ["LastName"],
                        }
                    ],
                }
            ],
        }
        assert org.count("Account") == before
