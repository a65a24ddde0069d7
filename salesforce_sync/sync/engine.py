"""`SyncEngine`: what runs when, side by side, and the signals after each commit."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from threading import Event

from salesforce_sync.errors import LimitExceeded, Misuse, NeedsPerson, StoreTrouble, SyncError
from salesforce_sync.models.run import Problem, Run, RunCounts, RunRecord, RunState
from salesforce_sync.ports import Clock, Org, Store, Usage
from salesforce_sync.signals import (
    ApiLimitWarning,
    Bus,
    Progress,
    RecordsUpdated,
    SyncComplete,
    SyncFailed,
    SyncStarted,
)
from salesforce_sync.sync.puller import Pulled, Puller

log = logging.getLogger(__name__)

WORKERS = 4
NOT_BEGUN = "NOT_BEGUN"
WARN_AT = 0.8
"""The share of the org's daily API calls from which every run ends with a warning."""


class SyncEngine:
    """Runs pulls in a small pool of threads. One object's trouble is kept from the others."""

    def __init__(self, org: Org, store: Store, clock: Clock, bus: Bus) -> None:
        self._org = org
        self._store = store
        self._clock = clock
        self._bus = bus
        self._puller = Puller(org, store, clock)

    def run(self, objects: Sequence[str]) -> Run:
        """Pull these objects. Never raises for trouble with the org: the result's records say what happened."""
        if not objects:
            raise Misuse("There is nothing to sync.", hint="Name objects, or list them in config.yaml, sync.objects.")
        names = _distinct(objects)
        course = _Course(secrets.token_hex(8), self._clock.monotonic(), self._org.usage.spent)
        self._bus.emit(SyncStarted(names))
        with ThreadPoolExecutor(min(WORKERS, len(names)), thread_name_prefix="pull") as pool:
            records = tuple(pool.map(lambda name: self._run_object(name, course), names))
        calls = self._org.usage.spent - course.calls_before
        run = Run(course.run_id, records, calls, self._clock.monotonic() - course.started)
        self._tell(run)
        return run

    def _run_object(self, name: str, course: _Course) -> RunRecord:
        started = self._clock.now()
        try:
            pulled = self._pull(name, course)
            merged = pulled.merged
            counts = RunCounts(pulled.rows, merged.inserted, merged.updated, merged.deleted)
            times = started, self._clock.now()
            record = RunRecord(course.run_id, merged.object_name, RunState.COMPLETE, *times, counts)
            self._store.record_run(record)
        except SyncError as error:
            if isinstance(error, NeedsPerson | LimitExceeded):
                course.stop.set()
            return self._failed(name, course, started, Problem(error.code, error.message, error.hint))
        except Exception as error:  # the engine's loop: one object's bug must not take the others down
            log.exception("Syncing %s failed", name)
            what = f"{type(error).__name__}: {error}"
            return self._failed(
                name, course, started, Problem("INTERNAL_ERROR", what, "Please report it with the log.")
            )
        return record

    def _pull(self, name: str, course: _Course) -> Pulled:
        if course.stop.is_set():
            raise SyncError("Not begun: an error that concerns every object came first.", code=NOT_BEGUN)

        def report(rows: int, total: int | None) -> None:
            self._bus.emit(Progress(name, rows, total, self._org.usage.spent - course.calls_before))

        with self._store.claim(name):
            return self._puller.pull(name, report)

    def _failed(self, name: str, course: _Course, started: datetime, problem: Problem) -> RunRecord:
        known = self._store.schema(name)
        record = RunRecord(
            course.run_id,
            known.name if known else name,
            RunState.FAILED,
            started,
            self._clock.now(),
            problem=problem,
        )
        try:
            self._store.record_run(record)
        except StoreTrouble:
            log.exception("The failure of %s could not be noted", name)  # the caller is told all the same
        return record

    def _tell(self, run: Run) -> None:
        if run.changed:
            changed = tuple((each.object_name, each.counts.changed) for each in run.objects if each.counts.changed)
            self._bus.emit(RecordsUpdated(run.changed, changed))
        problems = {each.object_name: each.problem.code for each in run.objects if each.problem is not None}
        if problems:
            cause = next((code for code in problems.values() if code != NOT_BEGUN), NOT_BEGUN)
            self._bus.emit(SyncFailed(cause, tuple(problems)))
        else:
            self._bus.emit(SyncComplete())
        usage = self._org.usage
        if near_the_wall(usage):
            self._bus.emit(ApiLimitWarning(usage.used or 0, usage.limit or 0))


@dataclass(frozen=True, slots=True)
class _Course:
    """One run while it goes on; `stop` is set when an error concerns every object."""

    run_id: str
    started: float
    calls_before: int
    stop: Event = field(default_factory=Event)


def _distinct(objects: Sequence[str]) -> tuple[str, ...]:
    """Each object once: the org knows names whatever their case, so two spellings are one object."""
    spelt: dict[str, str] = {}
    for name in objects:
        spelt.setdefault(name.casefold(), name)
    return tuple(spelt.values())


def near_the_wall(usage: Usage) -> bool:
    """Whether a person should be warned about the day's API calls."""
    return bool(usage.limit) and usage.used is not None and usage.used >= WARN_AT * (usage.limit or 0)
