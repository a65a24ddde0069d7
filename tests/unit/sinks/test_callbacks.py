"""Functions that hear signals: in order, in a thread of their own."""

import threading
import time

from salesforce_sync.signals import Bus, PushComplete, SyncComplete
from salesforce_sync.sinks.callbacks import Callbacks


def test_who_is_settled_with_has_heard_everything_in_order():
    bus, heard = Bus(), []
    callbacks = Callbacks(bus)
    callbacks.on("push_complete", heard.append)
    callbacks.on("sync_complete", heard.append)
    for signal in (PushComplete(1, 0), SyncComplete(), PushComplete(2, 0)):
        bus.emit(signal)
    callbacks.settle(5)

    assert heard == [PushComplete(1, 0), SyncComplete(), PushComplete(2, 0)]


def test_a_slow_listener_delays_nobody_who_tells():
    bus, gate, heard = Bus(), threading.Event(), []
    callbacks = Callbacks(bus)
    callbacks.on("*", lambda signal: (gate.wait(10), heard.append(signal)))
    started = time.monotonic()
    for number in range(100):
        bus.emit(PushComplete(number, 0))
    callbacks.settle(0.05)
    took = time.monotonic() - started
    gate.set()
    callbacks.settle(5)

    assert took < 2
    assert len(heard) == 100


def test_a_listener_that_fails_hears_the_next_signal(caplog):
    bus, heard = Bus(), []
    callbacks = Callbacks(bus)
    callbacks.on("*", lambda signal: heard.append(1 // signal.count))
    bus.emit(PushComplete(0, 0))
    bus.emit(PushComplete(1, 0))
    callbacks.settle(5)

    assert heard == [1]
    assert "A listener for push_complete failed" in caplog.text


def test_who_has_had_enough_hears_nothing_more():
    bus, heard = Bus(), []
    callbacks = Callbacks(bus)
    off = callbacks.on("*", heard.append)
    bus.emit(SyncComplete())
    callbacks.settle(5)
    off()
    bus.emit(SyncComplete())
    callbacks.settle(5)

    assert heard == [SyncComplete()]


def test_a_listener_may_settle_itself():
    bus, heard = Bus(), []
    callbacks = Callbacks(bus)
    callbacks.on("*", lambda _: heard.append(callbacks.settle(5)))
    bus.emit(SyncComplete())
    started = time.monotonic()
    callbacks.settle(5)

    assert heard == [None]
    assert time.monotonic() - started < 2
