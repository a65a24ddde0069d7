"""A clock that never waits, and tells how long it was asked to."""

from __future__ import annotations

from salesforce_sync.testing import FrozenClock


class QuickClock(FrozenClock):
    """Remembers how long it was asked to sleep, each time."""

    def __init__(self) -> None:
        super().__init__()
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        super().sleep(seconds)
