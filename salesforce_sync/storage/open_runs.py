"""Runs that were told to have begun, and of which no end is told yet."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import msgspec

from salesforce_sync.signals import ABANDONED, SyncFailed, SyncStarted
from salesforce_sync.storage.claims import Claims
from salesforce_sync.storage.connections import Connections
from salesforce_sync.storage.signal_log import SignalLog

_BEGUN = "INSERT INTO _sync_open_run (run_id, objects) VALUES (?, ?)"
_OPEN = "SELECT run_id FROM _sync_open_run ORDER BY rowid"
_TAKE_OUT = "DELETE FROM _sync_open_run WHERE run_id = ? RETURNING objects"

_OBJECTS = msgspec.json.Decoder(tuple[str, ...])


class OpenRuns:
    """A run has a lock file for as long as its process goes on with it, so others know whether it does."""

    def __init__(self, connections: Connections, claims: Claims, log: SignalLog) -> None:
        self._connections = connections
        self._claims = claims
        self._log = log

    @contextmanager
    def begun(self, run_id: str, objects: Sequence[str]) -> Iterator[None]:
        with self._claims.presence(_duty(run_id)):
            with self._connections.writing() as db:
                db.execute(_BEGUN, (run_id, msgspec.json.encode(list(objects)).decode()))
                self._log.write(db, SyncStarted(tuple(objects)))
                self._log.trim(db)
            yield

    def tell_abandoned(self) -> tuple[SyncFailed, ...]:
        with self._connections.looking() as db:
            runs = [str(run_id) for (run_id,) in db.execute(_OPEN)]
        gone = [each for each in runs if not self._claims.is_held(_duty(each))]
        return tuple(end for run_id in gone for end in self._told_abandoned(run_id))

    def _told_abandoned(self, run_id: str) -> list[SyncFailed]:
        """Nothing where the run has told its end since, or another process tells it."""
        with self._connections.writing() as db:
            rows = db.execute(_TAKE_OUT, (run_id,)).fetchall()
            ends = [SyncFailed(ABANDONED, _OBJECTS.decode(str(objects))) for (objects,) in rows]
            for each in ends:
                self._log.write(db, each)
        self._claims.forget(_duty(run_id))
        return ends


def _duty(run_id: str) -> str:
    return f"run-{run_id}"
