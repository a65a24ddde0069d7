"""Calls that come in bursts, and yet not all day long."""

from __future__ import annotations

import threading
from collections.abc import Callable


class Savings:
    """So many calls may be made at once; one more is saved up every so many seconds. For several threads."""

    def __init__(self, most: int, every: float, monotonic: Callable[[], float]) -> None:
        self._most = float(most)
        self._every = every
        self._monotonic = monotonic
        self._saved = self._most
        self._at = monotonic()
        self._lock = threading.Lock()

    def wait(self, kept: int = 0) -> float:
        """Seconds until a call may be made by somebody who leaves so many to others; 0.0 if it may be made now."""
        with self._lock:
            now = self._monotonic()
            self._saved, self._at = min(self._most, self._saved + (now - self._at) / self._every), now
            return max(0.0, (1 + kept - self._saved) * self._every)

    def spend(self) -> None:
        """One is made."""
        with self._lock:
            self._saved -= 1

    def give(self, calls: int) -> None:
        """So many more may be made, up to the most."""
        with self._lock:
            self._saved += calls
