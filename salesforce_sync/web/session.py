"""One sync session: which objects somebody wants, how far each is, and the events that tell of it.

Events are numbered within their session; every change of a status is kept, of the progress between only the last, so a
listener that comes back with the last number it had misses nothing that matters, and a session's events stay few.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from datetime import UTC, datetime

from salesforce_sync.web.progress import Event, ObjectProgress, SessionState, Status

After = Callable[["Session", SessionState], None]
Noted = Callable[["Session"], None]


def nothing(session: Session, state: SessionState) -> None:
    """What follows a session that nothing follows."""


def not_noted(session: Session) -> None:
    """What is done with the changes of a session that nobody keeps."""


class Task:
    """One object on its way, for every session that wants it."""

    def __init__(self, name: str) -> None:
        self.progress = ObjectProgress(name)
        self.done: Future[ObjectProgress] = Future()
        self.began = self.moved = time.monotonic()
        self.sessions: list[Session] = []

    def move(self, progress: ObjectProgress) -> None:
        """Tell every session that wants this object how far it is."""
        self.moved = time.monotonic()
        self.progress = progress
        for session in tuple(self.sessions):  # one may come or go meanwhile
            session.note(progress)
        if progress.status in (Status.SYNCED, Status.ERROR) and not self.done.done():
            self.done.set_result(progress)


class Session:
    """Some objects that somebody wants to be synced."""

    def __init__(
        self, owner: str, after: After = nothing, noted: Noted = not_noted, *, deed: int | None = None
    ) -> None:
        """`after` is told how it ended, in the run's thread, just before everybody else is.

        `noted` is called whenever a status has changed. `deed` is the number of the audit log's entry that began it.
        """
        self.deed = deed
        self.interrupted = False
        self.noted = noted
        self.after = after
        self.session_id = f"sync_{secrets.token_hex(12)}"
        self.owner = owner
        self.started = datetime.now(UTC)
        self.finished: datetime | None = None
        self.state = SessionState.RUNNING
        self.closing: SessionState | None = None
        self.closed_at: datetime | None = None
        self.pushed: int | None = None
        self.unsent = False
        self.workbook: str | None = None
        self.tasks: dict[str, Task] = {}
        self.answered: set[str] = set()
        self.events: list[Event] = []
        self.number = 0
        self._lock = threading.Lock()
        self._listeners: list[Callable[[], None]] = []

    @property
    def objects(self) -> tuple[ObjectProgress, ...]:
        """How far each object is, in the order in which they were asked for; once it has ended, as it last told."""
        # Copies first: another thread may add an object meanwhile.
        tasks = tuple(self.tasks.items())
        if self.state is SessionState.RUNNING:
            return tuple(task.progress for _, task in tasks)
        # An object may go on for others, to whom it is not what it was here.
        told = {each.progress.object_name.casefold(): each.progress for each in tuple(self.events) if each.progress}
        return tuple(told.get(key, task.progress) for key, task in tasks)

    @property
    def open(self) -> bool:
        """Whether it takes further objects: it has not ended, and what follows its last one has not begun."""
        return self.state is SessionState.RUNNING and self.closing is None

    def unanswered(self, name: str) -> None:
        """Whoever waited for this object was not told of it: the next who asks is."""
        self.answered.discard(name.casefold())

    def note(self, progress: ObjectProgress) -> None:
        """Add an event; progress within one status takes the place of the one before."""
        with self._lock:
            if self.state is not SessionState.RUNNING:
                return
            before = next((each for each in reversed(self.events) if _is_of(each, progress.object_name)), None)
            if before is not None and before.progress is not None and before.progress.status is progress.status:
                self.events.remove(before)
                moved = False
            else:
                moved = True
            self._append(progress)
        self._wake()
        if moved:
            self.noted(self)

    def end(self, state: SessionState) -> None:
        """Add the last event."""
        with self._lock:
            if self.state is not SessionState.RUNNING:
                return
            self.state, self.finished = state, self.closed_at or datetime.now(UTC)
            self._append(None)
        self._wake()
        self.noted(self)

    @contextmanager
    def still(self) -> Iterator[None]:
        """Nothing is told of it in the block."""
        with self._lock:
            yield

    def _append(self, progress: ObjectProgress | None) -> None:
        self.number += 1
        self.events.append(Event(self.number, progress))

    def events_after(self, number: int) -> tuple[list[Event], bool]:
        """What was told since that event, and whether it is all there will ever be.

        An event that was never told is none that the listener can have had: he gets everything.
        """
        with self._lock:
            number = number if number <= self.number else 0
            return [each for each in self.events if each.number > number], self.state is not SessionState.RUNNING

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
    # One that was begun before anybody knew how the org spells it changes its name once.
    return event.progress is not None and event.progress.object_name.casefold() == object_name.casefold()
