"""What a write makes of odd answers, with a server that gives them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from salesforce_sync.api.client import SalesforceOrg
from salesforce_sync.errors import SyncError
from salesforce_sync.models.connection import Connection, LoginMethod
from salesforce_sync.models.outcome import Applied, Deferred, Lost, Outcome, Rejected
from salesforce_sync.ports import Order
from tests.unit.api.conftest import Script
from tests.unit.api.scripted import Asked, Reply, ScriptedServer, json_reply
from tests.unit.api.write_orders import create, delete, undelete, update

Serve = Callable[[Script], ScriptedServer]
Open = Callable[..., SalesforceOrg]

ENDED = [{"errorCode": "INVALID_SESSION_ID", "message": "Session expired or invalid"}]


def write(org: SalesforceOrg, orders: list[Order]) -> list[Outcome]:
    by_number = {each.change.number: each for some in org.write(orders, lambda *_: None) for each in some}
    return [by_number[order.change.number] for order in orders]


def part(reference: str, status: int, body: Any) -> dict[str, Any]:
    return {"referenceId": reference, "httpStatusCode": status, "body": body, "httpHeaders": {}}


def made(reference: str, number: int) -> dict[str, Any]:
    return part(reference, 201, {"id": f"003{number:012d}", "success": True, "errors": []})


def token(url: str) -> Reply:
    return json_reply({"access_token": "00D!fresh", "instance_url": url, "token_type": "Bearer"})


def connection(url: str) -> Connection:
    return Connection(LoginMethod.CLIENT_CREDENTIALS, url, client_id="id", client_secret="secret")


def test_only_what_met_the_end_of_the_session_is_sent_again(serve: Serve, open_org: Open) -> None:
    bodies: list[list[str]] = []

    def script(asked: Asked) -> Reply:
        if "oauth2" in asked.path:
            return token(server.url)
        sent = json.loads(asked.body)["compositeRequest"]
        bodies.append([each["body"]["Text"] for each in sent if each["method"] == "POST"])
        if len(bodies) == 1:
            parts = [made("write0", 1), part("write1", 401, ENDED), part("write2", 401, ENDED)]
        else:
            parts = [made("write0", 2), made("write1", 3)]
        return json_reply({"compositeResponse": parts})

    server = serve(script)
    outcomes = write(open_org(server, connection(server.url)), [create(Text=text) for text in "abc"])

    assert bodies == [["a", "b", "c"], ["b", "c"]]
    assert [each.record_id[:15] for each in outcomes if isinstance(each, Applied)] == [
        "003000000000001",
        "003000000000002",
        "003000000000003",
    ]


def test_a_create_has_the_id_that_the_org_gave_it(serve: Serve, open_org: Open) -> None:
    def script(asked: Asked) -> Reply:
        body = {"id": "003ab0e502928zzzzz", "success": True, "errors": []}
        return json_reply({"compositeResponse": [part("write0", 201, body)]})

    (outcome,) = write(open_org(serve(script)), [create(Text="a")])

    assert isinstance(outcome, Applied)
    assert outcome.record_id == "003ab0e502928zzzzz"


@pytest.mark.parametrize(
    "parts",
    [
        [made("write0", 1)],
        [made("write0", 1), part("write1", 500, [{"errorCode": "UNKNOWN_EXCEPTION", "message": "?"}])],
        [made("write0", 1), part("write1", 503, None)],
        [made("write0", 1), part("write1", 201, {"success": True})],
        [made("write0", 1), part("write1", 201, None)],
    ],
    ids=["missing", "500", "503", "no id", "no body"],
)
def test_a_part_whose_effect_is_not_told_is_lost(parts: list[Any], serve: Serve, open_org: Open) -> None:
    server = serve(lambda asked: json_reply({"compositeResponse": parts}))

    outcomes = write(open_org(server), [create(Text=text) for text in "ab"])

    assert [type(each) for each in outcomes] == [Applied, Lost]
    assert len(server.asked) == 1


@pytest.mark.parametrize("body", [b"<html>", b"{}", b"[]", b"", b'{"compositeResponse":[{"x":1}]}'])
def test_an_answer_that_cannot_be_read_leaves_everything_lost(body: bytes, serve: Serve, open_org: Open) -> None:
    server = serve(lambda asked: Reply(body))

    assert [type(each) for each in write(open_org(server), [create(), create()])] == [Lost, Lost]
    assert len(server.asked) == 1


def test_a_call_that_is_refused_as_a_whole_is_halved(serve: Serve, open_org: Open) -> None:
    def script(asked: Asked) -> Reply:
        posts = [each for each in json.loads(asked.body)["compositeRequest"] if each["method"] == "POST"]
        if any(each["body"]["Text"] == "bad" for each in posts):
            return json_reply([{"errorCode": "JSON_PARSER_ERROR", "message": "odd"}], 400)
        return json_reply({"compositeResponse": [made(f"write{number}", number + 1) for number in range(len(posts))]})

    server = serve(script)
    outcomes = write(open_org(server), [create(Text=text) for text in ("a", "bad", "c", "d")])

    assert [type(each).__name__ for each in outcomes] == ["Applied", "Rejected", "Applied", "Applied"]


MIXED = [{"errorCode": "MIXED_DML_OPERATION", "message": "DML operation on setup object …", "fields": []}]


@pytest.mark.parametrize(("second", "outcome"), [("Lead", Deferred), ("Contact", Rejected)])
def test_what_is_refused_because_of_another_object_in_its_call_goes_again_without_it(
    second: str, outcome: type, serve: Serve, open_org: Open
) -> None:
    """The org takes its setup objects (User, Group, …) in no transaction with others."""
    answer = {"compositeResponse": [made("write0", 1), part("write1", 400, MIXED)]}
    server = serve(lambda asked: json_reply(answer))

    outcomes = write(open_org(server), [create("Contact"), create(second)])

    assert [type(each) for each in outcomes] == [Applied, outcome]


def stopped(org: SalesforceOrg, orders: list[Order]) -> tuple[list[Outcome], SyncError]:
    """The outcomes that a write had before an error stopped it."""
    told: list[Outcome] = []
    with pytest.raises(SyncError) as stop:
        for some in org.write(orders, lambda *_: None):
            told += some
    return told, stop.value


NO_PAGE = Reply(b"<html><body>default backend - 404</body></html>", 404, {"Content-Type": "text/html"})


@pytest.mark.parametrize("made_order", [create, update, delete])
def test_a_page_that_is_not_the_orgs_does_not_say_that_a_record_is_gone(
    made_order: Callable[[], Order], serve: Serve, open_org: Open
) -> None:
    server = serve(lambda asked: NO_PAGE)

    outcomes, error = stopped(open_org(server), [made_order() for _ in range(3)])

    assert {type(each) for each in outcomes} == {Deferred}
    assert "default backend" in error.message
    assert "instance_url" in error.hint


def test_an_org_that_has_moved_stops_the_write_and_says_where_to(serve: Serve, open_org: Open) -> None:
    moved = Reply(b"", 301, {"Location": "https://new.my.salesforce.com/services/data/v58.0/composite?oauth=x"})
    server = serve(lambda asked: moved)

    outcomes, error = stopped(open_org(server), [create() for _ in range(5)])

    assert [type(each) for each in outcomes] == [Deferred] * 5
    assert "new.my.salesforce.com" in error.message
    assert "oauth=x" not in error.message
    assert len(server.asked) == 1


def test_where_only_composite_is_not_let_through_records_go_one_by_one(serve: Serve, open_org: Open) -> None:
    server = serve(lambda asked: NO_PAGE if "/composite" in asked.path else Reply(b"", 204))

    outcomes = write(open_org(server), [update(), update()])

    assert [type(each) for each in outcomes] == [Applied, Applied]


def test_an_org_without_soap_says_how_a_record_is_brought_back(serve: Serve, open_org: Open) -> None:
    server = serve(lambda asked: NO_PAGE if "/Soap/" in asked.path else json_reply([]))

    (outcome,) = write(open_org(server), [undelete()])

    assert isinstance(outcome, Rejected)
    assert outcome.code == "NO_SOAP_API"
    assert "/services/Soap/u/58.0" in outcome.message
    assert "recycle bin" in outcome.message


def test_the_token_is_in_no_outcome(serve: Serve, open_org: Open) -> None:
    error = [{"errorCode": "ODD", "message": "You sent 00D!pasted-token"}]
    server = serve(lambda asked: json_reply({"compositeResponse": [part("write0", 400, error)]}))

    (outcome,) = write(open_org(server), [create()])

    assert "pasted" not in repr(outcome)
