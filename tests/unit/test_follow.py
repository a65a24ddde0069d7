"""The follower: events merged as they come, polls where they do not tell, streams taken up again."""

from __future__ import annotations

import threading
import time

import pytest
from msgspec.structs import replace

from salesforce_sync.errors import EventsSpent, RequestRefused, SchemaChanged, StoreBusy, Unreachable
from salesforce_sync.models.event import Action, EventPage, Lack
from salesforce_sync.models.page import PullRequest
from salesforce_sync.models.salesforce_id import to_18
from salesforce_sync.signals import Bus
from salesforce_sync.sync.engine import SyncEngine
from salesforce_sync.sync.follow import Follower
from salesforce_sync.sync.pace import Pace
from salesforce_sync.testing import MemoryEvents, MemoryOrg, MemoryStore, capture_signals, make_field, make_schema

WIDGET = make_schema("Widget__c", Name="string", Color__c="string")
GADGET = make_schema("Gadget__c", Name="string")
QUICK = Pace(silence=5.0, first_wait=0.02, longest_wait=0.3, call_every=3600.0, look_every=0.01)


class RealTime:
    """The machine's time, for what really waits."""

    slept = 0.0

    def monotonic(self) -> float:
        return time.monotonic()

    def suspended(self) -> float:
        return self.slept


class World:
    """An org, its replica, and what follows the one for the other."""

    def __init__(self, *schemas, pace=QUICK) -> None:
        self.org = MemoryOrg(*(schemas or (WIDGET,)))
        self.events = MemoryEvents(self.org)
        self.store = MemoryStore(self.org.clock)
        self.bus = Bus()
        self.signals = capture_signals(self.bus)
        self.engine = SyncEngine(self.org, self.store, self.org.clock, self.bus)
        self.polls: list[tuple[str, ...]] = []
        self.before_poll = lambda names: None
        self.pace = pace
        self.time = RealTime()
        self.follower = self.follower_of(self.events)

    def follower_of(self, events):
        return Follower(events, self.org, self.store, self.time, self.bus, self.catch_up, self.pace)

    def catch_up(self, names, stop):
        self.before_poll(names)
        self.polls.append(tuple(names))
        return [each.object_name for each in self.engine.pull(names).objects if each.problem is None]

    def start(self, *names):
        self.follower.start(*(names or ("Widget__c",)))
        return self

    def settled(self, *names):
        """Start, and wait until the objects are followed and sure."""
        self.start(*names)
        names = names or ("Widget__c",)
        wait(lambda: all(self.store.checkpoint(name) and self.store.replay(name) for name in names), self.events.ping)
        wait(lambda: not any(self.store.unsure(name) for name in names))
        return self

    def equal(self, name="Widget__c"):
        mine = {row[0]: row[5] for row in self.store.scan(name)}
        return mine == {key: row["Name"] for key, row in self.org.live(name).items()}


def wait(met, meanwhile=lambda: None, seconds=10.0):
    until = time.monotonic() + seconds
    while not met():
        assert time.monotonic() < until, "it never happened"
        meanwhile()
        time.sleep(0.005)


@pytest.fixture
def world():
    made = World()
    yield made
    made.follower.stop()


def realtime(world):
    return [(each.action, each.id) for each in world.signals if each.name == "sf_realtime"]


def test_a_change_in_the_org_is_here_without_a_poll(world):
    key = world.org.put("Widget__c", Name="Bolt")
    world.settled()
    polls = len(world.polls)

    world.org.tick(5)
    world.org.put("Widget__c", key, Name="Nut")
    wait(world.equal)
    new = world.org.put("Widget__c", Name="Screw")
    wait(world.equal)
    world.org.delete("Widget__c", key)
    wait(world.equal)

    assert len(world.polls) == polls
    wait(lambda: len(realtime(world)) == 3)
    assert realtime(world) == [("update", key), ("create", new), ("delete", key)]


def test_an_object_that_was_never_pulled_is_pulled_first(world):
    world.org.put("Widget__c", Name="Bolt")
    world.settled()
    assert world.equal()


def test_what_comes_between_the_poll_and_the_first_page_is_polled_again(world):
    """Nobody can tell when the org begins to listen: only that it does when it has said something."""
    world.org.put("Widget__c", Name="Bolt")
    world.start()
    # the first load, and the poll at the beginning of the subscription
    wait(lambda: len(world.polls) == 2 and world.store.unsure("Widget__c") == 0)

    wait(lambda: world.store.replay("Widget__c"), world.events.ping)

    wait(lambda: len(world.polls) == 3 and world.store.unsure("Widget__c") == 0)


def test_a_gap_is_read_in_one_call_for_all_records(world):
    keys = [world.org.put("Widget__c", Name=f"W{number}") for number in range(20)]
    world.settled()
    calls = world.org.usage.spent
    hidden = world.org.listeners.pop()
    world.org.tick(60)
    for key in keys:
        world.org.put("Widget__c", key, Name="New")
    world.org.listeners.append(hidden)
    with world.events._changed:
        for key in keys:
            world.events.happen("Widget__c", key, Action.GAP, {}, "2024-01-15T12:00:00.000Z")

    wait(world.equal)
    assert world.org.usage.spent - calls <= 2


def test_an_event_about_an_unknown_record_is_read(world):
    world.settled()
    hidden = world.org.listeners.pop()
    key = world.org.put("Widget__c", Name="Bolt")
    world.org.listeners.append(hidden)
    world.org.tick(5)
    world.org.put("Widget__c", key, Color__c="red")

    wait(world.equal)


def test_records_that_cannot_be_read_again_do_not_keep_those_of_other_objects_waiting():
    """As when a field has gone that we still ask for: a poll describes the object anew."""
    both = World(GADGET, WIDGET)
    pull = both.org.pull

    def refuse(request):
        if request.ids and request.schema.name == "Gadget__c":
            raise SchemaChanged("No such column.")
        return pull(request)

    both.org.pull = refuse
    both.settled("Gadget__c", "Widget__c")
    polls = len(both.polls)
    for name, key in (("Gadget__c", both.org.put("Gadget__c")), ("Widget__c", both.org.put("Widget__c"))):
        both.events.happen(name, key, Action.GAP, {}, "2024-01-15T12:00:00.000Z")

    wait(lambda: both.store.to_read_again("Gadget__c", 1) and not both.store.to_read_again("Widget__c", 1))
    wait(lambda: both.equal("Widget__c"))
    wait(lambda: [each for each in both.polls[polls:] if "Gadget__c" in each])
    both.follower.stop()


def test_reading_again_is_paced(world):
    """Formulas would otherwise cost a call for each change, all day long."""
    formula = make_schema("Widget__c", make_field("Total__c", calculated=True), Name="string")
    paced = World(formula, pace=replace(QUICK, calls=5))  # to settle takes up to three
    paced.settled()
    calls = paced.org.usage.spent
    for number in range(30):
        paced.events.happen("Widget__c", to_18(f"a00{number:012d}"), Action.GAP, {}, "2024-01-15T12:00:00.000Z")
        time.sleep(0.01)
    time.sleep(0.2)
    paced.follower.stop()

    assert paced.org.usage.spent - calls <= 5
    assert len(paced.store.to_read_again("Widget__c", 100)) >= 1


def test_what_an_event_did_not_tell_is_read_at_once_where_formulas_have_spent_the_calls():
    formula = make_schema("Widget__c", make_field("Total__c", calculated=True), Name="string")
    busy = World(formula, pace=replace(QUICK, calls=6))
    key = busy.org.put("Widget__c", Name="Bolt")
    busy.settled()
    for second in range(12):
        at = f"2024-02-15T12:00:{second:02}.000Z"
        busy.events.happen("Widget__c", key, Action.UPDATE, {"LastModifiedDate": at}, at, Lack.DERIVED)
        time.sleep(0.02)
    assert busy.store.to_read_again("Widget__c", 1)  # formulas wait for the next call
    busy.events.happen("Widget__c", to_18("a00000000000009"), Action.GAP, {}, "2024-02-15T12:00:00.000Z")

    wait(lambda: not busy.store.to_read_again("Widget__c", 1), seconds=3)
    busy.follower.stop()


def test_polls_for_what_events_leave_unsure_are_paced(world):
    """An org that tells nothing but overflows would else be polled without a pause."""
    paced = World(pace=replace(QUICK, calls=4))
    paced.settled()
    polls = len(paced.polls)
    for _ in range(10):
        paced.follower.unsure("Widget__c")
        time.sleep(0.03)
    paced.follower.stop()

    assert len(paced.polls) - polls <= 4
    assert paced.store.unsure("Widget__c")


def test_a_refused_replay_id_is_polled_at_once_also_when_all_calls_are_spent():
    """It waited for the next call to be saved up, a minute: who begins anew has missed something."""
    spent = World(pace=replace(QUICK, calls=2))
    spent.settled()
    while len(spent.polls) < 4 and not spent.store.unsure("Widget__c"):
        spent.follower.unsure("Widget__c")
        time.sleep(0.05)
    assert spent.store.unsure("Widget__c")  # nobody polls it any more
    told, spent.org.listeners[:] = list(spent.org.listeners), []
    spent.org.put("Widget__c", Name="Missed")
    spent.org.listeners[:] = told
    spent.events.forget()
    spent.events.cut()

    wait(spent.equal, spent.events.ping, 3)
    wait(lambda: spent.store.unsure("Widget__c") == 0, spent.events.ping, 3)
    spent.follower.stop()


def test_an_org_that_refuses_every_replay_id_is_not_polled_without_a_pause():
    refusing = World(pace=replace(QUICK, calls=3, longest_wait=0.02))
    refusing.settled()
    polls = len(refusing.polls)
    until = time.monotonic() + 0.8
    while time.monotonic() < until:
        refusing.org.put("Widget__c", Name="Bolt")
        refusing.events.ping()
        refusing.events.forget()
        refusing.events.cut()
        time.sleep(0.02)
    refusing.follower.stop()

    assert len(refusing.polls) - polls <= 3 + 2 * 3


def test_a_stream_that_ends_right_after_its_beginning_is_taken_up_later_and_later():
    """Each beginning is another login for the org, and another poll."""
    flapping = World(pace=replace(QUICK, longest_wait=5.0))
    subscribe, begun = flapping.events.subscribe, []

    def once(name, after):
        begun.append(time.monotonic())
        subscription = subscribe(name, after)

        class Short:
            def __iter__(self):
                yield EventPage(name, (), b"%d" % len(begun))

            def close(self):
                subscription.close()

        return Short()

    flapping.events.subscribe = once
    flapping.start()
    time.sleep(0.8)
    flapping.follower.stop()

    # 0.02 s, twice that, and so on, each up to a half sooner
    assert 3 <= len(begun) <= 8


def test_streams_that_break_together_do_not_come_back_together():
    both = World(WIDGET, GADGET, pace=replace(QUICK, first_wait=0.4))
    begun = []

    def refuse(name, after):
        begun.append((name, time.monotonic()))
        raise Unreachable("No.")

    both.events.subscribe = refuse
    both.start("Widget__c", "Gadget__c")
    wait(lambda: len(begun) >= 10)
    both.follower.stop()

    times = {name: [at for each, at in begun if each == name][1:5] for name in ("Widget__c", "Gadget__c")}
    assert any(abs(one - other) > 0.02 for one, other in zip(*times.values(), strict=False))


def test_a_slow_store_is_no_silent_stream():
    slow = World(pace=replace(QUICK, silence=0.6))
    subscribed = []
    subscribe, merge = slow.events.subscribe, slow.store.merge_events
    slow.events.subscribe = lambda name, after: subscribed.append(after) or subscribe(name, after)
    slow.settled()
    begun = len(subscribed)
    slow.store.merge_events = lambda page: time.sleep(0.9) or merge(page)
    for number in range(2):
        slow.org.put("Widget__c", Name=f"W{number}")
    wait(slow.equal)
    slow.follower.stop()

    assert len(subscribed) == begun


def test_a_refused_replay_id_is_followed_anew_and_polled(world):
    world.org.put("Widget__c", Name="Bolt")
    world.settled()
    world.follower.stop()
    world.org.put("Widget__c", Name="Missed")
    world.events.forget()
    world.follower = world.follower_of(world.events)
    polls = len(world.polls)

    world.start()
    wait(world.equal, world.events.ping)

    assert len(world.polls) > polls
    wait(lambda: world.store.unsure("Widget__c") == 0, world.events.ping)


def test_what_happened_while_nobody_followed_is_told_without_a_poll(world):
    world.org.put("Widget__c", Name="Bolt")
    world.settled()
    world.follower.stop()
    world.org.put("Widget__c", Name="Missed")
    world.follower = world.follower_of(world.events)
    polls = len(world.polls)

    world.start()
    wait(world.equal)

    assert len(world.polls) == polls


def test_a_stream_that_breaks_is_taken_up_where_it_was(world):
    world.settled()
    for number in range(20):
        world.org.put("Widget__c", Name=f"W{number}")
        if number % 4 == 0:
            world.events.cut()

    wait(world.equal)
    assert [action for action, _ in realtime(world)].count("create") == 20


def test_a_silent_stream_is_begun_anew():
    silent = World(pace=replace(QUICK, silence=0.1))
    subscribed = []
    subscribe = silent.events.subscribe
    silent.events.subscribe = lambda name, after: subscribed.append(after) or subscribe(name, after)
    silent.start()

    wait(lambda: len(subscribed) >= 3)
    silent.follower.stop()


def test_streams_are_begun_anew_after_the_machine_has_slept(world):
    world.settled()
    subscribed, renewed = [], []
    subscribe = world.events.subscribe
    world.events.subscribe = lambda name, after: subscribed.append(after) or subscribe(name, after)
    world.events.renew = lambda: renewed.append(True)
    world.time.slept = 3600.0

    wait(lambda: subscribed)
    world.org.put("Widget__c", Name="Bolt")
    wait(world.equal)

    assert (len(renewed), len(subscribed)) == (1, 1)
    assert subscribed[0] is not None  # from where it was


def test_a_connection_that_cannot_be_made_does_not_end_the_looking_after_streams(caplog):
    lame = World(pace=replace(QUICK, silence=0.1))
    failed = []

    def renew():
        if len(failed) < 2:
            failed.append(True)
            raise RuntimeError("can't start new thread")

    lame.events.renew = renew
    subscribed = []
    subscribe = lame.events.subscribe
    lame.events.subscribe = lambda name, after: subscribed.append(after) or subscribe(name, after)
    lame.start()

    wait(lambda: len(subscribed) >= 2)
    lame.follower.stop()

    assert len(failed) == 2
    assert "can't start new thread" in caplog.text


def test_a_poll_that_fails_is_made_again_and_the_object_stays_unsure(world):
    world.org.put("Widget__c", Name="Bolt")
    world.settled()
    failures = []

    def fail(names):
        if len(failures) < 2:
            failures.append(names)
            raise StoreBusy("Somebody pulls it just now.")

    world.before_poll = fail
    polls = len(world.polls)
    world.follower.unsure("Widget__c")

    wait(lambda: len(failures) == 2)
    wait(lambda: world.store.unsure("Widget__c") == 0)
    assert len(world.polls) == polls + 1


def test_an_object_that_cannot_be_polled_keeps_no_other_waiting():
    both = World(WIDGET, GADGET, pace=replace(QUICK, longest_wait=60.0, calls=1000))
    both.settled("Widget__c", "Gadget__c")
    failed, catch_up = [], both.catch_up

    def without_gadgets(names, stop):
        failed.extend(name for name in names if name == "Gadget__c")
        return catch_up([name for name in names if name != "Gadget__c"], stop)

    both.follower._catch_up = without_gadgets
    both.follower.unsure("Gadget__c")
    wait(lambda: len(failed) >= 7)  # 0.02 s, twice that, and so on: by now it rests for longer than a test may take
    asked = time.monotonic()
    both.follower.unsure("Widget__c")
    wait(lambda: not both.store.unsure("Widget__c"))
    took = time.monotonic() - asked
    tries = len(failed)
    both.follower.stop()

    assert took < 0.6  # the rest is longer
    assert tries <= 8  # and is not tried sooner because of the other


def test_objects_that_are_unsure_at_once_are_polled_together():
    both = World(WIDGET, GADGET)
    both.settled("Widget__c", "Gadget__c")
    polls = len(both.polls)
    both.follower.unsure("Widget__c")
    both.follower.unsure("Gadget__c")

    wait(lambda: not both.store.unsure("Widget__c") and not both.store.unsure("Gadget__c"))
    both.follower.stop()

    assert both.polls[polls:] == [("Widget__c", "Gadget__c")]


@pytest.mark.parametrize("trouble", [RequestRefused("No events."), EventsSpent("Spent.")])
def test_trouble_with_one_object_is_kept_from_the_others(trouble):
    both = World(WIDGET, GADGET)
    subscribe = both.events.subscribe

    def refuse(name, after):
        if name == "Gadget__c":
            raise trouble
        return subscribe(name, after)

    both.events.subscribe = refuse
    both.start("Widget__c", "Gadget__c")
    wait(lambda: both.store.replay("Widget__c"), both.events.ping)
    both.org.put("Widget__c", Name="Bolt")
    wait(both.equal)
    wait(lambda: any(each.problem for each in both.follower.followed()))
    told = {each.object_name: each for each in both.follower.followed()}
    both.follower.stop()

    assert (told["Widget__c"].problem, told["Gadget__c"].problem) == (None, trouble)


def test_a_poll_that_is_under_way_ends_with_the_follower(world):
    """Else the database is closed under it."""
    world.settled()
    begun, ended = threading.Event(), threading.Event()

    def long_poll(names, stop):
        begun.set()
        if stop.wait(10):
            ended.set()
        return ()

    world.follower._catch_up = long_poll
    world.follower.unsure("Widget__c")
    assert begun.wait(5)
    world.follower.stop()

    assert ended.is_set()


def test_a_conflict_is_told_when_an_event_brings_it(world):
    key = world.org.put("Widget__c", Name="Bolt")
    world.settled()
    world.store.update("Widget__c", key, {"Name": "Mine"})
    world.org.tick(5)
    world.org.put("Widget__c", key, Name="Theirs")

    wait(lambda: [each for each in world.signals if each.name == "conflict"])
    assert world.store.inbox()[0].conflicts[0].org == "Theirs"


def test_our_own_push_is_no_news(world):
    key = world.org.put("Widget__c", Name="Bolt")
    world.settled()
    world.store.update("Widget__c", key, {"Name": "Mine"})
    world.org.tick(5)
    world.engine.push()
    base = world.store.changes()
    world.org.put("Widget__c", Name="After")
    wait(world.equal)

    assert base == () and world.store.inbox() == ()


def test_stopping_takes_no_time_and_can_be_followed_by_another(world):
    world.settled()
    began = time.monotonic()
    world.follower.stop()

    assert time.monotonic() - began < 3  # a stream may be silent for longer
    assert not [each for each in threading.enumerate() if each.name.startswith("events-")]


def test_a_pull_by_another_thread_does_no_harm(world):
    """Events are merged while rows of a pull are in staging."""
    key = world.org.put("Widget__c", Name="Bolt")
    world.settled()
    with world.store.claim("Widget__c"):
        world.store.begin(PullRequest(WIDGET))
        world.org.tick(5)
        world.org.put("Widget__c", key, Name="Nut")
        wait(world.equal)
