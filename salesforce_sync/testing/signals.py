"""`capture_signals`: what a bus told, kept for a test to look at."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from salesforce_sync.signals import ObjectFinished, ObjectStarted, Progress, Signal

OF_ONE_OBJECT = (ObjectStarted, Progress, ObjectFinished)
"""What is told of one object on its way through a run."""

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
        """The names in order, without what is told of each object on its way."""
        return [each.name for each in self if not isinstance(each, OF_ONE_OBJECT)]

    @property
    def lines(self) -> list[str]:
        """The lines in order, without what is told of each object on its way."""
        return [each.line() for each in self if not isinstance(each, OF_ONE_OBJECT)]


def capture_signals(bus: _Speaks) -> CapturedSignals:
    """Collect what this bus (or `SFSync`) tells from now on."""
    captured = CapturedSignals()
    bus.on("*", captured.append)
    return captured
