"""A pull whose query takes the org too long: in windows, over a socket, from an org that is slow by its rows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from msgspec.structs import replace

from salesforce_sync.api import windows
from salesforce_sync.api.client import SalesforceOrg
from salesforce_sync.api.resume import SplitPoint
from salesforce_sync.api.windows import Window, of_point
from salesforce_sync.errors import LocatorExpired, QueryTimeout
from salesforce_sync.models.connection import Connection, LoginMethod
from salesforce_sync.models.page import Page, PullRequest, Rows
from salesforce_sync.models.schema import ObjectSchema
from salesforce_sync.storage.vault import Vault
from simorg.clients import CLIENT_ID, CLIENT_SECRET
from simorg.database import quote
from simorg.faults import Fault, Faults
from simorg.org import SimOrg
from tests.contract.orgs import ShortClock

TIMEOUT = Fault(
    status=400, body=[{"errorCode": "QUERY_TIMEOUT", "message": "Your query request was running for too long."}]
)
BOUND = re.compile(r"SystemModstamp (>=|<) (\S+)")
MANAGES = 60


class SlowOrg(Faults):
    """Queries over more rows than it manages take too long; Bulk jobs fail for the same reason."""

    def __init__(self, sim: SimOrg, manages: int) -> None:
        super().__init__()
        self._sim = sim
        self.manages = manages
        self.refused: list[str] = []

    def for_request(self, method: str, target: str) -> list[Fault]:
        soql = parse_qs(urlsplit(target).query).get("q", [""])[0]
        if soql and " FROM Organization" not in soql and self._rows(soql) > self.manages:
            self.refused.append(soql)
            return [TIMEOUT]
        return super().for_request(method, target)

    def _rows(self, soql: str) -> int:
        limit = re.search(r"LIMIT (\d+)", soql)
        name = re.findall(r"FROM (\w+)", soql)[0]
        bounds = [(sign, datetime.fromisoformat(text)) for sign, text in BOUND.findall(soql)]
        where = " AND ".join([f'"SystemModstamp" {sign} {at.timestamp() * 1000:.0f}' for sign, at in bounds] or ["1"])
        ((count,),) = self._sim.database.rows(f"SELECT count(*) FROM {quote(name)} WHERE {where}")
        return min(count, int(limit[1])) if limit else int(count)


@pytest.fixture
def sim() -> Iterator[SimOrg]:
    with SimOrg(0) as made, made.serve():
        made.faults = SlowOrg(made, MANAGES)
        yield made


@pytest.fixture
def org(sim: SimOrg, tmp_path: Path) -> Iterator[SalesforceOrg]:
    connection = Connection(LoginMethod.CLIENT_CREDENTIALS, sim.url, client_id=CLIENT_ID, client_secret=CLIENT_SECRET)
    keys = Vault(tmp_path / "replica.db")
    made = SalesforceOrg(connection, api_version="58.0", work_dir=tmp_path, keys=keys, clock=ShortClock())
    yield made
    made.close()


@pytest.fixture
def schema(sim: SimOrg, org: SalesforceOrg) -> ObjectSchema:
    """Leads: some over a year, and more of one second than the org manages."""
    sim.clock.freeze()
    for number in range(100):
        sim.clock.advance(3 * 86_400)
        sim.create("Lead", [{"LastName": f"L{number}", "Company": "C"} for _ in range(2)])
    sim.create("Lead", [{"LastName": f"Same {number}", "Company": "C"} for number in range(200)])
    sim.faults.add(Fault(path="Lead", job="failed", times=None))
    return org.describe("Lead")


def ids(pages: list[Page]) -> list[object]:
    assert all(isinstance(page.body, Rows) for page in pages)
    return [row[0] for page in pages for row in page.body.values]  # type: ignore[union-attr]


def living(sim: SimOrg) -> set[object]:
    return {key for (key,) in sim.database.rows('SELECT "Id" FROM Lead WHERE "IsDeleted" = 0')}


def test_every_row_comes_by_windows_and_the_same_query_is_not_tried_again(
    sim: SimOrg, org: SalesforceOrg, schema: ObjectSchema
) -> None:
    pages = list(org.pull(PullRequest(schema)))

    assert sorted(map(str, ids(pages))) == sorted(map(str, living(sim)))
    assert pages[-1].last
    refused = sim.faults.refused  # type: ignore[attr-defined]
    assert len(refused) == len(set(refused))
    assert len(refused) < windows.MOST_TIMEOUTS


def test_every_row_comes_by_windows_where_not_even_a_job_can_be_begun_in_time(
    sim: SimOrg, org: SalesforceOrg, schema: ObjectSchema
) -> None:
    sim.faults.add(Fault("POST", "/jobs/query$", times=None, status=TIMEOUT.status, body=TIMEOUT.body))

    assert set(ids(list(org.pull(PullRequest(schema))))) == living(sim)
    assert set(ids(list(org.pull(PullRequest(schema, here=50_000))))) == living(sim)


@pytest.fixture
def ending(sim: SimOrg) -> None:
    """A session ends at each second page of a result. Two long texts make pages short."""
    sim.add_field("Lead", "Longer__c", "textarea 32000")
    sim.faults.add(Fault("GET", "/query/0r8", expire=True, times=None))


@pytest.mark.usefixtures("schema", "ending")
@pytest.mark.parametrize("since", [None, datetime(2001, 1, 1, tzinfo=UTC)])
def test_by_ids_a_pull_goes_on_however_many_sessions_end(
    since: datetime | None, sim: SimOrg, org: SalesforceOrg
) -> None:
    sim.faults.manages = 10_000  # type: ignore[attr-defined]
    schema = org.describe("Lead")
    request = PullRequest(schema, since, jobs=False)
    with pytest.raises(LocatorExpired):
        list(org.pull(request))

    pages = list(org.pull(replace(request, by_id=True)))

    assert pages[-1].last
    assert sorted(map(str, ids(pages))) == sorted(map(str, living(sim)))


@pytest.mark.usefixtures("schema", "ending")
def test_a_window_in_which_a_session_ends_is_read_again_and_no_other(sim: SimOrg, org: SalesforceOrg) -> None:
    sim.faults.manages = 350  # type: ignore[attr-defined]
    pages = list(org.pull(PullRequest(org.describe("Lead"))))

    assert pages[-1].last
    assert set(ids(pages)) == living(sim)
    assert len(ids(pages)) < 2 * len(living(sim))


def test_changes_come_by_windows_deleted_ones_too(sim: SimOrg, org: SalesforceOrg, schema: ObjectSchema) -> None:
    gone = str(sorted(map(str, living(sim)))[-1])
    sim.delete([gone])

    found = ids(list(org.pull(PullRequest(schema, datetime(2001, 1, 1, tzinfo=UTC)))))

    assert set(found) == living(sim) | {gone}


def test_another_process_goes_on_after_every_durable_point(
    sim: SimOrg, org: SalesforceOrg, schema: ObjectSchema
) -> None:
    pages = list(org.pull(PullRequest(schema)))
    points = [number for number, page in enumerate(pages) if page.resume and page.resume.startswith("split:")]
    assert len(points) > 5

    for number in points:
        rest = list(org.pull(PullRequest(schema, resume=pages[number].resume)))
        assert set(ids(pages[: number + 1])) | set(ids(rest)) == living(sim)
        assert not set(ids(pages[: number + 1])) & set(ids(rest))


def test_an_object_without_a_stamp_comes_in_the_order_of_its_ids(
    sim: SimOrg, org: SalesforceOrg, schema: ObjectSchema
) -> None:
    columns = tuple(each for each in schema.columns if each.name in ("Id", "LastName", "IsDeleted"))
    bare = type(schema)(schema.name, schema.label, columns)
    assert bare.stamp is None

    found = ids(list(org.pull(PullRequest(bare))))

    assert found == sorted(found, key=str)
    assert set(found) == living(sim)


def test_an_org_that_is_always_too_slow_is_given_up(sim: SimOrg, org: SalesforceOrg, schema: ObjectSchema) -> None:
    sim.faults.manages = 0  # type: ignore[attr-defined]

    with pytest.raises(QueryTimeout):
        list(org.pull(PullRequest(schema)))

    assert len(sim.faults.refused) <= windows.MOST_TIMEOUTS + 1  # type: ignore[attr-defined]


NOW = datetime(2024, 1, 15, tzinfo=UTC)


@pytest.mark.parametrize("now", [NOW, NOW - timedelta(days=365 * 60), NOW + timedelta(days=365 * 500)])
def test_windows_are_halved_to_a_second_without_a_gap(now: datetime) -> None:
    left, done = [Window()], []
    while left:
        window = left.pop(0)
        halves = window.halves(now) if (window.start or NOW) <= NOW <= (window.end or NOW) else None
        if halves is None:
            done.append(window)
        else:
            assert (halves[0].start, halves[1].end) == (window.start, window.end)
            left = [*halves, *left]

    assert done[0].start is None
    assert done[-1].end is None
    assert all(one.end == other.start for one, other in pairwise(done))
    assert len(done) < windows.MOST_TIMEOUTS


def test_a_point_is_followed_by_everything_later() -> None:
    later = NOW + timedelta(seconds=1)

    assert of_point(SplitPoint(5, NOW, later, "003")) == [Window(NOW, later, "003"), Window(later)]
    assert of_point(SplitPoint(5, NOW)) == [Window(NOW)]
