"""The push: what reaches the org, what waits, and what is said of it."""

import re
from contextlib import closing
from datetime import timedelta
from decimal import Decimal
from threading import Event

import pytest
from msgspec.structs import replace

from salesforce_sync.errors import (
    ForeignAnswer,
    LimitExceeded,
    LocatorExpired,
    ObjectNotFound,
    RecordNotFound,
    SessionInvalid,
)
from salesforce_sync.models.inbox import Resolution, Side
from salesforce_sync.models.outbox import ChangeState, Conflicted, Kind, Operation
from salesforce_sync.models.run import RunState
from salesforce_sync.ports import Order
from salesforce_sync.signals import Bus, PushComplete, SyncFailed
from salesforce_sync.sync.engine import SyncEngine
from salesforce_sync.sync.pusher import Pusher
from salesforce_sync.sync.stopping import StoppableOrg
from salesforce_sync.sync.telling import InboxNews
from salesforce_sync.testing import FrozenClock, MemoryOrg, capture_signals, make_field, make_schema
from tests.unit.orgs import replica

ACCOUNT = make_schema(
    "Account",
    make_field("Name", nillable=False),
    make_field("Key__c", unique=True, externalId=True),
    make_field("ParentId", "reference", referenceTo=["Account"]),
    Phone="phone",
    AnnualRevenue="currency",
)
CONTACT = make_schema("Contact", make_field("AccountId", "reference", referenceTo=["Account"]), LastName="string")


UNSTAMPED = make_schema("Rate__c", Name="string", Value__c="double").only("IsDeleted", "Name", "Value__c")


class Rig:
    """A replica and its org, synced."""

    def __init__(self, world):
        self.world, self.bus = world, Bus()
        self.org = MemoryOrg(ACCOUNT, CONTACT)
        self.signals = capture_signals(self.bus)
        self.acme = self.org.put("Account", Name="Acme", Phone="1")
        self.bolt = self.org.put("Account", Name="Bolt", Phone="1", ParentId=self.acme)
        self.jane = self.org.put("Contact", LastName="Jane", AccountId=self.acme)
        self.org.tick(60)
        self.sync()

    @property
    def store(self):
        return self.world.store

    @property
    def engine(self):
        return SyncEngine(self.org, self.store, self.world.clock, self.bus)

    def sync(self):
        self.org.tick()
        return self.engine.run(["Account", "Contact"])

    def bring(self, kind):
        """Pull, in a run of this kind."""
        self.org.tick()
        run = {"sync": self.engine.run, "pull": self.engine.pull, "verify": self.engine.verify}[kind]
        return run(["Account", "Contact"])

    def push(self):
        self.org.tick()
        return self.engine.push()

    def edit(self, record_id, object_name="Account", **values):
        self.store.update(object_name, record_id, values)

    def there(self, record_id, object_name="Account"):
        return self.org.live(object_name).get(record_id)

    def kinds(self):
        return [(each.record_id, each.kind) for each in self.store.inbox()]

    def equal(self):
        return all(replica(self.store, name) == self.org.live(name) for name in ("Account", "Contact"))


class OrgThatStops:
    """Another org, in which somebody wants the run to end while its first call is under way."""

    def __init__(self, org, stop):
        self._org, self._stop = org, stop

    def __getattr__(self, name):
        return getattr(self._org, name)

    def write(self, orders, announce):
        for outcomes in self._org.write(orders, announce):
            self._stop.set()
            yield outcomes


class StoreMeanwhile:
    """Another store, just before whose first claim somebody does something."""

    def __init__(self, store, meanwhile):
        self._store, self._meanwhile = store, meanwhile

    def __getattr__(self, name):
        return getattr(self._store, name)

    def claim(self, name):
        meanwhile, self._meanwhile = self._meanwhile, lambda: None
        meanwhile()
        return self._store.claim(name)


class OrgMeanwhile:
    """Another org, while whose first call is under way somebody does something here."""

    def __init__(self, org, meanwhile):
        self._org, self._meanwhile = org, meanwhile

    def __getattr__(self, name):
        return getattr(self._org, name)

    def write(self, orders, announce):
        for outcomes in self._org.write(orders, announce):
            self._meanwhile()
            yield outcomes


class OrgInTheLastMoment:
    """Another org, in which somebody does something after the push has looked, and before it writes."""

    def __init__(self, org, before):
        self._org, self._before = org, before

    def __getattr__(self, name):
        return getattr(self._org, name)

    def write(self, orders, announce):
        self._before()
        yield from self._org.write(orders, announce)


class OrgWithoutSomething:
    """Another org, which says of every update that something is deleted, and not what."""

    def __init__(self, org):
        self._org, self.calls = org, 0

    def __getattr__(self, name):
        return getattr(self._org, name)

    def write(self, orders, announce):
        self.calls += 1
        announce([each.change for each in orders], None)
        yield tuple(Conflicted(each.change, "ENTITY_IS_DELETED", "entity is deleted") for each in orders)


@pytest.fixture
def rig(world):
    return Rig(world)


def outcomes(push):
    return [(each.record_id, each.outcome) for each in push.changes]


# ── one change ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_what_the_org_said_of_its_calls_is_kept_after_a_push(rig):
    rig.edit(rig.acme, Phone="2")

    push = rig.push()
    after_push = rig.store.usage()
    rig.org.tick()
    rig.engine.undo(push.push_id)

    assert after_push is not None
    assert rig.store.usage().used == rig.org.usage.spent > after_push.used


def test_nothing_to_push_costs_nothing_and_says_nothing(rig):
    before, signals = rig.org.usage.spent, len(rig.signals)

    push = rig.push()

    assert (push.changes, push.complete, rig.org.usage.spent - before) == ((), True, 0)
    assert len(rig.signals) == signals
    assert rig.store.pushes() == ()


def test_an_edit_reaches_the_org_and_only_its_fields_are_sent(rig):
    rig.edit(rig.acme, Phone="2")

    push = rig.push()

    assert outcomes(push) == [(rig.acme, "applied")]
    assert rig.there(rig.acme)["Phone"] == "2"
    assert [each.values for each in rig.org.written] == [{"Phone": "2"}]
    assert rig.store.changes() == ()
    assert rig.equal()


def test_a_create_gets_its_id_everywhere(rig):
    local = rig.store.create("Account", {"Name": "Nut", "ParentId": rig.acme})
    child = rig.store.create("Contact", {"LastName": "Doe", "AccountId": local})

    rig.push()

    real = rig.store.real_id(local)
    assert rig.there(real)["Name"] == "Nut"
    assert rig.there(rig.store.real_id(child), "Contact")["AccountId"] == real
    assert rig.equal()


def test_a_record_that_refers_to_itself_is_patched(rig):
    local = rig.store.create("Account", {"Name": "Nut"})
    rig.edit(local, ParentId=local)

    push = rig.push()

    assert [each.operation for each in push.changes] == [Operation.CREATE, Operation.UPDATE]
    real = rig.store.real_id(local)
    assert rig.there(real)["ParentId"] == real
    assert rig.equal()


def test_a_deletion_and_an_undeletion_reach_the_org(rig):
    rig.store.delete("Account", rig.acme)
    rig.push()
    gone = rig.there(rig.acme)
    rig.sync()
    rig.store.undelete("Account", rig.acme)
    rig.push()

    assert gone is None
    assert rig.there(rig.acme)["Name"] == "Acme"
    assert rig.equal()


def test_a_parent_and_its_children_are_deleted_children_first(rig):
    rig.store.delete("Account", rig.acme)
    rig.store.delete("Account", rig.bolt)
    rig.store.delete("Contact", rig.jane)

    rig.push()

    assert [each.record_id for each in rig.org.written][-1] == rig.acme
    assert rig.store.changes() == ()


def test_what_the_org_makes_of_a_value_is_shown_here_at_once(rig):
    rig.edit(rig.acme, Phone="  2  ")

    rig.push()

    assert rig.equal()
    assert rig.there(rig.acme)["Phone"] == "2"


def test_a_hundred_quiet_cycles_after_a_push_write_nothing(rig):
    rig.edit(rig.acme, Phone="2")
    rig.store.create("Account", {"Name": "Nut"})
    rig.store.delete("Contact", rig.jane)
    rig.sync()
    written = len(rig.org.written)

    runs = [rig.sync() for _ in range(100)]

    assert len(rig.org.written) == written
    assert {(each.state, each.changed, each.pushed) for each in runs} == {(RunState.COMPLETE, 0, None)}


def test_a_hundred_quiet_cycles_with_items_in_the_inbox_tell_of_no_change(rig):
    rig.edit(rig.acme, Phone="2")
    rig.edit(rig.bolt, Phone="2")
    rig.org.put("Account", rig.acme, Phone="3")
    rig.org.delete("Account", rig.bolt)
    rig.sync()
    items = rig.store.inbox()

    runs = [rig.sync() for _ in range(100)]

    assert {(each.state, each.changed, each.pushed) for each in runs} == {(RunState.COMPLETE, 0, None)}
    assert len(items) == 2
    assert rig.store.inbox() == items


# ── dry run ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_dry_run_writes_nothing_and_says_what_the_push_then_does(rig):
    local = rig.store.create("Account", {"Name": "Nut"})
    rig.store.create("Contact", {"LastName": "Doe", "AccountId": local})
    rig.edit(rig.acme, Phone="2")
    rig.store.delete("Contact", rig.jane)

    preview = rig.engine.dry_run()

    assert rig.org.written == []
    foretold = [(each.object_name, each.operation) for each in preview.orders]
    push = rig.push()
    assert [(each.object_name, each.operation) for each in push.changes] == foretold
    assert push.calls == preview.calls


# ── rows that are not taken ──────────────────────────────────────────────────────────────────────────────────────


def test_one_bad_row_parks_itself_and_nothing_else(rig):
    rig.org.reject(rig.acme, "FIELD_CUSTOM_VALIDATION_EXCEPTION", "No.", "Phone")
    rig.edit(rig.acme, Phone="2")
    rig.edit(rig.bolt, Phone="3")

    push = rig.push()

    assert outcomes(push) == [(rig.bolt, "applied"), (rig.acme, "rejected")]
    assert push.changes[1].problem.code == "FIELD_CUSTOM_VALIDATION_EXCEPTION"
    assert rig.kinds() == [(rig.acme, Kind.REJECTED)]
    assert [each.name for each in rig.signals].count("rejected") == 1
    assert rig.push().changes == ()


def test_children_of_a_rejected_parent_wait_and_follow_when_it_is_mended(rig):
    rig.org.reject("Account", "SOME_RULE")
    local = rig.store.create("Account", {"Name": "Nut"})
    child = rig.store.create("Contact", {"LastName": "Doe", "AccountId": local})

    first = rig.push()
    rig.org.accept("Account")
    rig.edit(local, Name="Nut & Co")
    second = rig.push()

    assert outcomes(first) == [(local, "rejected"), (child, "blocked")]
    assert [each.outcome for each in second.changes] == ["applied", "applied"]
    assert rig.equal()


def test_a_push_of_nothing_but_waiting_children_has_not_failed(rig):
    rig.org.reject("Account", "SOME_RULE")
    local = rig.store.create("Account", {"Name": "Nut"})
    child = rig.store.create("Contact", {"LastName": "Doe", "AccountId": local})
    rig.push()

    push = rig.push()

    assert (outcomes(push), push.calls) == ([(child, "blocked")], 0)
    assert push.state is RunState.PARTIAL


def test_a_push_is_listed_as_it_ended_also_of_what_it_did_not_send(rig):
    rig.org.reject("Account", "SOME_RULE")
    local = rig.store.create("Account", {"Name": "Nut"})
    rig.store.create("Contact", {"LastName": "Doe", "AccountId": local})
    first, second = rig.push(), rig.push()

    listed = rig.store.pushes()

    assert [(each.push_id, each.state, each.total) for each in listed] == [
        (second.push_id, RunState.PARTIAL, 1),
        (first.push_id, RunState.PARTIAL, 2),
    ]
    assert listed[0].count("blocked") == 1


def test_a_push_that_left_a_part_of_a_change_in_dispute_is_listed_as_partial(rig):
    rig.edit(rig.acme, Phone="2", Name="Acme & Sons")
    rig.org.tick(60)
    rig.org.put("Account", rig.acme, Phone="9")

    push = rig.push()

    assert outcomes(push) == [(rig.acme, "applied"), (rig.acme, "conflicted")]
    (listed,) = rig.store.pushes()
    assert (listed.state, listed.count("applied"), listed.count("conflicted")) == (RunState.PARTIAL, 1, 1)


def test_a_lock_that_is_soon_over_is_tried_again_within_the_push(rig):
    rig.org.lock_row(rig.acme)
    rig.edit(rig.acme, Phone="2")
    rig.edit(rig.bolt, Phone="3")

    push = rig.push()

    assert sorted(outcomes(push)) == [(rig.acme, "applied"), (rig.bolt, "applied")]
    assert push.complete


def test_a_lock_is_tried_again_later(rig):
    rig.org.lock_row(rig.acme, times=4)
    rig.edit(rig.acme, Phone="2")

    first, at_once = rig.push(), rig.push()
    rig.world.clock.advance(timedelta(minutes=5))
    later = rig.push()

    assert (outcomes(first), outcomes(at_once), outcomes(later)) == (
        [(rig.acme, "deferred")],
        [(rig.acme, "held")],
        [(rig.acme, "applied")],
    )
    assert re.search(r"The first push after \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", first.changes[0].problem.hint)


@pytest.mark.parametrize("way", ["sync", "push"])
def test_a_run_is_partial_while_an_edit_waits_for_its_next_attempt(rig, way):
    rig.org.lock_row(rig.acme, times=4)
    rig.edit(rig.acme, Phone="2")
    first = rig.push()
    rig.signals.clear()
    calls = rig.org.usage.spent

    run = rig.sync() if way == "sync" else None
    push = rig.push() if run is None else run.pushed

    (waiting,) = rig.store.changes()
    assert (push.state, push.complete, outcomes(push)) == (RunState.PARTIAL, False, [(rig.acme, "held")])
    assert (push.changes[0].problem.code, push.again_at) == ("PUT_OFF", waiting.not_before)
    assert first.again_at == waiting.not_before
    assert f"{waiting.not_before:%H:%M:%S} UTC" in push.changes[0].problem.hint
    assert [each.push_id for each in rig.store.pushes()] == [first.push_id]
    if run is None:
        assert rig.org.usage.spent == calls
        assert list(rig.signals) == [PushComplete(0, 1)]
    else:
        assert run.state is RunState.PARTIAL
        assert [(each.error, each.objects) for each in rig.signals if isinstance(each, SyncFailed)] == [
            ("PUT_OFF", ("Account",))
        ]


def test_a_child_of_what_waits_for_its_next_attempt_is_blocked_and_told_beside_it(rig):
    made = rig.store.create("Account", {"Name": "New"})
    rig.org.lock_row("Account", times=4)
    rig.push()
    rig.store.create("Contact", {"LastName": "Roe", "AccountId": made})

    push = rig.push()

    assert (push.state, [each.outcome for each in push.changes]) == (RunState.PARTIAL, ["held", "blocked"])


def test_a_run_with_rejected_rows_is_partial(rig):
    rig.org.reject(rig.acme, "SOME_RULE")
    rig.edit(rig.acme, Phone="2")

    run = rig.sync()

    assert run.state is RunState.PARTIAL
    assert [each.name for each in rig.signals][-1] == "sync_failed"


@pytest.mark.parametrize("kind", ["sync", "pull", "verify"])
def test_a_run_whose_pull_meets_a_conflict_is_partial_as_a_push_would_be(rig, kind):
    rig.edit(rig.acme, Phone="2")
    rig.org.put("Account", rig.acme, Phone="3")

    run = rig.bring(kind)

    assert (run.state, run.undecided) == (RunState.PARTIAL, {"Account": 1})
    assert [each.state for each in run.objects] == [RunState.COMPLETE, RunState.COMPLETE]
    assert rig.signals[-1] == SyncFailed("conflicted", ("Account",))
    assert "conflict" in [each.name for each in rig.signals]
    assert rig.bring(kind).state is RunState.COMPLETE  # it waits, and nobody is told of it twice


def test_what_a_push_beside_a_run_has_refused_is_no_part_of_the_run(rig):
    news = InboxNews(rig.store, rig.bus)
    rig.org.reject(rig.acme, "SOME_RULE")
    rig.edit(rig.acme, Phone="2")
    rig.push()

    assert (rig.kinds(), news.tell()) == ([(rig.acme, Kind.REJECTED)], {})


def test_the_day_s_calls_end_a_push_and_nothing_is_lost(rig):
    rig.org.fail(LimitExceeded("TotalRequests Limit exceeded."), call="write")
    rig.edit(rig.acme, Phone="2")

    push = rig.push()
    rig.world.clock.advance(timedelta(hours=1))

    assert push.problem.code == "REQUEST_LIMIT_EXCEEDED"
    assert not push.complete
    assert outcomes(rig.push()) == [(rig.acme, "applied")]


def test_a_session_that_ended_ends_a_push(rig):
    rig.org.fail(SessionInvalid("Session expired."), call="write")
    rig.edit(rig.acme, Phone="2")

    assert rig.push().problem.code == "INVALID_SESSION_ID"
    assert len(rig.store.changes()) == 1


def test_a_held_object_waits_and_the_others_go(rig):
    rig.edit(rig.acme, Phone="2")
    rig.edit(rig.jane, "Contact", LastName="Joan")

    with rig.store.claim("Account"):
        push = rig.push()

    assert outcomes(push) == [(rig.jane, "applied"), (rig.acme, "left")]
    assert (push.problem.code, push.complete) == ("STORE_BUSY", False)
    assert outcomes(rig.push()) == [(rig.acme, "applied")]


def test_a_push_beside_a_run_sends_what_nobody_holds_and_says_nothing_of_the_rest(rig):
    rig.edit(rig.acme, Phone="2")
    rig.edit(rig.jane, "Contact", LastName="Joan")
    pusher = Pusher(rig.org, rig.store, rig.world.clock, rig.bus, 100)

    with rig.store.claim("Account"):
        push, again = pusher.push_free(), pusher.push_free()

    assert (outcomes(push), push.complete, again) == ([(rig.jane, "applied")], True, None)
    assert outcomes(rig.push()) == [(rig.acme, "applied")]


def test_nothing_is_pushed_beside_a_run_that_does_not_hold_its_objects_yet(rig):
    rig.edit(rig.acme, Phone="2")

    assert SyncEngine(rig.org, rig.store, rig.world.clock, rig.bus).push_beside() is None
    assert outcomes(rig.push()) == [(rig.acme, "applied")]


def test_an_object_that_is_first_edited_during_a_push_is_not_written_while_somebody_holds_it(rig):
    rig.edit(rig.acme, Phone="2")

    with rig.store.claim("Contact"):
        org = OrgMeanwhile(rig.org, lambda: rig.edit(rig.jane, "Contact", LastName="Joan"))
        push = SyncEngine(org, rig.store, rig.world.clock, rig.bus).push()

    assert outcomes(push) == [(rig.acme, "applied"), (rig.jane, "left")]
    assert (push.problem.code, rig.there(rig.jane, "Contact")["LastName"]) == ("STORE_BUSY", "Jane")
    assert outcomes(rig.push()) == [(rig.jane, "applied")]


def test_an_object_that_is_first_edited_during_a_push_is_held_and_written(rig):
    rig.edit(rig.acme, Phone="2")
    org = OrgMeanwhile(rig.org, lambda: rig.edit(rig.jane, "Contact", LastName="Joan"))

    push = SyncEngine(org, rig.store, rig.world.clock, rig.bus).push()

    assert outcomes(push) == [(rig.acme, "applied"), (rig.jane, "applied")]
    with rig.store.claim("Account"), rig.store.claim("Contact"):
        assert rig.store.changes() == ()


# ── both sides ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_push_that_overwrites_what_was_written_in_the_same_second_is_partial(rig):
    rig.edit(rig.acme, Phone="2")
    rig.push()
    rig.edit(rig.acme, Phone="3")
    rig.edit(rig.bolt, Phone="3")
    org = OrgInTheLastMoment(rig.org, lambda: rig.org.put("Account", rig.acme, Phone="9"))

    run = SyncEngine(org, rig.store, rig.world.clock, rig.bus).run(["Contact"])

    push = run.pushed
    assert (push.state, run.state, push.overwrote) == (RunState.PARTIAL, RunState.PARTIAL, 1)
    assert outcomes(push) == [(rig.acme, "applied"), (rig.bolt, "applied")]
    assert [each.problem and each.problem.code for each in push.changes] == ["OVERWROTE", None]
    assert "Phone" in push.changes[0].problem.message
    assert rig.kinds() == [(rig.acme, Kind.REPLACED)]
    assert [(each.error, each.objects) for each in rig.signals if isinstance(each, SyncFailed)] == [
        ("OVERWROTE", ("Account",))
    ]
    (kept, *_) = rig.store.pushes()
    assert (kept.state, kept.overwrote, kept.changes) == (RunState.PARTIAL, 1, push.changes)


@pytest.mark.parametrize("doing", ["edit", "delete"])
def test_a_change_there_in_the_second_of_the_stamp_is_not_overwritten(rig, doing):
    rig.edit(rig.acme, Phone="2")
    rig.push()
    rig.org.put("Account", rig.acme, Phone="9")
    if doing == "edit":
        rig.edit(rig.acme, Phone="3")
    else:
        rig.store.delete("Account", rig.acme)
    diff = rig.engine.dry_run()

    push = rig.push()

    assert (push.state, outcomes(push)) == (RunState.PARTIAL, [(rig.acme, "conflicted")])
    assert rig.kinds() == [(rig.acme, Kind.CONFLICT if doing == "edit" else Kind.CHANGED_THERE)]
    assert rig.there(rig.acme)["Phone"] == "9"
    assert push.calls < diff.calls  # nothing was left to write
    assert rig.store.pushes()[0].changes == push.changes


def test_the_rest_of_a_change_is_sent_beside_what_was_changed_there_in_the_second_of_the_stamp(rig):
    rig.edit(rig.acme, Phone="2")
    rig.push()
    rig.org.put("Account", rig.acme, Phone="9")
    rig.edit(rig.acme, Phone="3", Name="Acme & Sons")

    push = rig.push()

    assert (push.state, outcomes(push)) == (RunState.PARTIAL, [(rig.acme, "applied"), (rig.acme, "conflicted")])
    assert (rig.there(rig.acme)["Phone"], rig.there(rig.acme)["Name"]) == ("9", "Acme & Sons")


def test_the_dry_run_foretells_the_calls_of_reading_again(rig):
    rig.edit(rig.acme, Phone="2")
    rig.push()
    rig.edit(rig.acme, Phone="3")
    rig.store.delete("Account", rig.bolt)

    diff, push = rig.engine.dry_run(), rig.push()

    assert (push.complete, push.calls) == (True, diff.calls)


def test_what_was_read_well_after_its_stamp_is_not_read_again_before_it_is_sent(rig):
    rig.edit(rig.acme, Phone="2")
    rig.push()
    rig.org.tick(600)
    rig.sync()
    rig.edit(rig.acme, Phone="3")
    diff = rig.engine.dry_run()

    push = rig.push()

    assert (push.state, push.calls, diff.calls) == (RunState.COMPLETE, 1, 1)


def test_a_deletion_of_what_has_no_stamp_and_was_changed_there_waits(world):
    org = MemoryOrg(UNSTAMPED)
    kept, gone = org.put("Rate__c", Name="a", Value__c=1.0), org.put("Rate__c", Name="b", Value__c=1.0)
    engine = SyncEngine(org, world.store, world.clock, Bus())
    engine.run(["Rate__c"])
    for each in (kept, gone):
        world.store.delete("Rate__c", each)
    org.put("Rate__c", kept, Value__c=2.0)
    org.tick()

    push = engine.push()

    assert (push.state, outcomes(push)) == (RunState.PARTIAL, [(gone, "applied"), (kept, "conflicted")])
    assert [(each.record_id, each.kind) for each in world.store.inbox()] == [(kept, Kind.CHANGED_THERE)]
    assert list(org.live("Rate__c")) == [kept]


def test_disjoint_edits_both_live(rig):
    rig.edit(rig.acme, Phone="2")
    rig.org.put("Account", rig.acme, Name="Acme & Co")

    push = rig.push()

    assert outcomes(push) == [(rig.acme, "applied")]
    assert (rig.there(rig.acme)["Phone"], rig.there(rig.acme)["Name"]) == ("2", "Acme & Co")
    assert rig.equal()


def test_a_field_that_both_changed_waits_and_the_org_keeps_its_own(rig):
    rig.edit(rig.acme, Phone="2", Name="New")
    rig.org.put("Account", rig.acme, Phone="3")

    push = rig.push()

    assert outcomes(push) == [(rig.acme, "applied"), (rig.acme, "conflicted")]
    assert [[edit.field for edit in each.edits] for each in push.changes] == [["Name"], ["Phone"]]
    assert push.state is RunState.PARTIAL
    assert (rig.there(rig.acme)["Phone"], rig.there(rig.acme)["Name"]) == ("3", "New")
    assert rig.kinds() == [(rig.acme, Kind.CONFLICT)]
    assert "conflict" in [each.name for each in rig.signals]
    assert rig.push().changes == ()


def test_a_conflict_that_is_the_whole_change_is_told(rig):
    rig.edit(rig.acme, Phone="2")
    rig.org.put("Account", rig.acme, Phone="3")

    push = rig.push()

    assert outcomes(push) == [(rig.acme, "conflicted")]
    assert not push.complete


def test_the_same_change_on_both_sides_is_no_conflict(rig):
    rig.edit(rig.acme, Phone="2")
    rig.org.put("Account", rig.acme, Phone="2")

    push = rig.push()

    assert (push.complete, rig.kinds(), rig.store.changes()) == (True, [], ())
    assert rig.equal()


def test_a_decision_is_pushed(rig):
    rig.edit(rig.acme, Phone="2")
    rig.org.put("Account", rig.acme, Phone="3")
    rig.push()

    rig.store.resolve(rig.store.inbox()[0].number, Resolution(Side.LOCAL))
    rig.push()

    assert rig.there(rig.acme)["Phone"] == "2"
    assert rig.kinds() == []
    assert rig.equal()


@pytest.mark.parametrize("purged", [False, True])
def test_an_edit_of_what_was_deleted_there_waits(rig, purged):
    rig.edit(rig.acme, Phone="2")
    rig.org.delete("Account", rig.acme)
    if purged:
        rig.org.purge("Account", rig.acme)

    rig.push()

    assert rig.kinds() == [(rig.acme, Kind.DELETED_THERE)]
    assert rig.there(rig.acme) is None
    assert rig.push().changes == ()


def test_a_deletion_of_what_was_changed_there_waits(rig):
    rig.store.delete("Account", rig.acme)
    rig.org.put("Account", rig.acme, Phone="3")

    rig.push()

    assert rig.kinds() == [(rig.acme, Kind.CHANGED_THERE)]
    assert rig.there(rig.acme)["Phone"] == "3"


# ── lost answers ─────────────────────────────────────────────────────────────────────────────────────────────────


def names(rig):
    return sorted(each["Name"] for each in rig.org.live("Account").values())


@pytest.mark.parametrize("lose", ["lose_answer", "lose_request"])
@pytest.mark.parametrize("key", [None, "k-1"])
def test_a_create_whose_answer_was_lost_is_there_once(rig, lose, key):
    getattr(rig.org, lose)()
    rig.store.create("Account", {"Name": "Nut"} | ({"Key__c": key} if key else {}))

    first = rig.push()
    rig.world.restart()
    rig.sync()

    assert [each.outcome for each in first.changes] == ["lost"]
    assert names(rig) == ["Acme", "Bolt", "Nut"]
    assert rig.store.changes() == ()
    assert rig.equal()


def test_of_a_call_that_was_done_in_part_each_row_is_there_once(rig):
    rig.org.lose_answer(rows=3)
    for number in range(8):
        rig.store.create("Account", {"Name": f"Nut {number % 2}"})

    rig.push()
    rig.world.restart()
    rig.push()

    assert names(rig) == ["Acme", "Bolt", *["Nut 0"] * 4, *["Nut 1"] * 4]
    assert rig.equal()


@pytest.mark.parametrize("lose", ["lose_answer", "lose_request"])
def test_an_update_whose_answer_was_lost_is_read_again(rig, lose):
    getattr(rig.org, lose)()
    rig.edit(rig.acme, Phone="2")

    rig.push()
    rig.world.restart()
    rig.push()

    assert rig.there(rig.acme)["Phone"] == "2"
    assert (rig.store.changes(), rig.kinds()) == ((), [])
    assert rig.equal()


def test_what_somebody_wrote_after_a_lost_answer_is_not_overwritten(rig):
    rig.org.lose_answer()
    rig.edit(rig.acme, Phone="2")
    rig.push()
    rig.org.tick()
    rig.org.put("Account", rig.acme, Phone="3")

    rig.push()

    assert rig.there(rig.acme)["Phone"] == "3"
    assert rig.kinds() == [(rig.acme, Kind.CONFLICT)]


def test_a_record_that_only_may_be_the_lost_create_is_for_a_person(rig):
    rig.org.lose_answer()
    local = rig.store.create("Account", {"Name": "Nut", "Phone": "555"})
    rig.push()
    made = next(key for key, row in rig.org.live("Account").items() if row["Name"] == "Nut")
    rig.org.put("Account", made, Phone="+1 666")

    rig.push()

    assert rig.kinds() == [(local, Kind.UNCERTAIN)]
    assert rig.store.inbox()[0].matches[0].record_id == made
    assert names(rig) == ["Acme", "Bolt", "Nut"]


def test_a_create_that_cannot_be_looked_for_at_the_moment_is_looked_for_later(rig):
    rig.org.lose_answer()
    rig.store.create("Account", {"Name": "Nut"})
    rig.push()
    rig.org.fail(ForeignAnswer("default backend", code="HTTP_404"), "Account", call="created")

    told = rig.push()
    again = rig.push()

    assert [each.outcome for each in told.changes] == ["lost"]
    assert (again.state, rig.kinds(), names(rig)) == (RunState.COMPLETE, [], ["Acme", "Bolt", "Nut"])


class ClockThatBrings(FrozenClock):
    """Each time that somebody waits, something happens first."""

    def __init__(self, happens):
        super().__init__()
        self.happens, self.waited = happens, 0.0

    def sleep(self, seconds):
        self.happens()
        self.waited += seconds
        super().sleep(seconds)


def test_a_create_that_the_org_is_still_at_work_on_is_waited_for_and_not_sent_again(rig):
    rig.org.lose_request()
    rig.store.create("Account", {"Name": "Nut"})
    rig.push()
    late = [Order(ACCOUNT, each) for each in rig.store.changes()]
    clock = ClockThatBrings(lambda: [list(rig.org.write([late.pop()], lambda *told: None)) for _ in late[:1]])

    SyncEngine(rig.org, rig.store, clock, rig.bus).push()

    assert names(rig) == ["Acme", "Bolt", "Nut"]
    assert (rig.store.changes(), rig.kinds(), rig.equal()) == ((), [], True)


def test_a_create_whose_call_left_long_ago_is_sent_again_at_once(rig):
    rig.org.lose_request()
    rig.store.create("Account", {"Name": "Nut"})
    rig.push()
    rig.org.tick(60)
    clock = ClockThatBrings(lambda: None)

    SyncEngine(rig.org, rig.store, clock, rig.bus).push()

    assert (names(rig), clock.waited) == (["Acme", "Bolt", "Nut"], 0.0)


def test_a_lost_bulk_job_is_asked(rig):
    rig.org.bulk_from = 5
    rig.org.lose_answer()
    for number in range(6):
        rig.store.create("Account", {"Name": f"Nut {number}"})

    rig.push()
    rig.world.restart()
    rig.push()

    assert names(rig) == ["Acme", "Bolt", *(f"Nut {number}" for number in range(6))]
    assert rig.equal()


def test_what_a_job_has_that_never_ran_is_sent_again_by_the_push_that_finds_it(rig):
    rig.org.bulk_from = 5
    rig.org.lose_answer(rows=0)
    for number in range(6):
        rig.store.create("Account", {"Name": f"Nut {number}"})
    rig.push()

    push = rig.push()

    assert (push.state, push.count("applied")) == (RunState.COMPLETE, 6)
    assert rig.equal()


@pytest.mark.parametrize("rows", [0, 3, 6])
def test_what_a_job_did_that_the_org_has_forgotten_is_looked_for(rig, rows):
    rig.org.bulk_from = 5
    rig.org.lose_answer(rows=rows)
    for number in range(6):
        rig.store.create("Account", {"Name": f"Nut {number}"})

    rig.push()
    rig.org.forget_jobs()
    rig.push()

    assert names(rig) == ["Acme", "Bolt", *(f"Nut {number}" for number in range(6))]
    assert rig.store.changes() == ()
    assert rig.equal()


def test_an_edit_that_was_made_while_its_earlier_version_was_on_the_way_is_sent_after(rig):
    rig.org.lose_answer()
    rig.edit(rig.acme, Phone="2")
    rig.push()
    rig.edit(rig.acme, Phone="3")

    rig.push()

    assert rig.there(rig.acme)["Phone"] == "3"
    assert (rig.store.changes(), rig.kinds()) == ((), [])


def test_the_org_cannot_be_asked_and_the_change_stays_on_its_way(rig):
    rig.org.lose_answer()
    rig.store.create("Account", {"Name": "Nut"})
    rig.push()
    rig.org.fail(LimitExceeded("TotalRequests Limit exceeded."), call="created")

    push = rig.push()

    assert push.problem.code == "REQUEST_LIMIT_EXCEEDED"
    assert [each.state for each in rig.store.changes()] == [ChangeState.SENDING]
    assert names(rig) == ["Acme", "Bolt", "Nut"]


def test_a_push_that_is_stopped_sends_no_further_call_and_nothing_is_lost(rig):
    stop = Event()
    rig.org.orders_a_call = 1
    rig.edit(rig.acme, Phone="2")
    rig.edit(rig.bolt, Phone="3")
    org = StoppableOrg(OrgThatStops(rig.org, stop), stop)

    push = SyncEngine(org, rig.store, rig.world.clock, rig.bus).push()

    assert outcomes(push) == [(rig.acme, "applied"), (rig.bolt, "left")]
    assert (push.problem.code, push.state) == ("STOPPED", RunState.PARTIAL)
    assert [each.state for each in rig.store.changes()] == [ChangeState.WAITING]
    assert outcomes(rig.push()) == [(rig.bolt, "applied")]


def test_an_edit_that_refers_to_something_deleted_waits_in_the_inbox_though_its_record_is_there(rig):
    org = OrgWithoutSomething(rig.org)
    engine = SyncEngine(org, rig.store, rig.world.clock, rig.bus)
    rig.edit(rig.jane, "Contact", AccountId=rig.bolt)

    first, second = engine.push(), engine.push()

    assert (outcomes(first), second.changes, org.calls) == ([(rig.jane, "rejected")], (), 2)
    assert [(each.kind, each.code) for each in rig.store.inbox()] == [(Kind.REJECTED, "ENTITY_IS_DELETED")]


# ── undo ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_undo_overwrites_nobody(rig):
    rig.edit(rig.acme, Phone="2", Name="Acme 2")
    rig.edit(rig.bolt, Phone="3")
    push = rig.push()
    rig.org.tick()
    rig.org.put("Account", rig.acme, Phone="theirs")
    rig.org.tick()

    undone = rig.engine.undo(push.push_id)

    assert (rig.there(rig.acme)["Phone"], rig.there(rig.acme)["Name"]) == ("theirs", "Acme")
    assert rig.there(rig.bolt)["Phone"] == "1"
    assert undone.push.state is RunState.PARTIAL
    assert rig.kinds() == [(rig.acme, Kind.CONFLICT)]


def test_a_push_is_undone(rig):
    rig.edit(rig.acme, Phone="2", AnnualRevenue=2.5)
    rig.store.delete("Account", rig.bolt)
    local = rig.store.create("Account", {"Name": "Nut"})
    push = rig.push()

    undone = rig.engine.undo(push.push_id)

    assert undone.left == ()
    assert rig.there(rig.acme)["Phone"] == "1"
    assert rig.there(rig.acme)["AnnualRevenue"] is None
    assert rig.there(rig.bolt)["Name"] == "Bolt"
    assert rig.there(rig.store.real_id(local)) is None


def test_what_was_changed_since_is_not_undone(rig):
    rig.edit(rig.acme, Phone="2", AnnualRevenue=2.5)
    push = rig.push()
    rig.org.tick()
    rig.org.put("Account", rig.acme, Phone="3")
    rig.sync()

    undone = rig.engine.undo(push.push_id)

    assert [(each.record_id, each.field) for each in undone.left] == [(rig.acme, "Phone")]
    assert (undone.push.state, undone.push.not_undone, undone.push.count("applied")) == (RunState.PARTIAL, 1, 1)
    assert (rig.there(rig.acme)["Phone"], rig.there(rig.acme)["AnnualRevenue"]) == ("3", None)


def test_a_new_record_that_somebody_has_worked_on_is_not_deleted_by_undo(rig):
    local = rig.store.create("Account", {"Name": "Nut"})
    push = rig.push()
    real = rig.store.real_id(local)
    rig.org.tick()
    rig.org.put("Account", real, Name="Nut & Co", AnnualRevenue=Decimal(5))
    rig.sync()

    undone = rig.engine.undo(push.push_id)

    assert [(each.record_id, each.field) for each in undone.left] == [(real, "Name")]
    assert (undone.push.state, undone.push.total) == (RunState.PARTIAL, 0)
    assert rig.there(real)["Name"] == "Nut & Co"


def test_there_is_nothing_to_undo_of_an_unknown_push(rig):
    with pytest.raises(RecordNotFound, match="no push"):
        rig.engine.undo("nonsense")


@pytest.mark.parametrize("way", ["push", "sync"])
def test_what_a_push_cost_is_known_to_the_next_process(rig, way):
    rig.edit(rig.acme, Phone="2")

    getattr(rig, way)()

    assert rig.store.usage().used == rig.org.usage.used


# ── objects that cannot be read ──────────────────────────────────────────────────────────────────────────────────


def test_records_whose_reading_ends_with_its_session_are_read_anew(rig):
    rig.org.page_rows = 1
    for each in (rig.acme, rig.bolt):
        rig.org.put("Account", each, Name="Moved")
        rig.edit(each, Phone="2")
    rig.org.fail(LocatorExpired("The session that began to read Account has ended."), "Account", page=2)

    push = rig.push()

    assert (push.state, push.problem) == (RunState.COMPLETE, None)
    assert [rig.there(each)["Phone"] for each in (rig.acme, rig.bolt)] == ["2", "2"]
    assert rig.equal()


def test_an_object_that_cannot_be_read_again_does_not_stop_the_waves_of_others(rig):
    parent = rig.store.create("Account", {"Name": "Parent"})
    rig.store.create("Account", {"Name": "Child", "ParentId": parent})
    rig.org.put("Contact", rig.jane, LastName="Moved")
    rig.edit(rig.jane, "Contact", LastName="Doe")
    rig.org.fail(ObjectNotFound("The org hides Contact."), call="pull", object_name="Contact")

    push = rig.push()

    assert names(rig) == ["Acme", "Bolt", "Child", "Parent"]
    assert push.problem.code == "OBJECT_NOT_FOUND"
    assert [each.record_id for each in rig.store.changes()] == [rig.jane]


def test_a_lost_answer_of_an_object_that_cannot_be_read_does_not_stop_others(rig):
    rig.org.lose_answer()
    rig.edit(rig.jane, "Contact", LastName="Doe")
    rig.push()
    rig.org.fail(ObjectNotFound("The org hides Contact."), call="pull", object_name="Contact")
    rig.edit(rig.acme, Phone="2")

    push = rig.push()
    waiting = [(each.record_id, each.state) for each in rig.store.changes()]
    again = rig.push()

    assert rig.there(rig.acme)["Phone"] == "2"
    assert push.problem.code == "OBJECT_NOT_FOUND"
    assert waiting == [(rig.jane, ChangeState.SENDING)]
    assert (again.problem, rig.store.changes(), rig.kinds()) == (None, (), [])
    assert rig.equal()


def test_an_object_that_another_process_describes_before_the_push_holds_it_is_written_as_it_is_then(rig):
    wider = replace(ACCOUNT, fields=(*ACCOUNT.fields, make_field("Extra__c")))

    def described():
        rig.org.define(wider)
        with closing(rig.world.another()) as other:
            other.adopt(wider)

    rig.edit(rig.acme, Phone="2")
    engine = SyncEngine(rig.org, StoreMeanwhile(rig.store, described), rig.world.clock, rig.bus)

    push = engine.push()

    assert (push.state, push.problem) == (RunState.COMPLETE, None)
    assert rig.there(rig.acme)["Phone"] == "2"
    assert rig.store.changes() == ()
