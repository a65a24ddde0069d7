"""The SOAP calls that REST has nothing for: undelete() and emptyRecycleBin()."""

import xml.etree.ElementTree as ET
from collections.abc import Callable
from typing import Any

import httpx2
import pytest

from simorg.org import SimOrg

SOAP = "{http://schemas.xmlsoap.org/soap/envelope/}"
PARTNER = "{urn:partner.soap.sforce.com}"
Ask = Callable[..., httpx2.Response]


def envelope(token: str, name: str, ids: list[str], *, all_or_none: bool = False, kind: str = "partner") -> str:
    """Write a request as a SOAP client does, with prefixes of its own."""
    listed = "".join(f"<s:ids>{one}</s:ids>" for one in ids)
    header = f"<s:SessionHeader><s:sessionId>{token}</s:sessionId></s:SessionHeader>"
    if all_or_none:
        header += "<s:AllOrNoneHeader><s:allOrNone>true</s:allOrNone></s:AllOrNoneHeader>"
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        f'<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/" xmlns:s="urn:{kind}.soap.sforce.com">'
        f"<e:Header>{header}</e:Header><e:Body><s:{name}>{listed}</s:{name}></e:Body></e:Envelope>"
    )


@pytest.fixture
def ask(org: SimOrg, outside: httpx2.Client) -> Ask:
    """Send a call with a session of its own."""
    token = org.sessions.open(org.user_id).token

    def send(name: str, *ids: str, **values: Any) -> httpx2.Response:
        headers = {"Content-Type": "text/xml; charset=UTF-8", "SOAPAction": '""'}
        body = envelope(values.pop("token", token), name, list(ids), **values)
        return outside.post("/services/Soap/u/58.0", content=body.encode(), headers=headers)

    return send


def results(answer: httpx2.Response, name: str) -> list[dict[str, str]]:
    """Return the results of a call: id, success, and the code and message of an error."""
    assert answer.status_code == 200, answer.text
    found = ET.fromstring(answer.content).findall(f"{SOAP}Body/{PARTNER}{name}Response/{PARTNER}result")
    tags = {"id": "id", "success": "success", "code": "errors/statusCode", "message": "errors/message"}
    paths = {key: "/".join(PARTNER + step for step in path.split("/")) for key, path in tags.items()}
    return [{key: one.findtext(path, "") for key, path in paths.items()} for one in found]


def fault(answer: httpx2.Response) -> tuple[str, str]:
    """Return the code and the text of a fault."""
    assert answer.status_code == 500
    found = ET.fromstring(answer.content).find(f"{SOAP}Body/{SOAP}Fault")
    assert found is not None
    return found.findtext("faultcode", ""), found.findtext("faultstring", "")


class TestUndelete:
    """Rows come back with what went with them."""

    def test_a_row_comes_back_with_its_id(self, ask: Ask, org: SimOrg) -> None:
        account = org.add("Account", Name="x")
        org.remove(account)
        (told,) = results(ask("undelete", account[:15]), "undelete")

        assert told == {"id": account, "success": "true", "code": "", "message": ""}
        assert (org.row(account) or {})["IsDeleted"] == 0

    def test_details_and_lookups_come_back_too(self, ask: Ask, org: SimOrg) -> None:
        account = org.add("Account", Name="x")
        detail, child = org.add("Widget__c", Account__c=account), org.add("Account", Name="y", ParentId=account)
        org.remove(account)
        gone = (org.row(detail) or {})["IsDeleted"], (org.row(child) or {})["ParentId"]
        ask("undelete", account)

        assert gone == (1, None)
        assert ((org.row(detail) or {})["IsDeleted"], (org.row(child) or {})["ParentId"]) == (0, account)

    def test_the_stamp_moves(self, ask: Ask, org: SimOrg) -> None:
        account = org.add("Account", Name="x")
        org.remove(account)
        org.clock.freeze()
        org.clock.advance(60)
        ask("undelete", account)

        assert (org.row(account) or {})["SystemModstamp"] == org.now_stamp()

    def test_each_row_has_its_own_result(self, ask: Ask, org: SimOrg) -> None:
        gone, living, purged = (org.add("Account", Name=name) for name in ("gone", "living", "purged"))
        org.remove(gone)
        org.purge([purged])
        told = results(ask("undelete", gone, living, purged, "nonsense"), "undelete")

        assert [one["code"] for one in told] == ["", "UNDELETE_FAILED", "UNDELETE_FAILED", "MALFORMED_ID"]
        assert [one["success"] for one in told] == ["true", "false", "false", "false"]

    def test_a_row_that_went_with_its_master_cannot_come_alone(self, ask: Ask, org: SimOrg) -> None:
        account = org.add("Account", Name="x")
        detail = org.add("Widget__c", Account__c=account)
        org.remove(account)
        (told,) = results(ask("undelete", detail), "undelete")

        assert told["code"] == "UNDELETE_FAILED"
        assert (org.row(detail) or {})["IsDeleted"] == 1

    def test_all_or_none(self, ask: Ask, org: SimOrg) -> None:
        gone, living = org.add("Account", Name="gone"), org.add("Account", Name="living")
        org.remove(gone)
        told = results(ask("undelete", gone, living, all_or_none=True), "undelete")

        assert [one["code"] for one in told] == ["ALL_OR_NONE_OPERATION_ROLLED_BACK", "UNDELETE_FAILED"]
        assert (org.row(gone) or {})["IsDeleted"] == 1

    def test_the_answer_may_be_lost(self, ask: Ask, org: SimOrg) -> None:
        account = org.add("Account", Name="x")
        org.remove(account)
        org.faults.add(path="/services/Soap", sends="undelete", drop="after")
        with pytest.raises(httpx2.TransportError):
            ask("undelete", account)

        assert (org.row(account) or {})["IsDeleted"] == 0

    def test_a_text_is_escaped(self, ask: Ask) -> None:
        (told,) = results(ask("undelete", "&lt;a&gt;&amp;"), "undelete")

        assert told["message"] == "malformed id <a>&"


class TestEmptyRecycleBin:
    """Rows go for good."""

    def test_a_deleted_row_goes(self, ask: Ask, org: SimOrg) -> None:
        account = org.add("Account", Name="x")
        org.remove(account)

        assert results(ask("emptyRecycleBin", account), "emptyRecycleBin")[0]["success"] == "true"
        assert org.row(account) is None

    def test_a_living_row_and_a_detail_stay(self, ask: Ask, org: SimOrg) -> None:
        living, master = org.add("Account", Name="living"), org.add("Account", Name="master")
        detail = org.add("Widget__c", Account__c=master)
        org.remove(master)
        told = results(ask("emptyRecycleBin", living, detail), "emptyRecycleBin")

        assert [one["success"] for one in told] == ["false", "false"]
        assert org.row(living) is not None and org.row(detail) is not None


class TestFaults:
    """What is refused as a whole."""

    def test_a_session_that_ended(self, ask: Ask) -> None:
        text = "INVALID_SESSION_ID: Invalid Session ID found in SessionHeader: Illegal Session"

        assert fault(ask("undelete", token="old")) == ("sf:INVALID_SESSION_ID", text)

    def test_more_than_200_ids(self, ask: Ask, org: SimOrg) -> None:
        assert fault(ask("undelete", *[org.user_id] * 201))[0] == "sf:EXCEEDED_ID_LIMIT"

    def test_an_unknown_call_a_broken_envelope_and_a_bomb(self, ask: Ask, outside: httpx2.Client) -> None:
        headers = {"Content-Type": "text/xml", "SOAPAction": '""'}
        bomb = '<!DOCTYPE a [<!ENTITY b "boom">]><a>&b;</a>'
        sent = [outside.post("/services/Soap/u/58.0", content=body, headers=headers) for body in ("<a", "<a/>", bomb)]

        assert {fault(one)[0] for one in (ask("dance"), *sent)} == {"soapenv:Client"}

    def test_a_missing_soap_action_and_an_unknown_version(self, outside: httpx2.Client) -> None:
        headers = {"Content-Type": "text/xml"}
        unasked = outside.post("/services/Soap/u/58.0", content=b"<a/>", headers=headers)
        old = outside.post("/services/Soap/u/8.0", content=b"<a/>", headers=headers | {"SOAPAction": '""'})

        assert fault(unasked) == ("soapenv:Client", "SOAPAction HTTP header missing")
        assert fault(old)[0] == "sf:UNSUPPORTED_API_VERSION"

    def test_calls_are_counted_and_end_at_the_limit(self, ask: Ask, org: SimOrg) -> None:
        account = org.add("Account", Name="x")
        before = org.usage.used
        ask("undelete", account)
        counted = org.usage.used - before
        org.usage.limit = org.usage.used

        assert counted == 1
        assert fault(ask("undelete", account))[0] == "sf:REQUEST_LIMIT_EXCEEDED"

    def test_the_enterprise_kind_has_its_own_names(self, org: SimOrg, outside: httpx2.Client) -> None:
        account = org.add("Account", Name="x")
        org.remove(account)
        body = envelope(org.sessions.open(org.user_id).token, "undelete", [account], kind="enterprise")
        headers = {"Content-Type": "text/xml", "SOAPAction": '""'}
        answer = outside.post(f"/services/Soap/c/58.0/{org.org_id}", content=body.encode(), headers=headers)

        assert b'xmlns="urn:enterprise.soap.sforce.com"' in answer.content
        assert (org.row(account) or {})["IsDeleted"] == 0

    def test_rest_has_no_undelete(self, client: httpx2.Client, org: SimOrg) -> None:
        account = org.add("Account", Name="x")
        org.remove(account)
        answer = client.patch(f"/sobjects/Account/{account}", json={"IsDeleted": False})

        assert answer.json()[0]["errorCode"] == "ENTITY_IS_DELETED"
