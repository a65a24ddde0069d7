"""The clock of real life."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime

from salesforce_sync.errors import Stopped


class SystemClock:
    """This machine's time. Implements `ports.Clock`. Once `stop` is set, nobody waits on it: `Stopped`."""

    def __init__(self, stop: threading.Event | None = None) -> None:
        self._stop = stop or threading.Event()

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        if self._stop.wait(seconds):
            raise Stopped()
