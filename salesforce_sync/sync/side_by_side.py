"""`SideBySide`: runs of a daemon that go on at once, each with objects of its own, and pushes beside them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from datetime import datetime, timedelta

from msgspec import Struct
from msgspec.structs import replace

from salesforce_sync.errors import Stopped, StoreTrouble, SyncError
from salesforce_sync.models.duty import SyncRequest
from salesforce_sync.models.push import Push
from salesforce_sync.models.run import Run, RunState
from salesforce_sync.ports import Clock, Desk
from salesforce_sync.sync.agenda import Pushes, Step, next_step, push_at
from salesforce_sync.sync.duty import Duty, Onlooker
from salesforce_sync.sync.engine import SyncEngine
from salesforce_sync.sync.hindsight import Hindsight
from salesforce_sync.sync.log_lines import push_line, run_line
from salesforce_sync.sync.outlook import Outlook

log = logging.getLogger("salesforce_sync.daemon")

AGAIN_BESIDE = timedelta(seconds=15)
"""How often, while a run goes on, its objects are looked at again: it lets go of each when it is done with it."""

MOST_RUNS = 3
"""Runs that go on at once: while one waits for a job of the org, perhaps for hours, what else falls due is synced."""


class Task(Struct, frozen=True):
    """A step, and the requests that it answers."""

    step: Step
    requests: tuple[SyncRequest, ...]


class _Running(Struct):
    """A run that goes on; `edited`: what the outbox held when it began, if it pushes at its end; `not_before`: until
    when there were no calls left, as far as was known then."""

    engine: SyncEngine
    work: Future[Run]
    task: Task
    started: datetime
    not_before: datetime | None
    edited: str | None = None
    spent: int = 0


class SideBySide:
    """Syncs what a daemon has found due, until that is over; what falls due or is edited meanwhile goes beside it."""

    def __init__(
        self,
        duty: Duty,
        engine: Callable[[], SyncEngine],
        desk: Desk,
        clock: Clock,
        outlook: Outlook,
        hindsight: Hindsight,
    ) -> None:
        """`engine` gives one for each run; a `SyncError` says why it cannot."""
        self._duty = duty
        self._engine = engine
        self._desk = desk
        self._clock = clock
        self._outlook = outlook
        self._hindsight = hindsight
        # Mostly it has one thread, for all runs: a thread has its own connection to the database.
        self.worker = ThreadPoolExecutor(MOST_RUNS, thread_name_prefix="run")
        self._pushed: datetime | None = None
        self._looked: datetime | None = None
        self._newest_asked = 0

    def sync(
        self, task: Task, onlooker: Onlooker, tell: Callable[[Sequence[str]], None], is_stopped: Callable[[], bool]
    ) -> None:
        """Do the task, and what falls due until it is done; then the error that cut a run is raised.

        `tell` is told which objects are synced.
        """
        tell(task.step.objects)
        started = self._clock.now()
        self._desk.take(task.requests)
        self._pushed, self._looked = None, started
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
            if running and not is_stopped():
                self._answer_early(running)
                self._push_beside(running[0].engine, onlooker)
                running += self._begun_beside(running, tell)
        if trouble is not None:
            raise trouble

    # ── runs ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _begun(
        self,
        engine: SyncEngine,
        work: Callable[[Sequence[str]], Run],
        task: Task,
        now: datetime,
        edited: str | None = None,
    ) -> _Running:
        running = self.worker.submit(work, task.step.objects)
        return _Running(engine, running, task, now, self._hindsight.not_before, edited)

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
        hindsight = self._hindsight
        hindsight.note_tried(ended.task.step.objects, ended.started)
        hindsight.note_calls(run.again_at, ended.not_before, self._clock.now())
        self._desk.done(ended.task.requests, run.state.value)
        if ended.edited is not None:
            hindsight.note_pushed(run.pushed, ended.edited, self._desk.waiting(), self._clock.now())
        else:
            hindsight.left = ""  # what could not go because this run held it can go now
        log.info("run %s %s: %s", run.run_id, run.state.value, run_line(run))
        hindsight.note_run(run, self._clock.now())
        onlooker.ran(run)

    # ── what falls due, or is asked for, meanwhile ───────────────────────────────────────────────────────────────

    def _begun_beside(self, running: Sequence[_Running], tell: Callable[[Sequence[str]], None]) -> list[_Running]:
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
        tell((*begun, *task.step.objects))
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
        just_now = self._looked is not None and timedelta(0) <= now - self._looked < AGAIN_BESIDE
        if just_now and newest <= self._newest_asked:
            return False
        self._looked, self._newest_asked = now, max(newest, self._newest_asked)
        return True

    def _free_task(self, running: Sequence[_Running], held: frozenset[str], now: datetime) -> Task:
        """What is to be done with objects that no run holds."""
        outlook = self._outlook
        free = [each for each in outlook.items(self._hindsight.tried) if each.name.casefold() not in held]
        taken = {each.number for some in running for each in some.task.requests}
        asked = [each for each in self._desk.asked() if each.number not in taken and not outlook.is_held(each, held)]
        pushes, budget = Pushes(self._desk.waiting()), self._hindsight.budget(outlook.share())
        return Task(next_step(free, outlook.wanted(asked), pushes, budget, self._duty.seed, now), tuple(asked))

    # ── pushes ───────────────────────────────────────────────────────────────────────────────────────────────────

    def _push_beside(self, engine: SyncEngine, onlooker: Onlooker) -> None:
        """Send what is edited while a run goes on: a long pull of one object does not keep the others' edits back."""
        hindsight, now = self._hindsight, self._clock.now()
        try:
            waiting = self._desk.waiting()
            if self._pushed is None or now - self._pushed >= AGAIN_BESIDE:
                hindsight.left = ""
            at = push_at(hindsight.pushes(waiting), hindsight.budget(self._outlook.share()), now)
            if at is None or at > now or not waiting.ready:
                return
            push = engine.push_beside()
            self._pushed = now
            self.take_push(push, waiting.edited, onlooker)
        except Stopped:
            return  # the run ends too
        except StoreTrouble as trouble:
            log.warning("What was edited goes when the run is over: %s", trouble)

    def take_push(self, push: Push | None, edited: str, onlooker: Onlooker) -> None:
        """Note what came of a push; `edited`: what the outbox held when it began."""
        hindsight, now = self._hindsight, self._clock.now()
        hindsight.note_pushed(push, edited, self._desk.waiting(), now)
        if push is None:
            return
        log.info("push %s %s: %s", push.push_id, push.state.value, push_line(push))
        hindsight.note_push(push, now)
        onlooker.pushed(push)
