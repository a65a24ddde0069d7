from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from salesforce_sync.api.client import SalesforceOrg
from salesforce_sync.errors import (
    LimitExceeded,
    Misuse,
    ObjectTrouble,
    RequestRefused,
    SessionInvalid,
    SyncError,
    Transient,
    Unreachable,
)
from tests.unit.api.composite_org import ROOT
from tests.unit.api.scripted import SESSION_ENDED, Reply, ScriptedServer, json_reply, refusal

START = datetime(2026, 1, 15, 10, 0, 42, tzinfo=UTC)
END = START + timedelta(minutes=30)
COVERED = datetime(2026, 1, 15, 10, 25, tzinfo=UTC)
ONE, TWO = "a00D0000008pQRAIA2", "001M000000qfPySIAU"
TOLD: dict[str, Any] = {
    "deletedRecords": [{"id": ONE, "deletedDate": "2026-01-15T10:07:19.000+0000", "more": 1}, {"id": TWO}],
    "earliestDateAvailable": "2026-01-01T15:57:00.000+0000",
    "latestDateCovered": "2026-01-15T10:25:00.000+0000",
}


@pytest.fixture
def ask(
    serve: Callable[..., ScriptedServer], open_org: Callable[..., SalesforceOrg]
) -> Callable[[Reply], tuple[SalesforceOrg, ScriptedServer]]:
    def connect(reply: Reply) -> tuple[SalesforceOrg, ScriptedServer]:
        server = serve(lambda asked: reply)
        return open_org(server), server

    return connect


Ask = Callable[[Reply], tuple[SalesforceOrg, ScriptedServer]]


def test_the_window_is_asked_in_whole_minutes_of_utc(ask: Ask) -> None:
    org, server = ask(json_reply(TOLD))
    tokyo = timezone(timedelta(hours=9))

    told = org.deletions("Account", START.astimezone(tokyo), END.astimezone(tokyo))

    assert (told.ids, told.covered) == ({ONE, TWO}, COVERED)
    assert server.paths() == [
        f"{ROOT}/sobjects/Account/deleted/?start=2026-01-15T10%3A00%3A00%2B00%3A00&end=2026-01-15T10%3A30%3A00%2B00%3A00"
    ]
    assert org.usage.spent == 1


def test_nothing_is_covered_beyond_what_was_asked(ask: Ask) -> None:
    org, _ = ask(json_reply({**TOLD, "latestDateCovered": "2026-01-15T11:00:00.000Z"}))

    assert org.deletions("Account", START, END).covered == END.replace(second=0)


def test_ids_of_15_characters_are_made_18(ask: Ask) -> None:
    org, _ = ask(json_reply({**TOLD, "deletedRecords": [{"id": ONE[:15]}]}))

    assert org.deletions("Account", START, END).ids == {ONE}


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("INVALID_REPLICATION_DATE", 400),
        ("EXCEEDED_ID_LIMIT", 400),
        ("INVALID_TYPE", 400),
        ("NOT_FOUND", 404),
        ("METHOD_NOT_ALLOWED", 405),
        ("INSUFFICIENT_ACCESS", 403),
        ("HTTP_404", 404),
    ],
)
def test_where_the_org_cannot_say_its_own_code_is_kept(code: str, status: int, ask: Ask) -> None:
    org, _ = ask(Reply(b"", status) if code.startswith("HTTP") else refusal(code, "no", status))

    with pytest.raises(ObjectTrouble) as caught:
        org.deletions("Account", START, END)

    assert caught.value.code == code
    assert isinstance(caught.value, RequestRefused)
    assert org.usage.spent == 1


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (SESSION_ENDED, SessionInvalid),
        (refusal("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.", 403), LimitExceeded),
        (Reply(b"", 503), Transient),
        (Reply(b"<html>"), Unreachable),
        (json_reply([]), Unreachable),
        (json_reply({**TOLD, "latestDateCovered": None}), Unreachable),
        (json_reply({**TOLD, "latestDateCovered": "soon"}), Unreachable),
        (json_reply({**TOLD, "deletedRecords": None}), Unreachable),
        (json_reply({**TOLD, "deletedRecords": [{"id": "x"}]}), Unreachable),
    ],
)
def test_other_troubles_are_what_they_always_are(reply: Reply, kind: type[SyncError], ask: Ask) -> None:
    org, _ = ask(reply)

    with pytest.raises(kind):
        org.deletions("Account", START, END)


@pytest.mark.parametrize("end", [START, START + timedelta(seconds=10), START - timedelta(hours=1)])
def test_a_window_without_a_minute_is_not_asked(end: datetime, ask: Ask) -> None:
    org, _ = ask(json_reply(TOLD))

    with pytest.raises(RequestRefused) as caught:
        org.deletions("Account", START, end)

    assert (caught.value.code, org.usage.spent) == ("INVALID_REPLICATION_DATE", 0)


def test_what_is_no_name_or_no_moment_is_not_asked(ask: Ask) -> None:
    org, _ = ask(json_reply(TOLD))

    with pytest.raises(RequestRefused):
        org.deletions("Account/deleted", START, END)
    with pytest.raises(Misuse):
        org.deletions("Account", START.replace(tzinfo=None), END)

    assert org.usage.spent == 0
