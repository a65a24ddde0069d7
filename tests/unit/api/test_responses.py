from __future__ import annotations

import pytest

from salesforce_sync import errors
from salesforce_sync.api.responses import Refusal, error_for, read_refusal


@pytest.mark.parametrize(
    ("status", "body", "code", "message"),
    [
        (400, b'[{"message":"unexpected token: SELEKT","errorCode":"MALFORMED_QUERY"}]', "MALFORMED_QUERY",
         "unexpected token: SELEKT"),
        (400, b'[{"statusCode":"INVALID_EMAIL_ADDRESS","message":"bad","fields":["Email"]}]', "INVALID_EMAIL_ADDRESS",
         "bad"),
        (404, b'{"errorCode":"NOT_FOUND","message":"gone"}', "NOT_FOUND", "gone"),
        (400, b'{"error":"invalid_grant","error_description":"authentication failure"}', "invalid_grant",
         "authentication failure"),
        (400, b'{"exceptionCode":"InvalidJob","exceptionMessage":"no"}', "InvalidJob", "no"),
        (502, b"<html><head><style>b{}</style><title>Bad Gateway</title></head><body><h1>502</h1></body></html>",
         "HTTP_502", "Bad Gateway 502"),
        (503, b"", "HTTP_503", ""),
        (500, b"[]", "HTTP_500", "[]"),
        (500, b'"just a text"', "HTTP_500", '"just a text"'),
        (500, b"\xff\xfe", "HTTP_500", "\ufffd\ufffd"),
    ],
)  # fmt: skip
def test_every_form_of_error_body_is_read(status: int, body: bytes, code: str, message: str) -> None:
    refusal = read_refusal(status, body)

    assert (refusal.code, refusal.message) == (code, message)


@pytest.mark.parametrize(
    ("status", "code", "message", "kind", "our_code"),
    [
        (401, "INVALID_SESSION_ID", "Session expired or invalid", errors.SessionInvalid, "INVALID_SESSION_ID"),
        (401, "INVALID_AUTH_HEADER", "INVALID_HEADER_TYPE", errors.SessionInvalid, "INVALID_SESSION_ID"),
        (401, "HTTP_401", "", errors.SessionInvalid, "INVALID_SESSION_ID"),
        (403, "INSUFFICIENT_ACCESS", "no", errors.InsufficientAccess, "INSUFFICIENT_ACCESS"),
        (403, "INSUFFICIENT_ACCESS_OR_READONLY", "no", errors.InsufficientAccess, "INSUFFICIENT_ACCESS"),
        (403, "API_DISABLED_FOR_ORG", "no", errors.NeedsPerson, "API_DISABLED_FOR_ORG"),
        (403, "API_CURRENTLY_DISABLED", "no", errors.NeedsPerson, "API_CURRENTLY_DISABLED"),
        (403, "RESTAPINOTENABLED", "no", errors.NeedsPerson, "RESTAPINOTENABLED"),
        (400, "MALFORMED_QUERY", "unexpected token", errors.MalformedQuery, "MALFORMED_QUERY"),
        (400, "INVALID_TYPE", "sObject type 'Foo' is not supported.", errors.ObjectNotFound, "OBJECT_NOT_FOUND"),
        (404, "NOT_FOUND", "The requested resource does not exist", errors.ObjectNotFound, "OBJECT_NOT_FOUND"),
        (404, "HTTP_404", "", errors.ForeignAnswer, "HTTP_404"),
        (403, "HTTP_403", "blocked", errors.ForeignAnswer, "HTTP_403"),
        (400, "INVALID_FIELD", "No such column", errors.SchemaChanged, "INVALID_FIELD"),
        (403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.", errors.LimitExceeded,
         "REQUEST_LIMIT_EXCEEDED"),
        (403, "REQUEST_LIMIT_EXCEEDED", "ConcurrentPerOrgLongTxn Limit exceeded.", errors.Transient,
         "REQUEST_LIMIT_EXCEEDED"),
        (400, "INVALID_QUERY_LOCATOR", "invalid query locator", errors.LocatorExpired, "INVALID_QUERY_LOCATOR"),
        (400, "QUERY_TIMEOUT", "running for too long", errors.QueryTimeout, "QUERY_TIMEOUT"),
        (503, "SERVER_UNAVAILABLE", "Server Unavailable", errors.Transient, "SERVER_UNAVAILABLE"),
        (502, "HTTP_502", "Bad Gateway", errors.Transient, "SERVER_UNAVAILABLE"),
        (500, "UNKNOWN_EXCEPTION", "ErrorId", errors.Transient, "UNKNOWN_EXCEPTION"),
        (406, "HTTP_406", "", errors.Transient, "SERVER_UNAVAILABLE"),
        (420, "HTTP_420", "", errors.Transient, "SERVER_UNAVAILABLE"),
        (429, "HTTP_429", "", errors.Transient, "SERVER_UNAVAILABLE"),
        (414, "HTTP_414", "", errors.RequestRefused, "URI_TOO_LONG"),
        (431, "HTTP_431", "", errors.RequestRefused, "URI_TOO_LONG"),
        (410, "HTTP_410", "", errors.ConfigError, "CONFIG_ERROR"),
        (302, "HTTP_302", "", errors.NeedsPerson, "HTTP_302"),
        (403, "FUNCTIONALITY_NOT_ENABLED", "no", errors.RequestRefused, "FUNCTIONALITY_NOT_ENABLED"),
        (400, "SOMETHING_NEW", "whatever", errors.RequestRefused, "SOMETHING_NEW"),
    ],
)  # fmt: skip
def test_every_refusal_has_its_own_error(
    status: int, code: str, message: str, kind: type[errors.SyncError], our_code: str
) -> None:
    error = error_for(Refusal(status, code, message), "read Contact")

    assert type(error) is kind
    assert error.code == our_code
    assert "read Contact" in error.message


def test_an_error_says_what_the_org_said_and_what_to_do() -> None:
    error = error_for(Refusal(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded."), "describe Lead")

    assert str(error) == (
        "Salesforce refused to describe Lead: TotalRequests Limit exceeded. (REQUEST_LIMIT_EXCEEDED). "
        "The org's API calls of the last 24 hours are used up. Wait until some are free again, then sync on."
    )


def test_a_server_that_failed_is_not_said_to_have_refused() -> None:
    error = error_for(Refusal(503, "SERVER_UNAVAILABLE", "Server Unavailable"), "write 40 changes of Contact")

    assert error.message == (
        "Salesforce answered 503 when asked to write 40 changes of Contact: Server Unavailable (SERVER_UNAVAILABLE)."
    )


def test_a_session_without_the_api_scope_is_told_apart_from_an_ended_one() -> None:
    message = "This session is not valid for use with the REST API"

    error = error_for(Refusal(401, "INVALID_SESSION_ID", message), "describe Lead")

    assert "scope" in error.hint


TOKEN = "00D5g000!AQ.tok/en+x"


@pytest.mark.parametrize(
    "repeated",
    [
        TOKEN,
        TOKEN.replace("!", "\\u0021"),
        TOKEN.replace("/", "\\/").replace("Q", "\\u0051"),
        TOKEN.replace("!", "%21").replace("/", "%2F").replace("+", "%2b"),
        TOKEN.replace("!", "&#33;").replace("+", "&#x2B;"),
    ],
)
@pytest.mark.parametrize(
    "body",
    [
        '[{"message":"you sent TOKEN","errorCode":"X"}]',
        '[{"message":"no","errorCode":"TOKEN"}]',
        '{"error":"x","error_description":"TOKEN"}',
        '{"error":"x","error_description":"{\\"inner\\":\\"TOKEN\\"}"}',
        "<html><b>TOKEN</b></html>",
        'not json "TOKEN"',
        "x" * 290 + " TOKEN",
    ],
)
def test_no_refusal_repeats_a_secret(body: str, repeated: str) -> None:
    refusal = read_refusal(400, body.replace("TOKEN", repeated).encode(), [TOKEN])

    shown = f"{refusal.code} {refusal.message}"
    assert "***" in shown or refusal.message.endswith("x *")
    assert not [part for part in ("00D5g", "tok") if part in shown]


def test_what_an_org_says_cannot_rule_a_terminal() -> None:
    body = '[{"errorCode":"X\x9b","message":"a\\u001b[31mred\\u0007\\r\\nb\\u202e\\u0000c"}]'.encode()

    refusal = read_refusal(400, body)

    assert (refusal.code, refusal.message) == ("X", "a[31mred bc")
    assert read_refusal(502, b"<p>a\x1b[2Jb</p>").message == "a[2Jb"


def test_which_column_the_org_refuses_is_told() -> None:
    text = "\nSELECT Bacon__c FROM Account\n       ^\nERROR at Row:1:Column:8\n"

    refused = error_for(Refusal(400, "INVALID_FIELD", f"{text}No such column 'Bacon__c' on entity 'Account'."), "read")

    assert isinstance(refused, errors.SchemaChanged)
    assert refused.column == "Bacon__c"
