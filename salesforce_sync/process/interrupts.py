"""Ctrl-C and SIGTERM: what ends at once, and what is brought to its end first."""

from __future__ import annotations

import _thread
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final, NoReturn

from salesforce_sync.process.exits import Exit
from salesforce_sync.process.terminal import is_terminal

MESSAGE: Final = "Interrupted. What is complete is kept, and the next sync goes on from there."

_SHOW_CURSOR: Final = "\x1b[?25h"
_SECONDS_TO_FLUSH: Final = 0.5

STOPPING: Final = "Stopping at the next whole page. Ctrl-C again ends it at once."


@contextmanager
def stop_on_interrupt(stop: Callable[[], None]) -> Iterator[None]:
    """Within the block, the first Ctrl-C calls `stop`, and a second one ends the process at once."""
    asked = False

    def interrupted() -> None:
        nonlocal asked
        if asked:
            _cut()
        asked = True
        _elsewhere(stop)
        # Past Python's own stream: it may be in the middle of a line.
        os.write(2, f"{STOPPING}\n".encode())

    with _hearing(signal.SIGINT, interrupted):
        yield


@contextmanager
def cut_on_interrupt(clean: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Within the block, Ctrl-C ends the process at once, after `clean`.

    An exception would wait for the downloads that run in other threads, for minutes perhaps; and the database is made
    to be left at any instant.
    """

    def interrupted() -> None:
        try:
            clean()
        finally:
            _cut()

    with _hearing(signal.SIGINT, interrupted):
        yield


def _cut() -> NoReturn:
    # Not by itself: another thread may be in the middle of a line that nobody reads.
    flushing = threading.Thread(target=sys.stdout.flush, daemon=True)
    flushing.start()
    flushing.join(_SECONDS_TO_FLUSH)
    cursor = _SHOW_CURSOR if is_terminal(sys.stderr) else ""  # a live progress bar has hidden it
    # Last, and past Python's own stream: a live bar draws itself over whatever is under it.
    os.write(2, f"{cursor}\n{MESSAGE}\n".encode())
    os._exit(Exit.INTERRUPTED)


def end_at_once(code: Exit) -> NoReturn:
    """End the process, whatever its other threads are at."""
    sys.stdout.flush()
    os._exit(code)


GRACE: Final = 2.0
"""Seconds that a service has to come to its end after it was told to stop."""


def stop_on_signals(stop: Callable[[], None], grace: float = GRACE) -> None:
    """Let Ctrl-C and SIGTERM call `stop`; a second one ends the process at once, as does the end of `grace`.

    What is under way then waits for the org's answer; the database is made to be left at any instant.
    """

    asked = False

    def ended() -> None:
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

    _hear((signal.SIGTERM, signal.SIGINT), ended)


def leave_alone() -> None:
    """From here on the process ends by itself: a signal that is handled would only change its exit code.

    Python takes its handlers away while it ends, and what comes then would kill.
    """
    for number in (signal.SIGTERM, signal.SIGINT):
        if callable(signal.getsignal(number)):
            signal.signal(number, signal.SIG_IGN)


@contextmanager
def _hearing(number: int, call: Callable[[], None]) -> Iterator[None]:
    before = signal.getsignal(number)
    ear = _hear((number,), call)
    try:
        yield
    finally:
        signal.signal(number, before)
        signal.set_wakeup_fd(-1)
        os.close(ear)  # and its listener ends


def _hear(numbers: Collection[int], call: Callable[[], None]) -> int:
    """Have `call` made for each of these signals, at once, in a thread that does nothing else; one at a time.

    Python runs a handler in the main thread, between two of its instructions: not while that is within a statement of
    the database; and not, if the signal comes in the instant between the handler before it and the wait that goes on,
    until that wait ends. The file descriptor it gives is told by the signal itself (`signal.set_wakeup_fd`); closed,
    it ends the listener.
    """
    told, ear = os.pipe()
    os.set_blocking(ear, False)
    signal.set_wakeup_fd(ear, warn_on_full_buffer=False)
    for number in numbers:
        signal.signal(number, _leave_to_the_listener)

    def listen() -> None:
        while number := os.read(told, 1):
            if number[0] in numbers:
                call()
        os.close(told)

    threading.Thread(target=listen, name="signals", daemon=True).start()
    return ear


def _leave_to_the_listener(number: int, frame: FrameType | None) -> None:
    """Only what has a handler of Python's is told to the file descriptor."""


def _elsewhere(call: Callable[[], None]) -> None:
    """Make the call in another thread: one that waits, or fails, keeps no second signal from being heard."""
    _thread.start_new_thread(call, ())
