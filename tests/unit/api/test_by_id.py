from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from msgspec.structs import replace

from salesforce_sync.api.client import SalesforceOrg
from salesforce_sync.errors import (
    Incomplete,
    LimitExceeded,
    Misuse,
    QueryTimeout,
    RequestRefused,
    SchemaChanged,
    Transient,
)
from salesforce_sync.models.page import Page, PullRequest, Rows
from salesforce_sync.models.salesforce_id import to_18
from salesforce_sync.models.schema import ObjectSchema
from tests.unit.api.composite_org import ROOT, page
from tests.unit.api.schemas import schema_of
from tests.unit.api.scripted import Asked, Reply, ScriptedServer, json_reply, refusal

SCHEMA = schema_of(Name="string")
Open = Callable[["IdOrg"], "Rig"]


def ids(count: int) -> tuple[str, ...]:
    return tuple(to_18(f"003{number:012d}") for number in range(count))


SLOW = [{"message": "Your query request was running for too long.", "errorCode": "QUERY_TIMEOUT"}]


@dataclass
class IdOrg:
    """Has every record that is asked for but the `missing` ones; `page_rows` of them a page."""

    page_rows: int = 2000
    missing: frozenset[str] = frozenset()
    composite: Reply | None = None
    part: dict[str, Any] | None = None
    next_root: str = ROOT
    most_in_time: int | None = None
    """Ids of one query beyond which it takes too long."""
    empty: tuple[str, ...] = ()
    """Fields that every record has, without a value."""

    def __post_init__(self) -> None:
        self._results: list[list[str]] = []

    def __call__(self, asked: Asked) -> Reply:
        url = urlsplit(asked.path)
        if len(asked.path) > 16_384:
            return Reply(b"", 414)
        if url.path == f"{ROOT}/composite":
            return self.composite or self._together(json.loads(asked.body)["compositeRequest"])
        if url.path == f"{ROOT}/queryAll":
            if self._takes_too_long(asked.path):
                return Reply(json.dumps(SLOW).encode(), 400)
            return json_reply(self._query(asked.path))
        number, start = re.fullmatch(rf"{ROOT}/query/r(\d+)-(\d+)", url.path).groups()  # type: ignore[union-attr]
        return json_reply(self._page(int(number), int(start)))

    def _together(self, parts: list[dict[str, Any]]) -> Reply:
        assert len(parts) <= 5
        slow = {"httpStatusCode": 400, "body": SLOW}
        answers = [
            {"referenceId": part["referenceId"], "httpHeaders": {}, "httpStatusCode": 200,
             **(slow if self._takes_too_long(part["url"]) else {"body": self._query(part["url"])}), **(self.part or {})}
            for part in parts
        ]  # fmt: skip
        return json_reply({"compositeResponse": answers})

    def _takes_too_long(self, url: str) -> bool:
        named = len(re.findall(r"'(\w{18})'", parse_qs(urlsplit(url).query)["q"][0]))
        return self.most_in_time is not None and named > self.most_in_time

    def _query(self, url: str) -> dict[str, Any]:
        soql = parse_qs(urlsplit(url).query)["q"][0]
        assert len(soql) <= 100_000
        self._results.append([each for each in re.findall(r"'(\w{18})'", soql) if each not in self.missing])
        return self._page(len(self._results) - 1, 0)

    def _page(self, number: int, start: int) -> dict[str, Any]:
        found = self._results[number]
        end = min(len(found), start + self.page_rows)
        empty = dict.fromkeys((*self.empty, "SystemModstamp"))
        rows = [{"Id": each, "Name": each[-5:], **empty} for each in found[start:end]]
        more = None if end == len(found) else f"{self.next_root}/query/r{number}-{end}"
        return page("Contact", *rows, total=len(found), next_url=more)


class Rig:
    def __init__(self, server: ScriptedServer, org: SalesforceOrg) -> None:
        self.server = server
        self.org = org

    def pull(self, wanted: tuple[str, ...], schema: ObjectSchema = SCHEMA) -> list[Page]:
        return list(self.org.pull(PullRequest(schema, ids=wanted)))

    def paths(self) -> list[str]:
        return [urlsplit(path).path.removeprefix(ROOT).split("/r")[0] for path in self.server.paths()]


@pytest.fixture
def rig(serve: Callable[..., ScriptedServer], open_org: Callable[..., SalesforceOrg]) -> Open:
    def connect(script: IdOrg) -> Rig:
        server = serve(script)
        return Rig(server, open_org(server))

    return connect


def found(pages: list[Page]) -> list[object]:
    return [row[0] for page in pages if isinstance(page.body, Rows) for row in page.body.values]


def test_few_ids_are_one_get(rig: Open) -> None:
    both = rig(IdOrg())

    pages = both.pull(ids(300))

    assert found(pages) == list(ids(300))
    assert both.paths() == ["/queryAll"]
    assert [page.last for page in pages] == [False, True]


def test_the_longest_get_is_taken_by_the_org(rig: Open) -> None:
    both = rig(IdOrg())
    counts = range(500, 620, 10)

    for count in counts:
        assert found(both.pull(ids(count))) == list(ids(count))

    assert both.paths().count("/queryAll") > 3
    assert "/composite" in both.paths()
    assert max(len(path) for path in both.server.paths()) > 14_500


@pytest.mark.parametrize("count", [300, 2500])
def test_records_whose_query_takes_too_long_come_fewer_at_a_time(count: int, rig: Open) -> None:
    pages = rig(IdOrg(most_in_time=100)).pull(ids(count))

    assert sorted(map(str, found(pages))) == sorted(ids(count))
    assert pages[-1].last and pages[-1].total == count


def test_records_whose_queries_always_take_too_long_are_given_up(rig: Open) -> None:
    both = rig(IdOrg(most_in_time=0))

    with pytest.raises(QueryTimeout):
        both.pull(ids(300))

    assert len(both.paths()) < 100


@pytest.mark.parametrize(("count", "calls"), [(600, 1), (5000, 1), (5001, 2), (12_000, 3)])
def test_many_ids_share_composite_calls(count: int, calls: int, rig: Open) -> None:
    both = rig(IdOrg())

    pages = both.pull(ids(count))

    assert found(pages) == list(ids(count))
    assert both.paths() == ["/composite"] * calls
    assert pages[-1].total == count
    assert [page.resume is not None for page in pages] == [*[False] * (len(pages) - 1), True]


def test_an_id_that_does_not_exist_is_no_shortfall(rig: Open) -> None:
    wanted = ids(700)

    pages = rig(IdOrg(missing=frozenset(wanted[:650]))).pull(wanted)

    assert found(pages) == list(wanted[650:])
    assert (pages[-1].total, pages[-1].expected, pages[-1].last) == (50, 50, True)


def test_no_id_is_asked_twice_in_whatever_form(rig: Open) -> None:
    wanted = ids(3)

    assert found(rig(IdOrg()).pull((*wanted, wanted[0][:15], *wanted))) == list(wanted)


def test_what_is_no_id_is_misuse(rig: Open) -> None:
    both = rig(IdOrg())

    with pytest.raises(Misuse):
        both.pull(("003' OR Name != 'x",))

    assert both.org.usage.spent == 0


@pytest.mark.parametrize("next_root", [ROOT, "", "absolute"])
@pytest.mark.parametrize("count", [450, 900])
def test_short_pages_are_read_to_their_end(next_root: str, count: int, rig: Open) -> None:
    org = IdOrg(page_rows=200)
    both = rig(org)
    org.next_root = both.server.url + ROOT if next_root == "absolute" else next_root

    assert found(both.pull(ids(count))) == list(ids(count))


@pytest.mark.parametrize(("count", "calls"), [(200, 1), (1000, 1), (2500, 3)])
def test_records_with_two_long_texts_are_asked_for_by_no_more_than_fit_on_a_page(
    count: int, calls: int, rig: Open
) -> None:
    both = rig(IdOrg(page_rows=200, empty=("One__c", "Two__c")))
    long = schema_of("Contact", Name="string", One__c="textarea", Two__c="textarea")
    long = replace(long, fields=tuple(replace(each, length=32_000) for each in long.fields))

    assert len(found(both.pull(ids(count), long))) == count
    assert len(both.paths()) == calls


def test_after_a_page_that_was_short_fewer_are_asked_for_at_once(rig: Open) -> None:
    both = rig(IdOrg(page_rows=500))

    assert sorted(map(str, found(both.pull(ids(10_000))))) == sorted(ids(10_000))
    assert both.paths() == ["/composite", *["/query"] * 5, "/composite", "/composite"]


def test_where_composite_is_refused_all_goes_by_gets(rig: Open) -> None:
    both = rig(IdOrg(composite=refusal("NOT_FOUND", "no", 404)))

    assert found(both.pull(ids(1200))) == list(ids(1200))
    assert both.paths() == ["/composite", "/queryAll", "/queryAll", "/queryAll"]


def wide() -> ObjectSchema:
    return schema_of(**{f"Quite_A_Long_Name_Of_A_Field_{at:04d}__c": "string" for at in range(800)})


def test_an_object_too_wide_for_a_get_goes_by_composite(rig: Open) -> None:
    both = rig(IdOrg(composite=json_reply({"compositeResponse": [
        {"referenceId": "rows0", "httpStatusCode": 200, "body": page("Contact")}
    ]})))  # fmt: skip

    assert found(both.pull(ids(3), wide())) == []
    assert both.paths() == ["/composite"]


def test_an_object_too_wide_for_either_is_refused(rig: Open) -> None:
    both = rig(IdOrg(composite=refusal("NOT_FOUND", "no", 404)))

    with pytest.raises(RequestRefused):
        both.pull(ids(3), schema_of(**{f"F{'x' * 70}{at}__c": "string" for at in range(1300)}))
    assert both.org.usage.spent == 0

    with pytest.raises(RequestRefused):
        both.pull(ids(3), wide())
    assert both.paths() == ["/composite"]


@pytest.mark.parametrize(
    ("part", "kind"),
    [
        ({"httpStatusCode": 400, "body": [{"message": "gone", "errorCode": "INVALID_FIELD"}]}, SchemaChanged),
        ({"httpStatusCode": 503, "body": None}, Transient),
        ({"referenceId": "other"}, Incomplete),
        ({"body": page("Contact", total=3)}, Incomplete),
    ],
)
def test_a_part_that_fails_fails_the_pull(part: dict[str, Any], kind: type[Exception], rig: Open) -> None:
    with pytest.raises(kind):
        rig(IdOrg(part=part)).pull(ids(900))


def test_a_used_up_day_is_not_met_by_more_calls(rig: Open) -> None:
    both = rig(IdOrg(composite=refusal("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.", 403)))

    with pytest.raises(LimitExceeded):
        both.pull(ids(900))

    assert both.org.usage.spent == 1
