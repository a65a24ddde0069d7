"""The org's own clock, which tests may stop and move."""

import threading
import time


class OrgClock:
    """Milliseconds since 1970 in UTC, by default the machine's time; every stamp of the org comes from here."""

    def __init__(self, start_ms: int | None = None) -> None:
        self._lock = threading.Lock()
        self._base_ms = int(time.time() * 1000) if start_ms is None else start_ms
        self._started = time.monotonic()
        self._frozen = False

    def now_ms(self) -> int:
        """Return the org's present time in milliseconds."""
        with self._lock:
            return self._read()

    def advance(self, seconds: float) -> None:
        """Move the clock forward (or, with a negative number, back)."""
        with self._lock:
            self._base_ms += round(seconds * 1000)

    def set(self, ms: int) -> None:
        """Put the clock to a time; it goes on from there unless it is frozen."""
        with self._lock:
            self._base_ms = ms
            self._started = time.monotonic()

    def freeze(self) -> None:
        """Stop the clock where it is; `advance` and `set` still move it."""
        with self._lock:
            self._base_ms = self._read()
            self._frozen = True

    def thaw(self) -> None:
        """Let a frozen clock go on."""
        with self._lock:
            self._started = time.monotonic()
            self._frozen = False

    @property
    def frozen(self) -> bool:
        """Whether the clock stands still."""
        return self._frozen

    def _read(self) -> int:
        if self._frozen:
            return self._base_ms
        return self._base_ms + int((time.monotonic() - self._started) * 1000)
