"""The one place that sends a request to the org's API: session, retries, limits and errors.

A session that ended is renewed once for all workers. A request is sent again only if that cannot do anything twice.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from salesforce_sync.api.auth import Sessions
from salesforce_sync.api.budget import at, look_again
from salesforce_sync.api.bulk_door import BulkDoor
from salesforce_sync.api.meter import Meter
from salesforce_sync.api.org_text import said
from salesforce_sync.api.page_sizes import PageSizes
from salesforce_sync.api.responses import NOT_SALESFORCE, Refusal, error_for, read_refusal, redirected
from salesforce_sync.api.retry import LONGEST_EFFORT, Fate, fate, pause, read_retry_after, undone
from salesforce_sync.api.versions import listed, unknown
from salesforce_sync.api.wire import Incoming, NotSent, Outgoing, Wire, org_time
from salesforce_sync.errors import LimitExceeded, LocatorExpired, NeedsPerson, SyncError, Unreachable
from salesforce_sync.models.connection import Session
from salesforce_sync.models.page import Priority
from salesforce_sync.ports import Clock

log = logging.getLogger("salesforce_sync.api")

CALLER = "client=salesforce-sync"
MAX_HEAD = 16_384
"""Bytes of URI and headers together that Salesforce takes (REST guide: 414, 431)."""

_HEAD_SLACK = 768
"""For the headers that the HTTP client, and proxies on the way, add."""

_RENEWALS = 3

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Call:
    """One API call. `path` is below the version's root, or begins with `/services/`; `doing` says it in words.

    `repeatable`: sending it twice does no harm. `session`: only that one can make the call (a query locator belongs to
    the session that made it). `priority`: who has to stop first when the day's calls run out. `refused` makes the
    error of a refusal, where the usual one would say less. A `body` that holds the session is made for each try.
    """

    doing: str
    path: str
    method: str = "GET"
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes | Callable[[Session], bytes] | None = field(default=None, repr=False)
    repeatable: bool = True
    session: Session | None = None
    priority: Priority = Priority.PULL
    refused: Callable[[Refusal, str], SyncError] = error_for


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole successful answer. `asked` is the org's own time (UTC) just before it was asked, if the org told one.

    `modified` is its Last-Modified, as it came.
    """

    body: bytes = field(repr=False)
    session: Session
    asked: datetime | None
    modified: str | None = None


class _Refused(Exception):
    """The org answered, and not with a success."""

    def __init__(self, refusal: Refusal, retry_after: float | None) -> None:
        super().__init__(refusal.code)
        self.refusal = refusal
        self.retry_after = retry_after


class Transport:
    """Sends calls. Safe for several threads."""

    def __init__(
        self,
        wire: Wire,
        sessions: Sessions,
        meter: Meter,
        clock: Clock,
        api_version: str,
        set_in: str = "config.yaml",
    ) -> None:
        """`set_in` is the file in which a person sets the version."""
        self._version = api_version.removeprefix("v")
        self._set_in = set_in
        self._version_is_known = False
        self._wire = wire
        self._sessions = sessions
        self._meter = meter
        self._clock = clock
        self._told: tuple[datetime, float] | None = None
        self.bulk_door = BulkDoor(clock)
        self.page_sizes = PageSizes()
        self.root = f"/services/data/v{self._version}"

    def send(self, call: Call) -> Answer:
        """Make the call and read the whole answer; raises the narrowest error of ours where there is none."""

        def read(incoming: Incoming, session: Session, started: float) -> Answer:
            with closing(incoming):
                asked = org_time(incoming.header("date"), self._clock.monotonic() - started)
                return Answer(incoming.read(), session, asked, incoming.header("last-modified"))

        return self._persist(call, read)

    def open(self, call: Call) -> Incoming:
        """Make the call and give the answer while its body is still on its way; the caller reads and closes it."""
        return self._persist(call, lambda incoming, session, started: incoming)

    def fits(self, path: str, headers: tuple[tuple[str, str], ...] = ()) -> bool:
        """Whether Salesforce would take a request line and headers as long as this call's."""
        return self.room(path, headers) >= 0

    def room(self, path: str, headers: tuple[tuple[str, str], ...] = ()) -> int:
        """Bytes by which this call's request line could be longer; below zero where it is too long already."""
        session = self._sessions.current()
        sent = self._headers(Call("", path, headers=headers), session)
        size = len(session.instance_url) + len(self._path(path)) + sum(len(k) + len(v) + 4 for k, v in sent.items())
        return MAX_HEAD - _HEAD_SLACK - size

    def said(self, text: str) -> str:
        """What the org said within an answer, fit to be shown."""
        return said(text, [self._sessions.current().access_token])

    def session(self) -> Session:
        """The session that calls are made with now."""
        return self._sessions.current()

    def renew(self, stale: Session) -> None:
        """Get a new session, unless another worker has: for an answer that tells within of a session that ended."""
        self._sessions.renew(stale)

    def time(self) -> datetime | None:
        """The org's time now (UTC), by its last answer; asked for if none came yet. Never later than it really is.

        The list of versions needs no session and counts as no API call (REST guide, List Available REST API Versions).
        """
        if self._told is None:
            with suppress(Unreachable), closing(self._list_versions()) as incoming:
                self._note_time(incoming)
        if self._told is None:
            return None
        told, came = self._told
        return (told + timedelta(seconds=self._clock.monotonic() - came)).astimezone(UTC)

    def _list_versions(self) -> Incoming:
        outgoing = Outgoing("GET", f"{self.session().instance_url}/services/data/", {"Accept": "application/json"})
        return self._wire.open(outgoing)

    def _wrong_version(self) -> SyncError | None:
        """What to say if the org does not have the API version that is set, as far as it has not answered by it yet.

        It is looked up once, for no API call; for one where the list leaves the version out, which may answer all the
        same.
        """
        if self._version_is_known:
            return None
        known: tuple[str, ...] = ()
        with suppress(Unreachable), closing(self._list_versions()) as incoming:
            known = listed(incoming.read()) if incoming.ok else ()
        self._version_is_known = self._version in known
        if known and not self._version_is_known:
            self._ask_version()
        return None if self._version_is_known else unknown(self._version, known, self._set_in)

    def _ask_version(self) -> None:
        """Ask the version for its resources: where it has them, the version is known."""
        call = Call("ask for the API version", "")
        with suppress(Unreachable, LimitExceeded, _Refused):
            self._once(call, self._session_for(call), lambda incoming, session, started: incoming.close())

    def _note_time(self, incoming: Incoming) -> None:
        told = org_time(incoming.header("date"), 0.0)
        if told is not None:
            self._told = told, self._clock.monotonic()

    def _persist(self, call: Call, take: Callable[[Incoming, Session, float], T]) -> T:
        """Try until it works, or until trying again would be wrong."""
        tried = renewals = 0
        began = self._clock.monotonic()
        while True:
            session = self._session_for(call)
            after: float | None = None
            try:
                return self._once(call, session, take)
            except Unreachable as broken:
                error: SyncError = broken
                verdict = Fate.AGAIN if call.repeatable or isinstance(broken, NotSent) else Fate.STOP
            except _Refused as no:
                error, after = self._error(call, no.refusal), no.retry_after
                verdict = _verdict(call, no.refusal)
            if verdict is Fate.RENEW and renewals < _RENEWALS:
                renewals = _RENEWALS if self._sessions.renew(session) else renewals + 1
                continue
            tried += 1
            patient = self._clock.monotonic() - began < LONGEST_EFFORT
            seconds = pause(tried, after, random.random()) if verdict is Fate.AGAIN and patient else None
            if seconds is None:
                raise error
            log.info("Trying to %s again in %.1f s: %s", call.doing, seconds, error.message)
            self._clock.sleep(seconds)

    def _error(self, call: Call, refusal: Refusal) -> SyncError:
        error = call.refused(refusal, call.doing)
        if refusal.status == 410 or (refusal.status, refusal.code) == (404, "NOT_FOUND"):
            # Nothing below an unknown version is there: without a look the object itself would seem to be missing.
            return self._wrong_version() or error
        if not isinstance(error, LimitExceeded):
            return error
        again_at = look_again(self._clock.now())
        return LimitExceeded(error.message, hint=f"{error.hint} {at(again_at)}", again_at=again_at)

    def _session_for(self, call: Call) -> Session:
        session = self._sessions.current()
        if call.session is not None and call.session != session:
            raise LocatorExpired(
                f"The session that began to {call.doing} has ended.", hint="The query is asked anew by the new one."
            )
        return session

    def _once(self, call: Call, session: Session, take: Callable[[Incoming, Session, float], T]) -> T:
        url = session.instance_url + self._path(call.path)
        body = call.body(session) if callable(call.body) else call.body
        outgoing = Outgoing(call.method, url, self._headers(call, session), body)
        started = self._clock.monotonic()
        incoming = self._counted(outgoing, call.priority)
        self._note_time(incoming)
        if incoming.ok and is_web_page(incoming):
            incoming.close()
            raise Unreachable(f"Asked to {call.doing}, a web page answered and not Salesforce.", hint=NOT_SALESFORCE)
        if incoming.ok:
            # An answer by this version says more than a list that leaves it out.
            self._version_is_known = self._version_is_known or self._path(call.path).startswith(self.root)
            return take(incoming, session, started)
        with closing(incoming):
            refusal = read_refusal(incoming.status, incoming.read(), [session.access_token])
            refusal = redirected(refusal, incoming.header("location"))
            raise _Refused(refusal, read_retry_after(incoming.header("retry-after"), self._clock.now()))

    def _counted(self, outgoing: Outgoing, priority: Priority) -> Incoming:
        self._meter.admit(priority)
        try:
            incoming = self._wire.open(outgoing)
        except (NotSent, NeedsPerson):
            self._meter.take_back()
            raise
        except BaseException:
            self._meter.settle(None)  # the org may have seen it, and then it counts
            raise
        self._meter.settle(incoming.header("sforce-limit-info"))
        return incoming

    def _path(self, path: str) -> str:
        return path if path.startswith("/services/") else f"{self.root}/{path.lstrip('/')}"

    def _headers(self, call: Call, session: Session) -> dict[str, str]:
        return {
            "Authorization": f"Bearer {session.access_token}",
            "Accept": "application/json",
            "Sforce-Call-Options": CALLER,
            **({"Content-Type": "application/json"} if call.body is not None else {}),
            **dict(call.headers),
        }


def _verdict(call: Call, refusal: Refusal) -> Fate:
    decided = fate(refusal)
    return Fate.STOP if decided is Fate.AGAIN and not (call.repeatable or undone(refusal)) else decided


def is_web_page(incoming: Incoming) -> bool:
    """Whether a page for people came: of a login screen, a proxy or a portal. No resource of the API answers so."""
    return (incoming.header("content-type") or "").lower().startswith("text/html")
