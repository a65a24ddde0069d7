"""Functions in this process that want to hear signals: called one after the other in a thread of their own.

What they take their time for delays each other, and never a sync.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from typing import Any

from msgspec import Struct

from salesforce_sync.signals import Bus, Listener, Signal

log = logging.getLogger("salesforce_sync.signals")

MOST_WAITING = 100_000
"""Signals that wait for a function that does not return. Then the oldest are dropped, with a word in the log."""


class _Hearer(Struct, eq=False):
    name: str
    listener: Listener
    wants: bool = True


class Callbacks:
    """Calls listeners with what a bus tells, in its order. The thread is there from the first signal on."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._waiting: deque[tuple[_Hearer, Signal]] = deque()
        self._changed = threading.Condition()
        self._busy = False
        self._ended = False
        self._thread: threading.Thread | None = None

    def on(self, name: str, listener: Listener) -> Callable[[], None]:
        """Call `listener` with each signal of this name (`"*"` for all); the result, when called, ends it."""
        hearer = _Hearer(name, listener)
        off_bus = self._bus.on(name, lambda signal: self._put(hearer, signal))

        def off() -> None:
            off_bus()
            hearer.wants = False

        return off

    def settle(self, seconds: float) -> None:
        """Wait until every listener has been called with all that was told, but no longer than this."""
        if threading.current_thread() is self._thread:
            return  # a listener that syncs itself
        with self._changed:
            self._changed.wait_for(lambda: not self._waiting and not self._busy, seconds)

    def end(self, seconds: float) -> None:
        """Settle, and call nobody any more."""
        self.settle(seconds)
        with self._changed:
            self._ended = True
            self._waiting.clear()
            self._changed.notify_all()

    def _put(self, hearer: _Hearer, signal: Any) -> None:
        with self._changed:
            if self._ended:
                return
            if len(self._waiting) >= MOST_WAITING:
                dropped, _ = self._waiting.popleft()
                log.warning("A listener for %s does not return: a signal is dropped", dropped.name)
            self._waiting.append((hearer, signal))
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="listeners", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._busy = False
                self._changed.notify_all()
                self._changed.wait_for(lambda: bool(self._waiting) or self._ended)
                if self._ended:
                    return
                hearer, signal = self._waiting.popleft()
                self._busy = True
            if hearer.wants:
                _call(hearer.listener, signal)


def _call(listener: Listener, signal: Signal) -> None:
    try:
        listener(signal)
    except Exception:  # the listener is not our code, and the next signal is no worse for it
        log.exception("A listener for %s failed", signal.name)
