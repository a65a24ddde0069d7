from __future__ import annotations

from datetime import UTC, datetime

import pytest

from salesforce_sync.api.responses import Refusal
from salesforce_sync.api.retry import TRIES, Fate, fate, pause, read_retry_after

NOW = datetime(2026, 1, 15, 10, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("refusal", "expected"),
    [
        (Refusal(401, "INVALID_SESSION_ID", "Session expired or invalid"), Fate.RENEW),
        (Refusal(401, "INVALID_SESSION_ID", "This session is not valid for use with the REST API"), Fate.STOP),
        (Refusal(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded."), Fate.STOP),
        (Refusal(403, "REQUEST_LIMIT_EXCEEDED", "ConcurrentPerOrgLongTxn Limit exceeded."), Fate.AGAIN),
        (Refusal(406, "HTTP_406", "", empty=True), Fate.AGAIN),
        (Refusal(406, "NOT_ACCEPTABLE", "no"), Fate.STOP),
        (Refusal(420, "HTTP_420", ""), Fate.AGAIN),
        (Refusal(429, "HTTP_429", ""), Fate.AGAIN),
        (Refusal(500, "UNKNOWN_EXCEPTION", ""), Fate.AGAIN),
        (Refusal(503, "SERVER_UNAVAILABLE", ""), Fate.AGAIN),
        (Refusal(400, "QUERY_TIMEOUT", ""), Fate.STOP),
        (Refusal(400, "UNABLE_TO_LOCK_ROW", ""), Fate.AGAIN),
        (Refusal(412, "JOB_NOT_COMPLETE", ""), Fate.AGAIN),
        (Refusal(400, "MALFORMED_QUERY", ""), Fate.STOP),
        (Refusal(404, "NOT_FOUND", ""), Fate.STOP),
    ],
)
def test_what_passes_by_itself_is_asked_again(refusal: Refusal, expected: Fate) -> None:
    assert fate(refusal) is expected


def test_pauses_grow_and_end() -> None:
    pauses = [pause(tried, None, 0.5) for tried in range(1, TRIES + 1)]

    assert pauses == [0.5, 1.0, 2.0, 4.0, None]


def test_pauses_are_spread() -> None:
    assert (pause(3, None, 0.0), pause(3, None, 1.0)) == (1.0, 3.0)


def test_what_the_org_asks_for_is_waited() -> None:
    assert pause(1, 7.0, 0.9) == 7.0


def test_nobody_waits_an_hour_without_knowing_it() -> None:
    assert pause(1, 3600.0, 0.0) is None


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("3", 3.0),
        (" 3 ", 3.0),
        ("Thu, 15 Jan 2026 10:00:30 GMT", 30.0),
        ("Thu, 15 Jan 2026 09:00:00 GMT", 0.0),
        ("soon", None),
        ("-5", None),
        ("", None),
        (None, None),
    ],
)
def test_retry_after_is_read_in_both_forms(header: str | None, seconds: float | None) -> None:
    assert read_retry_after(header, NOW) == seconds
