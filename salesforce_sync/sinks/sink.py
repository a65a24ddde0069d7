"""What a sink is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct

from salesforce_sync.signals import Progress, Signal, Told


class Sink(Protocol):
    """Somewhere that signals go. Called from one thread of its own, which may wait as long as it likes."""

    @property
    def most(self) -> int:
        """How many signals it takes at once."""

    def take(self, signals: Sequence[Told]) -> None:
        """Have them all, durably, in this order. `SinkDown`: not now; `SinkRefused`: never, if it was only one."""

    def look(self) -> None:
        """Called now and then while there is nothing to take."""

    def close(self) -> None:
        """Give up what it holds."""


class Wanted(Struct, frozen=True):
    """Which signals a sink wants: those named, or all but progress."""

    names: tuple[str, ...] = ()

    def __contains__(self, signal: object) -> bool:
        if self.names:
            return isinstance(signal, Signal) and (signal.name in self.names or "*" in self.names)
        return not isinstance(signal, Progress)
