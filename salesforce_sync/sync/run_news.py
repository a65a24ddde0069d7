"""What is told of a run while it goes on, and when it is over."""

from __future__ import annotations

from datetime import timedelta

from salesforce_sync.models.push import Push
from salesforce_sync.models.run import Run
from salesforce_sync.ports import Clock, Org, Store
from salesforce_sync.signals import ApiLimitWarning, Bus, Progress, RecordsUpdated, Signal, SyncComplete, SyncFailed
from salesforce_sync.sync.schedule import near_the_wall
from salesforce_sync.sync.telling import tell

NOT_BEGUN = "NOT_BEGUN"
"""The code of an object that a run has not begun, for an error of another one that concerns all."""

DAY = timedelta(hours=24)
"""Of how long the org counts the calls."""

KEEP_PROGRESS = 1.0
"""Seconds between two steps of one object that are kept for the sinks, beside its first."""


class ProgressNews:
    """Tells every step in this process, and keeps one of an object in a while: a page comes every few milliseconds."""

    def __init__(self, store: Store, clock: Clock, bus: Bus) -> None:
        self._store = store
        self._clock = clock
        self._bus = bus
        self._kept: dict[str, float] = {}

    def tell(self, progress: Progress) -> None:
        now = self._clock.monotonic()
        last = self._kept.get(progress.object)
        if not progress.rows or (last is not None and now - last < KEEP_PROGRESS):
            self._bus.emit(progress)
            return
        self._kept[progress.object] = now
        tell(self._store, self._bus, [progress])


class RunNews:
    """Tells the signals of runs that are over."""

    def __init__(self, org: Org, store: Store, clock: Clock, bus: Bus) -> None:
        self._org = org
        self._store = store
        self._clock = clock
        self._bus = bus

    def tell(self, run: Run) -> None:
        """Tell what it has changed, and how it has ended."""
        signals: list[Signal] = []
        changed = self._store.untold([each.object_name for each in run.objects])
        if changed:
            signals.append(RecordsUpdated(sum(count for _, count in changed), changed))
        problems = {each.object_name: each.problem.code for each in run.objects if each.problem is not None}
        unsent = _unsent(run)
        if problems or unsent:
            cause = next((code for code in (*problems.values(), *unsent.values()) if code != NOT_BEGUN), NOT_BEGUN)
            signals.append(SyncFailed(cause, tuple(dict.fromkeys((*problems, *unsent)))))
        else:
            rows = tuple((each.object_name, each.counts.rows) for each in run.objects)
            signals.append(SyncComplete(rows, round(run.seconds, 3)))
        used, wall = self._calls_used()
        if near_the_wall(used, wall):
            signals.append(ApiLimitWarning(used or 0, wall or 0))
        tell(self._store, self._bus, signals, run.run_id)

    def _calls_used(self) -> tuple[int | None, int | None]:
        """How many of the day's calls are used, of how many: as the org told an earlier process, if not this one."""
        usage = self._org.usage
        if usage.used is not None:
            return usage.used, usage.ceiling or usage.limit
        told = self._store.usage()
        if told is None or self._clock.now() - told.at >= DAY:
            return None, None
        return told.used, told.limit if usage.ceiling is None else min(told.limit, usage.ceiling)


def _unsent(run: Run) -> dict[str, str]:
    """The objects with changes that were not taken, and the first reason of each."""
    return dict.fromkeys(run.undecided, "conflicted") | ({} if run.pushed is None else _not_taken(run.pushed))


def _not_taken(push: Push) -> dict[str, str]:
    if push.complete:
        return {}
    found: dict[str, str] = {}
    for change in push.changes:
        if change.outcome != "applied" or change.problem is not None:
            found.setdefault(change.object_name, change.outcome if change.problem is None else change.problem.code)
    return found or {"": "" if push.problem is None else push.problem.code}
