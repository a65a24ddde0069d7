"""Ctrl-C and SIGTERM: what ends at once, and what is brought to its end first."""

from __future__ import annotations

import _thread
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final, NoReturn

from salesforce_sync.exits import Exit
from salesforce_sync.terminal import is_terminal

MESSAGE: Final = "Interrupted. What is complete is kept, and the next sync goes on from there."

_SHOW_CURSOR: Final = "\x1b[?25h"


STOPPING: Final = "Stopping at the next whole page. Ctrl-C again ends it at once."


@contextmanager
def stop_on_interrupt(stop: Callable[[], None]) -> Iterator[None]:
    """Within the block, the first Ctrl-C calls `stop`, and a second one ends the process at once."""
    with cut_on_interrupt():
        cut = signal.getsignal(signal.SIGINT)

        def asked(number: int, frame: FrameType | None) -> None:
            signal.signal(signal.SIGINT, cut)
            _elsewhere(stop)
            # Past Python's own stream: it may be in the middle of a line.
            os.write(2, f"{STOPPING}\n".encode())

        signal.signal(signal.SIGINT, asked)
        yield


@contextmanager
def cut_on_interrupt(clean: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Within the block, Ctrl-C ends the process at once, after `clean`.

    An exception would wait for the downloads that run in other threads, for minutes perhaps; and the database is made
    to be left at any instant.
    """

    def cut(number: int, frame: FrameType | None) -> None:
        clean()
        sys.stdout.flush()
        cursor = _SHOW_CURSOR if is_terminal(sys.stderr) else ""  # a live progress bar has hidden it
        # Last, and past Python's own stream: a live bar draws itself over whatever is under it.
        os.write(2, f"{cursor}\n{MESSAGE}\n".encode())
        os._exit(Exit.INTERRUPTED)

    before = signal.signal(signal.SIGINT, cut)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def end_at_once(code: Exit) -> NoReturn:
    """End the process, whatever its other threads are at."""
    sys.stdout.flush()
    os._exit(code)


def leave_on_sigterm() -> None:
    """From now until it is said otherwise, SIGTERM ends the process at once, and as one that has done what it should.

    For a service that has begun nothing yet: it may be stopped while it starts.
    """
    signal.signal(signal.SIGTERM, lambda number, frame: os._exit(Exit.COMPLETE))


GRACE: Final = 2.0
"""Seconds that a service has to come to its end after it was told to stop."""


def stop_on_signals(stop: Callable[[], None], grace: float = GRACE) -> None:
    """Let Ctrl-C and SIGTERM call `stop`; a second one ends the process at once, as does the end of `grace`.

    What is under way then waits for the org's answer; the database is made to be left at any instant.
    """

    asked = False

    def ended(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        if asked:
            os._exit(Exit.INTERRUPTED)
        asked = True
        _elsewhere(leave)
        _elsewhere(stop)

    def leave() -> None:
        # By itself: whatever keeps `stop`, or breaks it, the process ends.
        time.sleep(grace)
        os._exit(Exit.COMPLETE)

    signal.signal(signal.SIGTERM, ended)
    signal.signal(signal.SIGINT, ended)


def leave_alone() -> None:
    """From here on the process ends by itself: a signal that is handled would only change its exit code.

    Python takes its handlers away while it ends, and what comes then would kill.
    """
    for number in (signal.SIGTERM, signal.SIGINT):
        if callable(signal.getsignal(number)):
            signal.signal(number, signal.SIG_IGN)


def _elsewhere(call: Callable[[], None]) -> None:
    """Make the call in another thread.

    The one that a signal interrupts may be waiting for the very event, and hold its lock: it would wait for itself.
    """
    _thread.start_new_thread(call, ())
