"""The daemon's desk in SQLite: what was asked of it, what it told of itself, and what of the outbox could be sent."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

import msgspec

from salesforce_sync.models.duty import DaemonState, SyncRequest, Waiting
from salesforce_sync.models.values import format_datetime, parse_datetime
from salesforce_sync.signals import SyncRequested
from salesforce_sync.storage.connections import Connections
from salesforce_sync.storage.signal_log import SignalLog

_ASK = "INSERT INTO _sync_request (at, who, objects) VALUES (?, ?, ?)"
_KEEP_REQUESTS = "DELETE FROM _sync_request WHERE number <= ? - 1000"
_REQUESTS = "SELECT number, at, who, objects, taken_at, done_at, state FROM _sync_request"
_TAKE = "UPDATE _sync_request SET taken_at = ? WHERE number = ?"
_DONE = "UPDATE _sync_request SET done_at = ?, state = ? WHERE number = ?"
_NOTE = """
INSERT INTO _sync_daemon (only, owner, pid, started_at, told_at, doing, next, not_before, problem, problem_at, events)
VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (only) DO UPDATE SET owner = excluded.owner, pid = excluded.pid, started_at = excluded.started_at,
    told_at = excluded.told_at, doing = excluded.doing, next = excluded.next, not_before = excluded.not_before,
    problem = excluded.problem, problem_at = excluded.problem_at, events = excluded.events
"""
_STATE = """
SELECT owner, pid, started_at, told_at, doing, next, not_before, problem, problem_at, events
FROM _sync_daemon WHERE only = 1
"""
_MARK = """
SELECT max(number) || ' ' || max(edited_at), printf('%d %d %d %d', count(*), total(state = 'waiting'), total(attempts),
    total(not_before IS NULL OR not_before <= ?)) FROM _sync_outbox
"""
_READY = """
SELECT EXISTS (SELECT 1 FROM _sync_outbox WHERE sending IS NOT NULL
    OR (state = 'waiting' AND (not_before IS NULL OR not_before <= ?)))
"""
_PUT_OFF = "SELECT min(not_before) FROM _sync_outbox WHERE state = 'waiting' AND sending IS NULL AND not_before > ?"
_LAST = "SELECT object_name, started, state, max(id) FROM _sync_run GROUP BY object_name"
"""The last that was noted, and not that of the latest time: the clock may have been years ahead, once."""


_TIMES = msgspec.json.Decoder(dict[str, datetime])
_WORDS = msgspec.json.Decoder(dict[str, str])
_NAMES = msgspec.json.Decoder(tuple[str, ...])


class Desk:
    """The daemon's part of the SQLite store; `ports.Desk` says what each call promises."""

    def __init__(self, connections: Connections, now: Callable[[], datetime], log: SignalLog) -> None:
        self._connections = connections
        self._now = now
        self._log = log

    def version(self) -> int:
        return self._connections.version()

    # ── requests ─────────────────────────────────────────────────────────────────────────────────────────────────

    def ask(self, who: str, objects: Sequence[str]) -> SyncRequest:
        at = self._now()
        with self._connections.writing() as db:
            db.execute(_ASK, (format_datetime(at), who, msgspec.json.encode(list(objects)).decode()))
            number = db.last_insert_rowid()
            db.execute(_KEEP_REQUESTS, (number,))
            self._log.write(db, SyncRequested(number, who, tuple(objects)))
        return SyncRequest(number, at, who, tuple(objects))

    def asked(self) -> tuple[SyncRequest, ...]:
        with self._connections.looking() as db:
            return tuple(map(_request, db.execute(f"{_REQUESTS} WHERE done_at IS NULL ORDER BY number")))

    def request(self, number: int) -> SyncRequest | None:
        with self._connections.looking() as db:
            row = db.execute(f"{_REQUESTS} WHERE number = ?", (number,)).fetchone()
        return None if row is None else _request(row)

    def take(self, requests: Sequence[SyncRequest]) -> None:
        with self._connections.writing() as db:
            db.executemany(_TAKE, [(format_datetime(self._now()), each.number) for each in requests])

    def done(self, requests: Sequence[SyncRequest], state: str) -> None:
        with self._connections.writing() as db:
            db.executemany(_DONE, [(format_datetime(self._now()), state, each.number) for each in requests])

    # ── the daemon ───────────────────────────────────────────────────────────────────────────────────────────────

    def note(self, state: DaemonState) -> None:
        upcoming = msgspec.json.encode(dict(state.next)).decode()
        times = format_datetime(state.started_at), format_datetime(state.told_at)
        events = msgspec.json.encode(dict(state.events)).decode()
        rest = _text(state.not_before), state.problem, _text(state.problem_at), events
        with self._connections.writing() as db:
            db.execute(_NOTE, (state.owner, state.pid, *times, state.doing, upcoming, *rest))

    def state(self) -> DaemonState | None:
        with self._connections.looking() as db:
            row = db.execute(_STATE).fetchone()
        if row is None:
            return None
        owner, pid, started_at, told_at, doing, upcoming, not_before, problem, problem_at, events = row
        times = parse_datetime(started_at), parse_datetime(told_at)
        return DaemonState(
            *(str(owner), int(pid), *times, str(doing), _TIMES.decode(upcoming)),
            *(_moment(not_before), str(problem), _moment(problem_at), _WORDS.decode(events)),
        )

    # ── what there is to do ──────────────────────────────────────────────────────────────────────────────────────

    def waiting(self) -> Waiting:
        now = format_datetime(self._now())
        with self._connections.looking() as db:
            edited, mark = db.execute(_MARK, (now,)).get
            ready = bool(db.execute(_READY, (now,)).get)
            return Waiting(str(edited), f"{edited} {mark}", ready, _moment(db.execute(_PUT_OFF, (now,)).get))

    def last_tries(self) -> dict[str, tuple[datetime, str]]:
        with self._connections.looking() as db:
            rows = list(db.execute(_LAST))
        return {str(name).casefold(): (parse_datetime(str(at)), str(state)) for name, at, state, _ in rows}


def _request(row: tuple[object, ...]) -> SyncRequest:
    number, at, who, objects, taken_at, done_at, state = row
    times = _moment(taken_at), _moment(done_at), None if state is None else str(state)
    return SyncRequest(int(str(number)), parse_datetime(str(at)), str(who), _NAMES.decode(str(objects)), *times)


def _moment(text: object) -> datetime | None:
    return None if text is None else parse_datetime(str(text))


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else format_datetime(moment)
