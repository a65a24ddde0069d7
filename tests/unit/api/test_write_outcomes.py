from __future__ import annotations

import msgspec
import pytest

from salesforce_sync.api.responses import read_refusal
from salesforce_sync.api.undelete import Undelete, fault_of
from salesforce_sync.api.write_bulk import read_row_error
from salesforce_sync.api.write_outcomes import RowError, outcome_of, read_error, refused
from salesforce_sync.models.outbox import Kind
from salesforce_sync.models.outcome import Applied, Conflicted, Deferred, Lost, Match, Rejected
from salesforce_sync.ports import Order
from tests.unit.api.write_orders import create, delete, undelete, update


def same(text: str) -> str:
    return text


@pytest.mark.parametrize(
    ("order", "error", "outcome"),
    [
        (update(), RowError("PRECONDITION_FAILED", "", status=412), Conflicted),
        (update(), RowError("HTTP_412", "", status=412), Conflicted),
        (update(), RowError("ENTITY_IS_DELETED", "entity is deleted"), Conflicted),
        (update(), RowError("INVALID_CROSS_REFERENCE_KEY", "", status=404), Conflicted),
        (update(), RowError("INVALID_CROSS_REFERENCE_KEY", "", ("AccountId",), status=400), Rejected),
        (delete(), RowError("ENTITY_IS_DELETED", "entity is deleted"), Applied),
        (delete(), RowError("NOT_FOUND", "", status=404), Applied),
        (delete(), RowError("DELETE_FAILED", "your attempt to delete"), Rejected),
        (create(), RowError("NOT_FOUND", "", status=404), Rejected),
        (update(), RowError("UNABLE_TO_LOCK_ROW", ""), Deferred),
        (update(), RowError("SERVER_UNAVAILABLE", ""), Deferred),
        (update(), RowError("QUERY_TIMEOUT", "", status=400), Deferred),
        (update(), RowError("PROCESSING_HALTED", "", status=400), Deferred),
        (update(), RowError("ALL_OR_NONE_OPERATION_ROLLED_BACK", ""), Deferred),
        (update(), RowError("INVALID_SESSION_ID", "", status=401), Deferred),
        (update(), RowError("UNKNOWN_EXCEPTION", "", status=500), Lost),
        (update(), RowError("SERVER_UNAVAILABLE", "", status=503), Lost),
        (update(), RowError("FIELD_CUSTOM_VALIDATION_EXCEPTION", "No."), Rejected),
    ],
)
def test_what_becomes_of_a_change(order: Order, error: RowError, outcome: type) -> None:
    assert type(outcome_of(order.change, error)) is outcome


@pytest.mark.parametrize("key", ["duplicateResut", "duplicateResult"])
def test_a_duplicate_is_read_in_both_spellings(key: str) -> None:
    record = {"attributes": {"type": "Contact"}, "Id": "003000000000001AAA"}
    found = {"matchResults": [{"entityType": "Contact", "matchRecords": [{"record": record}]}]}
    body = msgspec.json.encode([{"errorCode": "DUPLICATES_DETECTED", "message": "Use one of these?", key: found}])

    outcome = outcome_of(create().change, read_error(body, 400, same))

    assert isinstance(outcome, Rejected)
    assert (outcome.kind, outcome.matches) == (Kind.DUPLICATE, (Match("Contact", "003000000000001AAA"),))


@pytest.mark.parametrize(
    ("allow", "message"), [(True, "Use one."), (False, "Use one. (This rule blocks: nobody can save past it.)")]
)
def test_a_rule_that_lets_nobody_past_is_told(allow: bool, message: str) -> None:
    body = msgspec.json.encode(
        [{"errorCode": "DUPLICATES_DETECTED", "message": "Use one.", "duplicateResut": {"allowSave": allow}}]
    )

    assert read_error(body, 400, same).message == message


def test_a_duplicate_that_tells_odd_things_is_one_all_the_same() -> None:
    body = b'[{"errorCode":"DUPLICATES_DETECTED","message":"m","duplicateResut":{"matchResults":[{"matchRecords":7}]}}]'

    outcome = outcome_of(create().change, read_error(body, 400, same))

    assert isinstance(outcome, Rejected)
    assert (outcome.kind, outcome.matches) == (Kind.DUPLICATE, ())


@pytest.mark.parametrize("body", [b"", b"null", b"[]", b"<html>", b'"x"', b"\xff"])
def test_an_error_that_cannot_be_read_has_its_status(body: bytes) -> None:
    assert read_error(body, 400, same) == RowError("HTTP_400", "", status=400)


def test_too_many_long_requests_pass() -> None:
    body = b'[{"errorCode":"REQUEST_LIMIT_EXCEEDED","message":"ConcurrentPerOrgLongTxn Limit exceeded."}]'

    assert isinstance(refused(update().change, read_refusal(403, body), same), Deferred)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (
            "REQUIRED_FIELD_MISSING:Required fields are missing: [LastName]:LastName --",
            RowError("REQUIRED_FIELD_MISSING", "Required fields are missing: [LastName]", ("LastName",)),
        ),
        (
            "UNABLE_TO_LOCK_ROW:unable to obtain exclusive access to this record:--",
            RowError("UNABLE_TO_LOCK_ROW", "unable to obtain exclusive access to this record"),
        ),
        ("INVALID_FIELD:a: b: c:Name,Phone --", RowError("INVALID_FIELD", "a: b: c", ("Name", "Phone"))),
        ("ODD", RowError("ODD", "")),
    ],
)
def test_the_error_of_a_bulk_row(text: str, error: RowError) -> None:
    assert read_row_error(text, same) == error


# ── SOAP ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

ENVELOPE = (
    '<?xml version="1.0"?>{}<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" '
    'xmlns="urn:partner.soap.sforce.com" xmlns:sf="urn:fault.partner.soap.sforce.com"><soapenv:Body>{}'
    "</soapenv:Body></soapenv:Envelope>"
)


def answer(inside: str, doctype: str = "") -> bytes:
    return ENVELOPE.format(doctype, inside).encode()


def test_the_answer_to_an_undelete_is_read_row_by_row() -> None:
    orders = [undelete(), undelete()]
    failed = "<errors><message>no</message><statusCode>UNDELETE_FAILED</statusCode></errors><success>false</success>"
    done = f"<id>{orders[0].change.record_id}</id><success>true</success>"
    body = answer(f"<undeleteResponse><result>{done}</result><result>{failed}</result></undeleteResponse>")

    taken, not_taken = Undelete(orders, same).read(body)

    assert isinstance(taken, Applied)
    assert isinstance(not_taken, Rejected)
    assert (not_taken.code, not_taken.message) == ("UNDELETE_FAILED", "no")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<a/>",
        answer("<undeleteResponse/>"),
        answer("<undeleteResponse><result><success>true</success></result></undeleteResponse>", "<!DOCTYPE x []>"),
    ],
)
def test_an_answer_that_cannot_be_trusted_leaves_its_orders_lost(body: bytes) -> None:
    assert [type(each) for each in Undelete([undelete()], same).read(body)] == [Lost]


def test_a_fault_says_that_nothing_was_done() -> None:
    body = answer(
        "<soapenv:Fault><faultcode>sf:INVALID_SESSION_ID</faultcode>"
        "<faultstring>INVALID_SESSION_ID: Invalid Session ID</faultstring></soapenv:Fault>"
    )

    fault = fault_of(read_refusal(500, body), same)

    assert fault is not None
    assert (fault.status, fault.code) == (401, "INVALID_SESSION_ID")
    assert fault_of(read_refusal(502, b"<html>Bad gateway</html>"), same) is None
