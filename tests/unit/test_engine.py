"""The engine: what a run does, says and signals."""

import logging
import signal
import threading
import time
from contextlib import ExitStack
from datetime import timedelta
from decimal import Decimal

import pytest
from msgspec.structs import replace

from salesforce_sync.errors import (
    BudgetSpent,
    DiskFull,
    InsufficientAccess,
    JobFailed,
    LimitExceeded,
    LocatorExpired,
    Misuse,
    ObjectNotFound,
    RequestRefused,
    SessionInvalid,
    StoreBusy,
    Unreachable,
)
from salesforce_sync.models.proof import Cause
from salesforce_sync.models.run import Problem, RunCounts, RunState
from salesforce_sync.models.usage import DayUsage
from salesforce_sync.ports import Usage
from salesforce_sync.signals import (
    ABANDONED,
    ApiLimitWarning,
    Bus,
    ObjectFinished,
    ObjectStarted,
    Progress,
    RecordsUpdated,
    SchemaDrifted,
    SyncFailed,
    SyncStarted,
)
from salesforce_sync.sync.engine import SyncEngine
from salesforce_sync.sync.puller import Puller
from salesforce_sync.sync.schedule import Rules, near_the_wall
from salesforce_sync.testing import MemoryOrg, capture_signals, make_field, make_schema
from tests.unit.orgs import ACCOUNT, FORMS, fill, replica


@pytest.fixture(params=FORMS)
def org(request, tmp_path):
    return FORMS[request.param](tmp_path)


class Rig:
    def __init__(self, org, world):
        self.org, self.world, self.bus = org, world, Bus()
        self.signals = capture_signals(self.bus)

    @property
    def store(self):
        return self.world.store

    def run(self, *objects):
        return SyncEngine(self.org, self.store, self.world.clock, self.bus).run(objects)

    def verify(self, *objects):
        return SyncEngine(self.org, self.store, self.world.clock, self.bus).verify(objects)


@pytest.fixture
def rig(org, world):
    return Rig(org, world)


def records(run):
    return {each.object_name: each for each in run.objects}


def test_a_run_brings_every_object(rig):
    fill(rig.org)
    rig.org.put("Contact", LastName="Doe", Active__c=True)

    run = rig.run("Account", "Contact")

    assert run.state is RunState.COMPLETE
    assert [each.object_name for each in run.objects] == ["Account", "Contact"]
    assert records(run)["Account"].counts == RunCounts(rows=10, inserted=10)
    assert run.changed == 11
    assert run.calls == rig.org.usage.spent
    assert replica(rig.store, "Account") == rig.org.live("Account")
    assert replica(rig.store, "Contact") == rig.org.live("Contact")


def test_a_complete_run_signals_what_was_promised(rig):
    fill(rig.org, 3)

    rig.run("Account", "Contact")

    assert rig.signals.lines == [
        "🔄 FND → OS : sync_started",
        "📊 FND → OS : records_updated, count=3",
        "✔️ FND → OS : sync_complete",
    ]
    assert rig.signals.of(SyncStarted) == [SyncStarted(("Account", "Contact"))]


def test_records_updated_names_the_objects_that_changed(rig):
    fill(rig.org, 3)

    rig.run("Account", "Contact")

    assert rig.signals.of(RecordsUpdated) == [RecordsUpdated(3, (("Account", 3),))]


def test_what_a_killed_run_has_changed_is_told_by_the_next(rig):
    fill(rig.org, 3)
    Puller(rig.org, rig.store, rig.world.clock).pull("Account", lambda *_: None)
    rig.world.restart()

    run = rig.run("Account")

    assert run.changed == 0
    assert rig.signals.of(RecordsUpdated) == [RecordsUpdated(3, (("Account", 3),))]


def test_the_end_of_a_run_that_could_tell_none_is_told_before_the_next_one_begins(rig):
    fill(rig.org, 3)
    with rig.store.begun("killed", ["Account", "Contact"]):
        pass

    rig.run("Account")

    kept = [each.signal for each in rig.store.told(0) if not isinstance(each.signal, Progress)]
    assert [each.name for each in kept[:3]] == ["sync_started", "sync_failed", "sync_started"]
    assert kept[1] == SyncFailed(ABANDONED, ("Account", "Contact"))
    assert rig.signals.of(SyncFailed) == [kept[1]]


def test_a_run_beside_another_one_is_not_taken_for_its_end(rig):
    fill(rig.org, 3)

    with rig.store.begun("other", ["Contact"]):
        rig.run("Account")

    assert rig.signals.of(SyncFailed) == []


def test_what_is_told_is_kept_for_whoever_reads_it_later(rig):
    fill(rig.org, 3)

    rig.run("Account")

    kept = [each.signal for each in rig.store.told(0) if not isinstance(each.signal, Progress)]
    assert all(each in rig.signals for each in kept)
    assert [each.name for each in kept] == ["sync_started", "records_updated", "sync_complete"]


def test_a_field_that_is_new_is_told(rig):
    fill(rig.org, 3)
    rig.run("Account")
    before = rig.store.schema("Account")
    rig.store.adopt(replace(before, fields=before.fields[:-1]))
    rig.signals.clear()
    Puller(rig.org, rig.store, rig.world.clock, bus=rig.bus).pull("Account", lambda *_: None)
    rig.world.clock.advance(timedelta(hours=2))

    rig.run("Account")

    (told,) = rig.signals.of(SchemaDrifted)
    assert told == SchemaDrifted("Account", added=(before.fields[-1].name,))


@pytest.mark.parametrize("work", ["run", "verify"])
@pytest.mark.parametrize("asked", ["poll", "pull_together", "describe"])
def test_a_run_that_somebody_breaks_off_holds_its_objects_no_longer(rig, work, asked):
    """Python keeps what was raised, with all that it holds, until something else is raised."""
    fill(rig.org, 3)
    if asked == "poll":
        rig.run("Account")
    whole, broken = getattr(rig.org, asked), []

    def break_off(*given, **more):
        broken.append(asked)
        raise KeyboardInterrupt

    setattr(rig.org, asked, break_off)
    with pytest.raises(KeyboardInterrupt) as raised:
        getattr(rig, "verify" if asked == "pull_together" else work)("Account")
    setattr(rig.org, asked, whole)

    assert getattr(rig, work)("Account").state is RunState.COMPLETE
    assert (broken, raised.type) == ([asked], KeyboardInterrupt)


def test_a_run_that_somebody_breaks_off_ends_at_the_next_page_of_each_pull(world):
    rig = Rig(MemoryOrg(ACCOUNT, page_rows=1), world)
    fill(rig.org, 60)
    whole, brought, main = rig.org.pull, [], threading.main_thread().ident

    def slow(request):
        for page in whole(request):
            brought.append(page)
            if len(brought) == 2:
                signal.pthread_kill(main, signal.SIGINT)
            time.sleep(0.05)
            yield page

    rig.org.pull = slow
    with pytest.raises(KeyboardInterrupt):
        rig.run("Account")

    assert 2 <= len(brought) < 60
    rig.org.pull = whole
    run = rig.run("Account")
    assert (run.state, len(replica(rig.store, "Account"))) == (RunState.COMPLETE, 60)


def test_a_run_without_changes_tells_of_none(rig):
    fill(rig.org, 3)
    rig.run("Account")
    rig.signals.clear()

    run = rig.run("Account")

    assert run.changed == 0
    assert rig.signals.names == ["sync_started", "sync_complete"]


def test_signals_come_after_the_rows_are_durable(rig):
    fill(rig.org, 3)
    seen = []
    rig.bus.on("records_updated", lambda _: seen.append(rig.store.count("Account")))

    rig.run("Account")

    assert seen == [3]


def test_progress_tells_rows_total_and_calls(rig):
    fill(rig.org, 7)

    rig.run("Account")

    progress = rig.signals.of(Progress)
    assert {each.object for each in progress} == {"Account"}
    assert [each.rows for each in progress] == sorted(each.rows for each in progress)
    assert (progress[-1].rows, progress[-1].total) == (7, 7)
    assert progress[-1].calls == rig.org.usage.spent


def test_each_object_tells_when_it_begins_and_how_it_ended(rig):
    fill(rig.org, 3)
    rig.org.fail(InsufficientAccess("No right."), "Contact", call="describe")

    rig.run("Account", "Contact")

    assert set(rig.signals.of(ObjectStarted)) == {ObjectStarted("Account"), ObjectStarted("Contact")}
    ended = {each.object: each for each in rig.signals.of(ObjectFinished)}
    assert ended["Account"] == ObjectFinished("Account", "complete", rows=3, changed=3)
    assert (ended["Contact"].state, ended["Contact"].error) == ("failed", "INSUFFICIENT_ACCESS")
    assert rig.signals.index(ObjectStarted("Account")) < rig.signals.index(ended["Account"])


def test_an_object_has_ended_when_its_rows_are_durable(rig):
    fill(rig.org, 3)
    seen = []
    rig.bus.on("object_finished", lambda _: seen.append(rig.store.status()[0].last_run.state))

    rig.run("Account")

    assert seen == [RunState.COMPLETE]


def test_a_run_needs_an_object(rig):
    with pytest.raises(Misuse, match="nothing to sync"):
        rig.run()


def test_an_object_that_is_named_twice_is_pulled_once(rig):
    fill(rig.org, 3)

    run = rig.run("Account", "Contact", "Account", "account")

    assert run.state is RunState.COMPLETE
    assert [each.object_name for each in run.objects] == ["Account", "Contact"]


# ── trouble ──────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "error", [InsufficientAccess("No right.", hint="Ask."), ObjectNotFound("Gone."), ValueError("a bug")]
)
def test_one_bad_object_does_not_stop_the_others(rig, error):
    fill(rig.org, 3)
    rig.org.fail(error, "Contact", call="describe")
    rig.org.fail(error, None, call="objects")

    run = rig.run("Contact", "Account")

    assert run.state is RunState.PARTIAL
    assert records(run)["Contact"].state is RunState.FAILED
    assert records(run)["Account"].state is RunState.COMPLETE
    assert rig.store.count("Account") == 3


def test_a_partial_run_is_never_signalled_as_complete(rig):
    fill(rig.org, 3)
    rig.org.fail(InsufficientAccess("No right."), "Contact", call="describe")

    rig.run("Account", "Contact")

    assert rig.signals.names == ["sync_started", "records_updated", "sync_failed"]
    assert rig.signals.of(SyncFailed) == [SyncFailed("INSUFFICIENT_ACCESS", ("Contact",))]


def test_the_problem_of_an_object_has_code_message_and_hint(rig):
    rig.org.fail(InsufficientAccess("No right.", hint="Ask."), "Contact", call="describe")

    run = rig.run("Contact")

    assert run.state is RunState.FAILED
    assert run.objects[0].problem == Problem("INSUFFICIENT_ACCESS", "No right.", "Ask.")


def test_a_failure_is_kept_for_status(rig):
    fill(rig.org, 3)
    rig.run("Account")
    rig.org.fail(InsufficientAccess("No right."), call="poll")
    run = rig.run("Account")

    status = rig.store.status()[0]

    assert status.last_run.problem.code == "INSUFFICIENT_ACCESS"
    assert status.last_run.run_id == run.run_id
    assert status.last_complete is not None
    assert status.rows == 3


def test_a_bug_is_logged_with_its_traceback_and_named(rig, caplog):
    rig.org.fail(ValueError("surprise"), "Account", call="describe")

    with caplog.at_level(logging.ERROR):
        run = rig.run("Account")

    assert run.objects[0].problem.code == "INTERNAL_ERROR"
    assert "ValueError: surprise" in run.objects[0].problem.message
    assert "Traceback" in caplog.text


@pytest.mark.parametrize(
    ("error", "state"),
    [(SessionInvalid("ended"), RunState.FAILED), (LimitExceeded("used up"), RunState.PARTIAL)],
)
def test_what_concerns_every_object_stops_those_that_have_not_begun(rig, error, state):
    names = [f"Thing{number}__c" for number in range(12)]
    for name in names:
        rig.org.define(make_schema(name, Name="string"))
        rig.org.fail(error, name, call="describe")

    run = rig.run(*names)

    codes = [each.problem.code for each in run.objects]
    assert run.state is state
    assert set(codes) <= {error.code, "NOT_BEGUN"}
    assert "NOT_BEGUN" in codes
    assert {each.state for each in run.objects} == {state}
    assert rig.signals.of(SyncFailed)[0].error == error.code


def test_the_first_cause_is_signalled_and_not_what_followed_from_it(rig):
    # The object whose error stops the run may come after objects that were then not begun.
    names = [f"Thing{number}__c" for number in range(8)]
    for name in names:
        rig.org.define(make_schema(name, Name="string"))
    rig.org.fail(SessionInvalid("ended"), names[1], call="describe")
    failed = threading.Event()
    now, record_run = rig.world.clock.now, rig.store.record_run

    def late():
        if threading.current_thread().name == "pull_0":  # it has the first object
            assert failed.wait(30)
        return now()

    def noting(record):
        record_run(record)
        if record.problem.code == "INVALID_SESSION_ID":
            failed.set()

    rig.world.clock.now, rig.store.record_run = late, noting
    run = rig.run(*names)

    assert records(run)[names[0]].problem.code == "NOT_BEGUN"
    assert rig.signals.of(SyncFailed)[0].error == "INVALID_SESSION_ID"
    assert records(run)[names[1]].problem.code == "INVALID_SESSION_ID"


def test_a_listener_that_raises_does_not_hurt_the_run(rig):
    fill(rig.org, 3)
    told = []

    def broken(signal):
        raise RuntimeError("my fault")

    rig.bus.on("*", broken)
    rig.bus.on("sync_complete", told.append)

    assert rig.run("Account").state is RunState.COMPLETE
    assert len(told) == 1
    assert rig.store.count("Account") == 3


def test_an_object_that_another_run_holds_is_reported_and_left_alone(rig):
    fill(rig.org, 3)

    with rig.store.claim("account"):
        run = rig.run("Account", "Contact")

    assert run.state is RunState.PARTIAL
    assert records(run)["Account"].problem.code == StoreBusy.code
    assert rig.run("Account").state is RunState.COMPLETE


def test_a_run_waits_no_longer_for_an_object_that_it_only_pushes(rig):
    fill(rig.org, 3)
    contact = rig.org.put("Contact", LastName="Doe", Active__c=True)
    rig.run("Account", "Contact")
    rig.store.update("Contact", contact, {"LastName": "Roe"})
    before = rig.world.clock.monotonic()

    with rig.store.claim("Contact"):
        run = rig.run("Account")

    assert run.pushed.problem.code == StoreBusy.code
    assert rig.world.clock.monotonic() - before < 11


def test_a_run_waits_for_who_holds_its_object_only_for_a_moment(rig, monkeypatch):
    fill(rig.org, 3)
    somebody = ExitStack()
    somebody.enter_context(rig.store.claim("account"))
    monkeypatch.setattr(rig.world.clock, "sleep", lambda seconds: somebody.close())

    assert rig.run("Account", "Contact").state is RunState.COMPLETE


def test_a_claim_is_given_back_after_a_failure(rig):
    rig.org.fail(InsufficientAccess("No right."), "Account", call="describe")
    rig.run("Account")

    assert rig.run("Account").state is RunState.COMPLETE


def test_a_store_that_cannot_even_note_the_failure_does_not_hide_it(rig, caplog):
    fill(rig.org, 3)

    def full(*_):
        raise DiskFull("The disk is full.")

    rig.store.record_run = rig.store.note_usage = rig.store.tell = full
    run = rig.run("Account")

    assert run.state is RunState.FAILED
    assert run.objects[0].problem.code == "DISK_FULL"
    assert rig.signals[-1] == SyncFailed("DISK_FULL", ("Account",))
    # The log may be on the same disk: a line each, and no traceback.
    assert {each.exc_info for each in caplog.records} == {None}
    assert all("The disk is full." in each.getMessage() for each in caplog.records)


def test_the_next_run_makes_a_failed_one_good(rig):
    fill(rig.org)
    for _ in range(4):
        rig.org.fail(Unreachable("reset"), "Account", page=2)
        rig.org.fail(Unreachable("reset"), "Account", page=1)
    assert rig.run("Account").state is RunState.FAILED
    rig.org.faults.clear()

    assert rig.run("Account").state is RunState.COMPLETE
    assert replica(rig.store, "Account") == rig.org.live("Account")


# ── API calls ────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("usage", "near"),
    [
        ((None, None), False),
        ((100, None), False),
        ((None, 15_000), False),
        ((11_999, 15_000), False),
        ((12_000, 15_000), True),
        ((20_000, 15_000), True),
        ((0, 0), False),
    ],
)
def test_the_wall_is_near_from_four_fifths_on(usage, near):
    assert near_the_wall(*usage) is near


def test_a_run_near_the_wall_warns(rig):
    rig.org.call_limit, rig.org.used_by_others = 100, 85

    rig.run("Account")

    warned = rig.signals.of(ApiLimitWarning)
    assert warned == [ApiLimitWarning(85 + rig.org.usage.spent, 100)]


class SilentOrg(MemoryOrg):
    """An org on whose answers nothing is said of API calls: something between has taken the header off."""

    @property
    def usage(self):
        return Usage(spent=super().usage.spent, ceiling=1000)


@pytest.mark.parametrize(
    ("hours", "used", "told"), [(1, 850, [(850, 1000)]), (1, 700, []), (25, 850, [])], ids=["near", "far", "long ago"]
)
def test_what_the_org_told_an_earlier_process_warns_where_it_tells_nothing(world, hours, used, told):
    rig = Rig(SilentOrg(ACCOUNT), world)
    rig.store.note_usage(used, 15_000)
    world.clock.advance(timedelta(hours=hours))

    rig.run("Account")

    assert rig.signals.of(ApiLimitWarning) == [ApiLimitWarning(*each) for each in told]


def test_what_the_org_said_of_its_calls_is_kept_for_other_processes(rig):
    rig.org.used_by_others = 40

    rig.run("Account")

    assert rig.store.usage() == DayUsage(40 + rig.org.usage.spent, 15_000, rig.world.clock.now())


def test_a_run_that_the_budget_cut_says_when_it_may_go_on(rig):
    again_at = rig.world.clock.now() + timedelta(minutes=40)
    rig.org.fail(BudgetSpent("spent", again_at=again_at), "Account", call="describe")

    run = rig.run("Account", "Contact")

    assert run.state is RunState.PARTIAL
    assert run.again_at == again_at


@pytest.mark.parametrize(
    ("error", "sent"), [(BudgetSpent("kept for pushes"), True), (LimitExceeded("TotalRequests Limit exceeded."), False)]
)
def test_what_a_run_may_not_spend_on_pulls_it_spends_on_edits(rig, error, sent):
    rig.org.put("Account", Name="Acme")
    rig.run("Account")
    (record_id,) = replica(rig.store, "Account")
    rig.store.update("Account", record_id, {"Name": "Apex"})
    rig.org.fail(error, call="poll")

    run = rig.run("Account")

    assert run.state is RunState.PARTIAL
    assert [each.problem.code for each in run.objects] == [error.code]
    assert [each["Name"] for each in rig.org.live("Account").values()] == ["Apex" if sent else "Acme"]
    assert (run.pushed is not None) is sent


def test_a_run_far_from_the_wall_does_not(rig):
    rig.run("Account")

    assert rig.signals.of(ApiLimitWarning) == []


def test_a_run_at_the_wall_stops_and_says_so(rig):
    fill(rig.org)
    rig.org.call_limit, rig.org.used_by_others = 100, 98

    run = rig.run("Account")

    assert run.state is RunState.PARTIAL
    assert run.objects[0].problem.code == "REQUEST_LIMIT_EXCEEDED"
    assert rig.signals.names[-2:] == ["sync_failed", "api_limit_warning"]

    rig.org.used_by_others = 0

    assert rig.run("Account").state is RunState.COMPLETE
    assert replica(rig.store, "Account") == rig.org.live("Account")


WIDGET = make_schema("Widget__c", make_field("Total__c", "double", calculated=True), Name="string")


def widgets():
    """An org with two, and what changes the total of one without its stamp."""
    org = MemoryOrg(WIDGET)
    key = org.put("Widget__c", Name="Bolt", Total__c=Decimal(1))
    with org.late_commit() as changes_without_a_stamp:
        org.put("Widget__c", key, Total__c=Decimal(2))
    org.tick(3600)
    org.put("Widget__c", Name="Nut", Total__c=Decimal(3))
    return org, changes_without_a_stamp


@pytest.mark.parametrize(("every", "hours"), [(None, 1), (timedelta(hours=6), 7)])
def test_a_verify_brings_what_formulas_give_now_where_that_is_due_or_nothing_else_does(world, every, hours):
    org, changes_without_a_stamp = widgets()
    engine = SyncEngine(org, world.store, world.clock, Bus(), Rules(refresh_every=every))
    engine.run(["Widget__c"])
    org.tick(3600)
    world.clock.advance(timedelta(hours=hours))
    changes_without_a_stamp()

    engine.verify(["Widget__c"])

    assert replica(world.store, "Widget__c") == org.live("Widget__c")


def test_jobs_that_fail_under_a_listing_are_given_up_and_it_comes_without_one(rig):
    fill(rig.org)
    rig.run("Account")
    for _ in range(2):
        rig.org.fail(JobFailed("InternalServerError : Retried more than fifteen times."), "Account")
    asked = []
    pull = rig.org.pull
    rig.org.pull = lambda request: (asked.append(request.jobs), pull(request))[1]
    rig.org.pull_together = lambda requests: tuple(map(rig.org.pull, requests))

    run = rig.verify("Account")

    assert asked == [True, True, False]
    assert run.state is RunState.COMPLETE
    assert rig.store.proof("Account").rows == 10


@pytest.mark.parametrize("error", [Unreachable("reset"), LocatorExpired("the session has ended")])
@pytest.mark.parametrize("page", [1, 2])
def test_a_listing_that_breaks_off_is_taken_anew(rig, error, page):
    fill(rig.org)
    rig.run("Account")
    rig.org.fail(error, "Account", page=page)

    assert rig.verify("Account").state is RunState.COMPLETE
    assert not len(rig.org.faults)


def test_records_that_a_verify_repairs_are_asked_for_again_where_the_answer_broke_off(rig):
    fill(rig.org)
    rig.run("Account")
    with rig.org.late_commit() as late:
        rig.org.put("Account", Name="Late")
    rig.org.tick(3_600)
    rig.org.put("Account", Name="Newest")
    rig.run("Account")
    late()
    rig.org.fail(Unreachable("reset"), "Account", page=4 if rig.org.page_rows == 4 else 5)

    assert rig.verify("Account").state is RunState.COMPLETE
    assert replica(rig.store, "Account") == rig.org.live("Account")


@pytest.mark.parametrize(
    ("days", "refused", "cause"),
    [(0, 0, Cause.PURGED), (0, 1, Cause.PURGED), (0, 2, Cause.UNKNOWN), (16, 0, Cause.UNKNOWN)],
)
def test_why_a_record_is_gone_is_unknown_where_the_org_cannot_tell(rig, days, refused, cause):
    made = fill(rig.org)
    rig.org.tick(3_600)
    fill(rig.org)
    rig.run("Account")
    rig.org.purge("Account", made[0])
    rig.org.tick(days * 86_400 + 3_600)
    rig.world.clock.advance(timedelta(days=days, hours=1))
    for _ in range(refused):
        rig.org.fail(RequestRefused("too many", code="EXCEEDED_ID_LIMIT"), "Account", call="deletions")

    rig.verify("Account")

    assert rig.store.proof("Account").repaired == ((cause, 1),)
    assert replica(rig.store, "Account") == rig.org.live("Account")


def test_values_that_changed_without_a_stamp_are_told_as_changes(world):
    org, changes_without_a_stamp = widgets()
    bus = Bus()
    signals = capture_signals(bus)
    engine = SyncEngine(org, world.store, world.clock, bus, Rules(refresh_every=timedelta(hours=1)))
    engine.run(["Widget__c"])
    org.tick(3_600)
    world.clock.advance(timedelta(hours=2))
    changes_without_a_stamp()

    run = engine.run(["Widget__c"])

    assert (run.state, run.changed) == (RunState.COMPLETE, 1)
    assert signals.of(RecordsUpdated)[1:] == [RecordsUpdated(1, (("Widget__c", 1),))]


def test_rows_with_a_value_in_a_new_column_are_told_as_changes(rig):
    made = fill(rig.org)
    rig.org.tick(3_600)
    rig.run("Account")
    rig.org.define(make_schema("Account", Name="string", AnnualRevenue="currency", Colour__c="string"))
    with rig.org.late_commit() as colours:
        for each in made[:3]:
            rig.org.put("Account", each, Colour__c="red")
    rig.org.tick(3_600)
    colours()

    run = rig.run("Account")

    assert replica(rig.store, "Account") == rig.org.live("Account")
    assert sum(each.count for each in rig.signals.of(RecordsUpdated)[1:]) == run.changed > 0


def test_rows_that_a_comparison_takes_out_are_told_as_deleted(rig):
    made = fill(rig.org)
    rig.org.tick(3_600)
    fill(rig.org)
    rig.run("Account")
    rig.org.purge("Account", made[0])
    rig.org.tick(3_600)

    run = rig.verify("Account")

    assert (records(run)["Account"].counts.deleted, records(run)["Account"].counts.updated) == (1, 0)


def test_formulas_are_read_again_although_a_job_failed(world, tmp_path):
    org = MemoryOrg(WIDGET)
    org.put("Widget__c", Name="Bolt", Total__c=Decimal(1))
    engine = SyncEngine(org, world.store, world.clock, Bus(), Rules(refresh_every=timedelta(hours=1)))
    engine.run(["Widget__c"])
    world.clock.advance(timedelta(hours=2))
    org.fail(JobFailed("InternalServerError : Retried more than fifteen times."), "Widget__c")

    assert engine.run(["Widget__c"]).state is RunState.COMPLETE
    assert world.store.ages("Widget__c").refreshed_at == world.clock.now()


def test_a_refused_field_costs_nothing_where_the_org_cannot_say_that_nothing_has_changed(rig):
    fill(rig.org)
    rig.org.refused["Account"] = {"annualrevenue"}
    described, poll = rig.org.describe("Account"), rig.org.poll
    rig.org.poll = lambda polls: tuple(replace(each, schema=described) for each in poll(polls))
    rig.run("Account")
    rig.run("Account")
    before = rig.org.usage.spent

    rig.run("Account")

    assert rig.org.usage.spent - before == 1


def test_times_are_this_machines(rig):
    started = rig.world.clock.now()
    describe = rig.org.describe

    def slow(name):
        rig.world.clock.advance(timedelta(seconds=7))
        return describe(name)

    rig.org.describe = slow
    run = rig.run("Account")

    assert run.objects[0].started == started
    assert run.objects[0].seconds == run.seconds == 7
