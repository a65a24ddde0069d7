"""The daemon's loop, with an org that takes its time."""

import threading
import time
from datetime import timedelta

import pytest

from salesforce_sync.app import SystemClock
from salesforce_sync.errors import LimitExceeded, StoreTrouble
from salesforce_sync.models.outbox import Wanted
from salesforce_sync.models.outcome import Lost
from salesforce_sync.signals import Bus
from salesforce_sync.storage.sqlite import SqliteStore
from salesforce_sync.sync.daemon import Daemon
from salesforce_sync.sync.duty import Duty
from salesforce_sync.sync.engine import SyncEngine
from salesforce_sync.sync.schedule import DEFAULTS
from salesforce_sync.testing import FrozenClock, MemoryOrg
from tests.unit.orgs import ACCOUNT, CONTACT


class SlowOrg:
    """Another org: a write asks ten times how it is before it is done, and a pull of contacts waits for the gate.

    So does a poll, for a gate of its own, which is open at first.

    The answers to the next `loses` writes are lost.
    """

    def __init__(self, org):
        self._org, self.gate, self.pulls = org, threading.Event(), threading.Event()
        self.poll_gate, self.polls = threading.Event(), threading.Event()
        self.poll_gate.set()
        self.loses = 0

    def __getattr__(self, name):
        return getattr(self._org, name)

    def pull(self, request):
        if request.schema.name == "Contact":
            self.pulls.set()
            self.gate.wait(10)
        return self._org.pull(request)

    def poll(self, polls):
        if not self.poll_gate.is_set():
            self.polls.set()
            self.poll_gate.wait(10)
        return self._org.poll(polls)

    def write(self, orders, announce):
        for _ in range(10):
            time.sleep(0.03)
            self._org.objects()
        for outcomes in self._org.write(orders, announce):
            yield tuple(Lost(each.change, "The line broke.") for each in outcomes) if self.loses else outcomes
        self.loses = max(0, self.loses - 1)


class Looker:
    def __init__(self):
        self.beats, self.runs, self.pushes, self.doings = [], [], [], []

    def beat(self):
        self.beats.append(self.doings[-1] if self.doings else "")

    def doing(self, what):
        self.doings.append(what)

    def ran(self, run):
        self.runs.append(run)

    def caught_up(self, run):
        pass

    def pushed(self, push):
        self.pushes.append(push)


class Rig:
    def __init__(self, path, clock=None, tick=60.0, every=timedelta(hours=1)):
        self.stop = threading.Event()
        self.clock = clock or SystemClock(self.stop)
        self.store = SqliteStore(path, self.clock)
        self.memory = MemoryOrg(ACCOUNT, CONTACT)
        self.org, self.looker = SlowOrg(self.memory), Looker()
        self.acme = self.memory.put("Account", Name="Acme")
        intervals = {name: every for name in ("Account", "Contact")}
        self.sync("Account")
        self.daemon = Daemon(
            Duty(intervals, DEFAULTS, 15_000, "somebody", 1, "seed", 0.01 if clock is None else tick),
            lambda: SyncEngine(self.org, self.store, self.clock, Bus()),
            self.store,
            self.store.desk,
            self.clock,
            self.stop,
        )
        self.thread = threading.Thread(target=self.daemon.run, args=(self.looker,))

    def sync(self, *names):
        SyncEngine(self.org, self.store, self.clock, Bus()).run(names)

    def rename(self, name):
        with self.store._connections.editing() as db:
            db.execute("UPDATE Account SET Name = ? WHERE Id = ?", (name, self.acme))

    def end(self):
        self.org.gate.set()
        self.org.poll_gate.set()
        self.stop.set()
        self.thread.join(10)
        self.store.close()


@pytest.fixture
def rig(tmp_path):
    made = Rig(tmp_path / "replica.db")
    made.thread.start()
    yield made
    made.end()


def wait_until(happened):
    until = time.monotonic() + 10
    while not happened():
        assert time.monotonic() < until
        time.sleep(0.01)


def test_what_is_edited_goes_while_a_pull_of_another_object_goes_on(rig):
    assert rig.org.pulls.wait(10)
    rig.rename("Acme & Co")
    wait_until(lambda: rig.looker.pushes)
    runs_by_then = list(rig.looker.runs)
    rig.org.gate.set()
    wait_until(lambda: rig.looker.runs)

    assert rig.memory.live("Account")[rig.acme]["Name"] == "Acme & Co"
    assert runs_by_then == []
    assert rig.looker.runs[0].state.value == "complete"


def accounts_of(run):
    return [each.state.value for each in run.objects if each.object_name == "Account"]


def test_what_falls_due_is_synced_while_a_pull_of_another_object_hangs(tmp_path, monkeypatch):
    monkeypatch.setattr("salesforce_sync.sync.side_by_side.AGAIN_BESIDE", timedelta(0))
    rig = Rig(tmp_path / "replica.db", every=timedelta(milliseconds=200))
    rig.thread.start()
    assert rig.org.pulls.wait(10)
    rig.memory.put("Account", rig.acme, Name="Acme & Co")

    wait_until(lambda: "Acme & Co" in rig.store.get("Account", rig.acme))
    wait_until(lambda: any(accounts_of(run) == ["complete"] for run in rig.looker.runs))
    beside = [each for run in rig.looker.runs for each in run.objects]
    rig.org.gate.set()
    wait_until(lambda: any(len(run.objects) == 2 for run in rig.looker.runs))

    assert {(each.object_name, each.state.value) for each in beside} == {("Account", "complete")}
    rig.end()


def test_what_is_asked_for_is_synced_while_a_pull_of_another_object_hangs(rig):
    assert rig.org.pulls.wait(10)
    wait_until(lambda: rig.store.desk.last_tries()["account"][1] == "complete")
    asked = rig.store.desk.ask("somebody", ("Account",))
    of_all = rig.store.desk.ask("somebody", ())

    wait_until(lambda: rig.store.desk.request(asked.number).state == "complete")

    assert rig.store.desk.request(of_all.number).state is None  # it asks for contacts, too
    rig.org.gate.set()
    wait_until(lambda: rig.store.desk.request(of_all.number).state == "complete")


def test_a_request_is_answered_when_its_objects_are_done_and_not_synced_once_more(tmp_path, monkeypatch):
    monkeypatch.setattr("salesforce_sync.sync.side_by_side.AGAIN_BESIDE", timedelta(0))
    rig = Rig(tmp_path / "replica.db")
    asked = rig.store.desk.ask("somebody", ("Account",))
    of_both = rig.store.desk.ask("somebody", ("Account", "Contact"))
    rig.thread.start()
    assert rig.org.pulls.wait(10)

    wait_until(lambda: rig.store.desk.request(asked.number).state == "complete")

    looks = rig.daemon._beside._looked
    wait_until(lambda: rig.daemon._beside._looked != looks)
    assert rig.looker.runs == []
    assert rig.store.desk.request(of_both.number).state is None
    rig.org.gate.set()
    wait_until(lambda: rig.store.desk.request(of_both.number).state == "complete" and rig.looker.runs)
    assert [accounts_of(run) for run in rig.looker.runs] == [["complete"]]
    rig.end()


def test_what_is_edited_goes_as_soon_as_a_run_beside_another_one_is_done_with_it(rig):
    assert rig.org.pulls.wait(10)
    wait_until(lambda: rig.store.desk.last_tries()["account"][1] == "complete")
    rig.org.poll_gate.clear()
    rig.store.desk.ask("somebody", ("Account",))
    assert rig.org.polls.wait(10)
    rig.org.gate.set()
    wait_until(lambda: rig.looker.runs)  # the one that would have pushed
    rig.rename("Acme & Co")
    wait_until(lambda: rig.daemon._hindsight.left)  # somebody holds it, so it was left
    rig.org.poll_gate.set()

    wait_until(lambda: rig.looker.pushes)

    assert [each.outcome for each in rig.looker.pushes[0].changes] == ["applied"]


def test_what_has_fallen_due_is_not_looked_for_all_the_time_while_a_request_waits(rig, monkeypatch):
    assert rig.org.pulls.wait(10)
    looks = []
    look = rig.daemon._outlook.items
    monkeypatch.setattr(rig.daemon._outlook, "items", lambda tried: looks.append(1) or look(tried))
    rig.store.desk.ask("somebody", ())  # for contacts, too, which are held
    wait_until(lambda: looks)

    rig.rename("Acme & Co")
    wait_until(lambda: rig.looker.pushes)  # many looks at the outbox later

    assert len(looks) == 1


def test_trouble_with_the_file_in_one_run_leaves_what_was_asked_for_and_the_other_runs(rig, monkeypatch):
    class Troubled(SyncEngine):
        def pull(self, objects, accepted=frozenset()):
            raise StoreTrouble("The disk has hiccups.")

    assert rig.org.pulls.wait(10)
    wait_until(lambda: rig.store.desk.last_tries()["account"][1] == "complete")
    monkeypatch.setattr("salesforce_sync.sync.side_by_side.AGAIN_BESIDE", timedelta(0))
    engines = [Troubled]
    make = lambda: (engines.pop() if engines else SyncEngine)(rig.org, rig.store, rig.clock, Bus())  # noqa: E731
    monkeypatch.setattr(rig.daemon._beside, "_engine", make)
    asked = rig.store.desk.ask("somebody", ("Account",))

    wait_until(lambda: rig.store.desk.request(asked.number).state == "complete")

    assert not engines
    rig.org.gate.set()
    wait_until(lambda: any(each.object_name == "Contact" for run in rig.looker.runs for each in run.objects))


def test_that_the_calls_are_used_is_not_forgotten_when_an_earlier_run_ends_well(rig):
    assert rig.org.pulls.wait(10)
    wait_until(lambda: rig.store.desk.last_tries()["account"][1] == "complete")
    again_at = rig.clock.now() + timedelta(hours=1)
    rig.memory.fail(LimitExceeded("All calls of the day are used.", again_at=again_at), call="poll")
    asked = rig.store.desk.ask("somebody", ("Account",))
    wait_until(lambda: rig.store.desk.request(asked.number).state == "partial")

    rig.org.gate.set()

    wait_until(lambda: rig.store.desk.state().doing == "waiting")
    assert rig.store.desk.state().not_before is not None


def test_a_daemon_that_waits_for_calls_goes_on_once_somebody_else_has_got_some(rig):
    rig.org.gate.set()
    wait_until(lambda: rig.looker.runs)
    again_at = rig.clock.now() + timedelta(hours=1)
    rig.memory.fail(LimitExceeded("All calls of the day are used.", again_at=again_at), call="poll")
    asked = rig.store.desk.ask("somebody", ("Account",))
    wait_until(lambda: rig.store.desk.request(asked.number).state == "partial")
    wait_until(lambda: rig.store.desk.state().not_before is not None)

    rig.sync("Contact")

    wait_until(lambda: rig.store.desk.state().not_before is None)


def test_answers_of_the_org_are_signs_of_life_while_a_job_is_waited_for(rig):
    rig.org.gate.set()
    wait_until(lambda: rig.looker.runs)
    rig.rename("Acme & Co")
    wait_until(lambda: rig.looker.pushes)

    assert rig.looker.beats.count("pushing") >= 3


class MinuteClock(FrozenClock):
    """Does something at its first second, and ends everything after a minute."""

    def __init__(self):
        super().__init__()
        self.first, self.stop, self.left = lambda: None, threading.Event(), 60

    def sleep(self, seconds):
        super().sleep(seconds)
        self.left -= seconds
        first, self.first = self.first, lambda: None
        first()
        if self.left <= 0:
            self.stop.set()


def test_an_edit_whose_answer_was_lost_is_looked_for_within_the_minute(tmp_path):
    clock = MinuteClock()
    rig = Rig(tmp_path / "replica.db", clock, tick=1.0)
    rig.org.gate.set()
    rig.daemon._stop, rig.org.loses = clock.stop, 2
    clock.first = lambda: rig.rename("Acme & Co")
    rig.daemon.run(rig.looker)
    left = rig.store.changes(Wanted())
    rig.store.close()

    assert left == ()
    assert rig.memory.live("Account")[rig.acme]["Name"] == "Acme & Co"
    assert len(rig.looker.pushes) >= 2


class JumpingClock(FrozenClock):
    """Jumps once, ten minutes after its beginning, and ends all three hours later, or after too many syncs."""

    def __init__(self, jump):
        super().__init__()
        self.jump, self.stop, self.runs, self.left = jump, threading.Event(), [], 190

    def now(self):
        if len(self.runs) > 12:
            self.stop.set()
        return super().now()

    def sleep(self, seconds):
        super().sleep(seconds)
        self.left -= 1
        if self.left == 180:
            self.jump(self)
        if self.left == 0:
            self.stop.set()


@pytest.mark.parametrize(
    "jump",
    [
        lambda clock: clock.set_back(timedelta(days=3650)),
        lambda clock: clock.advance(timedelta(days=3650)),
        lambda clock: clock.set_back(timedelta(minutes=5)),
    ],
    ids=["ten years back", "ten years forward", "five minutes back"],
)
def test_a_clock_that_jumps_makes_an_object_due_once(tmp_path, jump):
    clock = JumpingClock(jump)
    rig = Rig(tmp_path / "replica.db", clock)
    rig.org.gate.set()
    rig.daemon._stop, clock.runs = clock.stop, rig.looker.runs
    rig.daemon.run(rig.looker)
    rig.store.close()

    # At the beginning, after the jump, and then hourly.
    assert 4 <= len(rig.looker.runs) <= 5
