"""Writes sessions into the store beside their runs, and makes those of an earlier server from it.

In a thread of its own: a merge holds the store's writer for as long as it takes, and nobody who asks, and no run, waits
for what is only a note.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from salesforce_sync.errors import Stopped, SyncError
from salesforce_sync.models.kept_session import KeptSession
from salesforce_sync.models.run import Problem
from salesforce_sync.storage.session_log import SessionLog
from salesforce_sync.web.progress import Event, ObjectProgress, SessionState, Status, state_of
from salesforce_sync.web.session import Session, Task

log = logging.getLogger(__name__)

PAUSE_SECONDS: Final = 0.5
"""Between two writings, where nobody waits: a session of many objects is written whole each time."""

UNKEPT_EVENTS: Final = 1_000_000
"""More than a session tells between two that are kept: numbers behind a restart are none that a listener has had."""

INTERRUPTED: Final = Problem(
    "INTERRUPTED",
    "The server ended before this object was synced.",
    "What had arrived is kept: sync it again, and it goes on from there.",
)


Count = Callable[[ObjectProgress], ObjectProgress]
"""Gives the progress with the rows of its object that are here."""


class _Told(Struct, frozen=True):
    """What is kept of a session as JSON."""

    events: list[Event]
    number: int
    pushed: int | None
    unsent: bool
    workbook: str | None
    deed: int | None = None


_decoder: Final = msgspec.json.Decoder(_Told)


def kept(session: Session) -> KeptSession:
    """The session as the store keeps it: one of which only what follows goes on, as it will have ended."""
    with session.still():
        closing = session.state is SessionState.RUNNING and session.closed_at is not None
        events, number = list(session.events), session.number
        if closing:
            number += 1
            events.append(Event(number, None))
        return KeptSession(
            session.session_id,
            session.owner,
            session.started,
            session.closed_at if closing else session.finished,
            str((closing and session.closing) or session.state),
            msgspec.json.encode(_Told(events, number, session.pushed, session.unsent, session.workbook, session.deed)),
        )


def restored(found: KeptSession, count: Count) -> Session:
    """The session that was kept; one that its server has not finished has ended, and says so of each object."""
    told = _decoder.decode(found.told)
    session = Session(found.owner, deed=told.deed)
    session.session_id, session.started = found.session_id, found.started
    session.pushed, session.unsent, session.workbook = told.pushed, told.unsent, told.workbook
    session.events, session.number = told.events, told.number
    for event in told.events:
        if event.progress is not None:
            name = event.progress.object_name
            session.tasks.setdefault(name.casefold(), Task(name)).progress = event.progress
    if found.finished is None:
        _interrupt(session, count)
    else:
        session.state, session.finished = SessionState(found.state), found.finished
    for task in session.tasks.values():
        task.done.set_result(task.progress)
    return session


def _left(progress: ObjectProgress, why: Problem, count: Count) -> ObjectProgress:
    """How far the object is for a session that waits for it no longer."""
    if progress.status in (Status.SYNCED, Status.ERROR):
        return progress
    return replace(count(progress), status=Status.ERROR, problem=why, waits_for="")


def end_interrupted(session: Session, count: Count) -> None:
    """End the session with its server: it tells of each object that is not synced."""
    objects = _tell_left(session, INTERRUPTED, count)
    session.end(state_of(objects, unsent=session.unsent))


def end_cancelled(session: Session, count: Count) -> None:
    """End the session, as somebody wants it: it tells of each object that is not synced."""
    stopped = Stopped()
    _tell_left(session, Problem(stopped.code, stopped.message, stopped.hint), count)
    session.end(SessionState.CANCELLED)


def _tell_left(session: Session, why: Problem, count: Count) -> tuple[ObjectProgress, ...]:
    objects = tuple(_left(each, why, count) for each in session.objects)
    told = {each.progress for each in session.events}
    for progress in objects:
        if progress not in told:
            session.note(progress)
    return objects


def _interrupt(session: Session, count: Count) -> None:
    session.number += UNKEPT_EVENTS
    for task in session.tasks.values():
        task.progress = _left(task.progress, INTERRUPTED, count)
    end_interrupted(session, count)


class Keeper:
    """Writes each session that has changed, soon."""

    def __init__(self, sessions: SessionLog) -> None:
        self._log = sessions
        self._changed = threading.Condition()
        self._waiting: dict[str, Session] = {}
        self._written: dict[str, KeptSession] = {}
        self._hurried = self._writing = self._closed = False
        self._thread: threading.Thread | None = None

    def note(self, session: Session) -> None:
        """This session has changed. From any thread."""
        with self._changed:
            if self._closed:
                return
            self._waiting[session.session_id] = session
            self._hurried = self._hurried or session.state is not SessionState.RUNNING
            if self._thread is None:
                self._thread = threading.Thread(target=self._go_on, name="keeper", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def flush(self, seconds: float) -> bool:
        """Wait until what was noted is written, so many seconds at most; gives whether it is."""
        with self._changed:
            self._hurried = True
            self._changed.notify_all()
            return self._changed.wait_for(lambda: not self._waiting and not self._writing, seconds)

    def close(self) -> None:
        """Write what is left, and end."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join()

    def _go_on(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._closed)
                if not self._waiting:
                    return
                changed, self._waiting = self._waiting, {}
                self._hurried, self._writing = False, True
            for session in changed.values():
                self._write(session)
                if session.state is not SessionState.RUNNING:
                    self._written.pop(session.session_id, None)
            with self._changed:
                self._writing = False
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._hurried or self._closed, PAUSE_SECONDS)

    def _write(self, session: Session) -> None:
        now = kept(session)
        if self._written.get(session.session_id) == now:
            return  # what is written here makes whoever watches the replica for changes look again
        try:
            self._log.keep(now)
            self._written[session.session_id] = now
        except SyncError:  # it goes on, and is told of, as long as this server lives
            log.exception("Session %s cannot be kept", session.session_id)
