"""`Daemon`: syncs each object at its interval, pushes what is edited, until it is told to stop.

What is next is decided by `agenda`; what it needs to know for that is in the store, so that a daemon that was killed
goes on where it was.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, wait
from datetime import datetime, timedelta
from threading import Event
from typing import TypeVar

from msgspec.structs import replace

from salesforce_sync.errors import Stopped, StoreTrouble, SyncError
from salesforce_sync.models.duty import DaemonState
from salesforce_sync.models.run import RunState
from salesforce_sync.ports import Clock, Desk, Store
from salesforce_sync.sync.agenda import Step, next_step, timetable
from salesforce_sync.sync.duty import Duty, Onlooker
from salesforce_sync.sync.engine import SyncEngine
from salesforce_sync.sync.hindsight import Hindsight
from salesforce_sync.sync.outlook import Known, Outlook
from salesforce_sync.sync.side_by_side import SideBySide, Task

log = logging.getLogger("salesforce_sync.daemon")

LOOK_ANYWAY = timedelta(seconds=30)
"""How often everything is decided anew, whatever has happened: a machine that slept does not know for how long."""

_Work = TypeVar("_Work")

TELL_ANYWAY = timedelta(minutes=5)


class Daemon:
    """One daemon; `run` returns once `stop` is set."""

    def __init__(
        self,
        duty: Duty,
        engine: Callable[[], SyncEngine],
        store: Store,
        desk: Desk,
        clock: Clock,
        stop: Event,
        following: Callable[[], Mapping[str, str]] = dict,
    ) -> None:
        """`engine` gives one for each run; a `SyncError` says why it cannot. `following` says how change events are
        followed (`DaemonState.events`)."""
        self._duty = duty
        self._engine = engine
        self._store = store
        self._desk = desk
        self._clock = clock
        self._stop = stop
        self._following = following
        self._hindsight = Hindsight()
        self._told: DaemonState | None = None
        self._outlook = Outlook(duty, store, desk)
        self._looked_at: Known | None = None
        self._started = clock.now()
        self._beside = SideBySide(duty, engine, desk, clock, self._outlook, self._hindsight)

    def run(self, onlooker: Onlooker) -> None:
        """Do what is due, wait, and do what is due then."""
        before = self._desk.state()
        if before is not None:
            self._hindsight.not_before, self._hindsight.paused_at = before.not_before, before.told_at
        self._tell(onlooker, "starting", {})
        with self._beside.worker:
            self._go_on(onlooker)
        self._tell(onlooker, "stopped", {})

    def _go_on(self, onlooker: Onlooker) -> None:
        while not self._stop.is_set():
            onlooker.beat()
            seen, again_at = self._version(), None
            try:
                task = self._next(seen, onlooker)
                self._do(task, onlooker)
                again_at = task.step.at or self._clock.now()
            except StoreTrouble as trouble:
                log.error("%s", trouble)
                self._hindsight.note_error(trouble, self._clock.now())
            except Stopped:
                break
            self._rest(seen, again_at, onlooker)

    # ── what is next ─────────────────────────────────────────────────────────────────────────────────────────────

    def _next(self, version: int, onlooker: Onlooker) -> Task:
        now = self._clock.now()
        hindsight = self._hindsight
        known = self._outlook.look(version, hindsight.tried)
        if known is not self._looked_at:
            self._looked_at = known
            hindsight.end_pause(self._store.usage(), known.share)
        items, requests = known.items, known.requests
        budget, pushes = hindsight.budget(known.share), hindsight.pushes(self._desk.waiting())
        step = next_step(items, self._outlook.wanted(requests), pushes, budget, self._duty.seed, now)
        rests_until = hindsight.resting(now)
        if rests_until is not None:
            step = Step(at=rests_until)
        if not step.objects and not step.push:
            times = timetable(items, budget, self._duty.seed, now).items()
            self._tell(onlooker, "waiting", {name: max(at, rests_until or at) for name, at in times})
        return Task(step, requests)

    # ── doing it ─────────────────────────────────────────────────────────────────────────────────────────────────

    def _do(self, task: Task, onlooker: Onlooker) -> None:
        if not task.step.objects and not task.step.push:
            return
        try:
            if task.step.objects:
                self._sync(task, onlooker)
            else:
                self._push(onlooker)
            self._hindsight.failures = 0
        except (Stopped, StoreTrouble):
            raise
        except SyncError as error:
            # Nothing was begun, so nothing in the store says that it was tried.
            log.error("%s: %s", error.code, error)
            self._hindsight.note_error(error, self._clock.now())
            self._desk.done(task.requests, RunState.FAILED)

    def _sync(self, task: Task, onlooker: Onlooker) -> None:
        def tell(names: Sequence[str]) -> None:
            self._tell(onlooker, f"syncing {', '.join(names)}", {})

        self._beside.sync(task, onlooker, tell, self._stop.is_set)

    def _push(self, onlooker: Onlooker) -> None:
        self._tell(onlooker, "pushing", {})
        edited = self._desk.waiting().edited
        engine = self._engine()
        self._beside.take_push(self._watched(engine, engine.push, onlooker), edited, onlooker)

    def _watched(self, engine: SyncEngine, work: Callable[[], _Work], onlooker: Onlooker) -> _Work:
        """Do the work in a thread of its own; meanwhile tell that it lives as long as it makes calls.

        A Bulk job in the org's queue takes half an hour without a word, and its answers are signs of life.
        """
        working, spent = self._beside.worker.submit(work), engine.spent
        while not _is_done(working, self._duty.tick):
            if engine.spent != spent:
                spent = engine.spent
                onlooker.beat()
        return working.result()

    # ── waiting, and telling ─────────────────────────────────────────────────────────────────────────────────────

    def _rest(self, seen: int, again_at: datetime | None, onlooker: Onlooker) -> None:
        """Wait until somebody has written something, it is time for what is next, or time to look anyway."""
        until = self._clock.monotonic() + LOOK_ANYWAY.total_seconds()
        try:
            while self._clock.monotonic() < until and self._version() == seen:
                if again_at is not None and self._clock.now() >= again_at:
                    return
                if self._told is not None and self._following() != self._told.events:
                    return
                self._clock.sleep(self._duty.tick)
                onlooker.beat()
        except Stopped:
            return

    def _version(self) -> int:
        """The store's version; always the same one while the store cannot be asked."""
        try:
            return self._desk.version()
        except StoreTrouble:
            return -1

    def _tell(self, onlooker: Onlooker, doing: str, upcoming: Mapping[str, datetime]) -> None:
        """Keep, for `status`, what is going on; and now and then also when nothing has changed."""
        now, hindsight = self._clock.now(), self._hindsight
        state = DaemonState(
            self._duty.owner,
            self._duty.pid,
            self._started,
            now,
            doing,
            upcoming,
            hindsight.not_before,
            hindsight.problem,
            hindsight.problem_at,
            self._following(),
        )
        told = self._told
        if told is not None and replace(state, told_at=told.told_at) == told and now - told.told_at < TELL_ANYWAY:
            return
        if told is None or told.doing != doing:
            onlooker.doing(doing)
        self._told = state
        try:
            self._desk.note(state)
        except StoreTrouble as trouble:
            log.warning("What the daemon does could not be noted: %s", trouble)


def _is_done(work: Future[_Work], seconds: float) -> bool:
    return bool(wait([work], seconds).done)
