from __future__ import annotations

import itertools
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from salesforce_sync.api.auth import Sessions
from salesforce_sync.api.meter import Meter
from salesforce_sync.api.transport import Call, Transport
from salesforce_sync.api.wire import Wire, org_time
from salesforce_sync.errors import (
    LimitExceeded,
    LocatorExpired,
    NeedsPerson,
    RequestRefused,
    SessionInvalid,
    Transient,
    Unreachable,
)
from salesforce_sync.models.connection import Connection, LoginMethod, Session
from salesforce_sync.ports import Usage
from salesforce_sync.storage.vault import Vault
from tests.unit.api.clocks import QuickClock
from tests.unit.api.scripted import SESSION_ENDED, Asked, Reply, ScriptedServer, json_reply, refusal, zipped

Serve = Callable[[Callable[[Asked], Reply]], ScriptedServer]
LIST = Call("list things", "sobjects")


class Org:
    """Logs in with `token-1`, `token-2` …, and answers API calls by `answer`."""

    def __init__(self, answer: Callable[[Asked], Reply]) -> None:
        self._answer = answer
        self.logins = 0

    def __call__(self, asked: Asked) -> Reply:
        if asked.path != "/services/oauth2/token":
            return self._answer(asked)
        self.logins += 1
        return json_reply({"access_token": f"token-{self.logins}", "instance_url": f"http://{asked.headers['host']}"})


class Rig:
    """A transport to a scripted org, with what it counts."""

    def __init__(self, server: ScriptedServer, wire: Wire, keys: Vault, clock: QuickClock) -> None:
        connection = Connection(LoginMethod.CLIENT_CREDENTIALS, server.url, client_id="app", client_secret="secret-00")
        self.meter = Meter(clock)
        self.sessions = Sessions(connection, wire, keys, clock)
        self.transport = Transport(wire, self.sessions, self.meter, clock, "58.0")


@pytest.fixture
def rig(serve: Serve, wire: Wire, keys: Vault, clock: QuickClock) -> Callable[[Callable[[Asked], Reply]], Rig]:
    return lambda script: Rig(serve(script), wire, keys, clock)


Build = Callable[[Callable[[Asked], Reply]], Rig]


def test_a_call_carries_the_token_and_our_name(serve: Serve, wire: Wire, keys: Vault, clock: QuickClock) -> None:
    server = serve(Org(lambda asked: zipped(json_reply({"ok": 1}))))

    answer = Rig(server, wire, keys, clock).transport.send(LIST)

    asked = server.asked[-1]
    assert answer.body == b'{"ok": 1}'
    assert asked.path == "/services/data/v58.0/sobjects"
    assert asked.headers["authorization"] == "Bearer token-1"
    assert asked.headers["sforce-call-options"] == "client=salesforce-sync"


def test_calls_are_counted_and_logins_are_not(rig: Build) -> None:
    both = rig(Org(lambda asked: json_reply({}, Sforce_Limit_Info="api-usage=18/5000")))

    both.transport.send(LIST)
    both.transport.send(LIST)

    assert both.meter.usage == Usage(spent=2, used=18, limit=5000, ceiling=5000)


def test_an_ended_session_is_renewed_once_and_the_call_made_again(rig: Build) -> None:
    org = Org(lambda asked: SESSION_ENDED if asked.token == "token-1" else json_reply({"ok": 1}))

    both = rig(org)
    both.transport.send(LIST)

    assert org.logins == 2
    assert both.meter.usage.spent == 2


def test_many_workers_share_one_renewal(rig: Build) -> None:
    org = Org(lambda asked: SESSION_ENDED if asked.token == "token-1" else json_reply({"ok": 1}))
    both = rig(org)
    both.sessions.current()

    with ThreadPoolExecutor(8) as pool:
        bodies = {answer.body for answer in pool.map(lambda _: both.transport.send(LIST), range(16))}

    assert bodies == {b'{"ok": 1}'}
    assert org.logins == 2


def test_a_session_that_is_refused_for_ever_does_not_loop(rig: Build) -> None:
    org = Org(lambda asked: SESSION_ENDED)
    both = rig(org)

    with pytest.raises(SessionInvalid):
        both.transport.send(LIST)

    assert (org.logins, both.meter.usage.spent) == (2, 2)


def test_a_session_without_the_api_scope_is_not_renewed(rig: Build) -> None:
    org = Org(lambda asked: refusal("INVALID_SESSION_ID", "This session is not valid for use with the REST API", 401))

    with pytest.raises(SessionInvalid, match="not valid for use"):
        rig(org).transport.send(LIST)

    assert org.logins == 1


def test_a_call_that_belongs_to_one_session_is_not_made_by_another(rig: Build) -> None:
    org = Org(lambda asked: SESSION_ENDED if asked.token == "token-1" else json_reply({"ok": 1}))
    both = rig(org)
    first = both.sessions.current()

    with pytest.raises(LocatorExpired):
        both.transport.send(Call("read on", "query/0r8-2000", session=first))
    with pytest.raises(LocatorExpired):
        both.transport.send(Call("read on", "query/0r8-2000", session=first))

    assert org.logins == 2
    assert both.meter.usage.spent == 1  # the second was not sent at all


@pytest.mark.parametrize(
    "trouble",
    [
        Reply(b"", 503),
        Reply(b"<html>Bad Gateway</html>", 502),
        Reply(b"", 406),
        Reply(b"", 420),
        refusal("UNKNOWN_EXCEPTION", "An unexpected error occurred.", 500),
        refusal("REQUEST_LIMIT_EXCEEDED", "ConcurrentPerOrgLongTxn Limit exceeded.", 403),
        Reply(b"{}", cut=0),
        Reply(b'{"ok": 1}', cut=3),
        zipped(Reply(b'{"ok": 1}', cut=9)),
        Reply(b'{"ok": ', headers={"Content-Type": "application/json;charset=UTF-8"}, unframed=True),
    ],
)
def test_what_passes_is_tried_again(trouble: Reply, rig: Build, clock: QuickClock) -> None:
    replies = iter([trouble, trouble])
    both = rig(Org(lambda asked: next(replies, json_reply({"ok": 1}))))

    assert both.transport.send(LIST).body == b'{"ok": 1}'
    assert both.meter.usage.spent == 3
    assert len(clock.slept) == 2


def test_tries_are_bounded(rig: Build, clock: QuickClock) -> None:
    both = rig(Org(lambda asked: Reply(b"", 503)))

    with pytest.raises(Transient) as caught:
        both.transport.send(LIST)

    assert caught.value.code == "SERVER_UNAVAILABLE"
    assert both.meter.usage.spent == 5
    assert sum(clock.slept) < 60


def test_a_server_that_hangs_is_not_waited_for_five_times(rig: Build, clock: QuickClock) -> None:
    def answer(asked: Asked) -> Reply:
        clock.advance(timedelta(seconds=150))
        return Reply(b"{}", cut=0)

    both = rig(Org(answer))
    with pytest.raises(Unreachable):
        both.transport.send(LIST)

    assert both.meter.usage.spent == 2


def test_retry_after_is_honoured(rig: Build, clock: QuickClock) -> None:
    replies = iter([Reply(b"", 429, {"Retry-After": "11"})])
    both = rig(Org(lambda asked: next(replies, json_reply({}))))

    both.transport.send(LIST)

    assert clock.slept == [11.0]


@pytest.mark.parametrize("trouble", [Reply(b"", 503), Reply(b"{}", cut=0)])
def test_what_must_not_happen_twice_is_not_tried_again(trouble: Reply, rig: Build) -> None:
    both = rig(Org(lambda asked: trouble))

    with pytest.raises(Transient):
        both.transport.send(Call("make a thing", "sobjects/Thing", "POST", body=b"{}", repeatable=False))

    assert both.meter.usage.spent == 1


def test_a_used_up_day_is_not_asked_again(rig: Build) -> None:
    spent = refusal("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.", 403, Sforce_Limit_Info="api-usage=9/9")
    both = rig(Org(lambda asked: spent))

    with pytest.raises(LimitExceeded):
        both.transport.send(LIST)

    assert both.meter.usage == Usage(spent=1, used=9, limit=9, ceiling=9)


def test_a_redirect_is_refused(rig: Build) -> None:
    both = rig(Org(lambda asked: Reply(b"", 302, {"Location": "https://me:pw@new.my.salesforce.com/a?oauth=secret"})))

    with pytest.raises(NeedsPerson, match=r"sends one on to https://new\.my\.salesforce\.com \(HTTP_302\)") as caught:
        both.transport.send(LIST)

    assert "Redirects" in caught.value.hint


@pytest.mark.parametrize("location", ["/setup/maintenance", "http://[", "", "javascript:x"])
def test_a_redirect_to_nowhere_is_refused_too(location: str, rig: Build) -> None:
    both = rig(Org(lambda asked: Reply(b"", 301, {"Location": location})))

    with pytest.raises(NeedsPerson, match=r"no reason was given \(HTTP_301\)"):
        both.transport.send(LIST)


def test_no_token_gets_into_an_error_or_a_log(rig: Build, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    tries = itertools.count()

    def answer(asked: Asked) -> Reply:
        status = 503 if next(tries) == 0 else 400
        return Reply(f"<html>you sent {asked.headers['authorization']}</html>".encode(), status)

    with pytest.raises(RequestRefused) as caught:
        rig(Org(answer)).transport.send(LIST)

    assert "token-1" not in f"{caught.value!r} {caught.value} {caplog.text}"
    assert "you sent Bearer ***" in str(caught.value)


def test_a_host_that_is_gone_is_an_error_of_ours(serve: Serve, wire: Wire, keys: Vault, clock: QuickClock) -> None:
    server = serve(lambda asked: Reply())
    rig = Rig(server, wire, keys, clock)
    rig.sessions._session = Session("http://127.0.0.1:9", "x")  # nobody listens on the discard port

    with pytest.raises(Unreachable):
        rig.transport.send(LIST)

    assert rig.meter.usage.spent == 0


def test_a_query_fits_until_the_limit(rig: Build) -> None:
    transport = rig(Org(lambda asked: Reply())).transport

    assert transport.fits("query?q=" + "x" * 14_000)
    assert not transport.fits("query?q=" + "x" * 16_000)


def test_the_orgs_time_is_that_of_the_question() -> None:
    asked = org_time("Thu, 15 Jan 2026 10:00:30 GMT", 20.0)

    assert asked == datetime(2026, 1, 15, 10, 0, 10, tzinfo=UTC)


@pytest.mark.parametrize("header", [None, "", "yesterday", "Thu, 15 Jan 2026 10:00:30 -0000"])
def test_without_a_clear_date_there_is_no_org_time(header: str | None) -> None:
    assert org_time(header, 0.0) is None


def test_a_web_page_is_no_answer_even_where_it_says_ok(rig: Build) -> None:
    page = Reply(b"<html><body>Please log in</body></html>", headers={"Content-Type": "text/html; charset=utf-8"})
    both = rig(Org(lambda asked: page))

    with pytest.raises(Unreachable, match="list things, a web page answered") as caught:
        both.transport.send(LIST)

    assert "salesforce.instance_url" in caught.value.hint
