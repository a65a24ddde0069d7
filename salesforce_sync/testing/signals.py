"""`capture_signals`: what a bus told, kept for a test to look at."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from salesforce_sync.signals import Progress, Signal

S = TypeVar("S", bound=Signal)


class _Speaks(Protocol):
    def on(self, signal: str, listener: Callable[[Any], None], /) -> Callable[[], None]: ...


class CapturedSignals(list[Signal]):
    """Every signal so far, in order."""

    def of(self, kind: type[S]) -> list[S]:
        """The signals of one kind."""
        return [each for each in self if isinstance(each, kind)]

    @property
    def names(self) -> list[str]:
        """The names in order, without progress."""
        return [each.name for each in self if not isinstance(each, Progress)]

    @property
    def lines(self) -> list[str]:
        """The lines in order, without progress."""
        return [each.line() for each in self if not isinstance(each, Progress)]


def capture_signals(bus: _Speaks) -> CapturedSignals:
    """Collect what this bus (or `SFSync`) tells from now on."""
    captured = CapturedSignals()
    bus.on("*", captured.append)
    return captured
