"""The session: had from the token endpoint, kept through `Keys`, renewed once for all workers.

Which forms the token endpoint has, and what it answers: Salesforce's OAuth pages (`salesforce` help, OAuth flows).
"""

from __future__ import annotations

import logging
import threading
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

from msgspec.structs import replace

from salesforce_sync.api import tokens
from salesforce_sync.api.wire import Wire, origin
from salesforce_sync.errors import NotConnected, SessionInvalid, StoreTrouble, SyncError, WrongOrg
from salesforce_sync.models.connection import Connection, LoginMethod, Session, fingerprint
from salesforce_sync.ports import Clock

log = logging.getLogger("salesforce_sync.api")


class Keys(Protocol):
    """Where the connection and the session are kept between runs (`storage.vault.Vault`)."""

    def exclusive(self) -> AbstractContextManager[None]:
        """Keep every other process and thread out of this block; the same thread may save within."""

    def room(self) -> AbstractContextManager[None]:
        """Take room on the disk before: the first `save` within works even if the disk is full by then."""

    def load(self) -> Connection | None:
        """The connection last saved."""

    def holds(self, connection: Connection) -> bool:
        """Whether the saved connection is this login, so that the saved session is this login's too."""

    def save(self, connection: Connection) -> None:
        """Keep the connection, durably before this returns."""

    def load_session(self) -> Session | None:
        """The session last saved."""

    def save_session(self, session: Session | None) -> None:
        """Keep the session, or forget it."""


class Sessions:
    """Gives the session that all workers share. A kept one is tried first, so that two runs do not log in twice."""

    def __init__(self, connection: Connection, wire: Wire, keys: Keys, clock: Clock) -> None:
        self._connection = connection
        self._wire = wire
        self._keys = keys
        self._clock = clock
        self._lock = threading.Lock()
        self._session: Session | None = None
        self._failure: tuple[float, SyncError] | None = None
        self._stranger: WrongOrg | None = None
        self._org_id: str | None = None
        self._was_kept = False

    def expect(self, org_id: str | None) -> None:
        """From now on, `WrongOrg` for whoever wants a session that is known to be another org's than this one."""
        with self._lock:
            self._org_id = org_id or self._org_id

    def current(self) -> Session:
        """The session to use now; logs in if there is none. Workers that waited for a login share its failure too."""
        came = self._clock.monotonic()
        with self._lock:
            if self._stranger is not None:
                raise self._stranger
            if self._session is None:
                self._session = self._of_one_org(self._pasted() or self._kept() or self._first_login(came))
            return self._session

    def _of_one_org(self, session: Session) -> Session:
        """The session, if it is of the same org as those before, as far as both tell."""
        self._stranger = _stranger(self._org_id, session.org_id)
        if self._stranger is not None:
            raise self._stranger
        self._org_id = self._org_id or session.org_id
        return session

    def _first_login(self, came: float) -> Session:
        if self._failure is not None and self._failure[0] >= came:
            raise self._failure[1]
        try:
            return self._log_in_once(None)[0]
        except SyncError as error:
            self._failure = self._clock.monotonic(), error
            raise

    def renew(self, stale: Session) -> bool:
        """Replace a session that the org no longer takes; the workers that ask meanwhile wait and share the new one.

        True if the new one came fresh from a login; False if it had been kept by another process and may be stale too.
        `WrongOrg`, from then on, if it is another org's: a sandbox that is made anew keeps its address, and a run that
        began with the old one must not end with the new one.
        """
        with self._lock:
            if self._stranger is not None:
                raise self._stranger
            if self._session is not None and self._session != stale:
                return True
            self._session = None
            session, fresh = self._renewed(stale)
            self._session = self._of_one_org(session)
            return fresh

    def _renewed(self, stale: Session) -> tuple[Session, bool]:
        if self._pasted() is not None:
            hint = "Log in again: run 'salesforce-sync connect'. Where SF_ACCESS_TOKEN is set, it has to be a new one."
            raise SessionInvalid("The pasted session has ended or is not one of this org.", hint=hint)
        kept = self._kept()
        return (kept, False) if kept is not None and kept != stale else self._log_in_once(stale)

    def login(self) -> Session:
        """A session fresh from the org, whatever was kept. A pasted one is given as it is."""
        with self._lock:
            self._session = self._of_one_org(self._pasted() or self._log_in())
            return self._session

    def adopt(self, session: Session) -> None:
        """Use this one, which a login outside of this class has given."""
        with self._lock:
            self._session = self._of_one_org(session)

    def _pasted(self) -> Session | None:
        connection = self._connection
        if connection.method is not LoginMethod.PASTED_SESSION:
            return None
        return Session(origin(connection.instance_url), connection.access_token or "")

    def _kept(self) -> Session | None:
        """The kept session, if it is one of this very login: never another org's or another user's."""
        return self._keys.load_session() if self._is_kept() else None

    def _is_kept(self) -> bool:
        """Whether the kept login is this one. `NotConnected` where it was, and has been forgotten or replaced since.

        What such a login gave would be kept in the place of the new one, or of none.
        """
        kept = self._keys.holds(self._connection)
        if self._was_kept and not kept:
            raise NotConnected(
                "The login that was used here has been forgotten, or replaced by another one.",
                hint="Try again: the next run takes the login that is kept now. Where there is none: `connect`.",
            )
        self._was_kept = kept
        return kept

    def _log_in_once(self, stale: Session | None) -> tuple[Session, bool]:
        """A session other than the stale one, and whether it is fresh: another process may have got one meanwhile.

        Two that sent the same rotating refresh token would end the login for good.
        """
        with self._keys.exclusive():
            kept = self._kept()
            if kept is not None and kept != stale:
                return kept, False
            return self._log_in(), True

    def _log_in(self) -> Session:
        with self._keys.exclusive():
            connection = self._connection = self._newest()
            rotates = connection.method is LoginMethod.REFRESH_TOKEN
            with self._keys.room() if rotates else nullcontext():
                granted = tokens.request(connection, self._wire, self._clock)
                if granted.refresh_token not in (None, connection.refresh_token):
                    self._keep_rotated(granted.refresh_token)
            instance = origin(granted.instance_url or connection.instance_url)
            session = Session(instance, granted.access_token, granted.told_org, granted.told_user)
            self._keep(session)
            return session

    def _keep(self, session: Session) -> None:
        """Spare other runs a login, where that can be done."""
        try:
            if self._is_kept():
                self._keys.save_session(session)
        except StoreTrouble as trouble:
            log.warning("The new session is not kept for other runs: %s", trouble)

    def _newest(self) -> Connection:
        """The connection with the refresh token that is good now: another process may have rotated ours.

        Using an old one again would make Salesforce revoke the new one and all its sessions.
        """
        ours = self._connection
        if not self._is_kept() or ours.method is not LoginMethod.REFRESH_TOKEN:
            return ours
        return self._keys.load() or ours

    def _keep_rotated(self, refresh_token: str | None) -> None:
        """Make a rotated refresh token durable before anything else happens: the old one is dead already."""
        ours = self._connection
        first = ours.origin or fingerprint(ours.refresh_token or "")
        self._connection = replace(ours, refresh_token=refresh_token, origin=first)
        self._keys.save(self._connection)


def _stranger(before: str | None, now: str | None) -> WrongOrg | None:
    """What is wrong where the new session is another org's, as far as both tell."""
    if None in (before, now) or before == now:
        return None
    return WrongOrg(
        f"The login leads to another org since: to {now}, and it was {before}.",
        hint="A sandbox that was refreshed is another org. Give it a database of its own: another storage.path.",
    )
