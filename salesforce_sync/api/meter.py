"""Counts API calls: what the org says in its own header, and what we spent; and says when one may not be sent."""

from __future__ import annotations

import re
import threading
from datetime import datetime, timedelta

from msgspec.structs import replace

from salesforce_sync.api import budget
from salesforce_sync.errors import BudgetSpent
from salesforce_sync.models.page import Priority
from salesforce_sync.models.usage import DayUsage
from salesforce_sync.ports import Clock, Usage

_API_USAGE = re.compile(r"(?<![\w-])api-usage=(\d+)/(\d+)")


def read_limit_info(header: str) -> tuple[int, int] | None:
    """`(used, limit)` of `Sforce-Limit-Info`; the quota of one app that may follow is not the org's."""
    found = _API_USAGE.search(header)
    return (int(found[1]), int(found[2])) if found else None


class Meter:
    """The usage so far, shared by all workers. `daily_calls`: the limit that a person set, beside the org's own."""

    def __init__(self, clock: Clock, daily_calls: int | None = None) -> None:
        self._clock = clock
        self._daily_calls = daily_calls
        self._usage = Usage(ceiling=daily_calls)
        self._under_way = 0
        self._least_used = 0
        self._told = clock.monotonic()
        self._heard_at: datetime | None = None
        self._lock = threading.Condition()

    @property
    def usage(self) -> Usage:
        return self._usage

    @property
    def heard(self) -> DayUsage | None:
        """What the org has last said of the day's calls, and when; None before it has."""
        usage, at = self._usage, self._heard_at
        return (
            None if usage.used is None or usage.limit is None or at is None else DayUsage(usage.used, usage.limit, at)
        )

    def admit(self, priority: Priority) -> None:
        """One more call goes out; `BudgetSpent` if it may not. `settle` or `take_back` must follow."""
        with self._lock:
            while not self._may_call(priority):
                if not self._word_is_old():
                    raise self._refusal(self._usage, priority)
                if not self._under_way:
                    break  # this call goes and asks for a new word: it comes with an answer only
                self._lock.wait()  # for the word that a call under way brings
            self._under_way += 1
            self._usage = replace(self._usage, spent=self._usage.spent + 1)

    def _may_call(self, priority: Priority) -> bool:
        used = None if self._usage.used is None else self._usage.used + self._under_way
        return budget.may_call(used, self._usage.ceiling, priority)

    def take_back(self) -> None:
        """The call did not leave this machine."""
        with self._lock:
            self._usage = replace(self._usage, spent=self._usage.spent - 1)
            self._end_call()

    def settle(self, header: str | None) -> None:
        """The call is over; `header` is what the org said on its answer. Without one it is taken to have counted."""
        said = read_limit_info(header) if header else None
        with self._lock:
            if said is not None:
                self._usage = self._heard(*said)
                self._told, self._heard_at = self._clock.monotonic(), self._clock.now()
            elif self._usage.used is not None:
                self._usage = replace(self._usage, used=self._usage.used + 1)
            self._end_call()

    def _end_call(self) -> None:
        self._under_way -= 1
        if not self._under_way:
            self._least_used = 0  # whatever comes later was asked later
        self._lock.notify_all()

    def _heard(self, used: int, limit: int) -> Usage:
        # Answers overtake each other: among calls that are under way at once, the highest count is the last.
        self._least_used = used = max(used, self._least_used)
        return replace(self._usage, used=used, limit=limit, ceiling=budget.ceiling(self._daily_calls, limit))

    def look_again(self) -> None:
        """Take what the org said for old, so that one more call goes out and brings a new word."""
        with self._lock:
            self._told = self._clock.monotonic() - budget.LOOK_AGAIN.total_seconds()

    def _word_is_old(self) -> bool:
        """Whether what the org said may hold no longer."""
        return self._clock.monotonic() - self._told >= budget.LOOK_AGAIN.total_seconds()

    def _refusal(self, usage: Usage, priority: Priority) -> BudgetSpent:
        waited = self._clock.monotonic() - self._told
        again_at = self._clock.now() + max(budget.LOOK_AGAIN / 60, budget.LOOK_AGAIN - timedelta(seconds=waited))
        hint = budget.at(again_at)
        if usage.limit is not None and usage.ceiling is not None and usage.ceiling < usage.limit:
            hint += f" The org itself allows {usage.limit:,}; the smaller limit is a setting of yours."
        return BudgetSpent(budget.spent(usage.used or 0, usage.ceiling or 0, priority), hint=hint, again_at=again_at)
