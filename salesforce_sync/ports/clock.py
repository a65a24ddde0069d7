"""This machine's time."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """This machine's time: for waiting and for people, never for a checkpoint."""

    def now(self) -> datetime:
        """The wall clock, in UTC with its zone."""

    def monotonic(self) -> float:
        """Seconds that only grow."""

    def suspended(self) -> float:
        """Seconds that this machine has slept, which `monotonic` does not count; 0.0 where it cannot say."""

    def sleep(self, seconds: float) -> None:
        """Wait."""
