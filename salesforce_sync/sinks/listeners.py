"""Functions that hear, once they run again, what happened meanwhile: each has a name, and by it a place in the log."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Sequence
from typing import Any

from salesforce_sync.errors import Misuse, SinkDown, SinkRefused
from salesforce_sync.models.sinks import LISTENER
from salesforce_sync.signals import KINDS, Told
from salesforce_sync.sinks.delivery import Post
from salesforce_sync.sinks.sink import Wanted

log = logging.getLogger("salesforce_sync.signals")

_NAME = re.compile(r"[A-Za-z0-9_.-]{1,60}")
MOST_OF_AN_ERROR = 300
"""Characters that are kept of what a listener raised."""


class Listening:
    """A function as a sink: called with one signal after the other."""

    most = 1

    def __init__(self, listener: Callable[[Any], None]) -> None:
        self._listener = listener

    def take(self, signals: Sequence[Told]) -> None:
        """`SinkDown` that the function raises means: not now. Whatever else it raises: not this one."""
        for told in signals:
            try:
                self._listener(told.signal)
            except SinkDown:
                raise
            except Exception as error:  # the listener is not our code
                log.exception("A listener for %s failed", told.signal.name)
                text = f"{type(error).__name__}: {error}"
                raise SinkRefused(text[:MOST_OF_AN_ERROR]) from error

    def look(self) -> None:
        """Nothing to look at."""

    def close(self) -> None:
        """Nothing to give up."""


def listener_post(name: str, signal: str, listener: Callable[[Any], None]) -> Post:
    """The place of this listener among the sinks. `Misuse` if its name is none, or there is no such signal."""
    if signal not in KINDS and signal != "*":
        raise Misuse(
            f"{signal!r} is no signal that is kept, so nobody can hear of it later.",
            hint=f"There are {', '.join(KINDS)}, and * for all.",
        )
    return Post(sink_name(name), Listening(listener), Wanted((signal,)))


def sink_name(name: str) -> str:
    """What the listener of this name is called among the sinks; also if it is given so."""
    bare = name.removeprefix(LISTENER)
    if not _NAME.fullmatch(bare):
        raise Misuse(f"{name!r} is no name for a listener.", hint="Up to 60 letters, digits, '-', '_' and '.'.")
    return f"{LISTENER}{bare}"


def duty_name(name: str) -> str:
    """What a process holds that calls this listener."""
    return f"listener-{name.removeprefix(LISTENER)}"
