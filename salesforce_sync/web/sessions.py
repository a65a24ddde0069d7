"""Sync sessions: which objects are synced for whom, how far each is, and the events that tell of it.

An object is synced at most once at a time: whoever wants one that is under way joins it. Events are numbered within
their session; every change of a status is kept, of the progress between only the last, so a listener that comes back
with the last number it had misses nothing that matters, and a session's events stay few.
"""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

from msgspec import Struct, field
from msgspec.structs import replace

from salesforce_sync.app import SFSync
from salesforce_sync.errors import BudgetSpent, LimitExceeded, Stopped, SyncError
from salesforce_sync.models.run import Problem, Run, RunState
from salesforce_sync.signals import ObjectFinished, ObjectStarted, Progress
from salesforce_sync.web.runs import Runs

log = logging.getLogger(__name__)

KEPT: Final = 100
"""Sessions that have ended and can still be asked for."""

MOST_FAILED: Final = 1_000
"""Names whose last failure is remembered."""


Check = Callable[[Sequence[str]], Mapping[str, SyncError]]
After = Callable[["Session", "SessionState"], None]


class Status(StrEnum):
    """How far an object is; the words that were promised."""

    PENDING = "pending"
    SYNCING = "syncing"
    SYNCED = "synced"
    ERROR = "error"


class SessionState(StrEnum):
    """How far a session is."""

    RUNNING = "running"
    COMPLETE = "complete"
    PARTIAL = "partial"
    FAILED = "failed"
    CANCELLED = "cancelled"


class ObjectProgress(Struct, frozen=True):
    """How far one object is. `percent` is of its rows; `rows_per_second` since it was begun."""

    object_name: str
    status: Status = Status.PENDING
    record_count: int = 0
    total_size: int | None = None
    percent: float = 0.0
    rows_per_second: float = 0.0
    calls: int = 0
    waits_for: str = ""
    changed: int = 0
    synced_at: datetime | None = None
    problem: Problem | None = None


class Event(Struct, frozen=True):
    """What a session tells its listeners: how far one object is, or, at its end, how it ended."""

    number: int
    progress: ObjectProgress | None


class Task:
    """One object on its way, for every session that wants it."""

    def __init__(self, name: str) -> None:
        self.progress = ObjectProgress(name)
        self.done: Future[ObjectProgress] = Future()
        self.began = time.monotonic()
        self.sessions: list[Session] = []

    def move(self, progress: ObjectProgress) -> None:
        """Tell every session that wants this object how far it is."""
        self.progress = progress
        for session in self.sessions:
            session.note(progress)
        if progress.status in (Status.SYNCED, Status.ERROR) and not self.done.done():
            self.done.set_result(progress)


class Session:
    """Some objects that somebody wants to be synced."""

    def __init__(self, owner: str, after: After) -> None:
        """`after` is told how it ended, in the run's thread, just before everybody else is."""
        self.after = after
        self.session_id = f"sync_{secrets.token_hex(12)}"
        self.owner = owner
        self.started = datetime.now(UTC)
        self.finished: datetime | None = None
        self.state = SessionState.RUNNING
        self.closing: SessionState | None = None
        self.pushed: int | None = None
        self.unsent = False
        self.workbook: str | None = None
        self.tasks: dict[str, Task] = {}
        self.answered: set[str] = set()
        self._events: list[Event] = []
        self._number = 0
        self._lock = threading.Lock()
        self._listeners: list[Callable[[], None]] = []

    @property
    def objects(self) -> tuple[ObjectProgress, ...]:
        """How far each object is, in the order in which they were asked for."""
        # A copy first: another thread may add an object meanwhile.
        return tuple(task.progress for task in tuple(self.tasks.values()))

    @property
    def open(self) -> bool:
        """Whether it takes further objects: it has not ended, and what follows its last one has not begun."""
        return self.state is SessionState.RUNNING and self.closing is None

    def note(self, progress: ObjectProgress) -> None:
        """Add an event; progress within one status takes the place of the one before."""
        with self._lock:
            if self.state is not SessionState.RUNNING:
                return
            before = next((each for each in reversed(self._events) if _is_of(each, progress.object_name)), None)
            if before is not None and before.progress is not None and before.progress.status is progress.status:
                self._events.remove(before)
            self._append(progress)
        self._wake()

    def end(self, state: SessionState) -> None:
        """Add the last event."""
        with self._lock:
            if self.state is not SessionState.RUNNING:
                return
            self.state, self.finished = state, datetime.now(UTC)
            self._append(None)
        self._wake()

    def _append(self, progress: ObjectProgress | None) -> None:
        self._number += 1
        self._events.append(Event(self._number, progress))

    def events_after(self, number: int) -> tuple[list[Event], bool]:
        """What was told since that event, and whether it is all there will ever be.

        An event that was never told is none that the listener can have had: he gets everything.
        """
        with self._lock:
            number = number if number <= self._number else 0
            return [each for each in self._events if each.number > number], self.state is not SessionState.RUNNING

    @contextmanager
    def listening(self, wake: Callable[[], None]) -> Iterator[None]:
        """Call `wake`, from any thread, whenever something was told."""
        with self._lock:
            self._listeners.append(wake)
        try:
            yield
        finally:
            with self._lock:
                self._listeners.remove(wake)

    def _wake(self) -> None:
        with self._lock:
            listeners = tuple(self._listeners)
        for wake in listeners:
            wake()


def _is_of(event: Event, object_name: str) -> bool:
    return event.progress is not None and event.progress.object_name == object_name


class _Work(Struct):
    """One run of the engine, and the sessions that still want it.

    `behind` are runs that nobody wants any more and that have not ended yet: it begins once they are `over`.
    """

    tasks: list[Task]
    stop: threading.Event = field(default_factory=threading.Event)
    wanted_by: set[str] = field(default_factory=set)
    behind: list[_Work] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)
    begun: bool = False


class Sessions:
    """The sync sessions of one replica; they go in the threads of `runs`."""

    def __init__(self, sync: SFSync, runs: Runs, check: Check) -> None:
        """`check` says which names are no objects of the org; it is called in the run's thread."""
        self._sync = sync
        self._runs = runs
        self._check = check
        self._lock = threading.RLock()
        self._running: dict[str, tuple[Task, _Work]] = {}
        self._sessions: dict[str, Session] = {}
        self._failed: dict[str, Problem] = {}
        # Not `on`, whose listeners may hear of an object after its run has ended, and another has begun.
        sync.watch(ObjectStarted.name, self._started)
        sync.watch(Progress.name, self._moved)
        sync.watch(ObjectFinished.name, self._ended)

    # ── asking ───────────────────────────────────────────────────────────────────────────────────────────────────

    def begin(self, names: Sequence[str], owner: str, after: After = lambda session, state: None) -> Session:
        """Sync these objects, in a session of their own; those that are under way are joined."""
        session = Session(owner, after)
        with self._lock:
            self._sessions[session.session_id] = session
            self._forget_old()
            self._want(session, names)
        return session

    def join(self, session: Session, name: str) -> Task:
        """The object within this session: what it already brought, once; else it is synced now."""
        with self._lock:
            key = name.casefold()
            task = session.tasks.get(key)
            spent = key in session.answered or (task is not None and task.progress.status is Status.ERROR)
            if task is None or (task.done.done() and spent) or session.state is SessionState.CANCELLED:
                return self._anew(session, name)
            session.answered.add(key)
            return task

    def _anew(self, session: Session, name: str) -> Task:
        wanting = session if session.open else self.begin((), session.owner)
        self._want(wanting, (name,))
        return wanting.tasks[name.casefold()]

    def find(self, session_id: str) -> Session | None:
        """The session of this id."""
        return self._sessions.get(session_id)

    def all(self) -> tuple[Session, ...]:
        """The sessions that are known, newest first."""
        return tuple(reversed(self._sessions.values()))

    def cancel(self, session: Session) -> None:
        """End the session; runs that no other session wants end at their next whole page.

        One whose objects are all done ends as what it is; what follows it goes on.
        """
        with self._lock:
            closing = session.closing
            for work in {id(work): work for _, work in self._running.values()}.values():
                work.wanted_by.discard(session.session_id)
                if not work.wanted_by:
                    work.stop.set()
            session.closing = closing or SessionState.CANCELLED
        if closing is not None:
            session.end(closing)
        elif session.state is SessionState.RUNNING:
            session.end(SessionState.CANCELLED)
            session.after(session, SessionState.CANCELLED)

    @property
    def busy(self) -> bool:
        """Whether a run goes on, or waits for a thread."""
        return bool(self._running)

    def stop(self) -> None:
        """End every run at its next whole page, and every session."""
        for session in self.all():
            self.cancel(session)

    def under_way(self, name: str) -> ObjectProgress | None:
        """How far this object is, if it is under way."""
        task = self._task(name)
        return None if task is None else task.progress

    def _want(self, session: Session, names: Sequence[str]) -> None:
        own: list[Task] = []
        behind: list[_Work] = []
        for name in names:
            under_way = self._running.get(name.casefold())
            if under_way is not None and under_way[0].done.done():
                under_way = None  # its run goes on with other objects; what has changed since would be missed
            elif under_way is not None and under_way[1].stop.is_set():
                behind.append(under_way[1])  # it was cancelled: whoever joined it would get nothing
                under_way = None
            task = Task(name) if under_way is None else under_way[0]
            session.tasks[name.casefold()] = task
            task.sessions.append(session)
            session.note(task.progress)
            if under_way is None:
                own.append(task)
            else:
                under_way[1].wanted_by.add(session.session_id)
        if own:
            work = _Work(own, wanted_by={session.session_id}, behind=behind)
            self._running |= {task.progress.object_name.casefold(): (task, work) for task in own}
            self._runs.submit(lambda: self._carry_out(work))

    def _forget_old(self) -> None:
        ended = [each for each in self._sessions.values() if each.state is not SessionState.RUNNING]
        for session in ended[:-KEPT]:
            del self._sessions[session.session_id]

    # ── running ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _carry_out(self, work: _Work) -> None:
        run, error = None, SyncError("The run ended without a word of this object.", code="INTERNAL_ERROR")
        for each in work.behind:
            each.over.wait()
        work.begun = True
        try:
            names = self._sound_names(work)
            run = self._sync.sync(*names, stop=work.stop) if names else None
        except SyncError as met:
            error = met
        except Exception as met:  # the door of a thread: whoever waits must be told, whatever it was
            log.exception("A sync failed")
            error = SyncError(f"{type(met).__name__}.", code="INTERNAL_ERROR", hint="See the server's log.")
        self._settle(work, error)
        wanting = {session.session_id: session for task in work.tasks for session in task.sessions}
        for session in wanting.values():
            self._note_edits(session, run)
            self._close_if_done(session)

    def _sound_names(self, work: _Work) -> list[str]:
        """The objects to sync; those that the org does not have are told of at once."""
        names = {task.progress.object_name: task for task in work.tasks}
        refused = self._check(tuple(names))
        for name, error in refused.items():
            self._fail(names[name], _problem(error))
        if work.stop.is_set():
            raise Stopped()
        return [name for name in names if name not in refused]

    def _settle(self, work: _Work, error: SyncError) -> None:
        """Whatever is still open of this run has met the error; and the objects are free for another run."""
        with self._lock:
            for task in work.tasks:
                if not task.done.done():
                    self._fail(task, _problem(error))
                key = task.progress.object_name.casefold()
                if key in self._running and self._running[key][0] is task:
                    del self._running[key]
        work.over.set()

    def _note_edits(self, session: Session, run: Run | None) -> None:
        if run is None:
            return
        session.unsent = session.unsent or not run.sent
        if run.pushed is not None:
            session.pushed = (session.pushed or 0) + run.pushed.count("applied")

    def _close_if_done(self, session: Session) -> None:
        with self._lock:  # two runs may end at once, and somebody may cancel it
            if not session.open or not all(task.done.done() for task in session.tasks.values()):
                return
            state = session.closing = _state_of(session)
        try:
            session.after(session, state)
        except Exception:  # the rows are here: a workbook that cannot be made must not leave the session open for ever
            log.exception("What follows session %s failed", session.session_id)
        session.end(state)

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
        task.move(replace(task.progress, status=Status.ERROR, problem=met, waits_for=""))

    def failure(self, name: str) -> Problem | None:
        """What the last sync of this object here has met, if it failed: one that never reached the org left no run."""
        return self._failed.get(name.casefold())

    def _told_of(self, name: str) -> Task | None:
        """The object that a signal is of: not one whose run waits for the end of the run that the signal is of."""
        found = self._running.get(name.casefold())
        return found[0] if found is not None and found[1].begun else None

    def _task(self, name: str) -> Task | None:
        found = self._running.get(name.casefold())
        return None if found is None else found[0]


def _problem(error: SyncError) -> Problem:
    return Problem(error.code, error.message, error.hint)


def _percent(rows: int, total: int | None) -> float:
    # A whole hundred is for what is merged, and durable.
    return min(99.0, round(100 * rows / total, 1)) if total else 0.0


def _state_of(session: Session) -> SessionState:
    states = {each.status for each in session.objects}
    if states <= {Status.SYNCED}:
        return SessionState.PARTIAL if session.unsent else SessionState.COMPLETE
    return SessionState.PARTIAL if Status.SYNCED in states else SessionState.FAILED
