"""The objects that are being synced, whoever wants them: their runs, and what the engine tells of each.

An object is synced at most once at a time: whoever wants one that is under way joins it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final, Protocol

from msgspec import Struct, field
from msgspec.structs import replace

from salesforce_sync.app import SFSync
from salesforce_sync.errors import BudgetSpent, LimitExceeded, Stopped, SyncError
from salesforce_sync.models.run import Problem, Run, RunState
from salesforce_sync.signals import ObjectFinished, ObjectStarted, Progress
from salesforce_sync.web.counting import counted
from salesforce_sync.web.progress import ObjectProgress, Status
from salesforce_sync.web.runs import Runs
from salesforce_sync.web.session import Session, Task

log = logging.getLogger(__name__)

MOST_FAILED: Final = 1_000
"""Names whose last failure is remembered."""


class Names(Protocol):
    """What the org calls its objects."""

    def refused(self, names: Sequence[str]) -> Mapping[str, SyncError]:
        """Which of these are no objects of the org; called in a run's thread, as it may ask the org."""

    def spelt(self, name: str) -> str:
        """The name as the org spells it, as far as that is known."""


Ended = Callable[[Session, "Run | None"], None]


class _Work(Struct):
    """One run of the engine, and the sessions that still want it.

    `behind` are runs that have not ended yet and that could not be joined: it begins once they are `over`. `accepted`
    names the objects that may lose any number of rows, in lower case.
    """

    tasks: list[Task]
    stop: threading.Event = field(default_factory=threading.Event)
    accepted: frozenset[str] = frozenset()
    wanted_by: set[str] = field(default_factory=set)
    behind: list[_Work] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)
    begun: bool = False


class Works:
    """The runs of one replica's sessions; they go in the threads of `runs`.

    `lock` is held while it is decided who wants what; whoever holds it may ask for more.
    """

    def __init__(self, sync: SFSync, runs: Runs, names: Names, ended: Ended) -> None:
        """`ended` is told of each session whose objects a run has ended with, and of the run, if there was one."""
        self._sync = sync
        self._runs = runs
        self._names = names
        self._ended_for = ended
        self.lock = threading.RLock()
        self._running: dict[str, tuple[Task, _Work]] = {}
        self._failed: dict[str, Problem] = {}
        # Not `on`, whose listeners may hear of an object after its run has ended, and another has begun.
        sync.watch(ObjectStarted.name, self._started)
        sync.watch(Progress.name, self._moved)
        sync.watch(ObjectFinished.name, self._ended)

    # ── asking ───────────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def busy(self) -> bool:
        """Whether a run goes on, or waits for a thread."""
        return bool(self._running)

    def under_way(self, name: str) -> ObjectProgress | None:
        """How far this object is, if it is under way."""
        task = self._task(name)
        return None if task is None else task.progress

    def failure(self, name: str) -> Problem | None:
        """What the last sync of this object here has met, if it failed: one that never reached the org left no run."""
        return self._failed.get(name.casefold())

    def abandon(self, session: Session) -> None:
        """The session wants nothing more; runs that no other session wants end at their next whole page."""
        with self.lock:
            for work in {id(work): work for _, work in self._running.values()}.values():
                work.wanted_by.discard(session.session_id)
                if not work.wanted_by:
                    work.stop.set()

    def want(self, session: Session, names: Sequence[str], accepted: frozenset[str] = frozenset()) -> None:
        """Sync these objects for the session; those that are under way are joined.

        Those that are `accepted` may lose any number of rows: a run that has not heard that is not joined for them.
        """
        losing = frozenset(map(str.casefold, accepted))
        own: list[Task] = []
        behind: list[_Work] = []
        for name in names:
            under_way = self._running.get(name.casefold())
            if under_way is not None and under_way[0].done.done():
                under_way = None  # its run goes on with other objects; what has changed since would be missed
            elif under_way is not None and _falls_short(under_way, name.casefold() in losing):
                behind.append(under_way[1])
                under_way = None
            task = self._task_of(name) if under_way is None else under_way[0]
            before = session.tasks.get(name.casefold())
            if before is not None and before is not task and session in before.sessions:
                before.sessions.remove(session)  # this session is told of the new one
            session.tasks[name.casefold()] = task
            task.sessions.append(session)
            session.note(task.progress)
            if under_way is None:
                own.append(task)
            else:
                under_way[1].wanted_by.add(session.session_id)
        if own:
            work = _Work(own, accepted=losing, wanted_by={session.session_id}, behind=behind)
            self._running |= {task.progress.object_name.casefold(): (task, work) for task in own}
            self._runs.submit(lambda: self._carry_out(work), self)

    def _task_of(self, name: str) -> Task:
        task = Task(name)
        task.progress = counted(self._sync, task.progress)
        return task

    # ── running ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _carry_out(self, work: _Work) -> None:
        run, error = None, SyncError("The run ended without a word of this object.", code="INTERNAL_ERROR")
        for each in work.behind:
            each.over.wait()
        work.begun = True
        try:
            names = self._sound_names(work)
            accepted = [name for name in names if name.casefold() in work.accepted]
            run = self._sync.sync(*names, accept_loss=accepted, stop=work.stop) if names else None
        except SyncError as met:
            error = met
        except Exception as met:  # the door of a thread: whoever waits must be told, whatever it was
            log.exception("A sync failed")
            error = SyncError(f"{type(met).__name__}.", code="INTERNAL_ERROR", hint="See the server's log.")
        self._settle(work, error)
        wanting = {session.session_id: session for task in work.tasks for session in task.sessions}
        for session in wanting.values():
            self._ended_for(session, run)

    def _sound_names(self, work: _Work) -> list[str]:
        """The objects to sync, as the org spells them; those that it does not have are told of at once."""
        refused = self._names.refused([task.progress.object_name for task in work.tasks])
        for task in work.tasks:
            error = refused.get(task.progress.object_name)
            if error is not None:
                self._fail(task, _problem(error))
            else:
                self._spell(task)
        if work.stop.is_set():
            raise Stopped()
        return [task.progress.object_name for task in work.tasks if not task.done.done()]

    def _spell(self, task: Task) -> None:
        spelt = self._names.spelt(task.progress.object_name)
        if spelt != task.progress.object_name:
            task.move(replace(task.progress, object_name=spelt))

    def _settle(self, work: _Work, error: SyncError) -> None:
        """Whatever is still open of this run has met the error; and the objects are free for another run."""
        with self.lock:
            for task in work.tasks:
                if not task.done.done():
                    self._fail(task, _problem(error))
                key = task.progress.object_name.casefold()
                if key in self._running and self._running[key][0] is task:
                    del self._running[key]
        work.over.set()

    # ── what the engine tells ────────────────────────────────────────────────────────────────────────────────────

    def _started(self, signal: ObjectStarted) -> None:
        self._failed.pop(signal.object.casefold(), None)
        task = self._told_of(signal.object)
        if task is not None:
            task.began = time.monotonic()
            task.move(replace(task.progress, status=Status.SYNCING))

    def _moved(self, signal: Progress) -> None:
        task = self._told_of(signal.object)
        if task is None or task.done.done():
            return
        seconds = time.monotonic() - task.began
        known = replace(
            task.progress,
            status=Status.SYNCING,
            record_count=signal.rows,
            total_size=signal.total,
            percent=_percent(signal.rows, signal.total),
            rows_per_second=round(signal.rows / seconds, 1) if seconds > 0 else 0.0,
            calls=signal.calls,
            waits_for=signal.waits_for,
        )
        task.move(known)

    def _ended(self, signal: ObjectFinished) -> None:
        task = self._told_of(signal.object)
        if task is None or task.done.done():
            return
        if signal.state != RunState.COMPLETE:
            self._fail(task, Problem(signal.error, signal.message, signal.hint))
            return
        count = self._sync.objects[signal.object].count()
        done = replace(task.progress, status=Status.SYNCED, record_count=count, total_size=count, percent=100.0)
        task.move(replace(done, changed=signal.changed, synced_at=datetime.now(UTC), waits_for=""))

    def _fail(self, task: Task, met: Problem) -> None:
        usage = self._sync.usage
        if met.code == BudgetSpent.code and usage.used is not None and usage.used >= (usage.limit or 0):
            # It was we who did not ask; but whoever waits has to know that the org would not have answered either.
            met = replace(met, code=LimitExceeded.code)
        if met.code != Stopped.code:
            self._failed[task.progress.object_name.casefold()] = met
        for old in list(self._failed)[:-MOST_FAILED]:
            self._failed.pop(old, None)
        left = counted(self._sync, task.progress)  # what had arrived of this run is not in the replica yet
        task.move(replace(left, status=Status.ERROR, problem=met, waits_for=""))

    def _told_of(self, name: str) -> Task | None:
        """The object that a signal is of: of the run that has begun, and not of one that waits for its end."""
        found = self._running.get(name.casefold())
        return None if found is None else _begun(found[1], name.casefold())

    def _task(self, name: str) -> Task | None:
        found = self._running.get(name.casefold())
        return None if found is None else found[0]


def _falls_short(under_way: tuple[Task, _Work], losing: bool) -> bool:
    """Whether who joined this run would not get what he wants: it was cancelled, or would refuse the loss."""
    task, work = under_way
    return work.stop.is_set() or (losing and task.progress.object_name.casefold() not in work.accepted)


def _begun(work: _Work, key: str) -> Task | None:
    """The task of this object of the run that goes on: this one, or one that it waits for."""
    if not work.begun:
        return next(filter(None, (_begun(each, key) for each in work.behind)), None)
    return next((each for each in work.tasks if each.progress.object_name.casefold() == key), None)


def _problem(error: SyncError) -> Problem:
    return Problem(error.code, error.message, error.hint)


def _percent(rows: int, total: int | None) -> float:
    # A whole hundred is for what is merged, and durable.
    return min(99.0, round(100 * rows / total, 1)) if total else 0.0
