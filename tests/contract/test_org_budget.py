"""What calls cost, and where they stop, with `SalesforceOrg` and a simulated org over a socket."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from salesforce_sync.api.budget import full_load
from salesforce_sync.api.client import SalesforceOrg
from salesforce_sync.api.route import EXPECTED_POLLS
from salesforce_sync.errors import BudgetSpent, LimitExceeded
from salesforce_sync.models.connection import Connection, LoginMethod
from salesforce_sync.models.page import Page, Poll, Priority, PullRequest, Rows
from salesforce_sync.models.run import Run, RunState
from salesforce_sync.models.schema import Described, ObjectSchema
from salesforce_sync.signals import Bus
from salesforce_sync.storage.vault import Vault
from salesforce_sync.sync.engine import SyncEngine
from salesforce_sync.sync.schedule import Rules
from salesforce_sync.testing import MemoryStore
from simorg.clients import CLIENT_ID, CLIENT_SECRET
from simorg.faults import Fault
from simorg.org import SimOrg
from simorg.server import Server
from tests.contract.orgs import ShortClock

FOUR = ("Contact", "Lead", "Account", "Opportunity")


class CountingClock(ShortClock):
    """Counts how often it was waited."""

    looks = 0

    def sleep(self, seconds: float) -> None:
        self.looks += 1
        super().sleep(seconds)


@dataclass
class Rig:
    sim: SimOrg
    org: SalesforceOrg
    clock: CountingClock

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.sim.clock.now_ms() / 1000, UTC)

    def calls(self, action: Callable[[], object]) -> int:
        before = self.org.usage.spent
        action()
        return self.org.usage.spent - before

    def pull(self, schema: ObjectSchema, priority: Priority) -> list[Page]:
        return list(self.org.pull(PullRequest(schema, priority=priority)))


@pytest.fixture
def connect(tmp_path: Path) -> Iterator[Callable[..., Rig]]:
    opened: list[tuple[Rig, Server]] = []

    def to(records: int = 40, daily_calls: int | None = None) -> Rig:
        sim = SimOrg(records)
        server = sim.serve().start()
        connection = Connection(
            LoginMethod.CLIENT_CREDENTIALS, sim.url, client_id=CLIENT_ID, client_secret=CLIENT_SECRET
        )
        clock, keys = CountingClock(), Vault(tmp_path / "replica.db")
        org = SalesforceOrg(
            connection, api_version="58.0", work_dir=tmp_path, keys=keys, clock=clock, daily_calls=daily_calls
        )
        opened.append((Rig(sim, org, clock), server))
        return opened[-1][0]

    yield to
    for rig, server in opened:
        rig.org.close()
        server.stop()
        rig.sim.close()


def test_a_quiet_cycle_of_the_four_default_objects_is_one_call(connect: Callable[..., Rig]) -> None:
    rig = connect()
    polls = [Poll(rig.org.describe(name), rig.now() + timedelta(days=1)) for name in FOUR]

    answers = rig.org.poll(polls)
    again = [Poll(each.schema, each.since, told.described_as) for each, told in zip(polls, answers, strict=True)]

    assert rig.calls(lambda: rig.org.poll(again)) == 1
    assert [(answer.total, answer.schema, answer.problem) for answer in answers] == [(0, None, None)] * 4
    assert rig.sim.usage.used == rig.org.usage.used


@pytest.mark.parametrize("name", ["Contact", "Widget__c", "User", "Product2", "PricebookEntry", "ContentVersion"])
def test_polls_records_by_id_and_pulls_bring_the_same_values(name: str, connect: Callable[..., Rig]) -> None:
    rig = connect()
    schema = rig.org.describe(name)
    pulled = [row for page in rig.pull(schema, Priority.PULL) for row in _rows(page)]
    ids = tuple(str(row[0]) for row in pulled)

    (polled,) = rig.org.poll([Poll(schema, datetime(1970, 1, 1, tzinfo=UTC))])
    by_id = [row for page in rig.org.pull(PullRequest(schema, ids=ids)) for row in _rows(page)]

    assert {row[0]: row for row in by_id} == {row[0]: row for row in pulled}
    assert {row[0]: row for row in polled.rows.values if row[0] in ids} == {row[0]: row for row in pulled[:200]}


def _rows(page: Page) -> list[tuple[object, ...]]:
    assert isinstance(page.body, Rows)
    return list(page.body.values)


def test_a_session_that_ends_at_a_poll_is_renewed_once(connect: Callable[..., Rig]) -> None:
    rig = connect()
    schema = rig.org.describe("Contact")
    rig.sim.faults.add(Fault(path="/composite", expire=True))

    (answer,) = rig.org.poll([Poll(schema, datetime(1970, 1, 1, tzinfo=UTC))])

    assert answer.problem is None
    assert answer.total >= 40


@pytest.mark.parametrize("fault", [Fault(path="/composite", cut_after=900), Fault(path="/composite", status=503)])
def test_a_poll_that_breaks_is_asked_again(fault: Fault, connect: Callable[..., Rig]) -> None:
    rig = connect()
    schema = rig.org.describe("Contact")
    rig.sim.faults.add(fault)

    (answer,) = rig.org.poll([Poll(schema, datetime(1970, 1, 1, tzinfo=UTC))])

    assert answer.total >= 40


def test_each_kind_of_work_stops_at_its_wall_and_is_not_sent(connect: Callable[..., Rig]) -> None:
    rig = connect()
    schema = rig.org.describe("Lead")
    for used, stopped in ((10_600, [3]), (12_100, [2, 3]), (14_300, [1, 2, 3])):
        rig.sim.usage.reset(used)
        rig.clock.advance(timedelta(hours=2))  # the org's word is old: the next call brings a new one
        rig.org.objects()
        before = rig.sim.usage.used
        for priority in Priority:
            if priority in stopped:
                with pytest.raises(BudgetSpent):
                    rig.pull(schema, priority)
            else:
                rig.pull(schema, priority)
        assert rig.sim.usage.used == before + 4 - len(stopped)


def test_after_the_hour_of_a_used_up_budget_one_look_serves_all_workers(connect: Callable[..., Rig]) -> None:
    rig = connect()
    rig.sim.usage.reset(rig.sim.usage.limit - 1)
    with pytest.raises(LimitExceeded):
        [rig.org.objects() for _ in range(3)]
    rig.sim.usage.reset(0)
    rig.clock.advance(timedelta(hours=1))

    with ThreadPoolExecutor(4) as pool:
        described = list(pool.map(rig.org.describe, FOUR))

    assert [each.name for each in described] == list(FOUR)
    assert rig.sim.usage.used == 4


def test_a_limit_of_ones_own_is_held_although_the_org_allows_more(connect: Callable[..., Rig]) -> None:
    rig = connect(daily_calls=20)

    with pytest.raises(BudgetSpent) as caught:
        for _ in range(30):
            rig.org.objects()

    assert (rig.sim.usage.used, rig.org.usage.ceiling) == (19, 20)
    assert "The org itself allows 15,000" in caught.value.hint


def test_what_others_use_counts(connect: Callable[..., Rig]) -> None:
    rig = connect()
    rig.org.objects()
    rig.sim.usage.add(14_500)

    rig.org.objects()  # the org has not told yet
    with pytest.raises(BudgetSpent):
        rig.org.objects()


def test_polls_and_deletions_stop_with_the_pulls(connect: Callable[..., Rig]) -> None:
    rig = connect()
    schema = rig.org.describe("Lead")
    rig.sim.usage.reset(14_400)
    rig.org.objects()

    with pytest.raises(LimitExceeded):
        rig.org.poll([Poll(schema, rig.now())])
    with pytest.raises(LimitExceeded):
        rig.org.deletions("Lead", rig.now() - timedelta(hours=1), rig.now())
    with pytest.raises(LimitExceeded):
        list(rig.org.pull(PullRequest(schema, ids=("00Q000000000001",), priority=Priority.VERIFY)))


def test_what_four_pulls_begin_with_is_one_call(connect: Callable[..., Rig]) -> None:
    rig = connect()
    schemas = [rig.org.describe(name) for name in FOUR]
    requests = [PullRequest(schema.only("SystemModstamp"), priority=Priority.VERIFY) for schema in schemas]

    pulls: list[list[Page]] = []
    calls = rig.calls(lambda: pulls.extend(list(pages) for pages in rig.org.pull_together(requests)))

    assert calls == 1
    assert [sum(len(_rows(page)) for page in pages) for pages in pulls] == [rig.sim.count(name) for name in FOUR]


def test_without_composite_each_pull_begins_by_itself(connect: Callable[..., Rig]) -> None:
    rig = connect()
    schemas = [rig.org.describe(name) for name in FOUR]
    rig.sim.faults.add(Fault(path="/composite", status=404))

    pulls = rig.org.pull_together([PullRequest(schema) for schema in schemas])

    assert [sum(len(_rows(page)) for page in pages) for pages in pulls] == [rig.sim.count(name) for name in FOUR]


def test_pulls_of_many_rows_begin_with_their_jobs_and_share_no_page(connect: Callable[..., Rig]) -> None:
    rig = connect()
    many = [PullRequest(rig.org.describe(name).only("SystemModstamp"), here=20_000) for name in FOUR]
    rig.clock.looks = 0

    calls = rig.calls(lambda: [list(pages) for pages in rig.org.pull_together(many)])

    assert calls - rig.clock.looks == 2 * len(FOUR)  # a job and its one page each, with a look after each wait


def test_unknown_objects_are_described_in_one_call(connect: Callable[..., Rig]) -> None:
    rig = connect()

    described: list[Described | None] = []
    calls = rig.calls(lambda: described.extend(rig.org.describe_together(FOUR)))

    assert calls == 1
    assert [(each.schema.name, each.rows) for each in described if each] == [
        (name, rig.sim.count(name)) for name in FOUR
    ]


def test_without_composite_nothing_is_described_together(connect: Callable[..., Rig]) -> None:
    rig = connect()
    rig.sim.faults.add(Fault(path="/composite", status=404))

    assert rig.org.describe_together(FOUR) == (None,) * 4


def test_a_first_load_of_many_objects_asks_for_no_more_than_it_must(connect: Callable[..., Rig]) -> None:
    rig = connect(records=11_000)
    engine = SyncEngine(rig.org, MemoryStore(rig.clock), rig.clock, Bus())
    small = ("Pricebook2", "LegalEntity", "RecordType", "Profile", "Group")
    rig.clock.looks = 0

    calls = rig.calls(lambda: engine.run(["Contact", *small]))

    # Two calls describe and count six objects, each small one is a page; the large one is a job and its one page, with
    # a look after each wait, and no page before it.
    assert calls - rig.clock.looks == 2 + len(small) + 2
    assert rig.clock.looks > 0


def test_a_verify_of_four_small_objects_is_a_poll_and_a_listing(connect: Callable[..., Rig]) -> None:
    rig = connect()
    store = MemoryStore(rig.clock)
    engine = SyncEngine(rig.org, store, rig.clock, Bus())
    engine.run(FOUR)
    engine.run(FOUR)  # what was described is known from now on

    runs: list[Run] = []
    calls = rig.calls(lambda: runs.append(engine.verify(FOUR)))

    assert calls == runs[0].calls == 2
    assert runs[0].state is RunState.COMPLETE
    for name in FOUR:
        proof = store.proof(name)
        assert proof is not None
        assert proof.rows == proof.org_rows == rig.sim.count(name)


def test_proofs_that_fall_due_in_one_run_share_their_calls(connect: Callable[..., Rig]) -> None:
    rig = connect()
    store = MemoryStore(rig.clock)
    rules = Rules(verify_every=timedelta(hours=1), refresh_every=None)
    engine = SyncEngine(rig.org, store, rig.clock, Bus(), rules)
    engine.run(FOUR)
    engine.run(FOUR)
    rig.clock.advance(timedelta(hours=2))

    assert rig.calls(lambda: engine.run(FOUR)) == 2
    assert all(store.proof(name) is not None for name in FOUR)


def test_what_a_pull_compares_goes_on_where_proofs_have_to_stop(connect: Callable[..., Rig]) -> None:
    rig = connect(records=400)
    store = MemoryStore(rig.clock)
    engine = SyncEngine(rig.org, store, rig.clock, Bus())
    engine.run(["Contact"])
    engine.run(["Contact"])
    contacts = [str(row[0]) for row in store.scan("Contact")]
    rig.sim.update("Contact", [{"Id": each, "Title": "Chief"} for each in contacts[:250]])
    rig.sim.clock.advance(5)
    engine.run(["Contact"])
    rig.sim.clock.advance(5)
    rig.sim.update("Contact", [{"Id": each, "Title": "Chief"} for each in contacts[250:260]])
    rig.sim.usage.reset(rig.sim.usage.limit * 85 // 100)

    run = engine.run(["Contact"])

    assert [each.problem for each in run.objects] == [None]
    assert run.calls > 1  # the poll, and the ids of more rows than it brings
    (schema,) = store.schemas()
    position = [field.name for field in schema.columns].index("Title")
    assert [row[position] for row in store.rows("Contact", contacts[:260]).values()] == ["Chief"] * 260


def test_the_forecast_of_a_full_load_holds(connect: Callable[..., Rig]) -> None:
    rig = connect(records=11_000)

    by_rest = rig.calls(lambda: rig.pull(rig.org.describe("Account"), Priority.PULL))
    rig.clock.looks = 0
    by_bulk = rig.calls(lambda: rig.pull(rig.org.describe("Contact"), Priority.PULL))

    assert by_rest == full_load(rig.sim.count("Account"))
    # How often a job is looked at is a guess; each look comes after a wait.
    assert by_bulk - rig.clock.looks == full_load(rig.sim.count("Contact")) - EXPECTED_POLLS
    assert rig.clock.looks > 0
