"""API calls spent in the rolling 24 hours of the org's clock."""

import threading
from collections import deque

from simorg.clock import OrgClock
from simorg.times import DAY_MS

MINUTE_MS = 60_000


class Usage:
    """Counts calls per minute and forgets them after 24 hours; `counters` tells tests what was called."""

    def __init__(self, clock: OrgClock, limit: int) -> None:
        self.limit = limit
        self.counters: dict[str, int] = {}
        self._clock = clock
        self._lock = threading.Lock()
        self._minutes: deque[list[int]] = deque()
        self._used = 0

    @property
    def used(self) -> int:
        """Calls in the last 24 hours."""
        with self._lock:
            self._forget()
            return self._used

    @property
    def remaining(self) -> int:
        """Calls left, never below zero."""
        return max(0, self.limit - self.used)

    @property
    def exhausted(self) -> bool:
        """Whether the next call will be refused."""
        return self.used >= self.limit

    def add(self, calls: int = 1, what: str = "") -> None:
        """Count calls, and under `what` for the tests' counters."""
        minute = self._clock.now_ms() // MINUTE_MS
        with self._lock:
            if what:
                self.counters[what] = self.counters.get(what, 0) + calls
            self._used += calls
            if self._minutes and self._minutes[-1][0] == minute:
                self._minutes[-1][1] += calls
            else:
                self._minutes.append([minute, calls])

    def reset(self, used: int = 0) -> None:
        """Forget all calls, or pretend that `used` calls were just made."""
        with self._lock:
            self._minutes.clear()
            self.counters.clear()
            self._used = 0
        if used:
            self.add(used)

    def info(self) -> str:
        """Return the value of the `Sforce-Limit-Info` header."""
        return f"api-usage={self.used}/{self.limit}"

    def _forget(self) -> None:
        oldest = (self._clock.now_ms() - DAY_MS) // MINUTE_MS
        while self._minutes and self._minutes[0][0] < oldest:
            self._used -= self._minutes.popleft()[1]
