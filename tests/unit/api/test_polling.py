from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from salesforce_sync.api.client import SalesforceOrg
from salesforce_sync.errors import (
    Incomplete,
    InsufficientAccess,
    LimitExceeded,
    ObjectNotFound,
    QueryTimeout,
    RequestRefused,
    SchemaChanged,
    SessionInvalid,
    SyncError,
    Transient,
    Unreachable,
)
from salesforce_sync.models.connection import Connection, LoginMethod
from salesforce_sync.models.page import Poll, Polled
from salesforce_sync.models.schema import ObjectSchema
from tests.unit.api.clocks import QuickClock
from tests.unit.api.composite_org import CHANGED, ROOT, Answer, CompositeOrg, describe, page
from tests.unit.api.scripted import SESSION_ENDED, Asked, Reply, ScriptedServer, json_reply, refusal, zipped

SINCE = datetime(2026, 1, 15, 10, 0, tzinfo=UTC)
LATER = "Thu, 15 Jan 2026 10:00:30 GMT"
ASKED = datetime(2026, 1, 15, 10, 0, 30, tzinfo=UTC)
THING = ObjectSchema.from_describe(describe("Thing", Name="string", Price="currency"))
OTHER = ObjectSchema.from_describe(describe("Other"))
ROW = {"Id": "003000000000001AAA", "Name": "One", "Price": 1.5, "SystemModstamp": "2026-01-15T10:00:01.000+0000"}
DENIED = [{"message": "no", "errorCode": "INSUFFICIENT_ACCESS"}]

Script = Callable[[Asked], Reply]


class Rig:
    """A client connected to a scripted org."""

    def __init__(self, server: ScriptedServer, org: SalesforceOrg) -> None:
        self.server = server
        self.org = org

    def poll(self, schema: ObjectSchema = THING, described_as: str | None = CHANGED) -> Polled:
        (answer,) = self.org.poll([Poll(schema, SINCE, described_as)])
        return answer

    def paths(self) -> list[str]:
        return [urlsplit(path).path.removeprefix(ROOT) for path in self.server.paths()]

    def parts(self, call: int = -1) -> list[dict[str, Any]]:
        told: list[dict[str, Any]] = json.loads(self.server.asked[call].body)["compositeRequest"]
        return told


@pytest.fixture
def rig(serve: Callable[[Script], ScriptedServer], open_org: Callable[..., SalesforceOrg]) -> Callable[[Script], Rig]:
    def connect(script: Script) -> Rig:
        server = serve(script)
        return Rig(server, open_org(server))

    return connect


Open = Callable[[Script], Rig]


def thing(**changes: Any) -> CompositeOrg:
    """An org with one new Thing."""
    results = {"Thing": page("Thing", ROW), "Other": page("Other")}
    describes = {"Thing": describe("Thing", Name="string", Price="currency"), "Other": describe("Other")}
    return CompositeOrg(**{"results": results, "describes": describes, **changes})


def only(reference: str, **changes: Any) -> Callable[[Answer], Answer]:
    """Change the answers of the parts whose reference begins so."""
    return lambda answer: {**answer, **changes} if answer["referenceId"].startswith(reference) else answer


def dated(asked: Asked, answers: list[Answer]) -> Reply:
    return json_reply({"compositeResponse": answers}, Date=LATER)


def without(key: str) -> Callable[[Answer], Answer]:
    return lambda answer: {name: value for name, value in answer.items() if name != key}


# ── what is asked ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_poll_is_one_call_of_a_query_and_a_describe(rig: Open) -> None:
    both = rig(thing())

    both.poll()

    rows, describes = both.parts()
    soql = parse_qs(urlsplit(rows["url"]).query)["q"][0]
    assert both.paths() == ["/composite"]
    assert urlsplit(rows["url"]).path == f"{ROOT}/queryAll"
    assert soql == (
        "SELECT Id, Name, Price, SystemModstamp FROM Thing WHERE SystemModstamp >= 2026-01-15T10:00:00.000Z "
        "ORDER BY SystemModstamp DESC, Id DESC"
    )
    assert rows["httpHeaders"] == {"Sforce-Query-Options": "batchSize=200"}
    assert describes["url"] == f"{ROOT}/sobjects/Thing/describe"
    assert describes["httpHeaders"] == {"If-Modified-Since": CHANGED}
    assert both.server.asked[-1].headers["sforce-query-options"] == "batchSize=200"
    assert both.org.usage.spent == 1


def test_without_a_known_describe_no_condition_is_sent(rig: Open) -> None:
    both = rig(thing())

    both.poll(described_as=None)

    assert "httpHeaders" not in both.parts()[1]


def test_a_wide_object_is_polled_although_no_get_could_ask_it(rig: Open) -> None:
    fields = {f"Quite_A_Long_Name_Of_A_Field_{at:04d}__c": "string" for at in range(800)}
    wide = ObjectSchema.from_describe(describe("Thing", **fields))
    row = {"Id": ROW["Id"], "SystemModstamp": None, **dict.fromkeys(fields, "x")}
    both = rig(CompositeOrg({"Thing": page("Thing", row)}, {"Thing": describe("Thing", **fields)}))

    assert len(both.poll(wide).rows.values[0]) == 802
    assert len(both.parts()[0]["url"]) > 16_384


@pytest.mark.parametrize(
    ("schema", "code"),
    [
        (THING.only("Name"), "NO_STAMP"),
        (ObjectSchema.from_describe({**describe("Thing"), "queryable": False}), "NOT_QUERYABLE"),
        (ObjectSchema.from_describe(describe("T", **{f"F{'x' * 70}{at}__c": "string" for at in range(1300)})),
         "QUERY_TOO_LONG"),
    ],
)  # fmt: skip
def test_what_cannot_be_asked_costs_no_call_and_does_not_stop_the_others(
    schema: ObjectSchema, code: str, rig: Open
) -> None:
    both = rig(thing())

    assert _code(both.poll(schema)) == code
    assert both.org.usage.spent == 0

    polls = [Poll(OTHER, SINCE, CHANGED), Poll(schema, SINCE), Poll(THING, SINCE, CHANGED)]
    answers = both.org.poll(polls)
    assert [_code(answer) for answer in answers] == [None, code, None]
    assert [answer.object_name for answer in answers] == ["Other", schema.name, "Thing"]
    assert both.org.usage.spent == 1


def _code(answer: Polled) -> str | None:
    return None if answer.problem is None else answer.problem.code


# ── rows ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_rows_are_typed_like_those_of_any_page_to_the_last_digit(rig: Open) -> None:
    org = thing()

    def exact(asked: Asked, answers: list[Answer]) -> Reply:
        body = json.dumps({"compositeResponse": answers}).replace("1.5", "123456789012345678.00")
        return Reply(body.encode(), 200, {"Content-Type": "application/json", "Date": LATER})

    org.whole = exact
    answer = rig(org).poll()

    assert list(answer.rows.values) == [
        ("003000000000001AAA", "One", Decimal("123456789012345678.00"), "2026-01-15T10:00:01.000+0000")
    ]
    assert str(answer.rows.values[0][2]) == "123456789012345678.00"
    assert answer.server_time is not None
    assert timedelta(0) <= ASKED - answer.server_time < timedelta(seconds=5)


def test_the_first_page_of_much_is_all_that_is_read(rig: Open) -> None:
    rows = [{**ROW, "Id": f"{at:018d}"} for at in range(200)]
    more = page("Thing", *rows, total=100_000, next_url=f"{ROOT}/query/0r8Hu1lKCluUiC9IMK-200")
    both = rig(thing(results={"Thing": more}))

    answer = both.poll()

    assert (len(answer.rows.values), answer.total, answer.problem) == (200, 100_000, None)
    assert both.paths() == ["/composite"]


@pytest.mark.parametrize(
    "short", [page("Thing", ROW, total=2), page("Thing", total=2), page("Thing", total=2, next_url=f"{ROOT}/query/x")]
)
def test_fewer_rows_than_announced_are_no_answer(short: Answer, rig: Open) -> None:
    answer = rig(thing(results={"Thing": short})).poll()

    assert isinstance(answer.problem, Incomplete)
    assert list(answer.rows.values) == []


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, [{"message": "No such column 'Name'", "errorCode": "INVALID_FIELD"}], SchemaChanged),
        (400, [{"message": "sObject type 'Thing' is not supported.", "errorCode": "INVALID_TYPE"}], ObjectNotFound),
        (404, [{"message": "The requested resource does not exist", "errorCode": "NOT_FOUND"}], ObjectNotFound),
        (400, [{"message": "too long", "errorCode": "QUERY_TIMEOUT"}], QueryTimeout),
        (403, DENIED, InsufficientAccess),
        (403, [{"message": "TotalRequests Limit exceeded.", "errorCode": "REQUEST_LIMIT_EXCEEDED"}], LimitExceeded),
        (500, [{"message": "ouch", "errorCode": "UNKNOWN_EXCEPTION"}], Transient),
        (400, [{"message": "halted", "errorCode": "PROCESSING_HALTED"}], RequestRefused),
        (503, None, Transient),
        (200, {"totalSize": 1, "done": True, "records": [{"Id": "x"}]}, SchemaChanged),
        (200, None, Unreachable),
        (200, "text", Unreachable),
    ],
)
def test_what_one_part_meets_is_the_problem_of_its_object(
    status: int, body: Any, kind: type[SyncError], rig: Open
) -> None:
    org = thing(spoil=only("rows0", httpStatusCode=status, body=body))
    both = rig(org)

    bad, good = both.org.poll([Poll(THING, SINCE, CHANGED), Poll(OTHER, SINCE, CHANGED)])

    assert isinstance(bad.problem, kind)
    assert (list(bad.rows.values), bad.total) == ([], 0)
    assert (good.problem, good.total) == (None, 0)
    assert both.org.usage.spent == 1


def test_a_part_that_was_left_out_is_no_answer(rig: Open) -> None:
    org = thing()
    org.whole = lambda asked, answers: json_reply({"compositeResponse": answers[1:]})

    assert isinstance(rig(org).poll().problem, Incomplete)


@pytest.mark.parametrize("key", ["httpHeaders", "body"])
def test_keys_that_may_be_missing_are_not_needed(key: str, rig: Open) -> None:
    org = thing(unchanged=True)
    change = without(key)
    org.spoil = lambda answer: change(answer) if answer["referenceId"].startswith("describe") else answer

    answer = rig(org).poll()

    assert (answer.total, answer.problem, answer.schema) == (1, None, None)


def test_answers_in_another_order_and_gzip_are_told_apart(rig: Open) -> None:
    org = thing()
    org.whole = lambda asked, answers: zipped(json_reply({"compositeResponse": answers[::-1]}))
    both = rig(org)

    first, second = both.org.poll([Poll(THING, SINCE, CHANGED), Poll(OTHER, SINCE, CHANGED)])

    assert (first.total, second.total) == (1, 0)


# ── the describe ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_unchanged_describe_keeps_its_condition(rig: Open) -> None:
    answer = rig(thing(unchanged=True)).poll()

    assert (answer.schema, answer.described_as) == (None, CHANGED)


def test_a_describe_that_says_the_same_is_no_news_but_its_date_is_kept(rig: Open) -> None:
    answer = rig(thing(whole=dated)).poll(described_as="Sun, 11 Jan 2026 08:00:00 GMT")

    assert (answer.schema, answer.described_as) == (None, CHANGED)


def test_a_changed_describe_is_told(rig: Open) -> None:
    new = {"Thing": describe("Thing", Name="string", Price="currency", Colour="string")}
    answer = rig(thing(describes=new)).poll()

    assert answer.schema is not None
    assert answer.schema.has("Colour")
    assert answer.total == 1


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, [{"message": "no headers here", "errorCode": "INVALID_HEADER"}]),
        (404, [{"message": "no", "errorCode": "NOT_FOUND"}]),
        (405, [{"message": "no", "errorCode": "METHOD_NOT_ALLOWED"}]),
        (500, None),
        (200, None),
        (200, [1]),
        (200, {"name": "Thing"}),
        (200, {"name": "Thing", "fields": [{"label": "x"}]}),
        (200, {"name": "Thing", "fields": None}),
        (304, None),
    ],
)
@pytest.mark.parametrize("described_as", [None, CHANGED])
def test_an_org_that_does_not_describe_in_a_poll_is_polled_all_the_same(
    status: int, body: Any, described_as: str | None, rig: Open
) -> None:
    answer = rig(thing(spoil=only("describe", httpStatusCode=status, body=body))).poll(described_as=described_as)

    assert (answer.total, answer.problem) == (1, None)
    # Only 304 says that it is described as before: the others leave what is known as old as it is.
    assert (answer.schema, answer.described_as) == (None, described_as if status == 304 else None)


@pytest.mark.parametrize(
    ("headers", "condition"),
    [
        ({"Last-Modified": CHANGED}, CHANGED),
        ({"last-modified": CHANGED}, CHANGED),
        ({"Last-Modified": LATER}, "Thu, 15 Jan 2026 10:00:29 GMT"),  # this very second may see another change
        ({"Last-Modified": "some day"}, "some day"),
    ],
)
def test_the_date_of_the_describe_is_the_next_condition(headers: dict[str, str], condition: str, rig: Open) -> None:
    assert rig(thing(headers=headers, whole=dated)).poll().described_as == condition


def test_without_a_date_the_time_of_the_question_is_the_next_condition(rig: Open) -> None:
    described_as = rig(thing(headers={}, whole=dated)).poll().described_as

    condition = datetime.strptime(described_as or "", "%a, %d %b %Y %H:%M:%S GMT").replace(tzinfo=UTC)
    assert timedelta(minutes=1) <= ASKED - condition < timedelta(minutes=1, seconds=10)


# ── the call as a whole ──────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "no",
    [
        refusal("INVALID_INPUT", "not understood", 400),
        refusal("NOT_FOUND", "The requested resource does not exist", 404),
        refusal("METHOD_NOT_ALLOWED", "HTTP Method 'POST' not allowed", 405),
        refusal("INSUFFICIENT_ACCESS", "no", 403),
        Reply(b"<html>Too large</html>", 413),
    ],
)
def test_an_org_without_composite_is_polled_by_single_queries(no: Reply, rig: Open) -> None:
    both = rig(thing(whole=lambda asked, answers: no))
    polls = [Poll(THING, SINCE, CHANGED), Poll(OTHER, SINCE, CHANGED)]

    first, second = both.org.poll(polls)

    assert (first.total, second.total) == (1, 0)
    assert (first.schema, first.described_as, first.problem) == (None, CHANGED, None)
    assert first.server_time is not None
    single = ["/sobjects/Thing/describe", "/queryAll", "/sobjects/Other/describe", "/queryAll"]
    assert both.paths() == ["/composite", *single]
    assert both.server.asked[-1].headers["sforce-query-options"] == "batchSize=200"


def test_composite_is_not_tried_in_every_cycle_where_it_was_refused(rig: Open, clock: QuickClock) -> None:
    both = rig(thing(whole=lambda asked, answers: refusal("NOT_FOUND", "no", 404)))

    both.poll()
    both.poll()
    clock.advance(timedelta(hours=1))
    both.poll()

    single = ["/sobjects/Thing/describe", "/queryAll"]
    assert both.paths() == ["/composite", *single, *single, "/composite", *single]


def test_without_composite_too_a_changed_describe_is_told(rig: Open) -> None:
    both = rig(
        thing(
            describes={"Thing": describe("Thing", Name="string", Price="currency", New__c="string")},
            whole=lambda asked, answers: refusal("NOT_FOUND", "no", 404),
        )
    )

    told = both.poll()

    assert told.schema is not None
    assert told.schema.has("New__c")
    described = next(each for each in both.server.asked if each.path.endswith("/sobjects/Thing/describe"))
    assert described.headers["if-modified-since"] == CHANGED


def test_without_composite_an_unchanged_describe_is_no_trouble(rig: Open) -> None:
    both = rig(thing(unchanged=True, whole=lambda asked, answers: refusal("NOT_FOUND", "no", 404)))

    told = both.poll()

    assert (told.schema, told.described_as, told.problem, told.total) == (None, CHANGED, None, 1)


def test_alone_too_what_one_object_meets_is_its_own_problem(rig: Open) -> None:
    def script(asked: Asked) -> Reply:
        if "composite" in asked.path:
            return refusal("NOT_FOUND", "no", 404)
        if "FROM%20Other" in asked.path:
            return refusal("QUERY_TIMEOUT", "slow", 400)
        return json_reply(page("Thing", ROW))

    wide = ObjectSchema.from_describe(describe("Wide", **{f"F{'x' * 60}{at}__c": "string" for at in range(300)}))
    slow, fits_not, good = rig(script).org.poll([Poll(OTHER, SINCE), Poll(wide, SINCE), Poll(THING, SINCE)])

    assert isinstance(slow.problem, QueryTimeout)
    assert _code(fits_not) == "URI_TOO_LONG"
    assert good.total == 1


@pytest.mark.parametrize(
    ("no", "kind", "calls"),
    [
        (refusal("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.", 403), LimitExceeded, 1),
        (Reply(b"", 503), Transient, 5),
        (Reply(b"{}", cut=0), Unreachable, 5),
        (Reply(b"<html>Log in</html>"), Unreachable, 1),
        (json_reply({"compositeResponse": [{"body": None}]}), Unreachable, 1),
        (json_reply([]), Unreachable, 1),
        (SESSION_ENDED, SessionInvalid, 1),
    ],
)
def test_what_the_whole_call_meets_is_raised(no: Reply, kind: type[SyncError], calls: int, rig: Open) -> None:
    both = rig(thing(whole=lambda asked, answers: no))

    with pytest.raises(kind):
        both.poll()

    assert both.org.usage.spent == calls


def test_the_orgs_own_refusal_says_when_to_look_again(rig: Open, clock: QuickClock) -> None:
    no = refusal("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.", 403)

    with pytest.raises(LimitExceeded) as caught:
        rig(thing(whole=lambda asked, answers: no)).poll()

    assert caught.value.code == "REQUEST_LIMIT_EXCEEDED"
    assert caught.value.again_at == clock.now() + timedelta(hours=1)
    assert "Try again at 11:30 UTC" in caught.value.hint


# ── sessions ─────────────────────────────────────────────────────────────────────────────────────────────────────────


class LoggingIn:
    """Logs in with `token-1`, `token-2` …; the rest is the script's."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self.logins = 0

    def __call__(self, asked: Asked) -> Reply:
        if asked.path != "/services/oauth2/token":
            return self._script(asked)
        self.logins += 1
        return json_reply({"access_token": f"token-{self.logins}", "instance_url": f"http://{asked.headers['host']}"})


def logged_in(org: LoggingIn, serve: Callable[[Script], ScriptedServer], open_org: Callable[..., SalesforceOrg]) -> Rig:
    server = serve(org)
    connection = Connection(LoginMethod.CLIENT_CREDENTIALS, server.url, client_id="app", client_secret="secret-00")
    return Rig(server, open_org(server, connection))


def ended(asked: Asked, answers: list[Answer]) -> Reply:
    """The session of the first login ends after the first part."""
    no = {"httpStatusCode": 401, "body": json.loads(SESSION_ENDED.body)}
    if asked.token == "token-1":
        answers = [answers[0], *({**answer, **no} for answer in answers[1:])]
    return json_reply({"compositeResponse": answers})


def test_a_session_that_ends_between_parts_is_renewed_once(
    serve: Callable[[Script], ScriptedServer], open_org: Callable[..., SalesforceOrg]
) -> None:
    org = LoggingIn(thing(whole=ended))
    both = logged_in(org, serve, open_org)

    first, second = both.org.poll([Poll(THING, SINCE, CHANGED), Poll(OTHER, SINCE, CHANGED)])

    assert (first.problem, second.problem) == (None, None)
    assert (org.logins, both.org.usage.spent) == (2, 2)


def test_a_session_that_ends_before_the_call_is_renewed_once(
    serve: Callable[[Script], ScriptedServer], open_org: Callable[..., SalesforceOrg]
) -> None:
    inner = thing()
    org = LoggingIn(lambda asked: SESSION_ENDED if asked.token == "token-1" else inner(asked))
    both = logged_in(org, serve, open_org)

    assert both.poll().total == 1
    assert (org.logins, both.org.usage.spent) == (2, 2)


def test_parts_that_never_have_a_session_do_not_loop(
    serve: Callable[[Script], ScriptedServer], open_org: Callable[..., SalesforceOrg]
) -> None:
    no = {"httpStatusCode": 401, "body": json.loads(SESSION_ENDED.body)}
    org = LoggingIn(thing(spoil=only("", **no)))
    both = logged_in(org, serve, open_org)

    assert isinstance(both.poll().problem, SessionInvalid)
    assert (org.logins, both.org.usage.spent) == (2, 2)


def test_a_part_without_the_scope_is_not_renewed(
    serve: Callable[[Script], ScriptedServer], open_org: Callable[..., SalesforceOrg]
) -> None:
    body = [{"message": "This session is not valid for use with the REST API", "errorCode": "INVALID_SESSION_ID"}]
    org = LoggingIn(thing(spoil=only("rows", httpStatusCode=401, body=body)))
    both = logged_in(org, serve, open_org)

    assert isinstance(both.poll().problem, SessionInvalid)
    assert (org.logins, both.org.usage.spent) == (1, 1)
