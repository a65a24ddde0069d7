"""What a daemon is to do, and who looks on."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Protocol

from msgspec import Struct

from salesforce_sync.models.push import Push
from salesforce_sync.models.run import Run
from salesforce_sync.sync.schedule import Rules


class Onlooker(Protocol):
    """Who looks on: the command line, the service manager."""

    def beat(self) -> None:
        """It lives. Called at least every second while nothing is under way, and with the org's answers otherwise."""

    def doing(self, what: str) -> None:
        """What it does now, in words."""

    def ran(self, run: Run) -> None:
        """A sync has ended."""

    def caught_up(self, run: Run) -> None:
        """A sync that change events have asked for has ended. Called from a thread of its own."""

    def pushed(self, push: Push) -> None:
        """A push between two syncs has ended."""


class Duty(Struct, frozen=True):
    """What a daemon is to do: keep these objects at these intervals, within so many calls a day."""

    intervals: Mapping[str, timedelta]
    rules: Rules
    calls_a_day: int
    owner: str
    pid: int
    seed: str
    tick: float
    """Seconds between two looks whether somebody has edited something."""
