"""The push against a simulated org over HTTP, by each way: what was lost is there once, and both sides are equal."""

from contextlib import suppress

import pytest

from salesforce_sync.api.write_route import Way
from salesforce_sync.errors import DiskFull
from salesforce_sync.models.outbox import Kind
from salesforce_sync.models.page import PullRequest
from salesforce_sync.models.run import RunState
from salesforce_sync.signals import Bus
from salesforce_sync.storage.sqlite import SqliteStore
from salesforce_sync.sync import course
from salesforce_sync.sync.engine import SyncEngine
from salesforce_sync.sync.schedule import Rules
from tests.contract.orgs import ShortClock, records
from tests.contract.writing import WIDGET, SocketWriteWorld
from tests.ready import store_on


class Rig:
    """A replica in SQLite of an org behind a socket, with five widgets, synced."""

    def __init__(self, folder, way):
        self.world = SocketWriteWorld(folder, way=way)
        self.path, self.clock = folder / "here.db", ShortClock()
        self.ids = [self.world.add(Text__c=f"first {number}") for number in range(5)]
        self.world.tick(3600)
        self.store = store_on(self.path, self.clock)
        self.sync()

    def sync(self):
        self.world.tick(5)
        return self.engine().run([WIDGET])

    def push(self):
        self.world.tick(5)
        return self.engine().push()

    def engine(self):
        return SyncEngine(self.world.org, self.store, self.clock, Bus())

    def restart(self):
        self.store.close()
        self.store = SqliteStore(self.path, self.clock)

    def here(self):
        schema = self.store.schema(WIDGET)
        names = [each.name for each in schema.columns]
        rows = (dict(zip(names, row, strict=True)) for row in self.store.scan(WIDGET))
        return {row["Id"]: row["Text__c"] for row in rows}

    def there(self):
        pages = self.world.org.pull(PullRequest(self.store.schema(WIDGET).only("Text__c")))
        return {row["Id"]: row["Text__c"] for page in pages for row in records(page)}

    def close(self):
        self.store.close()
        self.world.close()


@pytest.fixture(params=[Way.PARTS, Way.COLLECTIONS, Way.BULK])
def rig(request, tmp_path):
    made = Rig(tmp_path, request.param)
    yield made
    made.close()


def edit_everything(rig):
    account = rig.world.account
    for number in range(4):
        rig.store.create(WIDGET, {"Text__c": f"new {number % 2}", "Account__c": account})
    rig.store.update(WIDGET, rig.ids[0], {"Text__c": "edited"})
    rig.store.update(WIDGET, rig.ids[1], {"Text__c": "edited too"})
    rig.store.delete(WIDGET, rig.ids[2])


EXPECTED = sorted(["edited", "edited too", "first 3", "first 4", "new 0", "new 0", "new 1", "new 1"])


def test_every_kind_of_change_arrives(rig):
    edit_everything(rig)

    run = rig.sync()

    assert run.state is RunState.COMPLETE
    assert run.pushed.complete
    assert sorted(rig.there().values()) == EXPECTED
    assert rig.here() == rig.there()
    assert rig.sync().changed == 0


FAILURE = [{"errorCode": "UNKNOWN_EXCEPTION", "message": "An unexpected error occurred. Please include this ErrorId …"}]
"""What Salesforce says, with status 500, where something in a call was too much for it."""

FAULTS = {
    "answer cut off": {"method": "POST|PATCH|DELETE|PUT", "path": "composite|jobs/ingest", "drop": "after"},
    "request lost": {"method": "POST|PATCH|DELETE|PUT", "path": "composite|jobs/ingest", "drop": "before"},
    "502 for work that is done": {"path": "composite|jobs/ingest", "status": 502, "done": True, "method": "POST|PATCH"},
    "half of the rows": {"path": "composite", "save_rows": 2, "method": "POST"},
    "a failure of the org's own": {"path": "composite", "status": 500, "body": FAILURE, "method": "POST"},
    "such a failure, and half is done": {"path": "composite", "status": 500, "body": FAILURE, "save_rows": 2},
}


@pytest.mark.parametrize("nth", [1, 2, 3])
@pytest.mark.parametrize("fault", FAULTS)
def test_whatever_is_lost_on_the_way_each_change_arrives_once(rig, fault, nth):
    edit_everything(rig)
    rig.world.sim.faults.add(nth=nth, **FAULTS[fault])

    rig.push()
    rig.world.sim.faults.clear()
    rig.restart()
    for _ in range(4):
        rig.clock.sleep(3600)
        rig.sync()

    assert sorted(rig.there().values()) == EXPECTED
    assert (rig.store.changes(), rig.store.inbox()) == ((), ())
    assert rig.here() == rig.there()


@pytest.mark.parametrize("operation", ["update", "delete"])
def test_a_push_that_only_finds_out_that_all_has_arrived_is_kept_as_complete(rig, operation):
    if operation == "update":
        rig.store.update(WIDGET, rig.ids[0], {"Text__c": "edited"})
    else:
        rig.store.delete(WIDGET, rig.ids[0])
    rig.world.sim.faults.add(method="POST|PATCH", path="composite", sends="PATCH|DELETE", drop="after")
    rig.world.sim.faults.add(method="PATCH", path="jobs/ingest", sends="Upload", drop="after")
    rig.push()
    rig.world.sim.faults.clear()

    found = rig.push()

    assert found.complete
    kept = next((each for each in rig.store.pushes() if each.push_id == found.push_id), found)
    assert (kept.problem, kept.state) == (None, RunState.COMPLETE)


@pytest.mark.parametrize("rig", [Way.PARTS, Way.COLLECTIONS], indirect=True)
def test_a_record_over_which_the_org_fails_holds_up_no_other(rig):
    edit_everything(rig)
    rig.store.update(WIDGET, rig.ids[3], {"Text__c": "bad edit"})
    new = rig.store.create(WIDGET, {"Text__c": "bad record", "Account__c": rig.world.account})
    rig.world.sim.faults.add(path="composite", sends='Text__c": ?"bad', status=500, body=FAILURE, times=None)

    push = rig.push()

    assert sorted(rig.there().values()) == EXPECTED
    assert (push.count("applied"), push.count("rejected")) == (7, 2)
    assert {each.code for each in rig.store.inbox()} == {"UNKNOWN_EXCEPTION"}
    assert {each.record_id for each in rig.store.inbox()} == {rig.ids[3], new}
    assert rig.push().calls == 0


@pytest.mark.parametrize("rig", [Way.PARTS], indirect=True)
def test_an_org_that_fails_over_everything_is_asked_again_later(rig):
    edit_everything(rig)
    account = rig.world.account
    more = [rig.store.create(WIDGET, {"Text__c": f"more {number}", "Account__c": account}) for number in range(60)]
    rig.world.sim.faults.add(path="composite", sends="Text__c", status=500, body=FAILURE, times=None)

    push = rig.push()
    rig.world.sim.faults.clear()

    assert (rig.store.inbox(), push.count("applied")) == ((), 1)  # the deletion
    assert push.count("deferred") == 6 + len(more)
    assert push.calls < 30
    rig.clock.sleep(3600)
    assert rig.push().complete
    assert sorted(rig.there().values()) == sorted([*EXPECTED, *(f"more {number}" for number in range(60))])


@pytest.mark.parametrize("rig", [Way.PARTS, Way.COLLECTIONS], indirect=True)
def test_windows_behind_an_org_that_fails_over_everything_are_not_tried(rig):
    account, window = rig.world.account, 30
    for number in range(10 * window):
        rig.store.create(WIDGET, {"Text__c": f"more {number}", "Account__c": account})
    rig.world.sim.faults.add(path="composite", sends="Text__c", status=500, body=FAILURE, times=None)

    push = SyncEngine(rig.world.org, rig.store, rig.clock, Bus(), Rules(window=window)).push()
    rig.world.sim.faults.clear()

    assert push.state is RunState.FAILED
    assert (push.count("deferred"), push.count("left")) == (window, 9 * window)
    assert push.problem.code == "UNKNOWN_EXCEPTION"
    assert push.calls < 30
    rig.clock.sleep(3600)
    assert rig.push().complete
    assert len(rig.there()) == len(rig.ids) + 10 * window


@pytest.mark.parametrize("rig", [Way.PARTS], indirect=True)
@pytest.mark.parametrize("drop", ["before", "after"])
def test_an_org_that_does_not_answer_at_all_is_not_called_for_every_part_of_a_large_push(rig, drop):
    account = rig.world.account
    for number in range(120):
        rig.store.create(WIDGET, {"Text__c": f"more {number}", "Account__c": account})
    rig.world.sim.faults.add(path="composite", sends="Text__c", drop=drop, times=None)

    push = rig.push()
    rig.world.sim.faults.clear()

    assert (push.state, push.problem.code) == (RunState.FAILED, "NO_ANSWER")
    assert (push.count("lost"), push.count("left"), push.calls) == (60, 60, 5)
    rig.clock.sleep(3600)
    assert rig.push().complete
    assert sorted(text for text in rig.there().values() if text.startswith("more")) == sorted(
        f"more {number}" for number in range(120)
    )


@pytest.mark.parametrize("lost", [False, True])
def test_a_field_that_was_hidden_since_the_last_sync_stops_no_push(rig, lost, caplog):
    edit_everything(rig)
    if lost:
        rig.world.sim.faults.add(
            method="POST|PATCH", path="composite|jobs/ingest", sends="Text__c|Upload", drop="after"
        )
        rig.push()
        rig.world.sim.faults.clear()
        rig.clock.sleep(3600)
    rig.world.sim.permissions.hide_field(WIDGET, "Count__c")

    push = rig.push()

    assert (push.complete, push.problem, rig.store.changes(), rig.store.inbox()) == (True, None, (), ())
    assert sorted(rig.there().values()) == EXPECTED
    assert rig.here() == rig.there()
    rig.store.update(WIDGET, rig.ids[3], {"Text__c": "later"})
    assert rig.push().complete
    assert "goes on without Count__c" in caplog.text
    assert "Count__c" not in {each.name for each in rig.store.schema(WIDGET).columns}
    assert rig.sync().changed == 0


# ── unique values that records hand on to each other ─────────────────────────────────────────────────────────────────


HANDED_ON = {
    "two that swap": {0: "1", 1: "0"},
    "a circle of three": {0: "1", 1: "2", 2: "0"},
    "a chain": {0: "1", 1: "2", 2: "3", 3: "new"},
    "a chain into a circle": {0: "1", 1: "0", 2: "new"},
    "two circles": {0: "1", 1: "0", 2: "3", 3: "2"},
}


def with_keys(rig):
    for number, key in enumerate(rig.ids):
        rig.world.edit(key, Ext__c=str(number))
    rig.world.tick(3600)
    rig.sync()


def keys(rig):
    return {number: rig.world.sim.row(key)["Ext__c"] for number, key in enumerate(rig.ids)}


@pytest.mark.parametrize("wanted", HANDED_ON.values(), ids=HANDED_ON)
def test_unique_values_go_from_one_record_to_another(rig, wanted):
    with_keys(rig)
    for number, value in wanted.items():
        rig.store.update(WIDGET, rig.ids[number], {"Ext__c": value, "Text__c": f"has {value}"})

    push = rig.push()

    assert (push.complete, rig.store.inbox(), rig.store.changes()) == (True, (), ())
    assert keys(rig) == {number: str(number) for number in range(5)} | wanted
    assert [rig.there()[rig.ids[number]] for number in wanted] == [f"has {value}" for value in wanted.values()]
    assert rig.here() == rig.there()


def test_a_unique_value_that_a_record_of_the_push_keeps_is_refused_as_ever(rig):
    with_keys(rig)
    rig.store.update(WIDGET, rig.ids[0], {"Ext__c": "1"})
    rig.store.update(WIDGET, rig.ids[1], {"Text__c": "keeps it"})

    push = rig.push()

    assert sorted(each.outcome for each in push.changes) == ["applied", "rejected"]
    assert [(each.record_id, each.code) for each in rig.store.inbox()] == [(rig.ids[0], "DUPLICATE_VALUE")]
    assert keys(rig) == {number: str(number) for number in range(5)}


def test_where_a_value_may_not_be_empty_a_swap_is_refused_and_says_what_to_do(rig):
    with_keys(rig)
    rig.world.sim.rules.add_validation(WIDGET, "Ext__c IS NULL", "A key, please.")
    rig.store.update(WIDGET, rig.ids[0], {"Ext__c": "1"})
    rig.store.update(WIDGET, rig.ids[1], {"Ext__c": "0"})

    push = rig.push()

    assert [each.outcome for each in push.changes] == ["rejected", "rejected"]
    assert {(each.record_id, each.code) for each in rig.store.inbox()} == {
        (key, "DUPLICATE_VALUE") for key in rig.ids[:2]
    }
    assert "empty" in rig.store.inbox()[0].hint
    assert keys(rig) == {number: str(number) for number in range(5)}


@pytest.mark.parametrize("settled", range(1, 6))
def test_a_push_that_ends_amid_a_swap_goes_on_with_it(rig, settled, monkeypatch):
    with_keys(rig)
    rig.store.update(WIDGET, rig.ids[0], {"Ext__c": "1"})
    rig.store.update(WIDGET, rig.ids[1], {"Ext__c": "0"})
    rig.store.settle = full_disk_after(settled, rig.store.settle)

    with suppress(DiskFull):
        rig.push()
    restart_and_rest(rig)

    assert keys(rig) == {0: "1", 1: "0", 2: "2", 3: "3", 4: "4"}
    assert (rig.store.changes(), rig.store.inbox()) == ((), ())


def full_disk_after(settled, settle):
    """Settle so often, and then find the disk full."""
    left = [settled]

    def settling(*args):
        left[0] -= 1
        if left[0] < 0:
            raise DiskFull("The disk is full.")
        return settle(*args)

    return settling


@pytest.mark.parametrize("edited", [False, True])
def test_a_create_whose_answer_was_lost_and_that_was_deleted_there_is_not_made_again(rig, edited):
    local = rig.store.create(WIDGET, {"Text__c": "new", "Account__c": rig.world.account})
    rig.world.sim.faults.add(method="POST|PATCH", path="composite|jobs/ingest", sends="new|Upload", drop="after")
    rig.push()
    rig.world.sim.faults.clear()
    (made,) = (key for key, text in rig.there().items() if text == "new")
    rig.world.delete(made)
    if edited:
        rig.store.update(WIDGET, local, {"Text__c": "newer"})

    for _ in range(3):
        rig.clock.sleep(3600)
        rig.sync()

    assert made not in rig.there()
    assert len(rig.there()) == len(rig.ids)
    assert [(each.record_id, each.kind) for each in rig.store.inbox()] == [(made, Kind.DELETED_THERE)] * edited


def test_somebody_else_s_edit_is_not_overwritten(rig):
    rig.store.update(WIDGET, rig.ids[0], {"Text__c": "ours"})
    rig.world.edit(rig.ids[0], Text__c="theirs")

    rig.push()

    assert rig.there()[rig.ids[0]] == "theirs"
    assert [(each.record_id, each.kind) for each in rig.store.inbox()] == [(rig.ids[0], Kind.CONFLICT)]


@pytest.mark.parametrize("taken", ["hidden", "read-only"])
@pytest.mark.parametrize("told", ["by the refusal", "by a pull before"])
def test_a_field_that_was_taken_away_waits_alone(rig, taken, told):
    rig.store.update(WIDGET, rig.ids[0], {"Text__c": "edited", "Count__c": 5})
    rig.store.update(WIDGET, rig.ids[1], {"Count__c": 6})
    rig.store.update(WIDGET, rig.ids[2], {"Text__c": "edited too"})
    (rig.world.sim.permissions.hide_field if taken == "hidden" else rig.world.sim.permissions.make_read_only)(
        WIDGET, "Count__c"
    )
    if told == "by a pull before":
        rig.clock.sleep(2 * 86400)
        rig.engine().pull([WIDGET])

    push = rig.push()
    items = {each.record_id: each for each in rig.store.inbox()}
    again = rig.push()

    texts = rig.there()
    assert [texts[key] for key in rig.ids[:3]] == ["edited", "first 1", "edited too"]
    assert (push.state, again.changes) == (RunState.PARTIAL, ())
    assert sorted(items) == sorted(rig.ids[:2])
    assert {tuple(conflict.field for conflict in each.conflicts) for each in items.values()} == {("Count__c",)}
    assert {each.kind for each in items.values()} == {Kind.CONFLICT}
    assert sorted(each.values.get("Count__c") for each in rig.store.changes() if each.values) == []


def test_a_disk_that_is_full_when_the_answers_come_loses_and_doubles_nothing(rig):
    edit_everything(rig)
    for number in range(2):
        rig.store.update(WIDGET, rig.ids[3 + number], {"Long__c": f"{number}" * 30_000})
    rig.store.settle = full_disk_at(rig.path, rig.store.settle)

    with pytest.raises(DiskFull):
        rig.push()
    restart_and_rest(rig)

    assert at_peace(rig)


def restart_and_rest(rig):
    rig.restart()
    for _ in range(3):
        rig.clock.sleep(3600)
        rig.sync()


def at_peace(rig):
    """The org has every edit once, nothing waits, and the replica shows what the org has."""
    expected = sorted(rig.there().values()) == EXPECTED
    return expected and (rig.store.changes(), rig.store.inbox()) == ((), ()) and rig.here() == rig.there()


@pytest.mark.parametrize("settled", [1, 2, 3, 5])
def test_a_push_that_ends_while_its_answers_are_settled_doubles_nothing(rig, settled, monkeypatch):
    monkeypatch.setattr(course, "SETTLED_AT_ONCE", 1)
    edit_everything(rig)
    made = [each.record_id for each in rig.store.changes() if each.local]
    rig.store.settle = killed_after(settled, rig.store.settle)

    with pytest.raises(Killed):
        rig.push()
    restart_and_rest(rig)

    assert at_peace(rig)
    assert len({rig.store.real_id(each) for each in made}) == 4


class Killed(BaseException):
    """The process ends here."""


def killed_after(count, settle):
    """So many settlings, and then the end."""
    left = iter(range(count))

    def settled(push_id, outcomes):
        if next(left, None) is None:
            raise Killed
        return settle(push_id, outcomes)

    return settled


def full_disk_at(path, settle):
    """The first settling, while the database cannot grow by a page."""

    def settled(push_id, outcomes):
        writer = settle.__self__._connections.writer
        writer.execute("PRAGMA max_page_count = 1")  # as many as there are
        return settle(push_id, outcomes)

    return settled


def edit_what_is_there(rig):
    for number in range(3):
        rig.store.update(WIDGET, rig.ids[number], {"Text__c": f"edited {number}"})
    for number in (3, 4):
        rig.store.delete(WIDGET, rig.ids[number])


@pytest.mark.parametrize("rig", [Way.PARTS, Way.COLLECTIONS], indirect=True)
@pytest.mark.parametrize("saved", [0, 1, 2, 3, 9])
@pytest.mark.parametrize("nth", [1, 2])
@pytest.mark.parametrize("edit", [edit_everything, edit_what_is_there])
def test_what_a_call_had_done_before_the_org_failed_over_it_is_told_kept_and_undone(rig, edit, nth, saved):
    before = rig.there()
    edit(rig)
    count = len(rig.store.changes())
    failure = {"status": 500, "body": FAILURE, "save_rows": saved, "nth": nth}
    rig.world.sim.faults.add(method="POST|PATCH|DELETE", path="composite", **failure)

    push = rig.push()

    assert (push.complete, push.count("applied"), push.total) == (True, count, count)
    (kept,) = [each for each in rig.store.pushes() if each.push_id == push.push_id]
    assert (kept.state, kept.count("applied"), kept.total) == (RunState.COMPLETE, count, count)

    undone = rig.engine().undo(push.push_id)

    assert undone.left == ()
    assert rig.there() == before


@pytest.mark.parametrize("rig", [Way.PARTS, Way.COLLECTIONS], indirect=True)
@pytest.mark.parametrize("saved", [0, 9])
def test_a_deletion_that_is_undone_while_the_org_fails_over_it_is_undone_there_too(rig, saved):
    before = rig.there()
    settle = rig.store.settle
    for record_id in rig.ids[:2]:
        rig.store.delete(WIDGET, record_id)

    def undone(push_id, outcomes):
        rig.store.settle = settle
        rig.store.undelete(WIDGET, rig.ids[0])
        return settle(push_id, outcomes)

    rig.store.settle = undone
    rig.world.sim.faults.add(method="POST|DELETE", path="composite", status=500, body=FAILURE, save_rows=saved, nth=1)

    rig.push()
    rig.sync()

    del before[rig.ids[1]]
    assert rig.there() == before
    assert (rig.store.changes(), rig.store.inbox()) == ((), ())
