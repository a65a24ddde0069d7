"""How simorg, as a process, ends: by any signal that can be caught, or together with the process that started it."""

import os
import signal
import threading
import time
from types import FrameType

# These do not end a process by default, or tell of a fault in its own code.
LEFT_ALONE = frozenset(
    {
        *(signal.SIGKILL, signal.SIGSTOP, signal.SIGCHLD, signal.SIGCONT, signal.SIGTSTP, signal.SIGTTIN),
        *(signal.SIGTTOU, signal.SIGURG, signal.SIGWINCH, signal.SIGPIPE),
        *(signal.SIGSEGV, signal.SIGFPE, signal.SIGILL, signal.SIGBUS, signal.SIGTRAP, signal.SIGABRT),
    }
)
WATCH_SECONDS = 0.2


class Ended(BaseException):
    """A signal told the process to end; raised in the main thread, so that everything is cleared up on the way out."""


def on_signals() -> None:
    """Raise Ended at the first signal that would end the process; later ones do not disturb the clearing up.

    What the starter ignores (`nohup` does so with SIGHUP) stays ignored, but for Ctrl-C.
    """
    for number in signal.valid_signals() - LEFT_ALONE:
        if number == signal.SIGINT or signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _end)


def _end(number: int, frame: FrameType | None) -> None:
    for one in signal.valid_signals() - LEFT_ALONE:
        signal.signal(one, signal.SIG_IGN)
    raise Ended


def with_parent() -> None:
    """End this process, as SIGTERM does, when the one that started it is gone."""
    threading.Thread(target=_watch, args=(os.getppid(),), name="simorg-parent", daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(WATCH_SECONDS)
    os.kill(os.getpid(), signal.SIGTERM)
