"""`Daemon`: syncs each object at its interval, pushes what is edited, until it is told to stop.

What is next is decided by `agenda`; what it needs to know for that is in the store, so that a daemon that was killed
goes on where it was.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from datetime import datetime, timedelta
from threading import Event
from typing import TypeVar

from msgspec import Struct, field
from msgspec.structs import replace

from salesforce_sync.errors import Stopped, StoreTrouble, SyncError
from salesforce_sync.models.duty import DaemonState, SyncRequest
from salesforce_sync.models.push import Push
from salesforce_sync.models.run import Run, RunState
from salesforce_sync.ports import Clock, Desk, Store
from salesforce_sync.sync.agenda import Budget, Pushes, Step, next_step, push_at, timetable
from salesforce_sync.sync.duty import Duty, Onlooker
from salesforce_sync.sync.engine import SyncEngine
from salesforce_sync.sync.log_lines import push_line, run_line, trouble_of
from salesforce_sync.sync.outlook import Known, Outlook
from salesforce_sync.sync.schedule import WARN_AT

log = logging.getLogger("salesforce_sync.daemon")

LOOK_ANYWAY = timedelta(seconds=30)
"""How often everything is decided anew, whatever has happened: a machine that slept does not know for how long."""

_Work = TypeVar("_Work")

TELL_ANYWAY = timedelta(minutes=5)

AGAIN_BESIDE = timedelta(seconds=15)
"""How often, while a run goes on, its objects are looked at again: it lets go of each when it is done with it."""

MOST_RUNS = 3
"""Runs that go on at once: while one waits for a job of the org, perhaps for hours, what else falls due is synced."""

FIRST_REST, LONGEST_REST = timedelta(seconds=5), timedelta(minutes=5)
"""How long nothing is tried after an error that came before any object was begun (a login that fails)."""


class _Course(Struct):
    """What it knows of the syncs and pushes that it has made itself; the rest is in the store."""

    tried: dict[str, datetime] = field(default_factory=dict)
    left: str = ""
    looked_beside: datetime | None = None
    looked_for_due: datetime | None = None
    looked_for_asked: int = 0
    pushed_at: datetime | None = None
    push_failures: int = 0
    failures: int = 0
    rests_until: datetime | None = None
    not_before: datetime | None = None
    paused_at: datetime | None = None
    """When `not_before` was found."""
    problem: str = ""
    problem_at: datetime | None = None


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
        self._course = _Course()
        self._told: DaemonState | None = None
        self._outlook = Outlook(duty, store, desk)
        self._looked_at: Known | None = None
        self._started = clock.now()
        # Mostly it has one thread, for all runs: a thread has its own connection to the database.
        self._worker = ThreadPoolExecutor(MOST_RUNS, thread_name_prefix="run")

    def run(self, onlooker: Onlooker) -> None:
        """Do what is due, wait, and do what is due then."""
        before = self._desk.state()
        if before is not None:
            self._course.not_before, self._course.paused_at = before.not_before, before.told_at
        self._tell(onlooker, "starting", {})
        with self._worker:
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
                self._note_problem(trouble)
            except Stopped:
                break
            self._rest(seen, again_at, onlooker)

    # ── what is next ─────────────────────────────────────────────────────────────────────────────────────────────

    def _next(self, version: int, onlooker: Onlooker) -> _Task:
        now = self._clock.now()
        known = self._outlook.look(version, self._course.tried)
        if known is not self._looked_at:
            self._looked_at = known
            self._end_pause(known.share)
        items, requests = known.items, known.requests
        budget = Budget(known.share, self._course.not_before)
        course = self._course
        pushes = Pushes(self._desk.waiting(), course.left, course.pushed_at, course.push_failures)
        step = next_step(items, self._outlook.wanted(requests), pushes, budget, self._duty.seed, now)
        rests_until = self._rests_until(now)
        if rests_until is not None:
            step = Step(at=rests_until)
        if not step.objects and not step.push:
            times = timetable(items, budget, self._duty.seed, now).items()
            self._tell(onlooker, "waiting", {name: max(at, rests_until or at) for name, at in times})
        return _Task(step, requests)

    def _rests_until(self, now: datetime) -> datetime | None:
        """Until when nothing is tried; never for longer than it ever rests, whatever the clock says."""
        until = self._course.rests_until
        return until if until is not None and timedelta(0) < until - now <= LONGEST_REST else None

    def _end_pause(self, share: float | None) -> None:
        """Wait for calls no longer once the org has told somebody since that there are some: a push, or a command."""
        paused_at, usage = self._course.paused_at, self._store.usage()
        if paused_at is None or usage is None or share is None:
            return
        if usage.at > paused_at and share < WARN_AT:
            self._course.not_before = None

    # ── doing it ─────────────────────────────────────────────────────────────────────────────────────────────────

    def _do(self, task: _Task, onlooker: Onlooker) -> None:
        if not task.step.objects and not task.step.push:
            return
        try:
            if task.step.objects:
                self._sync(task, onlooker)
            else:
                self._push(onlooker)
            self._course.failures = 0
        except (Stopped, StoreTrouble):
            raise
        except SyncError as error:
            # Nothing was begun, so nothing in the store says that it was tried.
            log.error("%s: %s", error.code, error)
            self._note_problem(error)
            self._desk.done(task.requests, RunState.FAILED)

    def _sync(self, task: _Task, onlooker: Onlooker) -> None:
        names, started = task.step.objects, self._clock.now()
        self._tell(onlooker, f"syncing {', '.join(names)}", {})
        self._desk.take(task.requests)
        self._course.looked_beside, self._course.looked_for_due = None, started
        edited = self._desk.waiting().edited
        engine = self._engine()
        running = [self._begun(engine, engine.run, task, started, edited)]
        trouble: SyncError | None = None
        while running:
            done = self._look_on(running, onlooker)
            ended = [each for each in running if each.work in done]
            running = [each for each in running if each.work not in done]
            for each in ended:
                trouble = self._take_run(each, onlooker) or trouble
            if running and not self._stop.is_set():
                self._answer_early(running)
                self._push_beside(running[0].engine, onlooker)
                running += self._begun_beside(running, onlooker)
        if trouble is not None:
            raise trouble

    def _begun(
        self,
        engine: SyncEngine,
        work: Callable[[Sequence[str]], Run],
        task: _Task,
        now: datetime,
        edited: str | None = None,
    ) -> _Running:
        running = self._worker.submit(work, task.step.objects)
        return _Running(engine, running, task, now, self._course.not_before, edited)

    def _look_on(self, running: Sequence[_Running], onlooker: Onlooker) -> set[Future[Run]]:
        """Wait a moment, and tell that it lives as long as one of the runs makes calls; gives what is done by now."""
        before = [each.spent for each in running]
        done = wait([each.work for each in running], self._duty.tick, FIRST_COMPLETED).done
        for each in running:
            each.spent = each.engine.spent
        if [each.spent for each in running] != before:
            onlooker.beat()
        return done

    def _take_run(self, ended: _Running, onlooker: Onlooker) -> SyncError | None:
        """Note what came of a run; gives the error that cut it, to be raised when no other goes on."""
        try:
            self._note_ended(ended, ended.work.result(), onlooker)
        except (Stopped, StoreTrouble) as error:
            return error  # what was asked for still is
        except SyncError as error:
            log.warning("%s: %s", error.code, error)
            with suppress(StoreTrouble):
                self._desk.done(ended.task.requests, RunState.FAILED)
            return error
        return None

    def _note_ended(self, ended: _Running, run: Run, onlooker: Onlooker) -> None:
        self._course.tried |= {name.casefold(): ended.started for name in ended.task.step.objects}
        if run.again_at is not None or self._course.not_before == ended.not_before:
            self._course.not_before = run.again_at  # else another one has found meanwhile that the calls are used
        self._course.paused_at = self._clock.now()  # what this run was told of the calls is no news
        self._desk.done(ended.task.requests, run.state.value)
        if ended.edited is not None:
            self._after_push(run.pushed, ended.edited)
        else:
            self._course.left = ""  # what could not go because this run held it can go now
        self._note_run(run)
        onlooker.ran(run)

    def _begun_beside(self, running: Sequence[_Running], onlooker: Onlooker) -> list[_Running]:
        """A run of what has fallen due, or was asked for, while others go on that hold none of it."""
        now = self._clock.now()
        holds = [each.engine.holds for each in running]
        if len(running) == MOST_RUNS or not all(holds):
            return []  # one has still to begin, or pushes: for that it may want any object
        held = frozenset[str]().union(*(each for each in holds if each is not None))
        try:
            if not self._looks_for_due(now):
                return []
            task = self._free_task(running, held, now)
            if not task.step.objects:
                return []
            engine = self._engine()
            self._desk.take(task.requests)
        except Stopped:
            return []
        except SyncError as error:
            log.warning("What has fallen due is synced when the run is over: %s", error)
            return []
        begun = [name for each in running for name in each.task.step.objects if name.casefold() in held]
        self._tell(onlooker, f"syncing {', '.join((*begun, *task.step.objects))}", {})
        return [self._begun(engine, engine.pull, task, now)]

    def _answer_early(self, running: Sequence[_Running]) -> None:
        """Tell who asked for objects that they are done, though their run goes on with others, perhaps for hours."""
        for each in running:
            holds = each.engine.holds
            if not holds or not each.task.requests:
                continue  # it has still to begin, or ends at once with its push, of which they are told, too
            done = [request for request in each.task.requests if not self._outlook.is_held(request, holds)]
            try:
                tries = self._desk.last_tries() if done else {}
                for request in done:
                    self._desk.done([request], self._outlook.came_to(request, tries))
            except StoreTrouble as trouble:
                log.warning("Who asked for a sync is told when the run is over: %s", trouble)
                return
            left = tuple(request for request in each.task.requests if request not in done)
            each.task = replace(each.task, requests=left)

    def _looks_for_due(self, now: datetime) -> bool:
        """Whether it is time to look what has fallen due: now and then, and at once when somebody has asked."""
        newest = max((each.number for each in self._desk.asked()), default=0)
        looked, asked = self._course.looked_for_due, self._course.looked_for_asked
        if looked is not None and timedelta(0) <= now - looked < AGAIN_BESIDE and newest <= asked:
            return False
        self._course.looked_for_due, self._course.looked_for_asked = now, max(newest, asked)
        return True

    def _free_task(self, running: Sequence[_Running], held: frozenset[str], now: datetime) -> _Task:
        """What is to be done with objects that no run holds."""
        free = [each for each in self._outlook.items(self._course.tried) if each.name.casefold() not in held]
        taken = {each.number for some in running for each in some.task.requests}
        asked = [
            each for each in self._desk.asked() if each.number not in taken and not self._outlook.is_held(each, held)
        ]
        pushes, budget = Pushes(self._desk.waiting()), Budget(self._outlook.share(), self._course.not_before)
        return _Task(next_step(free, self._outlook.wanted(asked), pushes, budget, self._duty.seed, now), tuple(asked))

    def _push(self, onlooker: Onlooker) -> None:
        self._tell(onlooker, "pushing", {})
        edited = self._desk.waiting().edited
        engine = self._engine()
        push = self._watched(engine, engine.push, onlooker)
        self._after_push(push, edited)
        self._note_push(push, onlooker)

    def _watched(self, engine: SyncEngine, work: Callable[[], _Work], onlooker: Onlooker) -> _Work:
        """Do the work in a thread of its own; meanwhile tell that it lives as long as it makes calls.

        A Bulk job in the org's queue takes half an hour without a word, and its answers are signs of life.
        """
        working, spent = self._worker.submit(work), engine.spent
        while not _is_done(working, self._duty.tick):
            if engine.spent != spent:
                spent = engine.spent
                onlooker.beat()
        return working.result()

    def _push_beside(self, engine: SyncEngine, onlooker: Onlooker) -> None:
        """Send what is edited while a run goes on: a long pull of one object does not keep the others' edits back."""
        course, now = self._course, self._clock.now()
        try:
            waiting = self._desk.waiting()
            if course.looked_beside is None or now - course.looked_beside >= AGAIN_BESIDE:
                course.left = ""
            pushes = Pushes(waiting, course.left, course.pushed_at, course.push_failures)
            at = push_at(pushes, Budget(self._outlook.share(), course.not_before), now)
            if at is None or at > now or not waiting.ready:
                return
            push = engine.push_beside()
            course.looked_beside = now
            self._after_push(push, waiting.edited)
            if push is not None:
                self._note_push(push, onlooker)
        except Stopped:
            return  # the run ends too
        except StoreTrouble as trouble:
            log.warning("What was edited goes when the run is over: %s", trouble)

    def _note_push(self, push: Push, onlooker: Onlooker) -> None:
        log.info("push %s %s: %s", push.push_id, push.state.value, push_line(push))
        trouble = trouble_of(push)
        if trouble is not None:
            self._course.problem = f"{trouble.code}: {trouble.message}"
            self._course.problem_at = self._clock.now()
        onlooker.pushed(push)

    def _after_push(self, push: Push | None, edited: str) -> None:
        """What is still there has a reason to; what was edited meanwhile has none."""
        waiting = self._desk.waiting()
        course = self._course
        course.left = waiting.mark if waiting.edited == edited else ""
        course.pushed_at = self._clock.now()
        course.push_failures = course.push_failures + 1 if push is not None and trouble_of(push) is not None else 0

    def _note_run(self, run: Run) -> None:
        problem = next((each for each in run.objects if each.problem is not None), None)
        log.info("run %s %s: %s", run.run_id, run.state.value, run_line(run))
        if problem is not None and problem.problem is not None:
            what = problem.problem
            self._course.problem = f"{problem.object_name}: {what.code}: {what.message}"
            self._course.problem_at = self._clock.now()

    def _note_problem(self, error: SyncError) -> None:
        course, now = self._course, self._clock.now()
        course.problem, course.problem_at = f"{error.code}: {error.message}", now
        course.rests_until = now + min(FIRST_REST * 2 ** min(course.failures, 10), LONGEST_REST)
        course.failures += 1

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
        now, course = self._clock.now(), self._course
        state = DaemonState(
            self._duty.owner,
            self._duty.pid,
            self._started,
            now,
            doing,
            upcoming,
            course.not_before,
            course.problem,
            course.problem_at,
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


class _Task(Struct, frozen=True):
    """A step, and the requests that it answers."""

    step: Step
    requests: tuple[SyncRequest, ...]


class _Running(Struct):
    """A run that goes on; `edited`: what the outbox held when it began, if it pushes at its end; `not_before`: until
    when there were no calls left, as far as was known then."""

    engine: SyncEngine
    work: Future[Run]
    task: _Task
    started: datetime
    not_before: datetime | None
    edited: str | None = None
    spent: int = 0


def _is_done(work: Future[_Work], seconds: float) -> bool:
    return bool(wait([work], seconds).done)
