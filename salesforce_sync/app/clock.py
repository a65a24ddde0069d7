"""The clock of real life."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime
from typing import Final

from salesforce_sync.errors import Stopped

_SINCE_BOOT: Final[int | None] = getattr(time, "CLOCK_BOOTTIME", None)
"""Linux's clock that goes on while the machine sleeps."""


class SystemClock:
    """This machine's time. Implements `ports.Clock`. Once `stop` is set, nobody waits on it: `Stopped`."""

    def __init__(self, stop: threading.Event | None = None) -> None:
        self._stop = stop or threading.Event()

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    def suspended(self) -> float:
        return time.clock_gettime(_SINCE_BOOT) - time.monotonic() if _SINCE_BOOT is not None else 0.0

    def sleep(self, seconds: float) -> None:
        if self._stop.wait(seconds):
            raise Stopped()
