"""The sync sessions of one replica: begun, joined, cancelled, ended, and found again after a restart."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Final

from msgspec import Struct

from salesforce_sync.app import SFSync
from salesforce_sync.app.process import me
from salesforce_sync.models.run import Problem, Run
from salesforce_sync.storage.session_log import KEPT
from salesforce_sync.web.counting import counted
from salesforce_sync.web.keeping import INTERRUPTED, Keeper, end_cancelled, end_interrupted, restored
from salesforce_sync.web.progress import ObjectProgress, SessionState, Status, state_of
from salesforce_sync.web.runs import Runs
from salesforce_sync.web.session import After, Session, Task, nothing
from salesforce_sync.web.works import Names, Works

log = logging.getLogger(__name__)

KEEPING_SECONDS: Final = 1.0
"""How long the beginning of a session waits until it is written down, behind a merge perhaps."""

STOPPING_SECONDS: Final = 0.3
"""The same, of how all sessions have ended, where the server ends."""


class _Interruption(Struct, frozen=True):
    """What an object has met whose server ended before it was synced; `began`: when the session did."""

    object_name: str
    began: datetime
    problem: Problem


class Sessions:
    """The sync sessions of one replica; they go in the threads of `runs`."""

    def __init__(self, sync: SFSync, runs: Runs, names: Names, interrupted: Callable[[int], None]) -> None:
        """`interrupted` is called with the deed of each session whose server has ended before it did."""
        self._works = Works(sync, runs, names, self._ended)
        self._count = partial(counted, sync)
        self._lock = self._works.lock
        self._log = sync.session_log
        self._keeper = Keeper(self._log)
        self._sessions: dict[str, Session] = {}
        self._interruptions: dict[str, _Interruption] = {}
        for found in self._log.enter(me()):
            self._sessions[found.session_id] = restored(found, self._count)
            self._note_interruptions(self._sessions[found.session_id])
            if found.finished is None:
                self._found_interrupted(self._sessions[found.session_id], interrupted)

    def _found_interrupted(self, session: Session, interrupted: Callable[[int], None]) -> None:
        self._keeper.note(session)
        if session.deed is not None:
            interrupted(session.deed)

    def _note_interruptions(self, session: Session) -> None:
        """What this session of an earlier server has come to takes the place of what one before it has."""
        for each in session.objects:
            self._interruptions.pop(each.object_name.casefold(), None)
            if each.problem is not None and each.problem.code == INTERRUPTED.code:
                found = _Interruption(each.object_name, session.started, each.problem)
                self._interruptions[each.object_name.casefold()] = found

    # ── asking ───────────────────────────────────────────────────────────────────────────────────────────────────

    def begin(
        self,
        names: Sequence[str],
        owner: str,
        after: After = nothing,
        *,
        deed: int | None = None,
        accepted: frozenset[str] = frozenset(),
    ) -> Session:
        """Sync these objects, in a session of their own; those that are under way are joined.

        Those that are `accepted` may lose any number of rows.
        """
        with self._lock:
            session = self._new(owner, after, deed)
            self._works.want(session, names, accepted)
        self._keeper.flush(KEEPING_SECONDS)
        return session

    def _new(self, owner: str, after: After = nothing, deed: int | None = None) -> Session:
        session = Session(owner, after, self._keeper.note, deed=deed)
        self._sessions[session.session_id] = session
        self._forget_old()
        return session

    def join(self, session: Session, name: str) -> Task | None:
        """The object within this session: what that brings of it, once; None where it is to be synced now."""
        with self._lock:
            key = name.casefold()
            task = session.tasks.get(key)
            spent = key in session.answered or (task is not None and task.progress.status is Status.ERROR)
            over = (task is not None and task.done.done() and spent) or session.state is SessionState.CANCELLED
            if task is None or over:
                return None
            session.answered.add(key)
            return task

    def add(self, session: Session, name: str, accepted: frozenset[str] = frozenset()) -> Task | None:
        """Sync the object now, within this session; None where the session takes no more.

        One that is `accepted` may lose any number of rows: what the session brings of it may be refused yet.
        """
        with self._lock:
            if not session.open:
                return None
            self._works.want(session, (name,), accepted)
            session.answered.add(name.casefold())
            return session.tasks[name.casefold()]

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
            self._works.abandon(session)
            session.closing = closing or SessionState.CANCELLED
        if closing is not None:
            session.end(closing)
        elif session.state is SessionState.RUNNING:
            end_cancelled(session, self._count)
            session.after(session, SessionState.CANCELLED)

    @property
    def busy(self) -> bool:
        """Whether a run goes on, or waits for a thread."""
        return self._works.busy

    def stop(self) -> None:
        """End every run at its next whole page, and every session: it says what is not synced, as after a crash."""
        for session in self.all():
            self._interrupt(session)
        self._keeper.flush(STOPPING_SECONDS)

    def _interrupt(self, session: Session) -> None:
        with self._lock:
            was_open = session.open
            session.interrupted = was_open
            if was_open:
                self._works.abandon(session)
                session.closing = SessionState.CANCELLED
        if not was_open:
            self.cancel(session)
            return
        end_interrupted(session, self._count)
        session.after(session, SessionState.CANCELLED)

    def keep(self, session: Session) -> None:
        """Write down what the session has come to, and wait for that a moment."""
        self._keeper.note(session)
        self._keeper.flush(KEEPING_SECONDS)

    def close(self) -> None:
        """Write down what is left to be written; for when no run goes on any more."""
        self._keeper.close()
        self._log.leave()

    def under_way(self, name: str) -> ObjectProgress | None:
        """How far this object is, if it is under way."""
        return self._works.under_way(name)

    def failure(self, name: str) -> Problem | None:
        """What the last sync of this object here has met, if it failed."""
        return self._works.failure(name)

    def interruption(self, name: str, last: datetime | None) -> Problem | None:
        """What cut the last sync of this object off, if its server ended before it did.

        `last` is when the last run of the object, of any process, has ended: one that ended later makes up for it.
        """
        found = self._interruptions.get(name.casefold())
        return None if found is None or (last is not None and last >= found.began) else found.problem

    @property
    def interrupted(self) -> tuple[str, ...]:
        """The objects whose sync was cut off with an earlier server."""
        return tuple(each.object_name for each in self._interruptions.values())

    def _forget_old(self) -> None:
        ended = [each for each in self._sessions.values() if each.state is not SessionState.RUNNING]
        for session in ended[:-KEPT]:
            del self._sessions[session.session_id]

    # ── ending ───────────────────────────────────────────────────────────────────────────────────────────────────

    def _ended(self, session: Session, run: Run | None) -> None:
        self._note_edits(session, run)
        self._close_if_done(session)

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
            state = session.closing = state_of(session.objects, unsent=session.unsent)
            session.closed_at = datetime.now(UTC)
        try:
            session.after(session, state)
        except Exception:  # the rows are here: a workbook that cannot be made must not leave the session open for ever
            log.exception("What follows session %s failed", session.session_id)
            state = SessionState.PARTIAL if state is SessionState.COMPLETE else state
        session.end(state)
