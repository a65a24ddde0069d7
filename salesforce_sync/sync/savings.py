"""Calls that come in bursts, and yet not all day long."""

from __future__ import annotations

from collections.abc import Callable


class Savings:
    """So many calls may be made at once; one more is saved up every so many seconds. For one thread."""

    def __init__(self, most: int, every: float, monotonic: Callable[[], float]) -> None:
        self._most = float(most)
        self._every = every
        self._monotonic = monotonic
        self._saved = self._most
        self._at = monotonic()

    def wait(self) -> float:
        """Seconds until a call may be made; 0.0 if it may be made now."""
        now = self._monotonic()
        self._saved, self._at = min(self._most, self._saved + (now - self._at) / self._every), now
        return 0.0 if self._saved >= 1 else (1 - self._saved) * self._every

    def spend(self) -> None:
        """One is made."""
        self._saved -= 1
