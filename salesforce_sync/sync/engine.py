"""`SyncEngine`: what runs when, side by side, and the signals after each commit."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime
from threading import Event

from salesforce_sync.errors import BudgetSpent, LimitExceeded, Misuse, NeedsPerson, StoreTrouble, SyncError
from salesforce_sync.models.outbox import Push
from salesforce_sync.models.page import Poll, Polled
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
    VerifyComplete,
)
from salesforce_sync.sync.puller import Pulled, Puller, Report, with_repairs
from salesforce_sync.sync.pusher import InboxNews, Preview, Pusher
from salesforce_sync.sync.schedule import DEFAULTS, Rules, refresh_is_due, verify_is_due
from salesforce_sync.sync.undo import Undone

log = logging.getLogger(__name__)

WORKERS = 4
NOT_BEGUN = "NOT_BEGUN"
WARN_AT = 0.8
"""The share of the org's daily API calls from which every run ends with a warning."""


class SyncEngine:
    """Runs pulls in a small pool of threads. One object's trouble is kept from the others."""

    def __init__(self, org: Org, store: Store, clock: Clock, bus: Bus, rules: Rules = DEFAULTS) -> None:
        self._org = org
        self._store = store
        self._clock = clock
        self._bus = bus
        self._rules = rules
        self._pusher = Pusher(org, store, clock, bus)

    def run(self, objects: Sequence[str], accepted: frozenset[str] = frozenset()) -> Run:
        """Pull these objects, then push what is in the outbox.

        Never raises for trouble with the org: the result's records say what happened.

        `accepted` names the objects that may lose any number of rows.
        """
        course = self._course(objects, accepted, self._pull)
        self._bus.emit(SyncStarted(course.names))
        news = InboxNews(self._store, self._bus)
        # Before the pull: it would bring a create whose answer was lost as a record of its own beside it.
        self._pusher.recover()
        records = self._each(course, self._ask(course))
        news.tell()
        pushed = self._pusher.push() if not course.stop.is_set() and self._pusher.due() else None
        run = Run(course.run_id, records, *self._cost(course), pushed)
        self._tell(run)
        return run

    def push(self) -> Push:
        """Send what is in the outbox, without a pull before."""
        return self._pusher.push()

    def dry_run(self) -> Preview:
        """What a push would send now, and what it would cost. Nothing is sent."""
        return self._pusher.dry_run()

    def undo(self, push_id: str) -> Undone:
        """Send the values that this push replaced, as far as nobody has changed them since."""
        return self._pusher.undo(push_id)

    def verify(self, objects: Sequence[str], accepted: frozenset[str] = frozenset()) -> Run:
        """Pull these objects, compare every id and stamp with the org, and repair; `store.proof` has the results."""
        course = self._course(objects, accepted, self._pull_and_prove)
        records = self._each(course, [_Task(name) for name in course.names])
        run = Run(course.run_id, records, *self._cost(course))
        for record in run.objects:
            proof = self._store.proof(record.object_name)
            if record.problem is None and proof is not None:
                self._bus.emit(VerifyComplete(proof.object_name, proof.rows, sum(each for _, each in proof.repaired)))
        self._tell(run)
        return run

    def _course(self, objects: Sequence[str], accepted: frozenset[str], work: Work) -> _Course:
        if not objects:
            raise Misuse("There is nothing to sync.", hint="Name objects, or list them in config.yaml, sync.objects.")
        puller = Puller(self._org, self._store, self._clock, self._rules, accepted)
        started = self._clock.monotonic(), self._org.usage.spent
        return _Course(secrets.token_hex(8), _distinct(objects), puller, work, *started)

    def _cost(self, course: _Course) -> tuple[int, float]:
        return self._org.usage.spent - course.calls_before, self._clock.monotonic() - course.started

    def _each(self, course: _Course, tasks: Sequence[_Task]) -> tuple[RunRecord, ...]:
        with ThreadPoolExecutor(min(WORKERS, len(tasks)), thread_name_prefix="pull") as pool:
            return tuple(pool.map(lambda task: self._run_object(task, course), tasks))

    def _ask(self, course: _Course) -> list[_Task]:
        """Ask the org about all objects at once, as far as they can be asked so."""
        tasks = [self._claimed(name, course.puller) for name in course.names]
        asked = [task for task in tasks if task.poll is not None]
        try:
            answers = self._org.poll([task.poll for task in asked if task.poll is not None]) if asked else ()
        except SyncError as error:
            for task in asked:
                task.error = error
            return tasks
        for task, answer in zip(asked, answers, strict=True):
            task.polled = answer
        return tasks

    def _claimed(self, name: str, puller: Puller) -> _Task:
        task = _Task(name)
        try:
            task.claim.enter_context(self._store.claim(name))
            task.poll = puller.question(name)
        except SyncError as error:
            task.error = error
        return task

    def _run_object(self, task: _Task, course: _Course) -> RunRecord:
        started = self._clock.now()
        try:
            with task.claim:
                pulled = self._work(task, course)
            merged = pulled.merged
            counts = RunCounts(pulled.rows, merged.inserted, merged.updated, merged.deleted)
            times = started, self._clock.now()
            record = RunRecord(course.run_id, merged.object_name, RunState.COMPLETE, *times, counts)
            self._store.record_run(record)
        except SyncError as error:
            if isinstance(error, NeedsPerson | LimitExceeded):
                course.stop.set()
            return self._failed(task.name, course, started, Problem(error.code, error.message, error.hint))
        except Exception as error:  # the engine's loop: one object's bug must not take the others down
            log.exception("Syncing %s failed", task.name)
            what = f"{type(error).__name__}: {error}"[:500]
            problem = Problem("INTERNAL_ERROR", what, "Please report it with the log.")
            return self._failed(task.name, course, started, problem)
        return record

    def _work(self, task: _Task, course: _Course) -> Pulled:
        if task.error is not None:
            raise task.error
        if course.stop.is_set():
            raise SyncError("Not begun: an error that concerns every object came first.", code=NOT_BEGUN)

        def report(rows: int, total: int | None) -> None:
            self._bus.emit(Progress(task.name, rows, total, self._org.usage.spent - course.calls_before))

        return course.work(task, course.puller, report)

    def _pull(self, task: _Task, puller: Puller, report: Report) -> Pulled:
        if task.poll is not None and task.polled is not None:
            pulled = puller.take(task.poll, task.polled, report)
        else:
            pulled = puller.pull(task.name, report)
        self._look_after(puller, pulled.merged.object_name)
        return pulled

    def _pull_and_prove(self, task: _Task, puller: Puller, report: Report) -> Pulled:
        with self._store.claim(task.name):
            pulled = puller.pull(task.name, report)
            proof = puller.prove(pulled.merged.object_name)
        return with_repairs(pulled, sum(number for _, number in proof.repaired))

    def _look_after(self, puller: Puller, object_name: str) -> None:
        """What has its own schedule: values that change without a stamp, and the proof."""
        ages, now = self._store.ages(object_name), self._clock.now()
        try:
            if refresh_is_due(ages, self._rules, now):
                puller.refresh(object_name)
            if verify_is_due(ages, self._rules, now):
                puller.prove(object_name)
        except BudgetSpent as spent:
            log.info("%s is looked after later: %s", object_name, spent.message)

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
        unsent = _unsent(run)
        if problems or unsent:
            cause = next((code for code in (*problems.values(), *unsent.values()) if code != NOT_BEGUN), NOT_BEGUN)
            self._bus.emit(SyncFailed(cause, tuple(dict.fromkeys((*problems, *unsent)))))
        else:
            self._bus.emit(SyncComplete())
        usage = self._org.usage
        if near_the_wall(usage):
            self._bus.emit(ApiLimitWarning(usage.used or 0, usage.ceiling or usage.limit or 0))


@dataclass(slots=True)
class _Task:
    """One object on its way through a run: claimed, perhaps asked about, perhaps in trouble already."""

    name: str
    claim: ExitStack = field(default_factory=ExitStack)
    poll: Poll | None = None
    polled: Polled | None = None
    error: SyncError | None = None


Work = Callable[[_Task, Puller, Report], Pulled]


@dataclass(frozen=True, slots=True)
class _Course:
    """One run while it goes on; `stop` is set when an error concerns every object."""

    run_id: str
    names: tuple[str, ...]
    puller: Puller
    work: Work
    started: float
    calls_before: int
    stop: Event = field(default_factory=Event)


def _distinct(objects: Sequence[str]) -> tuple[str, ...]:
    """Each object once: the org knows names whatever their case, so two spellings are one object."""
    spelt: dict[str, str] = {}
    for name in objects:
        spelt.setdefault(name.casefold(), name)
    return tuple(spelt.values())


def _unsent(run: Run) -> dict[str, str]:
    """The objects with changes that were not taken, and the first reason of each."""
    if run.pushed is None or run.pushed.complete:
        return {}
    found: dict[str, str] = {}
    for change in run.pushed.changes:
        if change.outcome != "applied":
            found.setdefault(change.object_name, change.outcome if change.problem is None else change.problem.code)
    return found or {"": "" if run.pushed.problem is None else run.pushed.problem.code}


def near_the_wall(usage: Usage) -> bool:
    """Whether a person should be warned about the day's API calls: the org's limit, or the settings' if smaller."""
    wall = usage.ceiling or usage.limit or 0
    return wall > 0 and usage.used is not None and usage.used >= WARN_AT * wall
