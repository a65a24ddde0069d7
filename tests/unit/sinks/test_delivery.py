"""Delivery: each sink has everything, in order, whatever becomes of it; and nobody waits for it."""

import threading
import time
from contextlib import nullcontext
from datetime import timedelta

import pytest

from salesforce_sync.errors import SinkDown, SinkRefused, Taken
from salesforce_sync.models.sinks import Keep
from salesforce_sync.signals import Progress, PushComplete, SignalsDropped, SyncComplete
from salesforce_sync.sinks.backoff import LONGEST, pause
from salesforce_sync.sinks.delivery import JOIN, Delivery, Post
from salesforce_sync.sinks.sink import Wanted
from salesforce_sync.storage.claims import Claims
from salesforce_sync.storage.sqlite import SqliteStore
from salesforce_sync.testing import FrozenClock


class Shelf:
    """A sink that keeps what it takes. `trouble` is raised instead, as often as it is given."""

    most = 3

    def __init__(self, *trouble, blocks=False):
        self.taken, self.trouble, self.closed = [], list(trouble), False
        self.gate, self.asked = threading.Event(), threading.Event()
        if not blocks:
            self.gate.set()

    def take(self, signals):
        self.asked.set()
        self.gate.wait(10)
        if self.trouble:
            raise self.trouble.pop(0)
        self.taken += [each.signal for each in signals]

    def look(self):
        pass

    def close(self):
        self.closed = True

    @property
    def counts(self):
        return [each.count for each in self.taken if isinstance(each, PushComplete)]


class QuickClock(FrozenClock):
    """Every look at it takes ten minutes, so that pauses pass."""

    def now(self):
        self.advance(timedelta(minutes=10))
        return super().now()


@pytest.fixture
def store(tmp_path):
    made = SqliteStore(tmp_path / "replica.db", QuickClock(), keep=Keep(days=30, rows=1000))
    yield made
    made.close()


@pytest.fixture
def deliver(store):
    """Delivers to these sinks until the test is over."""
    begun = []

    def begin(*names, wanted=(), duty=nullcontext, **shelves):
        posts = [Post(name, shelf, Wanted(wanted)) for name, shelf in shelves.items()]
        delivery = Delivery(store.log, posts, duty, store._clock.now)
        delivery.start()
        begun.append(delivery)
        return delivery

    yield begin
    for each in begun:
        each.finish(0)


def pushes(*numbers):
    return [PushComplete(number, 0) for number in numbers]


def wait_until(happened):
    until = time.monotonic() + 10
    while not happened():
        assert time.monotonic() < until
        time.sleep(0.01)


def test_a_sink_has_what_happens_from_its_beginning_on_in_order(store, deliver):
    store.tell(pushes(1, 2))
    shelf = Shelf()
    delivery = deliver(shelf=shelf)
    store.tell(pushes(3, 4, 5, 6, 7))
    delivery.finish(10)

    assert shelf.counts == [3, 4, 5, 6, 7]
    assert shelf.closed


def test_a_sink_goes_on_where_the_last_process_was(store, deliver):
    deliver(shelf=Shelf()).finish(10)
    store.tell(pushes(1, 2))
    shelf = Shelf()
    deliver(shelf=shelf).finish(10)

    assert shelf.counts == [1, 2]


def test_a_sink_that_is_down_loses_nothing_and_another_does_not_wait_for_it(store, deliver):
    down, well = Shelf(*[SinkDown("It is down.")] * 6), Shelf()
    delivery = deliver(down=down, well=well)
    store.tell(pushes(1, 2, 3, 4))
    delivery.wake()
    wait_until(lambda: well.counts == [1, 2, 3, 4])
    wait_until(lambda: down.counts == [1, 2, 3, 4])

    assert store.log.sink("down").problem == ""


def test_a_sink_that_hangs_delays_nobody_who_tells(store, deliver):
    shelf = Shelf(blocks=True)
    delivery = deliver(shelf=shelf)
    started = time.monotonic()
    for number in range(50):
        store.tell(pushes(number))
        delivery.wake()

    assert time.monotonic() - started < 5
    shelf.gate.set()
    wait_until(lambda: shelf.counts == list(range(50)))


def test_a_signal_that_is_refused_again_and_again_is_a_dead_letter_and_holds_up_no_other(store, deliver):
    shelf = Shelf(*[SinkRefused("Not this one.")] * 5)
    shelf.most = 1
    deliver(shelf=shelf)
    store.tell(pushes(1, 2))
    wait_until(lambda: shelf.counts == [2])

    (letter,) = store.log.dead("shelf")
    assert (letter.told.signal, letter.problem) == (PushComplete(1, 0), "Not this one.")


class Choosy(Shelf):
    """Refuses every signal of one name, and counts how often it was asked to take one."""

    most = 1

    def __init__(self, refused):
        super().__init__()
        self.refused, self.asks = refused, 0

    def take(self, signals):
        self.asks += 1
        if signals[0].signal.name == self.refused:
            raise SinkRefused("I do not know these.")
        super().take(signals)


def test_a_receiver_that_refuses_all_of_one_name_gets_the_others_without_waiting_for_each(store, deliver):
    """Each refusal took fifteen seconds: after 3,000 of them whatever else was to be told came half a day late."""
    choosy = Choosy("push_complete")
    delivery = deliver(choosy=choosy)
    store.tell([*pushes(*range(40)), SyncComplete()])
    delivery.wake()
    wait_until(lambda: choosy.taken)

    assert choosy.asks <= 3 * 5 + 40
    assert len(store.log.dead("choosy")) == 40


def test_who_takes_a_name_again_is_patient_with_it_again(store, deliver):
    shelf = Shelf(*[SinkRefused("No.")] * 40)
    shelf.most = 1
    delivery = deliver(shelf=shelf)
    store.tell(pushes(*range(100)))
    delivery.wake()
    wait_until(lambda: shelf.counts and shelf.counts[-1] == 99)
    dead = len(store.log.dead("shelf"))
    shelf.trouble = [SinkRefused("No.")] * 4
    store.tell(pushes(100))
    delivery.wake()
    wait_until(lambda: shelf.counts[-1] == 100)

    assert len(store.log.dead("shelf")) == dead


def test_a_dead_letter_is_tried_again_when_somebody_says_so(store, deliver):
    shelf = Shelf(*[SinkRefused("Not now.")] * 5)
    shelf.most = 1
    delivery = deliver(shelf=shelf)
    store.tell(pushes(1))
    wait_until(lambda: store.log.dead("shelf"))
    assert store.log.again("shelf") == 1
    delivery.wake()
    wait_until(lambda: shelf.counts == [1])
    wait_until(lambda: store.log.dead() == ())

    assert store.log.sink("shelf").dead == 0


def test_a_mistake_in_a_sink_ends_nothing(store, deliver):
    shelf = Shelf(ZeroDivisionError("oops"))
    deliver(shelf=shelf)
    store.tell(pushes(1))

    wait_until(lambda: shelf.counts == [1])


def test_progress_goes_to_whoever_wants_it_and_to_nobody_else(store, deliver):
    everything, usual = Shelf(), Shelf()
    one = deliver(wanted=("sync_progress",), everything=everything)
    store.tell([Progress("Contact", 1, 2, 1), SyncComplete()])
    one.finish(10)
    other = deliver(usual=usual)
    store.tell([Progress("Contact", 1, 2, 1), SyncComplete()])
    other.finish(10)

    assert everything.taken == [Progress("Contact", 1, 2, 1)]
    assert usual.taken == [SyncComplete()]


def test_of_two_processes_one_delivers_and_the_other_follows(store, deliver):
    held = threading.Lock()

    class Duty:
        def __enter__(self):
            if not held.acquire(blocking=False):
                raise Taken("Somebody else does it.")

        def __exit__(self, *_):
            held.release()

    first, second = Shelf(), Shelf()
    one = deliver(shelf=first, duty=Duty)
    wait_until(held.locked)
    deliver(shelf=second, duty=Duty)
    store.tell(pushes(1))
    one.finish(10)
    store.tell(pushes(2))
    wait_until(lambda: second.counts == [2])

    assert first.counts == [1]


def test_a_lock_that_cannot_be_had_for_a_while_ends_no_delivery(store, deliver, tmp_path, monkeypatch):
    monkeypatch.setattr("salesforce_sync.sinks.delivery.TROUBLED", 0.01)
    folder = tmp_path / "replica.db-pages"
    folder.write_text("no folder")
    shelf = Shelf()
    deliver(shelf=shelf, duty=lambda: Claims(folder).duty("delivery", "somebody"))
    store.tell(pushes(1))
    time.sleep(0.1)
    folder.unlink()
    wait_until(lambda: shelf.counts)

    assert shelf.counts == [1]


def test_what_is_too_old_before_it_could_go_is_counted(store, deliver):
    shelf = Shelf(blocks=True)
    deliver(shelf=shelf)
    for start in range(0, 1500, 500):
        store.tell(pushes(*range(start, start + 500)))

    state = store.log.sink("shelf")
    assert (state.dropped, state.waiting) == (500, 1000)
    shelf.gate.set()


def overfilled(store):
    """Tells 1,500 signals, of which 1,000 are kept, while nobody delivers."""
    store.log.join(["shelf"])
    for start in range(0, 1500, 500):
        store.tell(pushes(*range(start, start + 500)))


def test_a_sink_that_lost_signals_is_told_how_many_before_the_rest(store, deliver, caplog):
    """Else nobody who listens to it knows that something is missing."""
    overfilled(store)
    shelf = Shelf()
    deliver(shelf=shelf).finish(10)

    assert shelf.taken[0] == SignalsDropped("shelf", 500)
    assert shelf.counts == list(range(500, 1500))
    assert "shelf has not got 500 signals" in caplog.text
    again = Shelf()
    store.tell(pushes(1500))
    deliver(shelf=again).finish(10)
    assert again.taken == pushes(1500)


def test_a_sink_that_is_still_down_is_told_of_what_it_lost_when_it_is_back(store, deliver):
    overfilled(store)
    shelf = Shelf(*[SinkDown("It is down.")] * 3)
    deliver(shelf=shelf)
    wait_until(lambda: len(shelf.counts) == 1000)

    assert [each for each in shelf.taken if each.name == "signals_dropped"] == [SignalsDropped("shelf", 500)]


def test_a_sink_that_wants_one_signal_only_gets_no_other_for_what_was_lost(store, deliver):
    overfilled(store)
    shelf = Shelf()
    deliver(shelf=shelf, wanted=("push_complete",)).finish(10)

    assert {each.name for each in shelf.taken} == {"push_complete"}


def test_a_clock_that_was_years_behind_for_a_moment_takes_no_signal_away(tmp_path):
    clock = FrozenClock()
    store = SqliteStore(tmp_path / "replica.db", clock, keep=Keep(days=30, rows=1000))
    store.log.join(["shelf"])
    store.tell(pushes(1))
    clock.set_back(timedelta(days=2000))
    store.tell(pushes(2))
    clock.advance(timedelta(days=2001))
    store.tell(pushes(3))
    kept, dropped = [each.signal.count for each in store.told(0, 10)], store.log.sink("shelf").dropped
    clock.advance(timedelta(days=40))
    store.tell(pushes(4))
    later = [each.signal.count for each in store.told(0, 10)]
    store.close()

    assert (kept, dropped) == ([1, 2, 3], 0)
    assert later == [4]


@pytest.mark.parametrize(
    ("failures", "retry_after", "least", "most"),
    [(0, None, 0.75, 1.25), (3, None, 6, 10), (60, None, 0.75 * LONGEST, 1.25 * LONGEST), (0, 60.0, 60, 60)],
)
def test_pauses_grow_within_bounds(failures, retry_after, least, most):
    assert [pause(failures, retry_after, share) for share in (0.0, 1.0)] == [least, most]


def test_a_sink_that_rests_is_tried_at_once_when_somebody_says_so(store):
    store.log.join(["rests", "other"])
    for name in ("rests", "other"):
        store.log.failed(name, "It is gone.", store._clock.now() + timedelta(hours=1))

    store.log.again("rests")

    assert store.log.sink("rests").retry_at is None
    assert store.log.sink("other").retry_at is not None


def test_many_sinks_that_hang_keep_the_end_as_long_as_one(store, deliver):
    hanging = {f"hangs{number}": Shelf(blocks=True) for number in range(5)}
    delivery = deliver(**hanging)
    store.tell(pushes(1))
    delivery.wake()
    wait_until(lambda: all(shelf.asked.is_set() for shelf in hanging.values()))
    began = time.monotonic()

    delivery.finish(0)

    assert time.monotonic() - began < 2 * JOIN
    for shelf in hanging.values():
        shelf.gate.set()
