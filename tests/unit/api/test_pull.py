from __future__ import annotations

import csv
import json
import stat
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from msgspec import structs

from salesforce_sync.api import download
from salesforce_sync.api.client import SalesforceOrg
from salesforce_sync.errors import (
    DiskFull,
    ForeignAnswer,
    Incomplete,
    InsufficientAccess,
    JobFailed,
    LocatorExpired,
    RequestRefused,
    SchemaChanged,
    SessionInvalid,
    StoreTrouble,
    Transient,
    Unreachable,
)
from salesforce_sync.models.connection import Connection, LoginMethod
from salesforce_sync.models.page import CsvFile, Page, PullRequest, Rows
from tests.unit.api.bulk_org import CREATED, JOB, ROOT, SCHEMA, BulkOrg, name, once, row_id
from tests.unit.api.clocks import QuickClock
from tests.unit.api.schemas import schema_of
from tests.unit.api.scripted import SESSION_ENDED, Asked, Reply, ScriptedServer, json_reply, refusal, zipped

Open = Callable[[BulkOrg], "Rig"]
JOB_MADE = datetime.fromisoformat(CREATED)


class Rig:
    """A client connected to a scripted org."""

    def __init__(self, server: ScriptedServer, org: SalesforceOrg) -> None:
        self.server = server
        self.org = org

    def pull(self, request: PullRequest | None = None) -> list[Page]:
        return list(self.org.pull(request or PullRequest(SCHEMA)))

    def paths(self) -> list[str]:
        return [urlsplit(path).path.removeprefix(ROOT) for path in self.server.paths()]

    def asked_rows(self) -> list[int]:
        """How many rows each request for a result page has asked for."""
        found = (parse_qs(urlsplit(path).query).get("maxRecords") for path in self.server.paths())
        return [int(each[0]) for each in found if each]


@pytest.fixture
def rig(serve: Callable[..., ScriptedServer], open_org: Callable[..., SalesforceOrg]) -> Open:
    def connect(script: BulkOrg) -> Rig:
        server = serve(script)
        return Rig(server, open_org(server))

    return connect


@pytest.fixture
def small_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "SEGMENT_BYTES", 100_000)


def names(pages: list[Page]) -> list[object]:
    return [each for page in pages for each in names_of(page)]


def names_of(page: Page) -> Iterator[object]:
    if isinstance(page.body, Rows):
        return (values[1] for values in page.body.values)
    with page.body.path.open(newline="", encoding="utf-8") as file:
        header, *records = csv.reader(file)
    assert header == ["Id", "Name", "SystemModstamp"]
    return (record[1] for record in records)


def all_names(count: int) -> list[object]:
    return [name(at) for at in range(count)]


def asked_soql(rig: Rig) -> str:
    return parse_qs(urlsplit(rig.server.paths()[0]).query)["q"][0]


# ── REST ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_small_object_is_one_call(rig: Open) -> None:
    both = rig(BulkOrg(rows=3))

    (page,) = both.pull()

    assert page.last
    assert page.total == 3
    assert names([page]) == all_names(3)
    assert both.paths() == ["/query"]
    assert both.org.usage.spent == 1
    assert both.server.asked[0].headers["sforce-query-options"] == "batchSize=2000"


def test_an_empty_object_is_one_empty_last_page(rig: Open) -> None:
    (page,) = rig(BulkOrg(rows=0)).pull()

    assert (page.last, page.total, page.body) == (True, 0, Rows([]))


def test_the_time_of_the_org_is_that_of_its_first_answer(rig: Open) -> None:
    before = datetime.now(UTC).replace(microsecond=0)

    pages = rig(BulkOrg(rows=5, rest_page=2)).pull()

    times = {page.server_time for page in pages}
    assert len(times) == 1
    assert before <= times.pop() <= datetime.now(UTC)  # type: ignore[operator]


def test_pages_follow_the_locator_and_each_is_a_durable_point(rig: Open) -> None:
    both = rig(BulkOrg(rows=9, rest_page=3))

    pages = both.pull()

    assert names(pages) == all_names(9)
    assert both.paths() == ["/query", "/query/0r8Hu1lKCluUiC9IMK-3", "/query/0r8Hu1lKCluUiC9IMK-6"]
    assert [page.last for page in pages] == [False, False, True]
    assert all(page.resume for page in pages)
    assert {page.total for page in pages} == {9}


def test_a_page_is_not_held_while_the_next_one_comes(rig: Open) -> None:
    seen: list[weakref.ref[Any]] = []
    held: list[int] = []

    def look(asked: Asked, reply: Reply) -> Reply:
        held.append(sum(each() is not None for each in seen))
        return reply

    for page in rig(BulkOrg(rows=9, rest_page=3, spoil=look)).org.pull(PullRequest(SCHEMA)):
        assert isinstance(page.body, Rows)
        seen.append(weakref.ref(page.body.values))
        del page

    assert held == [0, 0, 0]


@pytest.mark.parametrize("done", [1, 2, 3])
def test_another_process_goes_on_after_a_durable_point(done: int, rig: Open) -> None:
    script = BulkOrg(rows=9, rest_page=3)
    first = rig(script).pull()[:done]

    both = rig(script)
    rest = both.pull(PullRequest(SCHEMA, resume=first[-1].resume))

    assert names([*first, *rest]) == all_names(9)
    assert rest[-1].last
    assert len(both.server.asked) == 3 - done


def test_changes_are_asked_in_order_from_query_all(rig: Open) -> None:
    both = rig(BulkOrg(rows=1))

    both.pull(PullRequest(SCHEMA, since=datetime(2026, 1, 15, 9, tzinfo=UTC)))

    assert both.paths() == ["/queryAll"]
    assert asked_soql(both) == (
        "SELECT Id, Name, SystemModstamp FROM Contact WHERE SystemModstamp >= 2026-01-15T09:00:00.000Z "
        "ORDER BY SystemModstamp, Id"
    )


def test_an_object_without_a_stamp_is_always_read_whole(rig: Open) -> None:
    timeless = structs.replace(SCHEMA, fields=SCHEMA.fields[:2])
    both = rig(BulkOrg(rows=1))

    both.pull(PullRequest(timeless, since=datetime(2026, 1, 15, 9, tzinfo=UTC)))

    assert both.paths() == ["/query"]
    assert asked_soql(both) == "SELECT Id, Name FROM Contact"


def test_fewer_rows_than_announced_are_not_a_success(rig: Open) -> None:
    def short(reply: Reply) -> Reply:
        return replace(reply, body=reply.body.replace(b'"totalSize": 3', b'"totalSize": 4'))

    with pytest.raises(Incomplete, match="4 rows of Contact and sent 3"):
        rig(BulkOrg(rows=3, spoil=once("/query", short))).pull()


@pytest.mark.parametrize("spoilt", [b'"nextRecordsUrl": null', b'"other": 1'])
def test_a_result_that_does_not_say_how_it_goes_on_is_not_a_success(spoilt: bytes, rig: Open) -> None:
    def stop(reply: Reply) -> Reply:
        return replace(reply, body=reply.body.split(b', "nextRecordsUrl"')[0] + b", " + spoilt + b"}")

    with pytest.raises(Incomplete, match="did not say"):
        rig(BulkOrg(rows=4, rest_page=2, spoil=once("/query", stop))).pull()


def without_rows(pages: int) -> Callable[[Asked, Reply], Reply]:
    """Before the page at row 2 come so many that have no rows, each with a locator of its own."""
    told = iter(range(pages))

    def spoil(asked: Asked, reply: Reply) -> Reply:
        number = next(told, None) if asked.path.endswith("-2") else None
        if number is None:
            return reply
        further = f"{ROOT}/query/0r8Hu1lKCluUiC9IMK{number}-2"
        return json_reply({"totalSize": 4, "done": False, "records": [], "nextRecordsUrl": further})

    return spoil


def test_a_rest_page_without_rows_leads_to_the_next_one(rig: Open) -> None:
    pages = rig(BulkOrg(rows=4, rest_page=2, spoil=without_rows(2))).pull()

    assert names(pages) == all_names(4)
    assert pages[-1].last


def test_rest_pages_without_rows_have_an_end(rig: Open) -> None:
    both = rig(BulkOrg(rows=4, rest_page=2, spoil=without_rows(1000)))

    with pytest.raises(Incomplete, match="without a row"):
        both.pull()

    assert len(both.paths()) < 20


@pytest.mark.parametrize(
    "forgotten",
    [
        refusal("INVALID_QUERY_LOCATOR", "invalid query locator", 400),
        refusal("INVALID_QUERY_LOCATOR", "invalid query locator", 404),
        refusal("NOT_FOUND", "The requested resource does not exist", 404),
        refusal("INVALID_LOCATOR", "The locator is not valid", 400),
    ],
)
def test_a_locator_that_the_org_forgot_means_to_ask_anew(forgotten: Reply, rig: Open) -> None:
    with pytest.raises(LocatorExpired):
        rig(BulkOrg(rows=4, rest_page=2, spoil=once("/query/0r8", lambda reply: forgotten))).pull()


def test_a_pasted_session_that_ends_in_the_middle_needs_a_person(rig: Open) -> None:
    script = BulkOrg(rows=4, rest_page=2, spoil=once("/query/0r8", lambda reply: SESSION_ENDED))

    with pytest.raises(SessionInvalid, match="pasted"):
        rig(script).pull()


def pasted(server: ScriptedServer, token: str) -> Connection:
    return Connection(LoginMethod.PASTED_SESSION, server.url, access_token=token)


def test_another_session_does_not_go_on_with_a_result(
    serve: Callable[..., ScriptedServer], open_org: Callable[..., SalesforceOrg]
) -> None:
    server = serve(BulkOrg(rows=5, rest_page=2))
    first: Any = open_org(server, pasted(server, "00D!first")).pull(PullRequest(SCHEMA))
    resume = next(first).resume
    asked = len(server.asked)

    with pytest.raises(LocatorExpired, match="session"):
        list(open_org(server, pasted(server, "00D!second")).pull(PullRequest(SCHEMA, resume=resume)))

    assert len(server.asked) == asked
    assert "first" not in resume


def test_a_session_that_is_refused_on_a_resumed_locator_means_to_ask_anew(rig: Open) -> None:
    both = rig(BulkOrg(rows=5, rest_page=2, spoil=once("-2", lambda reply: SESSION_ENDED, times=9)))
    first: Any = both.org.pull(PullRequest(SCHEMA))
    resume = next(first).resume

    with pytest.raises(LocatorExpired):
        both.pull(PullRequest(SCHEMA, resume=resume))


def countless(asked: Asked, reply: Reply) -> Reply:
    """A job and result pages that tell no numbers."""
    if "/results" in asked.path:
        return replace(reply, headers={k: v for k, v in reply.headers.items() if k != "Sforce-NumberOfRecords"})
    if "/jobs/query/" in asked.path:
        return json_reply({k: v for k, v in json.loads(reply.body).items() if k != "numberRecordsProcessed"})
    return reply


def test_without_any_number_of_the_job_the_query_before_it_tells_how_many_rows_there_are(rig: Open) -> None:
    both = rig(BulkOrg(rows=20_000, result_page=15_000, spoil=countless))

    whole = both.pull()
    points = [page.resume for page in whole if page.resume is not None]
    ends = [both.pull(PullRequest(SCHEMA, resume=point))[-1] for point in points]

    assert (whole[-1].last, whole[-1].total) == (True, 20_000)
    assert [(end.last, end.total) for end in ends] == [(True, 20_000)] * len(points)


def test_a_number_of_the_job_is_newer_than_that_of_the_query(rig: Open) -> None:
    def fewer(asked: Asked, reply: Reply) -> Reply:
        only_pages = asked.path.endswith(JOB)
        return countless(asked, reply) if only_pages else reply

    pages = rig(BulkOrg(rows=20_000, spoil=fewer)).pull()

    assert pages[-1].last
    assert pages[-1].total is None
    assert pages[-1].expected == 20_000


def test_the_same_rest_page_again_and_again_has_an_end(rig: Open) -> None:
    """The org always sends the page that leads to itself, as some proxies with a cache do."""
    kept: list[Reply] = []

    def repeat(asked: Asked, reply: Reply) -> Reply:
        if "-2" in asked.path and not kept:
            kept.append(reply)
        return kept[0] if kept else reply

    both = rig(BulkOrg(rows=9, rest_page=2, spoil=repeat))

    with pytest.raises((Incomplete, LocatorExpired)):
        both.pull()

    assert len(both.paths()) < 9


def test_a_rest_page_that_leads_to_itself_is_not_fetched_twice(rig: Open) -> None:
    def loop(reply: Reply) -> Reply:
        return json_reply({**json.loads(reply.body), "nextRecordsUrl": f"{ROOT}/query/0r8Hu1lKCluUiC9IMK-2"})

    both = rig(BulkOrg(rows=9, rest_page=2, spoil=once("-2", loop)))

    with pytest.raises(LocatorExpired, match="again and again"):
        both.pull()

    assert both.paths() == ["/query", "/query/0r8Hu1lKCluUiC9IMK-2"]


def told(reply: Reply, **other: object) -> Reply:
    return json_reply({**json.loads(reply.body), **other})


@pytest.mark.parametrize(
    "other", [{"totalSize": 4}, {"totalSize": 4, "done": True}, {"done": True}], ids=["less", "less, done", "done"]
)
def test_the_first_page_says_how_many_rows_there_are(other: dict[str, object], rig: Open) -> None:
    both = rig(BulkOrg(rows=9, rest_page=2, spoil=once("-2", lambda reply: told(reply, **other))))

    with pytest.raises(Incomplete, match="9 rows"):
        both.pull()


def test_the_first_page_is_remembered_by_who_goes_on(rig: Open) -> None:
    both = rig(BulkOrg(rows=9, rest_page=2, spoil=once("-4", lambda reply: told(reply, totalSize=6, done=True))))
    first: Any = both.org.pull(PullRequest(SCHEMA))
    resume = [next(first).resume for _ in range(2)][-1]

    with pytest.raises(Incomplete, match="9 rows"):
        both.pull(PullRequest(SCHEMA, resume=resume))


def test_a_bulk_result_that_leads_to_itself_is_not_fetched_twice(rig: Open) -> None:
    def loop(reply: Reply) -> Reply:
        return replace(reply, headers={**reply.headers, "Sforce-Locator": "p10000"})

    both = rig(BulkOrg(rows=30_000, result_page=10_000, spoil=once("locator=p10000", loop, times=9)))

    with pytest.raises(LocatorExpired, match="again and again"):
        both.pull()

    assert len([path for path in both.paths() if path.endswith("/results")]) == 2


@pytest.mark.parametrize(
    "form", ["query/0r8Hu1lKCluUiC9IMK-2", "/query/0r8Hu1lKCluUiC9IMK-2", "0r8Hu1lKCluUiC9IMK-2", "{url}"]
)
def test_a_locator_is_followed_in_every_form(
    form: str, serve: Callable[..., ScriptedServer], open_org: Callable[..., SalesforceOrg]
) -> None:
    def reform(reply: Reply) -> Reply:
        url = form.format(url=f"{server.url}{ROOT}/query/0r8Hu1lKCluUiC9IMK-2")
        return replace(reply, body=reply.body.replace(f"{ROOT}/query/0r8Hu1lKCluUiC9IMK-2".encode(), url.encode()))

    server = serve(BulkOrg(rows=4, rest_page=2, spoil=once("/query", reform)))

    assert names(list(open_org(server).pull(PullRequest(SCHEMA)))) == all_names(4)


def test_a_token_does_not_follow_a_locator_to_another_host(rig: Open, serve: Callable[..., ScriptedServer]) -> None:
    thief = serve(lambda asked: json_reply({}))

    def elsewhere(reply: Reply) -> Reply:
        return replace(reply, body=reply.body.replace(f"{ROOT}/query/".encode(), f"{thief.url}{ROOT}/query/".encode()))

    with pytest.raises(RequestRefused, match="another host"):
        rig(BulkOrg(rows=4, rest_page=2, spoil=once("/query", elsewhere))).pull()

    assert thief.asked == []


def test_a_page_that_breaks_off_is_asked_again(rig: Open) -> None:
    script = BulkOrg(rows=9, rest_page=3, spoil=once("-3", lambda reply: replace(reply, cut=50)))

    both = rig(script)

    assert names(both.pull()) == all_names(9)
    assert both.org.usage.spent == 4


def test_an_object_that_cannot_be_queried_costs_no_call(rig: Open) -> None:
    both = rig(BulkOrg(rows=1))

    with pytest.raises(RequestRefused, match="cannot be queried"):
        both.pull(PullRequest(structs.replace(SCHEMA, queryable=False)))

    assert both.server.asked == []


def test_a_refusal_of_the_object_is_its_own_error(rig: Open) -> None:
    refused = refusal("INSUFFICIENT_ACCESS", "insufficient access rights on object id", 403)

    with pytest.raises(InsufficientAccess):
        rig(BulkOrg(rows=1, spoil=once("/query", lambda reply: refused))).pull()


# ── Bulk ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_large_object_comes_by_bulk_in_four_calls(rig: Open) -> None:
    script = BulkOrg(rows=20_000)
    both = rig(script)

    pages = both.pull()

    assert names(pages) == all_names(20_000)
    assert both.paths() == ["/query", "/jobs/query", f"/jobs/query/{JOB}", f"/jobs/query/{JOB}/results"]
    assert both.org.usage.spent == 4
    assert script.jobs == [
        {
            "operation": "query",
            "query": "SELECT Id, Name, SystemModstamp FROM Contact",
            "contentType": "CSV",
            "columnDelimiter": "COMMA",
            "lineEnding": "LF",
        }
    ]


def test_the_job_is_durable_before_its_rows_come(rig: Open) -> None:
    pages = rig(BulkOrg(rows=20_000)).pull()

    assert [page.body for page in pages[:2]] == [Rows(()), Rows(())]
    assert pages[0].resume == f"bulk:{JOB}:~20000:"
    assert pages[1].resume == f"bulk:{JOB}:20000:"
    assert [page.total for page in pages] == [20_000] * 3
    assert {page.server_time for page in pages} == {JOB_MADE}
    assert [page.last for page in pages] == [False, False, True]
    assert pages[2].expected == 20_000


def test_several_result_pages_are_durable_points_each(rig: Open) -> None:
    pages = rig(BulkOrg(rows=25_000, result_page=10_000)).pull()

    assert names(pages) == all_names(25_000)
    assert [page.resume for page in pages[2:]] == [f"bulk:{JOB}:25000:{end}" for end in ("p10000", "p20000", "null")]
    assert [page.expected for page in pages[2:]] == [10_000, 10_000, 5_000]


@pytest.mark.parametrize("style", ["plain", "gzip", "CRLF", "unframed", "BOM"])
def test_results_are_understood_in_every_form(style: str, rig: Open, small_segments: None) -> None:
    change: dict[str, Callable[[Reply], Reply]] = {
        "gzip": zipped,
        "unframed": lambda reply: replace(reply, unframed=True),
        "BOM": lambda reply: replace(reply, body=b"\xef\xbb\xbf" + reply.body),
    }
    spoil = once("/results", change.get(style, lambda reply: reply), times=99)
    script = BulkOrg(rows=12_000, result_page=5000, newline="\r\n" if style == "CRLF" else "\n", spoil=spoil)

    pages = rig(script).pull()

    assert names(pages) == all_names(12_000)


def test_a_result_page_comes_as_several_files_and_the_last_tells_how_many_rows(rig: Open, small_segments: None) -> None:
    pages = rig(BulkOrg(rows=12_000)).pull()[2:]

    assert len(pages) > 3
    assert [page.resume is None for page in pages] == [*[True] * (len(pages) - 1), False]
    assert [page.expected for page in pages] == [*[None] * (len(pages) - 1), 12_000]
    assert all(isinstance(page.body, CsvFile) for page in pages[:-1])  # the last may be empty


def test_files_are_for_their_owner_only(rig: Open) -> None:
    (body,) = (page.body for page in rig(BulkOrg(rows=20_000)).pull() if isinstance(page.body, CsvFile))

    assert stat.S_IMODE(body.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(body.path.parent.stat().st_mode) == 0o700


def test_a_slow_job_is_looked_at_more_and_more_rarely(rig: Open, clock: QuickClock) -> None:
    both = rig(BulkOrg(rows=20_000, looks=8))

    both.pull()

    assert clock.slept == sorted(clock.slept)
    assert clock.slept[-1] > 5 * clock.slept[0]
    assert both.org.usage.spent == 2 + 8 + 1


def test_a_job_that_never_ends_is_given_up(rig: Open, clock: QuickClock) -> None:
    with pytest.raises(JobFailed, match="InProgress after two hours"):
        rig(BulkOrg(rows=20_000, looks=10**9)).pull()

    assert 7200 <= sum(clock.slept) < 7300


def test_without_jobs_all_rows_come_by_rest(rig: Open) -> None:
    both = rig(BulkOrg(rows=20_000))

    pages = both.pull(PullRequest(SCHEMA, rows=20_000, jobs=False))

    assert names(pages) == all_names(20_000)
    assert pages[-1].last
    assert "/jobs/query" not in both.paths()


@pytest.mark.parametrize(("end", "reason"), [("Failed", "Disk on fire"), ("Aborted", "no reason")])
def test_a_job_that_fails_tells_why(end: str, reason: str, rig: Open) -> None:
    with pytest.raises(JobFailed, match=reason):
        rig(BulkOrg(rows=20_000, end=end)).pull()


@pytest.mark.parametrize(
    "refused",
    [
        refusal("INVALIDENTITY", "Entity 'Contact' is not supported by the Bulk API.", 400),
        refusal("FEATURENOTENABLED", "Bulk API is not enabled", 400),
        refusal("API_ERROR", "Max bulk v2 query jobs (10000) per 24 hrs has been reached", 400),
        refusal("INSUFFICIENT_ACCESS", "no Bulk for you", 403),
    ],
)
def test_what_bulk_does_not_take_goes_on_by_rest(refused: Reply, rig: Open) -> None:
    both = rig(BulkOrg(rows=20_000, job_refusal=refused))

    assert names(both.pull()) == all_names(20_000)
    assert both.paths()[:3] == ["/query", "/jobs/query", "/query/0r8Hu1lKCluUiC9IMK-2000"]
    assert both.org.usage.spent == 11


def test_an_object_too_wide_for_a_request_line_goes_by_bulk(rig: Open) -> None:
    wide = schema_of(**{f"A_rather_long_field_name_{at}__c": "string" for at in range(500)})
    header = ",".join(f'"{each.name}"' for each in wide.columns)
    both = rig(BulkOrg(rows=0, header=header))

    pages = both.pull(PullRequest(wide))

    assert both.paths() == ["/jobs/query", f"/jobs/query/{JOB}", f"/jobs/query/{JOB}/results"]
    assert pages[-1].last
    assert pages[-1].body == Rows(())


def test_an_object_that_fits_neither_way_is_a_clear_error(rig: Open) -> None:
    wide = schema_of(**{f"A_rather_long_field_name_{at}__c": "string" for at in range(500)})
    refused = refusal("INVALIDENTITY", "Entity 'Contact' is not supported by the Bulk API.", 400)

    with pytest.raises(RequestRefused, match="no way in"):
        rig(BulkOrg(rows=0, job_refusal=refused)).pull(PullRequest(wide))


def test_a_query_longer_than_soql_allows_is_a_clear_error(rig: Open) -> None:
    wide = schema_of(**{f"A_rather_long_field_name_{at}__c": "string" for at in range(4000)})
    both = rig(BulkOrg(rows=0))

    with pytest.raises(RequestRefused, match="too many fields"):
        both.pull(PullRequest(wide))

    assert both.server.asked == []


@pytest.mark.parametrize(
    "refused",
    [refusal("QUERY_TIMEOUT", "Your query request was running for too long.", 400), Reply(b"", 414), Reply(b"", 431)],
)
def test_what_rest_cannot_answer_is_asked_of_bulk(refused: Reply, rig: Open) -> None:
    both = rig(BulkOrg(rows=7, spoil=once("/query?", lambda reply: refused)))

    assert names(both.pull()) == all_names(7)
    assert both.paths()[:2] == ["/query", "/jobs/query"]


def test_changes_by_bulk_are_not_sorted(rig: Open) -> None:
    script = BulkOrg(rows=20_000)

    rig(script).pull(PullRequest(SCHEMA, since=datetime(2026, 1, 15, 9, tzinfo=UTC)))

    assert script.jobs[0]["operation"] == "queryAll"
    assert script.jobs[0]["query"].endswith(" WHERE SystemModstamp >= 2026-01-15T09:00:00.000Z")


# ── Bulk: going on in another process ────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("done", [1, 2, 3, 4, 5])
def test_a_job_is_not_paid_for_twice(done: int, rig: Open) -> None:
    script = BulkOrg(rows=25_000, result_page=10_000)
    first = rig(script).pull()[:done]

    both = rig(script)
    rest = both.pull(PullRequest(SCHEMA, resume=first[-1].resume))

    assert names([*first, *rest]) == all_names(25_000)
    assert rest[-1].last
    assert rest[-1].total == 25_000
    assert len(script.jobs) == 1
    assert "/query" not in both.paths()


def test_nothing_is_asked_when_only_the_merge_is_missing(rig: Open) -> None:
    both = rig(BulkOrg(rows=20_000))

    (page,) = both.pull(PullRequest(SCHEMA, resume=f"bulk:{JOB}:20000:null"))

    assert (page.last, page.total, page.body) == (True, 20_000, Rows(()))
    assert both.server.asked == []


@pytest.mark.parametrize("resume", [f"bulk:{JOB}::", f"bulk:{JOB}:20000:", f"bulk:{JOB}:20000:p10000"])
@pytest.mark.parametrize(
    "gone",
    [
        refusal("NOT_FOUND", "The requested resource does not exist", 404),
        refusal("VERSION", "no", 409),
        refusal("API_ERROR", "The locator is not valid", 400),
        refusal("INSUFFICIENT_ACCESS", "The job is another user's", 403),
    ],
)
def test_a_job_that_the_org_no_longer_has_means_to_begin_anew(resume: str, gone: Reply, rig: Open) -> None:
    with pytest.raises(LocatorExpired):
        rig(BulkOrg(rows=20_000, spoil=lambda asked, reply: gone)).pull(PullRequest(SCHEMA, resume=resume))


@pytest.mark.parametrize("resume", [None, f"bulk:{JOB}:20000:p10000"])
@pytest.mark.parametrize("code", ["INVALID_QUERY_LOCATOR", "INVALID_LOCATOR", "API_ERROR"])
def test_a_result_that_is_refused_in_its_middle_means_to_begin_anew(code: str, resume: str | None, rig: Open) -> None:
    expired = refusal(code, "The locator is not valid", 400)
    script = BulkOrg(rows=20_000, result_page=10_000, spoil=once("p10000", lambda reply: expired, times=9))

    with pytest.raises(LocatorExpired):
        rig(script).pull(PullRequest(SCHEMA, resume=resume))


def test_a_result_that_is_refused_for_a_moment_costs_no_other_job(rig: Open) -> None:
    odd = refusal("API_ERROR", "not now", 400)
    script = BulkOrg(rows=20_000, result_page=10_000, spoil=once("p10000", lambda reply: odd))

    assert names(rig(script).pull()) == all_names(20_000)
    assert len(script.jobs) == 1


NOT_READY = refusal("JOB_NOT_COMPLETE", "The job is not complete.", 412)


def test_a_result_that_the_org_does_not_have_yet_is_asked_for_again(rig: Open) -> None:
    script = BulkOrg(rows=20_000, spoil=once("/results", lambda reply: NOT_READY, times=3))

    assert names(rig(script).pull()) == all_names(20_000)


def test_a_result_that_there_will_never_be_means_that_the_job_has_failed(rig: Open) -> None:
    script = BulkOrg(rows=20_000, end="Aborted", spoil=once("/results", lambda reply: NOT_READY, times=99))

    with pytest.raises(JobFailed, match="Aborted"):
        rig(script).pull(PullRequest(SCHEMA, resume=f"bulk:{JOB}:20000:p10000"))


def test_a_result_that_is_refused_to_a_good_session_means_to_begin_anew(rig: Open) -> None:
    script = BulkOrg(rows=20_000, result_page=10_000, spoil=once("p10000", lambda reply: SESSION_ENDED, times=9))

    with pytest.raises(LocatorExpired):
        rig(script).pull(PullRequest(SCHEMA, resume=f"bulk:{JOB}:20000:p10000"))


def test_a_job_is_kept_while_the_session_is_good_for_nothing(rig: Open) -> None:
    script = BulkOrg(rows=20_000, spoil=once("/jobs/query/", lambda reply: SESSION_ENDED, times=9))

    with pytest.raises(SessionInvalid):
        rig(script).pull(PullRequest(SCHEMA, resume=f"bulk:{JOB}:20000:p10000"))


def test_a_job_is_kept_where_something_else_than_the_org_answers(rig: Open) -> None:
    proxy = Reply(b"<h1>Forbidden</h1>", 403, {"Content-Type": "text/plain"})
    script = BulkOrg(rows=20_000, spoil=once("/results", lambda reply: proxy))

    with pytest.raises(ForeignAnswer):
        rig(script).pull(PullRequest(SCHEMA, resume=f"bulk:{JOB}:20000:p10000"))


def test_a_job_that_failed_meanwhile_means_to_begin_anew(rig: Open) -> None:
    with pytest.raises(JobFailed, match="Disk on fire"):
        rig(BulkOrg(rows=20_000, end="Failed")).pull(PullRequest(SCHEMA, resume=f"bulk:{JOB}::"))


# ── Bulk: cuts ───────────────────────────────────────────────────────────────────────────────────────────────────────


def cut_length(reply: Reply) -> Reply:
    return replace(reply, cut=len(reply.body) // 2)


def cut_gzip(reply: Reply) -> Reply:
    whole = zipped(reply)
    return replace(whole, body=whole.body[: len(whole.body) // 2], unframed=True)


def cut_without_a_trace(reply: Reply) -> Reply:
    return replace(reply, body=reply.body[: len(reply.body) // 2], unframed=True)


def cut_after_a_value(reply: Reply) -> Reply:
    return replace(reply, body=reply.body[:-4], unframed=True)  # the last line lacks `,""` and its newline


@pytest.mark.parametrize("cut", [cut_length, cut_gzip, cut_without_a_trace, cut_after_a_value])
def test_a_cut_result_page_is_fetched_again_before_anything_of_it_is_given(
    cut: Callable[[Reply], Reply], rig: Open
) -> None:
    both = rig(BulkOrg(rows=15_000, spoil=once("/results", cut)))

    assert names(both.pull()) == all_names(15_000)
    assert both.paths().count(f"/jobs/query/{JOB}/results") == 2


def test_a_result_page_that_is_always_cut_is_given_up(rig: Open, tmp_path: Path) -> None:
    both = rig(BulkOrg(rows=15_000, spoil=once("/results", cut_length, times=99)))

    with pytest.raises(Unreachable):
        both.pull()

    assert both.paths().count(f"/jobs/query/{JOB}/results") == 5
    assert list((tmp_path / "pages").iterdir()) == []


@pytest.mark.parametrize("reply", [Reply(status=503), Reply(cut=0)])
def test_a_result_page_that_never_begins_is_not_tried_again_on_top_of_that(reply: Reply, rig: Open) -> None:
    both = rig(BulkOrg(rows=15_000, spoil=once("/results", lambda _: reply, times=99)))

    with pytest.raises(Transient):
        both.pull()

    assert both.paths().count(f"/jobs/query/{JOB}/results") == 5


def test_after_its_first_file_a_cut_page_is_taken_up_by_the_caller(rig: Open, small_segments: None) -> None:
    script = BulkOrg(rows=30_000, result_page=10_000, spoil=once("locator=p10000", cut_length))
    both = rig(script)
    whole: list[Page] = []
    since: list[Page] = []

    with pytest.raises(Unreachable):
        for page in both.org.pull(PullRequest(SCHEMA)):
            since.append(page)
            if page.resume is not None:
                whole, since = [*whole, *since], []
    rest = both.pull(PullRequest(SCHEMA, resume=whole[-1].resume))

    assert since  # files of the cut page were given, and the caller drops them
    assert names([*whole, *rest]) == all_names(30_000)
    assert len(script.jobs) == 1


ROW_BYTES = 62
"""About so many bytes has a row of a result."""


def cut_beyond(most_rows: int) -> Callable[[Asked, Reply], Reply]:
    """A proxy that lets no more bytes of an answer through than so many rows have."""

    def spoil(asked: Asked, reply: Reply) -> Reply:
        long = "/results" in asked.path and len(reply.body) > most_rows * ROW_BYTES
        return replace(reply, cut=most_rows * ROW_BYTES) if long else reply

    return spoil


def pull_on(both: Rig) -> tuple[list[Page], int]:
    """All pages, as somebody gets them who goes on from the last durable one; and how often that was."""
    whole: list[Page] = []
    breaks = 0
    while not (whole and whole[-1].last):
        since: list[Page] = []
        try:
            for page in both.org.pull(PullRequest(SCHEMA, resume=whole[-1].resume if whole else None)):
                since.append(page)
                if page.resume is not None:
                    whole, since = [*whole, *since], []
        except Unreachable:
            breaks += 1
            assert breaks < 20
    return whole, breaks


@pytest.mark.parametrize("most", [40_000, 6_000, 1_200])
def test_a_result_page_that_is_always_cut_comes_in_smaller_ones(most: int, rig: Open) -> None:
    script = BulkOrg(rows=60_000, spoil=cut_beyond(most))
    both = rig(script)

    pages, breaks = pull_on(both)

    assert names(pages) == all_names(60_000)
    assert breaks <= 1
    assert len(script.jobs) == 1


def test_a_page_that_breaks_off_after_its_first_file_comes_in_smaller_ones_too(rig: Open, small_segments: None) -> None:
    both = rig(BulkOrg(rows=60_000, spoil=cut_beyond(20_000)))

    pages, breaks = pull_on(both)

    assert names(pages) == all_names(60_000)
    assert breaks == 4
    assert both.asked_rows() == [1_000_000, 1_000_000, 15_000, 30_000, 30_000, 7_500, 15_000, 15_000, 15_000]


def test_one_cut_makes_no_page_smaller(rig: Open) -> None:
    script = BulkOrg(rows=15_000, result_page=5_000, spoil=once("/results", cut_length))
    both = rig(script)

    assert names(both.pull()) == all_names(15_000)
    assert both.asked_rows() == [1_000_000] * 4


def test_a_page_grows_again_after_smaller_ones_came_whole(rig: Open) -> None:
    both = rig(BulkOrg(rows=60_000, spoil=once("/results", cut_length, times=3)))

    assert names(both.pull()) == all_names(60_000)
    assert both.asked_rows() == [1_000_000, 1_000_000, 15_000, 3_750, 7_500, 15_000, 30_000, 30_000]


def test_a_result_without_the_rows_it_announces_is_not_a_success(rig: Open) -> None:
    def headless(reply: Reply) -> Reply:
        return replace(reply, body=reply.body.split(b"\n")[0] + b"\n")

    with pytest.raises(Incomplete, match="announced 15,000 rows"):
        rig(BulkOrg(rows=15_000, spoil=once("/results", headless, times=99))).pull()


@pytest.mark.parametrize("header", ["ID,NAME,SYSTEMMODSTAMP", '"id","name","systemmodstamp"'])
def test_the_columns_of_a_result_may_be_written_in_other_letters(header: str, rig: Open) -> None:
    pages = rig(BulkOrg(rows=15_000, header=header)).pull()

    assert {page.body.places for page in pages if isinstance(page.body, CsvFile)} == {()}


def test_the_columns_of_a_result_may_stand_in_another_order(rig: Open) -> None:
    pages = rig(BulkOrg(rows=15_000, header='"Name","SystemModstamp","Id"')).pull()

    assert {page.body.places for page in pages if isinstance(page.body, CsvFile)} == {(2, 0, 1)}


@pytest.mark.parametrize("header", ['"Id","Id","Name"', '"Id","Name"', '"Id","Name","Id"', "x"])
@pytest.mark.parametrize("rows", [0, 15_000])
def test_other_columns_than_asked_for_are_an_error(header: str, rows: int, rig: Open) -> None:
    script = BulkOrg(rows=rows, header=header, spoil=once("/query?", lambda reply: Reply(b"", 414)))

    with pytest.raises(SchemaChanged, match="other columns"):
        rig(script).pull()


def test_a_full_disk_is_named(rig: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pages").write_text("a file where a folder should be")

    with pytest.raises(StoreTrouble, match="cannot be written to") as caught:
        rig(BulkOrg(rows=15_000)).pull()

    assert not isinstance(caught.value, DiskFull)


# ── Bulk: closing ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_closing_ends_the_download_and_removes_what_nobody_took(
    rig: Open, small_segments: None, tmp_path: Path
) -> None:
    both = rig(BulkOrg(rows=60_000, result_page=20_000))
    before = threading.active_count()

    with closing(both.org.pull(PullRequest(SCHEMA))) as pages:  # type: ignore[type-var]
        taken = [next(pages) for _ in range(4)]
    left = {path.name for path in (tmp_path / "pages").iterdir()}

    assert left == {page.body.path.name for page in taken if isinstance(page.body, CsvFile)}
    assert not [thread for thread in threading.enumerate() if thread.name == "download"]
    assert threading.active_count() <= before + 4  # the server's own


def test_closing_does_not_wait_for_a_server_that_hangs(rig: Open, small_segments: None) -> None:
    hold = threading.Event()
    stuck = once("/results", lambda reply: replace(reply, cut=len(reply.body) // 2, hold=hold))
    pages: Any = rig(BulkOrg(rows=20_000, spoil=stuck)).org.pull(PullRequest(SCHEMA))
    while not isinstance(next(pages).body, CsvFile):
        pass

    began = time.monotonic()
    pages.close()
    took = time.monotonic() - began
    hold.set()

    assert took < 15  # the server would have held the line for 20 s
    assert not [thread for thread in threading.enumerate() if thread.name == "download"]


def test_the_download_does_not_run_away_from_the_merge(rig: Open, small_segments: None, tmp_path: Path) -> None:
    pages: Any = rig(BulkOrg(rows=60_000, result_page=20_000)).org.pull(PullRequest(SCHEMA))
    while not isinstance(next(pages).body, CsvFile):
        pass
    waited = time.monotonic() + 1.0
    while time.monotonic() < waited:  # time enough to download it all
        time.sleep(0.05)

    assert len(list((tmp_path / "pages").iterdir())) <= 5  # the taken one, two that wait, one waiting for room
    pages.close()


def test_two_objects_come_at_once(rig: Open, small_segments: None) -> None:
    both = rig(BulkOrg(rows=20_000))
    got: list[list[object]] = []
    workers = [threading.Thread(target=lambda: got.append(names(both.pull()))) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()

    assert got == [all_names(20_000)] * 3


def test_ids_are_kept() -> None:
    assert row_id(7) == "003000000000000007"
