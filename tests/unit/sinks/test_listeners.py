"""Listeners with a name: they hear what happened while they did not run, at least once and in order."""

import threading
import time

import pytest

from salesforce_sync import SFSync
from salesforce_sync.config import Config
from salesforce_sync.errors import Misuse, SinkDown
from salesforce_sync.signals import PushComplete, RecordsUpdated
from salesforce_sync.sinks import delivery


@pytest.fixture(autouse=True)
def quick_looks(monkeypatch):
    """What other processes tell is looked for more often."""
    monkeypatch.setattr(delivery, "LOOK", 0.05)


@pytest.fixture
def opened(tmp_path):
    """Opens the same replica as another program would."""
    made = []

    def opens():
        config = Config.load(environ={"SF_STORAGE_PATH": str(tmp_path / "replica.db")})
        made.append(SFSync(config))
        return made[-1]

    yield opens
    for each in made:
        each.close()


def happen(sync, *counts):
    sync._store.tell([PushComplete(count, 0) for count in counts])


def wait_until(happened):
    until = time.monotonic() + 10
    while not happened():
        assert time.monotonic() < until
        time.sleep(0.01)


class Heard(list):
    """What a listener was called with; `trouble` is raised instead, as often as it is given."""

    def __init__(self, *trouble):
        super().__init__()
        self.trouble = list(trouble)

    def __call__(self, signal):
        if self.trouble:
            raise self.trouble.pop(0)
        self.append(signal.count)


@pytest.fixture
def no_rests(monkeypatch):
    monkeypatch.setattr(delivery, "pause", lambda *_: 0.0)


def test_a_listener_hears_at_its_next_start_what_it_missed(opened):
    first = opened()
    first.on("push_complete", Heard(), name="ledger")
    happen(first, 1)
    first.close()
    other = opened()
    happen(other, 2, 3)
    other.close()
    heard = Heard()
    opened().on("push_complete", heard, name="ledger")
    wait_until(lambda: len(heard) == 2)

    assert heard == [2, 3]


def test_a_new_listener_begins_with_what_happens_from_then_on(opened):
    sync, heard = opened(), Heard()
    happen(sync, 1)
    sync.on("push_complete", heard, name="ledger")
    happen(sync, 2)
    wait_until(lambda: heard)

    assert heard == [2]


def test_a_listener_hears_only_its_signal_and_what_another_process_tells(opened):
    heard = Heard()
    opened().on("records_updated", heard, name="ledger")
    other = opened()
    other._store.tell([PushComplete(1, 0), RecordsUpdated(5), PushComplete(2, 0), RecordsUpdated(6)])
    wait_until(lambda: len(heard) == 2)

    assert heard == [5, 6]


def test_two_names_have_two_places(opened):
    sync, one, two = opened(), Heard(), Heard()
    sync.on("*", one, name="one")
    happen(sync, 1)
    sync.on("*", two, name="two")
    happen(sync, 2)
    wait_until(lambda: len(one) == 2 and two)

    assert (one, two) == ([1, 2], [2])


def test_what_a_listener_fails_with_comes_again_then_is_a_dead_letter(opened, no_rests):
    sync, heard = opened(), Heard(*[ValueError("Not this one.")] * 5)
    sync.on("push_complete", heard, name="ledger")
    happen(sync, 1, 2)
    wait_until(lambda: heard == [2])
    (letter,) = sync.dead_letters("on:ledger")

    assert (letter.told.signal, letter.problem) == (PushComplete(1, 0), "ValueError: Not this one.")
    sync.retry_dead_letters("on:ledger")
    wait_until(lambda: heard == [2, 1])


def test_a_listener_that_says_not_now_loses_nothing(opened, no_rests):
    sync, heard = opened(), Heard(*[SinkDown("My database is away.")] * 20)
    sync.on("push_complete", heard, name="ledger")
    happen(sync, 1, 2)
    wait_until(lambda: len(heard) == 2)

    assert heard == [1, 2]
    assert sync.dead_letters() == ()


def test_who_ends_a_listener_hears_no_more_and_misses_nothing(opened):
    sync, before, after = opened(), Heard(), Heard()
    off = sync.on("push_complete", before, name="ledger")
    happen(sync, 1)
    wait_until(lambda: before)
    off()
    happen(sync, 2)
    sync.on("push_complete", after, name="ledger")
    wait_until(lambda: after)

    assert (before, after) == ([1], [2])


def test_of_two_processes_with_one_name_one_is_called_and_the_other_takes_over(opened):
    first, second, one, two = opened(), opened(), Heard(), Heard()
    first.on("push_complete", one, name="ledger")
    wait_until(lambda: first._store.claims.is_held("listener-ledger"))
    second.on("push_complete", two, name="ledger")
    happen(second, 1)
    wait_until(lambda: one)
    first.close()
    happen(second, 2)
    wait_until(lambda: two)

    assert (one, two) == ([1], [2])


def test_a_listener_may_end_itself_and_close_what_it_listens_to(opened):
    sync, done = opened(), threading.Event()

    def once(signal):
        off()
        sync.close()
        done.set()

    off = sync.on("push_complete", once, name="ledger")
    happen(sync, 1)

    assert done.wait(5)


def test_listeners_that_hang_keep_the_end_for_a_second_in_all(opened):
    sync, gate = opened(), threading.Event()
    begun = [threading.Event() for _ in range(3)]
    for number, each in enumerate(begun):
        sync.on("*", lambda _, each=each: (each.set(), gate.wait(20)), name=f"n{number}")
    happen(sync, 1)
    assert all(each.wait(5) for each in begun)
    started = time.monotonic()
    sync.stop()
    sync.close()
    took = time.monotonic() - started
    gate.set()

    assert took < 2.5


def test_sinks_show_how_far_each_listener_is_until_it_is_forgotten(opened):
    sync = opened()
    off = sync.on("push_complete", Heard(), name="ledger")
    wait_until(lambda: sync._store.claims.is_held("listener-ledger"))
    with pytest.raises(Misuse, match="listens as 'ledger' now"):
        sync.forget_listener("ledger")
    off()
    happen(sync, 1, 2)

    assert [(each.name, each.waiting) for each in sync.sinks()] == [("on:ledger", 2)]
    assert sync.forget_listener("on:ledger")
    assert sync.sinks() == ()
    assert not sync.forget_listener("ledger")


@pytest.mark.parametrize(
    ("signal", "name", "why"),
    [
        ("push_completed", "ledger", "no signal that is kept"),
        ("object_started", "ledger", "no signal that is kept"),
        ("*", "", "no name for a listener"),
        ("*", "../ledger", "no name for a listener"),
        ("*", "x" * 61, "no name for a listener"),
    ],
)
def test_a_name_or_signal_that_is_none_is_refused(opened, signal, name, why):
    with pytest.raises(Misuse, match=why):
        opened().on(signal, Heard(), name=name)


def test_one_name_is_taken_once(opened):
    sync = opened()
    sync.on("*", Heard(), name="ledger")

    with pytest.raises(Misuse, match="already"):
        sync.on("*", Heard(), name="ledger")
