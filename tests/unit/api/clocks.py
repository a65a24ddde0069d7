"""A clock that never waits: sleeping moves it on."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta


class QuickClock:
    """Implements `ports.Clock`; remembers how long it was asked to sleep."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._passed = 0.0
        self.slept: list[float] = []

    def now(self) -> datetime:
        return datetime(2026, 1, 15, 10, 30, tzinfo=UTC) + timedelta(seconds=self._passed)

    def monotonic(self) -> float:
        return self._passed

    def sleep(self, seconds: float) -> None:
        with self._lock:
            self.slept.append(seconds)
            self._passed += seconds
