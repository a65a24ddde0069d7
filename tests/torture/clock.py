"""The replica's clock in a history: it hardly waits, and the org's time goes on instead."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

from simorg.clock import OrgClock

REAL_PAUSE = 0.004
"""Seconds that a wait really takes, so that the org's own threads come to their turn."""


class FollowingClock:
    """`ports.Clock` that shows the org's time plus an error; waiting moves the org's clock."""

    def __init__(self, org: OrgClock, skew_seconds: int) -> None:
        self._org = org
        self._skew = timedelta(seconds=skew_seconds)

    def now(self) -> datetime:
        return datetime.fromtimestamp(self._org.now_ms() / 1000, UTC) + self._skew

    def monotonic(self) -> float:
        return self._org.now_ms() / 1000 + time.monotonic()

    def suspended(self) -> float:
        return 0.0

    def sleep(self, seconds: float) -> None:
        self._org.advance(seconds)
        time.sleep(min(seconds, REAL_PAUSE))


class StandingClock:
    """`ports.Clock` of a process that has no org at hand: one wall time, and waits that only take their real pause."""

    def __init__(self, now: datetime) -> None:
        self._now = now
        self._waited = 0.0

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return self._waited + time.monotonic()

    def suspended(self) -> float:
        return 0.0

    def sleep(self, seconds: float) -> None:
        self._waited += seconds
        time.sleep(min(seconds, REAL_PAUSE))
