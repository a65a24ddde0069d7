"""`House`: what the server holds while it runs; every route finds it in the application's state."""

from __future__ import annotations

import asyncio
import hashlib
import math
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final, TypeVar

from msgspec import Struct, field

from salesforce_sync.access import INTERRUPTED, Access, Deed, Ending, KnownConnection, Limit, Throttle, User
from salesforce_sync.app import SystemClock
from salesforce_sync.config import Config
from salesforce_sync.web.browser_logins import BrowserLogins
from salesforce_sync.web.failures import Throttled
from salesforce_sync.web.guard import Bounds
from salesforce_sync.web.known import Known
from salesforce_sync.web.logging_in import Begins
from salesforce_sync.web.progress import SessionState
from salesforce_sync.web.replicas import Replica, Replicas
from salesforce_sync.web.runs import Runs
from salesforce_sync.web.session import Session

T = TypeVar("T")

RUNS: Final = 12
"""Syncs at the same time, over all connections; each has threads of its own besides."""

RUNS_OF_ONE: Final = 6
"""Syncs of one connection at the same time: an org that does not answer holds up no other one's."""

ERRANDS: Final = 12
"""What somebody waits for, and the org may take its time with, at the same time: pushes, verifies, logins. Not behind
syncs, which may take hours."""

BOOKS: Final = 3
"""Workbooks that are written, compared or taken in at the same time: each keeps a processor busy."""

PATIENCE_SECONDS: Final = 0.5
"""How long a run that was told to stop is waited for."""

QUIET_SECONDS: Final = 150.0
"""How long a request waits for a sync of which nothing is heard: longer than between two looks at a Bulk job (60 s at
the most), so that a large object, too, is answered when it is synced."""

RATE: Final = 100
"""Requests a second of one user, and a connection's half; five times as many at once."""

MOST_STREAMS: Final = 100
"""Streams that one user may follow at once: requests are 500 in all."""

MOST_COMPARED: Final = 2
"""Workbooks of one user that are compared at the same time: others want theirs compared, too."""

THREADS: Final = 8
"""Requests that only read, worked on at the same time. Each thread has a reader of the database with its own cache."""


class Limits(Struct, frozen=True):
    """How often somebody may ask."""

    user: Limit = field(default_factory=lambda: Limit(5 * RATE, per_second=RATE))
    connection: Limit = field(default_factory=lambda: Limit(10 * RATE, per_second=2 * RATE))
    syncs: Limit = field(default_factory=lambda: Limit(60, per_second=1))
    failures: Limit = field(default_factory=lambda: Limit(10, per_second=1 / 30))
    """Wrong tokens from one address."""

    additions: Limit = field(default_factory=lambda: Limit(20, per_second=1 / 60))
    """Connections that one user adds."""


def limits_at(rate: int) -> Limits:
    """The limits where a user may ask so often a second."""
    return Limits(user=Limit(5 * rate, per_second=rate), connection=Limit(10 * rate, per_second=2 * rate))


class Settings(Struct, frozen=True):
    """How the server was started."""

    bounds: Bounds = field(default_factory=Bounds)
    limits: Limits = field(default_factory=Limits)
    quiet_seconds: float = QUIET_SECONDS


class House:
    """The access database, the replicas that are open, the threads of what takes long, and the throttles."""

    def __init__(self, config: Config, settings: Settings) -> None:
        self.config = config
        self.settings = settings
        self.access = Access(config, SystemClock())
        # A browser keeps one cookie of a name for all ports of a machine: each installation has a name of its own.
        self.cookie = f"sfsync_{hashlib.sha256(os.fsencode(self.access.path.resolve())).hexdigest()[:8]}"
        self.runs, self.errands, self.books = Runs(RUNS, RUNS_OF_ONE), Runs(ERRANDS), Runs(BOOKS)
        self.replicas = Replicas(self.access, self.runs)
        self.browser_logins = BrowserLogins()
        self.logins = Begins()
        self.known = Known(self.access.path)
        self._streams: Counter[str] = Counter()
        self._comparing: Counter[str] = Counter()
        limits = settings.limits
        self.by_user, self.by_connection = Throttle(limits.user), Throttle(limits.connection)
        self.by_syncs, self.by_failures = Throttle(limits.syncs), Throttle(limits.failures)
        self.by_additions = Throttle(limits.additions)

    def throttle(self, throttle: Throttle, key: str, what: str) -> None:
        """Let the caller wait if that was too much; `what` says of what there was too much."""
        wait = throttle.take(key, time.monotonic())
        if wait:
            raise Throttled(f"Too many {what}.", hint=f"Try again in {math.ceil(wait)} s.", wait=wait)

    def add_connection(self, name: str, instance_url: str, user: User) -> KnownConnection:
        """A new connection of the user's own; `Throttled` where he adds one after the other."""
        self.throttle(self.by_additions, user.name, "new connections")
        return self.access.connections.add(name, instance_url, user)

    def check_streams(self, user: User) -> None:
        """Let the caller wait if he follows many streams already. For the thread of the event loop, as `following`."""
        if self._streams[user.name] >= MOST_STREAMS:
            raise Throttled(f"{MOST_STREAMS} streams are open already.", hint="Close one of them.", wait=5)

    @contextmanager
    def following(self, user: User) -> Iterator[None]:
        """The user follows a stream for as long as the block takes."""
        self._streams[user.name] += 1
        try:
            yield
        finally:
            self._streams[user.name] -= 1

    def comparing(self, user_name: str) -> int:
        """How many workbooks of this user are being compared."""
        return self._comparing[user_name]

    @contextmanager
    def compares(self, user: User) -> Iterator[None]:
        """A workbook of this user is compared in the block; `Throttled` where many are. For the event loop's thread."""
        if self._comparing[user.name] >= MOST_COMPARED:
            raise Throttled(
                f"{MOST_COMPARED} workbooks of yours are being compared already.", hint="Wait for one of them.", wait=5
            )
        self._comparing[user.name] += 1
        try:
            yield
        finally:
            self._comparing[user.name] -= 1

    # ── the audit log ────────────────────────────────────────────────────────────────────────────────────────────

    def deed(self, user: User, address: str, action: str, subject: str = "", detail: str = "") -> Deed:
        """What a user does, as the audit log names it."""
        return Deed(f"user:{user.name}", action, subject, f"web {address}", detail)

    @contextmanager
    def doing(self, deed: Deed) -> Iterator[Ending]:
        """Write into the log that it is begun, do it, and write how it ended."""
        with self.access.audit.doing(deed) as ending:
            yield ending

    def begin(
        self, replica: Replica, names: Sequence[str], deed: Deed, accepted: frozenset[str] = frozenset()
    ) -> Session:
        """Begin a sync session; the log says that it is begun, and how it has ended.

        `accepted` names those of the objects that may lose any number of rows.
        """
        number = self.access.audit.append(deed, "begun")

        def after(session: Session, state: SessionState) -> None:
            self._note_end(deed, session, state)

        return replica.sessions.begin(names, deed.who, after, deed=number, accepted=accepted)

    def begin_with_workbook(
        self, replica: Replica, names: Sequence[str], deed: Deed, accepted: frozenset[str] = frozenset()
    ) -> Session:
        """The same; before it ends, the workbook is made current, once."""
        number = self.access.audit.append(deed, "begun")

        def after(session: Session, state: SessionState) -> None:
            self._note_end(deed, session, state)
            if state in (SessionState.COMPLETE, SessionState.PARTIAL):
                session.workbook = replica.address("/api/workbook")
                replica.sessions.keep(session)  # before: the workbook of a replica that has changed is made once more
                try:
                    replica.workbook.current()
                except BaseException:
                    session.workbook = None
                    raise

        return replica.sessions.begin(names, deed.who, after, deed=number, accepted=accepted)

    def _note_end(self, deed: Deed, session: Session, state: SessionState) -> None:
        self.access.audit.append(deed, INTERRUPTED if session.interrupted else state.value, begun=session.deed)

    async def run(self, work: Callable[[], T]) -> T:
        """Do something that the org may take its time with in a thread of its own kind, not in one that reads."""
        return await asyncio.wrap_future(self.errands.submit(work))

    async def run_on_book(self, work: Callable[[], T]) -> T:
        """Write, compare or take in a workbook."""
        return await asyncio.wrap_future(self.books.submit(work))

    # ── life ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def stop(self) -> None:
        """Begin nothing more, and end what goes on at its next whole page."""
        self.replicas.stop()
        for threads in (self.runs, self.errands, self.books):
            threads.stop()

    def close(self) -> bool:
        """Close every file; not, and False, where a run goes on still: it may be left at any instant."""
        until = time.monotonic() + PATIENCE_SECONDS
        if not all(each.idle(max(0.0, until - time.monotonic())) for each in (self.runs, self.errands, self.books)):
            return False
        self.known.close()
        self.replicas.close()
        self.access.close()
        return True
