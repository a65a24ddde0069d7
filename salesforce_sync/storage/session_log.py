"""The sync sessions of the HTTP API in SQLite: bounded in number and age, each of one server."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from datetime import datetime, timedelta
from typing import Final

from salesforce_sync.errors import Taken
from salesforce_sync.models.kept_session import KeptSession
from salesforce_sync.models.values import format_datetime, parse_datetime
from salesforce_sync.storage.claims import Claims
from salesforce_sync.storage.connections import Connections

KEPT: Final = 100
"""Sessions that have ended and can still be asked for."""

KEPT_FOR: Final = timedelta(days=7)
MOST_SERVERS: Final = 20
"""Servers of one replica at the same time."""

_KEEP = """
INSERT INTO _sync_session (session_id, server, owner, started, finished, state, told) VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (session_id) DO UPDATE SET
    server = excluded.server, finished = excluded.finished, state = excluded.state, told = excluded.told
"""
_FORGET = f"""
DELETE FROM _sync_session WHERE finished < ? OR rowid IN (
    SELECT rowid FROM _sync_session WHERE finished IS NOT NULL
    ORDER BY finished DESC, rowid DESC LIMIT -1 OFFSET {KEPT})
"""
_ALL = "SELECT server, session_id, owner, started, finished, state, told FROM _sync_session ORDER BY rowid"


class SessionLog:
    """Keeps sessions for one server; `enter` before anything else, `leave` at the end.

    A server has a duty for as long as it lives, by whose name its sessions are known: that of a dead one is free.
    """

    def __init__(self, connections: Connections, claims: Claims, now: Callable[[], datetime]) -> None:
        self._connections = connections
        self._claims = claims
        self._now = now
        self._server = ""
        self._held = ExitStack()

    def enter(self, owner: str) -> tuple[KeptSession, ...]:
        """Be a server of this replica; gives the sessions of all but the living ones, oldest first.

        One that has not finished was running when its server died. `Taken` where there are twenty servers.
        """
        self._server = self._free(owner)
        with self._connections.looking() as db:
            rows = db.execute(_ALL).fetchall()
        others = {str(row[0]) for row in rows} - {self._server}
        living = {each for each in others if self._claims.is_held(each)}
        return tuple(_session(row[1:]) for row in rows if row[0] not in living)

    def _free(self, owner: str) -> str:
        for number in range(1, MOST_SERVERS + 1):
            try:
                self._held.enter_context(self._claims.duty(f"server{number}", owner))
            except Taken as taken:
                if number == MOST_SERVERS:
                    raise taken
            else:
                return f"server{number}"
        raise AssertionError("MOST_SERVERS is at least one")

    def keep(self, session: KeptSession) -> None:
        """Write down what this session has come to; what is too old, or too much, is forgotten."""
        times = (
            format_datetime(session.started),
            None if session.finished is None else format_datetime(session.finished),
        )
        row = (session.session_id, self._server, session.owner, *times, session.state, session.told.decode())
        with self._connections.writing() as db:
            db.execute(_KEEP, row)
            db.execute(_FORGET, (format_datetime(self._now() - KEPT_FOR),))

    def leave(self) -> None:
        """Be no server of this replica any more."""
        self._held.close()


def _session(row: tuple[object, ...]) -> KeptSession:
    session_id, owner, started, finished, state, told = row
    return KeptSession(
        str(session_id),
        str(owner),
        parse_datetime(str(started)),
        None if finished is None else parse_datetime(str(finished)),
        str(state),
        str(told).encode(),
    )
