"""Where signals go, as data: how far each sink has got, and what it has refused."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

LISTENER = "on:"
"""What the names of listeners (`SFSync.on` with a name) begin with among those of sinks, which have no colon."""


class SinkState(Struct, frozen=True):
    """One sink: the number of the last signal that it took, and what keeps it from taking the next.

    `waiting` are the signals behind that; `dropped` were too old before they could go, of which it knows
    `dropped_told`; `dead` were refused for good.
    """

    name: str
    number: int
    failures: int = 0
    retry_at: datetime | None = None
    problem: str = ""
    delivered_at: datetime | None = None
    dropped: int = 0
    waiting: int = 0
    dead: int = 0
    dropped_told: int = 0

    @property
    def is_listener(self) -> bool:
        """Whether it is a function that somebody has given a name."""
        return self.name.startswith(LISTENER)


class Keep(Struct, frozen=True):
    """How long signals are kept for sinks that are down: so many days, and at most so many of them."""

    days: int = 30
    rows: int = 100_000
