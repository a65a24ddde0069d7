"""The contract of `ports.Org`, held by `SalesforceOrg` against a simulated org over a socket."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from salesforce_sync.api.client import SalesforceOrg
from salesforce_sync.app import SystemClock
from salesforce_sync.errors import (
    InsufficientAccess,
    LimitExceeded,
    LocatorExpired,
    ObjectNotFound,
    SchemaChanged,
    SessionInvalid,
    Transient,
    Unreachable,
)
from salesforce_sync.models.connection import Connection, LoginMethod
from salesforce_sync.models.page import CsvFile, Page, PullRequest, Rows
from salesforce_sync.models.schema import Field, FieldType, ObjectSchema
from salesforce_sync.storage.vault import Vault
from simorg.clients import CLIENT_ID, CLIENT_SECRET
from simorg.faults import Fault
from simorg.org import SimOrg

CONTACTS = 11_000  # so many that Bulk is cheaper

Cells = tuple[str, ...]


class Clock(SystemClock):
    """Does not wait so long: what is waited for here is another thread of this machine."""

    def __init__(self) -> None:
        super().__init__()
        self.sleeps = 0

    def sleep(self, seconds: float) -> None:
        self.sleeps += 1
        super().sleep(min(seconds, 0.05))


@dataclass
class Rig:
    """A simulated org and a client that is connected to it."""

    sim: SimOrg
    org: SalesforceOrg
    work_dir: Path
    clock: Clock

    def pull(self, name: str, since: datetime | None = None) -> list[Page]:
        schema = self.org.describe(name)
        return list(self.org.pull(PullRequest(schema, since)))

    def calls(self, action: Callable[[], object]) -> int:
        before = self.org.usage.spent
        action()
        return self.org.usage.spent - before

    def force_bulk(self) -> None:
        """The next query is too long for REST."""
        self.sim.faults.add(Fault(method="GET", path="/query(All)?\\?", status=414))


@pytest.fixture(scope="module")
def large() -> Iterator[SimOrg]:
    with SimOrg(CONTACTS) as sim, sim.serve():
        yield sim


@pytest.fixture
def small() -> Iterator[SimOrg]:
    with SimOrg(40) as sim, sim.serve():
        yield sim


@pytest.fixture
def connect(tmp_path: Path) -> Iterator[Callable[[SimOrg], Rig]]:
    opened: list[Rig] = []

    def to(sim: SimOrg) -> Rig:
        sim.faults.clear()
        connection = Connection(
            LoginMethod.CLIENT_CREDENTIALS, sim.url, client_id=CLIENT_ID, client_secret=CLIENT_SECRET
        )
        keys = Vault(tmp_path / "replica.db")
        work_dir = tmp_path / "pages"
        clock = Clock()
        org = SalesforceOrg(connection, api_version="58.0", work_dir=work_dir, keys=keys, clock=clock)
        opened.append(Rig(sim, org, work_dir, clock))
        return opened[-1]

    yield to
    for rig in opened:
        rig.org.close()


@pytest.fixture
def rig(small: SimOrg, connect: Callable[[SimOrg], Rig]) -> Rig:
    return connect(small)


@pytest.fixture
def big(large: SimOrg, connect: Callable[[SimOrg], Rig]) -> Rig:
    return connect(large)


def cells_of(pages: list[Page]) -> list[Cells]:
    """All rows, each cell in one comparable form whichever way it came."""
    return [cells for page in pages for cells in _cells(page)]


def _cells(page: Page) -> Iterator[Cells]:
    for row in _rows(page):
        yield tuple(_comparable(value, field) for value, field in zip(row, page.schema.columns, strict=True))


def _rows(page: Page) -> list[Sequence[object]]:
    """The rows as they came, each with all columns."""
    names = [field.name for field in page.schema.columns]
    if isinstance(page.body, Rows):
        rows: list[Sequence[object]] = list(page.body.values)
    else:
        with page.body.path.open(newline="", encoding="utf-8") as file:
            header, *rows = csv.reader(file)
        assert header == names
    assert {len(row) for row in rows} <= {len(names)}
    return rows


def _comparable(value: object, field: Field) -> str:
    if value is None or value == "":  # a file cannot tell them apart
        return ""
    if field.type is FieldType.DECIMAL:
        return f"{Decimal(str(value)).normalize():f}"
    if field.type is FieldType.DATETIME:
        return datetime.fromisoformat(str(value)).astimezone(UTC).isoformat()
    return str(value).lower() if isinstance(value, bool) else str(value)


def ids_of(pages: list[Page]) -> set[str]:
    return {str(row[0]) for page in pages for row in _rows(page)}


def column(pages: list[Page], name: str) -> list[str]:
    names = [field.name for field in pages[0].schema.columns]
    return [cells[names.index(name)] for cells in cells_of(pages)]


def living(sim: SimOrg, name: str) -> set[str]:
    with sim.lock:
        where = ' WHERE "IsDeleted" = 0' if sim.objects[name].field("IsDeleted") else ""
        return {row[0] for row in sim.db.execute(f'SELECT "Id" FROM "{name}"{where}')}


# ── describing ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_objects_of_the_org_are_listed(rig: Rig) -> None:
    by_name = {each.name: each for each in rig.org.objects()}

    assert {"Contact", "Account", "User", "Widget__c"} <= set(by_name)
    assert by_name["Widget__c"].custom
    assert by_name["Contact"].key_prefix == "003"


def test_an_object_is_described_in_one_call(rig: Rig) -> None:
    assert rig.calls(lambda: rig.org.describe("Contact")) == 1


def test_compound_and_blob_fields_have_no_column(rig: Rig) -> None:
    widget, version = rig.org.describe("Widget__c"), rig.org.describe("ContentVersion")

    assert not widget.has("Place__c")
    assert not version.has("VersionData")
    assert widget.columns[0].name == "Id"


@pytest.mark.parametrize("name", ["Contakt", "Nope__c", "Contact/describe", "a b", "", "../limits", "Contact?x=1"])
def test_an_object_that_is_not_there_is_not_found(name: str, rig: Rig) -> None:
    with pytest.raises(ObjectNotFound):
        rig.org.describe(name)


def test_a_hidden_object_is_not_found(rig: Rig) -> None:
    rig.sim.permissions.deny("Lead", "read")

    with pytest.raises(ObjectNotFound):
        rig.org.describe("Lead")


# ── pulling everything ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", ["Contact", "User", "Widget__c", "Opportunity", "PricebookEntry", "ContentVersion"])
def test_every_living_row_comes_once(name: str, rig: Rig) -> None:
    pages = rig.pull(name)

    got = cells_of(pages)
    assert {cells[0] for cells in got} == living(rig.sim, name)
    assert len(got) == len({cells[0] for cells in got}) == pages[-1].total
    assert [page.last for page in pages] == [*[False] * (len(pages) - 1), True]


def test_deleted_rows_do_not_come_with_everything(rig: Rig) -> None:
    gone = next(iter(living(rig.sim, "Contact")))
    rig.sim.remove(gone)

    assert gone not in ids_of(rig.pull("Contact"))


@pytest.mark.parametrize("name", ["Contact", "Widget__c", "User", "Product2"])
def test_rest_and_bulk_bring_the_same_values(name: str, rig: Rig) -> None:
    by_rest = rig.pull(name)
    rig.force_bulk()
    by_bulk = rig.pull(name)

    assert any(isinstance(page.body, CsvFile) for page in by_bulk)
    assert sorted(cells_of(by_bulk)) == sorted(cells_of(by_rest))


def test_an_empty_object_is_one_last_page(rig: Rig) -> None:
    rig.sim.delete(living(rig.sim, "Widget__c"))

    (page,) = rig.pull("Widget__c")
    rig.force_bulk()
    by_bulk = rig.pull("Widget__c")

    assert (page.last, page.total) == (True, 0)
    assert by_bulk[-1].last
    assert cells_of(by_bulk) == []


def test_the_time_told_is_the_orgs_own_and_from_before_the_query(rig: Rig) -> None:
    rig.sim.clock.set(int(datetime(2031, 5, 1, tzinfo=UTC).timestamp() * 1000))
    schema = rig.org.describe("Contact")

    pages = list(rig.org.pull(PullRequest(schema)))
    rig.force_bulk()
    by_bulk = list(rig.org.pull(PullRequest(schema)))

    now = datetime.fromtimestamp(rig.sim.clock.now_ms() / 1000, UTC)
    for page in (*pages, *by_bulk):
        assert page.server_time is not None
        assert timedelta(0) <= now - page.server_time < timedelta(seconds=30)


def test_a_large_object_costs_three_calls_and_a_look_after_each_wait(big: Rig) -> None:
    schema = big.org.describe("Contact")
    pages: list[Page] = []

    calls = big.calls(lambda: pages.extend(big.org.pull(PullRequest(schema))))

    assert ids_of(pages) == living(big.sim, "Contact")
    assert pages[-1].expected == pages[-1].total == CONTACTS
    assert calls == 3 + big.clock.sleeps
    assert big.org.usage.used == big.sim.usage.used


# ── pulling changes ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_changes_come_from_the_very_stamp_on_in_order_deleted_ones_too(rig: Rig) -> None:
    first, second, third, *_ = sorted(living(rig.sim, "Lead"))
    rig.sim.clock.freeze()
    rig.sim.clock.advance(3600)
    rig.sim.change(third, LastName="Third")
    rig.sim.change(first, LastName="First")  # the same stamp: both must come
    since = datetime.fromtimestamp(rig.sim.clock.now_ms() / 1000, UTC).replace(microsecond=0)
    rig.sim.clock.advance(60)
    rig.sim.remove(second)

    pages = rig.pull("Lead", since)

    assert [cells[0] for cells in cells_of(pages)] == [first, third, second]
    assert column(pages, "IsDeleted") == ["false", "false", "true"]


def test_a_quiet_object_costs_one_call(rig: Rig) -> None:
    schema = rig.org.describe("Contact")
    later = datetime.fromtimestamp(rig.sim.clock.now_ms() / 1000, UTC) + timedelta(days=1)

    calls = rig.calls(lambda: list(rig.org.pull(PullRequest(schema, later))))

    assert calls == 1


def test_many_changes_come_by_bulk_deleted_ones_too(big: Rig) -> None:
    gone = min(living(big.sim, "Contact"))
    big.sim.remove(gone)

    pages = big.pull("Contact", datetime(1970, 1, 1, tzinfo=UTC))

    assert any(isinstance(page.body, CsvFile) for page in pages)
    assert gone in ids_of(pages)
    assert ids_of(pages) > living(big.sim, "Contact")


# ── going on ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def go_on_after_each_point(rig: Rig, schema: ObjectSchema) -> Iterator[list[Cells]]:
    """What a process gets in all that is killed after each durable point, and takes up again."""
    pages = list(rig.org.pull(PullRequest(schema)))
    for done in range(1, len(pages) + 1):
        resume = pages[done - 1].resume
        if resume is not None:
            rest = list(rig.org.pull(PullRequest(schema, resume=resume)))
            assert rest[-1].last
            yield [*cells_of(pages[:done]), *cells_of(rest)]


def test_a_pull_goes_on_after_every_durable_point(big: Rig) -> None:
    contact, account = big.org.describe("Contact"), big.org.describe("Account")

    for schema in (contact, account):
        results = list(go_on_after_each_point(big, schema))
        assert results
        for rows in results:
            assert sorted(cells[0] for cells in rows) == sorted(living(big.sim, schema.name))


def test_what_the_org_forgot_has_to_be_asked_anew(big: Rig) -> None:
    schema = big.org.describe("Contact")
    job = next(iter(big.org.pull(PullRequest(schema)))).resume or ""

    for resume in (job.replace("750", "751"), "rest:2000:/services/data/v58.0/query/0r8000000000000AAA-2000", "junk"):
        with pytest.raises(LocatorExpired):
            list(big.org.pull(PullRequest(schema, resume=resume)))


def test_expired_locators_have_to_be_asked_anew(big: Rig) -> None:
    schema = big.org.describe("Lead")
    big.sim.faults.add(Fault(locators="expired", times=None))

    with pytest.raises(LocatorExpired):
        list(big.org.pull(PullRequest(schema)))


# ── faults ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _told(code: str, message: str) -> list[dict[str, str]]:
    return [{"errorCode": code, "message": message}]


BUSY = _told("REQUEST_LIMIT_EXCEEDED", "ConcurrentPerOrgLongTxn Limit exceeded. Too many concurrent requests.")
LOCKED = _told("UNABLE_TO_LOCK_ROW", "unable to obtain exclusive access to this record")
SLOW = _told("QUERY_TIMEOUT", "Your query request was running for too long.")


@pytest.mark.parametrize(
    "fault",
    [
        Fault(path="/results", cut_after=20_000),
        Fault(path="/results", cut_after=20_000, reset=True),
        Fault(path="/results", status=503, times=2),
        Fault(path="/results", expire=True),
        Fault(path="/jobs/query", method="POST", drop="after"),
        Fault(path="/jobs/query/75", expire=True),
        Fault(path="/query\\?", cut_after=1000),
        Fault(path="/query\\?", drop="before", times=2),
        Fault(path="/query\\?", status=502, body="<html>Bad Gateway</html>"),
        Fault(path="/query\\?", expire=True),
        Fault(path="/oauth2/token", status=503),
        Fault(path="/query\\?", status=500, times=3),
        Fault(path="/query\\?", status=400, body=LOCKED, times=3),
        Fault(path="/jobs/query", status=400, body=LOCKED),
        Fault(path="/results", status=400, body=LOCKED),
        Fault(path="/query\\?", status=403, body=BUSY, times=3),
        Fault(path="/jobs/query/75", status=403, body=BUSY),
        Fault(path="/query\\?", status=400, body=SLOW),
    ],
)
def test_what_passes_does_not_hurt(fault: Fault, big: Rig) -> None:
    big.sim.faults.add(fault)

    assert ids_of(big.pull("Contact")) == living(big.sim, "Contact")


def test_a_session_that_ends_between_rest_pages_means_to_ask_anew(big: Rig) -> None:
    big.sim.faults.add(Fault(path="/query/0r8", expire=True))

    with pytest.raises(LocatorExpired):
        big.pull("Lead")

    assert ids_of(big.pull("Lead")) == living(big.sim, "Lead")


def test_a_stuck_job_and_a_failed_one_are_not_a_success(big: Rig) -> None:
    for state in ("failed", "stuck"):
        number = big.sim.faults.add(Fault(path="Contact", job=state))
        with pytest.raises(Transient):
            _hurried(big)
        big.sim.faults.remove(number)


def _hurried(rig: Rig) -> None:
    """A pull whose patience is over after a few looks."""

    class Hurried(Clock):
        def monotonic(self) -> float:
            return super().monotonic() * 100_000

    rig.org._clock = Hurried()
    rig.pull("Contact")


def test_a_dead_server_is_unreachable(rig: Rig) -> None:
    rig.org.objects()
    rig.sim.faults.add(Fault(path="/sobjects", drop="before", times=None))

    with pytest.raises(Unreachable):
        rig.org.objects()


def test_a_used_up_day_stops_at_once(rig: Rig) -> None:
    rig.org.objects()
    rig.sim.usage.reset(rig.sim.usage.limit)

    with pytest.raises(LimitExceeded):
        rig.org.objects()

    assert rig.org.usage.spent == 2


def test_a_field_that_was_removed_asks_for_a_new_description(rig: Rig) -> None:
    schema = rig.org.describe("Widget__c")
    rig.sim.permissions.hide_field("Widget__c", "Text__c")

    with pytest.raises(SchemaChanged):
        list(rig.org.pull(PullRequest(schema)))


def test_an_object_that_was_hidden_is_an_error_of_this_object(rig: Rig) -> None:
    schema = rig.org.describe("Widget__c")
    rig.sim.permissions.deny("Widget__c", "read")

    with pytest.raises((ObjectNotFound, InsufficientAccess)):
        list(rig.org.pull(PullRequest(schema)))


def test_no_file_is_left_when_a_pull_fails(big: Rig) -> None:
    big.sim.faults.add(Fault(path="/results", cut_after=20_000, times=None))

    with pytest.raises(Unreachable):
        big.pull("Contact")

    assert list(big.work_dir.iterdir()) == []


def test_an_ended_session_that_cannot_be_renewed_needs_a_person(
    rig: Rig, connect: Callable[[SimOrg], Rig], tmp_path: Path
) -> None:
    token = rig.sim.sessions.open(rig.sim.user_id).token
    pasted = Connection(LoginMethod.PASTED_SESSION, rig.sim.url, access_token=token)
    org = SalesforceOrg(pasted, api_version="58.0", work_dir=tmp_path, keys=Vault(tmp_path / "other.db"), clock=Clock())

    org.login()
    rig.sim.sessions.end_all()
    with pytest.raises(SessionInvalid):
        org.login()
    org.close()
