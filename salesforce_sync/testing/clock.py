"""`FrozenClock`: time that moves only when it is told to."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

START = datetime(2024, 1, 15, 10, 30, tzinfo=UTC)


class FrozenClock:
    """A clock that stands still. Whoever sleeps moves it, so that waiting costs no time. Implements `ports.Clock`."""

    def __init__(self, start: datetime = START) -> None:
        if start.tzinfo is None:
            raise ValueError("A clock needs a time with its zone.")
        self._now = start.astimezone(UTC)
        self._elapsed = self._suspended = 0.0
        self._lock = threading.Lock()

    def now(self) -> datetime:
        """The time it was set to, in UTC."""
        return self._now

    def monotonic(self) -> float:
        """Seconds that it was moved forward; setting it back does not change them."""
        return self._elapsed

    def suspended(self) -> float:
        """Seconds that it was suspended for."""
        return self._suspended

    def suspend(self, by: timedelta) -> None:
        """Let the wall clock go on, and nothing else, as while a machine sleeps."""
        with self._lock:
            self._now += by
            self._suspended += by.total_seconds()

    def sleep(self, seconds: float) -> None:
        """Move forward instead of waiting."""
        self.advance(timedelta(seconds=seconds))

    def advance(self, by: timedelta) -> None:
        """Move forward."""
        if by < timedelta(0):
            raise ValueError("Only `set_back` goes back.")
        with self._lock:
            self._now += by
            self._elapsed += by.total_seconds()

    def set_back(self, by: timedelta) -> None:
        """Go back, as a machine's wall clock may."""
        with self._lock:
            self._now -= by
