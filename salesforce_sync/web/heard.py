"""What this server hears of one replica: that something has happened, and how many API calls were used when."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Final

from msgspec import Struct

from salesforce_sync.app import SFSync
from salesforce_sync.signals import Progress, PushComplete, Signal, SyncComplete, SyncFailed

_DAY: Final = timedelta(hours=24)
_SAMPLES: Final = 2_000
_ENDS: Final = (SyncComplete, SyncFailed, PushComplete)
"""Signals after which the calls of something are all made."""


class Sample(Struct, frozen=True):
    """How many of the org's API calls of the last 24 hours were used at some moment."""

    at: datetime
    used: int


class Heard:
    """Listens to a replica's signals: wakes whoever waits for the next, and notes the calls of a day."""

    def __init__(self, sync: SFSync) -> None:
        self._sync = sync
        self._lock = threading.Lock()
        self._samples: deque[Sample] = deque(maxlen=_SAMPLES)
        self._wakers: list[Callable[[], None]] = []
        self.stopped = False
        sync.on("*", self._hear)

    def _hear(self, signal: Signal) -> None:
        if isinstance(signal, Progress):
            return
        if isinstance(signal, _ENDS):
            self.sample()
        self._wake()

    def _wake(self) -> None:
        with self._lock:
            wakers = tuple(self._wakers)
        for wake in wakers:
            wake()

    def stop(self) -> None:
        """Wake everybody who listens: nothing more will be heard."""
        self.stopped = True
        self._wake()

    @contextmanager
    def listening(self, wake: Callable[[], None]) -> Iterator[None]:
        """Call `wake`, from any thread, whenever something was heard."""
        with self._lock:
            self._wakers.append(wake)
        try:
            yield
        finally:
            with self._lock:
                self._wakers.remove(wake)

    def sample(self) -> None:
        """Note how many calls are used now, as the org last told."""
        budget = self._sync.budget()
        if budget.used is None or budget.told_at is None:
            return
        with self._lock:
            if not self._samples or self._samples[-1].at < budget.told_at:
                self._samples.append(Sample(budget.told_at, budget.used))

    def samples(self) -> list[Sample]:
        """The calls of the last 24 hours, as far as this server was there."""
        since = datetime.now(UTC) - _DAY
        with self._lock:
            return [each for each in self._samples if each.at >= since]
