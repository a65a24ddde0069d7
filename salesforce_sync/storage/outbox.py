"""The outbox in SQLite: what waits to be sent, what is on its way, and the org's answers coming in."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from typing import NamedTuple

import apsw
import msgspec

from salesforce_sync.models.outbox import (
    Applied,
    Change,
    ChangeState,
    Conflicted,
    Deferred,
    Edit,
    Kind,
    Lost,
    Operation,
    Outcome,
    Push,
    PushedChange,
    Rejected,
    Settled,
)
from salesforce_sync.models.run import Problem
from salesforce_sync.models.schema import ObjectSchema
from salesforce_sync.models.values import Stored, format_datetime, parse_datetime
from salesforce_sync.storage import statements as sql
from salesforce_sync.storage.connections import Connections
from salesforce_sync.storage.history import HistoryWriter
from salesforce_sync.storage.inbox import put_item
from salesforce_sync.storage.records import adopt_id, forget_record, tidy
from salesforce_sync.storage.watch import in_outbox, unseen

FIRST_PAUSE = timedelta(seconds=10)
LONGEST_PAUSE = timedelta(minutes=30)

_ROWS = """
SELECT number, object_name, record_id, operation, sending, state, edited_at, attempts, not_before, push_id, sent_at,
    job, allow_duplicates FROM _sync_outbox
"""
_ALL = f"{_ROWS} ORDER BY number"
_ONE = f"{_ROWS} WHERE object_name = ? AND record_id = ?"
_EDITS = """
SELECT e.object_name, e.record_id, e.field, e.base, coalesce(l.record_id, e.value), e.in_flight, e.sent, e.contested
FROM _sync_edit e LEFT JOIN _sync_local l ON l.local_id = e.value ORDER BY e.object_name, e.record_id, e.field
"""
_SENDING = """
UPDATE _sync_outbox SET sending = ?, push_id = ?, sent_at = ?, job = NULL WHERE object_name = ? AND record_id = ?
"""
_IN_FLIGHT = """
UPDATE _sync_edit SET in_flight = 1, sent = ? WHERE object_name = ? AND record_id = ? AND field = ?
"""
_HAS_JOB = "UPDATE _sync_outbox SET job = ? WHERE object_name = ? AND record_id = ? AND sending IS NOT NULL"
_ANSWERED = """
UPDATE _sync_outbox SET operation = ?, sending = NULL, state = 'waiting', attempts = 0, not_before = NULL,
    sent_at = NULL, job = NULL, allow_duplicates = 0 WHERE object_name = ? AND record_id = ?
"""
_ACKNOWLEDGED = """
UPDATE _sync_edit SET base = ?, in_flight = 0, sent = NULL WHERE object_name = ? AND record_id = ? AND field = ?
"""
_IDLE = "DELETE FROM _sync_edit WHERE object_name = ? AND record_id = ? AND value IS base AND contested = 0"
_LANDED = "UPDATE _sync_edit SET in_flight = 0, sent = NULL WHERE object_name = ? AND record_id = ?"
_DONE = """
DELETE FROM _sync_edit WHERE object_name = ? AND record_id = ? AND field = ? AND value IS base AND contested = 0
"""
_NOT_SENT = "UPDATE _sync_outbox SET sending = NULL, sent_at = NULL, job = NULL WHERE object_name = ? AND record_id = ?"
_LATER = """
UPDATE _sync_outbox SET sending = NULL, sent_at = NULL, job = NULL, attempts = attempts + 1, not_before = ?
WHERE object_name = ? AND record_id = ?
"""
_EDITED_SINCE = """
SELECT EXISTS (SELECT 1 FROM _sync_edit WHERE object_name = ? AND record_id = ? AND in_flight = 1 AND value IS NOT sent)
"""
_PARK = "UPDATE _sync_outbox SET state = 'parked' WHERE object_name = ? AND record_id = ?"

_NOTE_PUSH = "INSERT OR IGNORE INTO _sync_push (push_id, at) VALUES (?, ?)"
_RECORD_PUSH = """
INSERT INTO _sync_push (push_id, at, calls, seconds, code, message, hint) VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (push_id) DO UPDATE SET calls = excluded.calls, seconds = excluded.seconds, code = excluded.code,
    message = excluded.message, hint = excluded.hint
"""
_FORGET_ATTEMPT = """
DELETE FROM _sync_pushed WHERE push_id = ? AND object_name = ? AND record_id = ? AND outcome <> 'applied'
"""
_NOTE_PUSHED = """
INSERT INTO _sync_pushed (push_id, object_name, record_id, operation, edits, outcome, code, message, hint)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_PUSHES = "SELECT push_id, calls, seconds, code, message, hint, at FROM _sync_push ORDER BY at DESC, rowid DESC LIMIT ?"
_PUSHED = """
SELECT object_name, record_id, operation, edits, outcome, code, message, hint FROM _sync_pushed
WHERE push_id = ? ORDER BY id
"""
KEPT_PUSHES = 500
_KEEP_PUSHES = f"""
DELETE FROM _sync_push WHERE push_id IN (SELECT push_id FROM _sync_push ORDER BY at DESC LIMIT -1 OFFSET {KEPT_PUSHES});
DELETE FROM _sync_pushed WHERE push_id NOT IN (SELECT push_id FROM _sync_push)
"""


class OutboxRow(NamedTuple):
    """A row of _sync_outbox."""

    number: int
    object_name: str
    record_id: str
    operation: str
    sending: str | None
    state: str
    edited_at: str
    attempts: int
    not_before: str | None
    push_id: str | None
    sent_at: str | None
    job: str | None
    allow_duplicates: int


class EditRow(NamedTuple):
    """A row of _sync_edit."""

    object_name: str
    record_id: str
    field: str
    base: Stored
    value: Stored
    in_flight: int
    sent: Stored
    contested: int


Schemas = Callable[[str], ObjectSchema | None]


class Outbox:
    """The outbox part of the SQLite store; `ports.Store` says what each call promises."""

    def __init__(
        self, connections: Connections, schema: Schemas, history: HistoryWriter, now: Callable[[], datetime]
    ) -> None:
        self._connections = connections
        self._schema = schema
        self._history = history
        self._now = now

    def changes(self) -> tuple[Change, ...]:
        with self._connections.looking() as db:
            rows = [OutboxRow(*row) for row in db.execute(_ALL)]
            edits = edits_by_record(db) if rows else {}
            stamps = self._stamps(db, rows)
        return tuple(
            _change(row, edits.get(_key(row.object_name, row.record_id), []), stamps.get(row.record_id)) for row in rows
        )

    def _stamps(self, db: apsw.Connection, rows: Sequence[OutboxRow]) -> dict[str, str]:
        """The org's stamp of each row in the outbox."""
        found: dict[str, str] = {}
        for name in {row.object_name for row in rows}:
            schema = self._schema(name)
            if schema is not None and schema.stamp is not None:
                table = f'_sync_outbox o JOIN {sql.quote(schema.name)} t ON t."Id" = o.record_id'
                found |= {
                    str(record_id): str(stamp)
                    for record_id, stamp in db.execute(
                        f"SELECT o.record_id, t.{sql.quote(schema.stamp)} FROM {table} WHERE o.object_name = ?", (name,)
                    )
                    if stamp is not None
                }
        return found

    def sending(self, changes: Sequence[Change], push_id: str, sent_at: datetime | None, job: str | None) -> None:
        at = None if sent_at is None else format_datetime(sent_at)
        with self._connections.writing() as db:
            db.execute(_NOTE_PUSH, (push_id, format_datetime(self._now())))
            for change in changes:
                record = change.object_name, change.record_id
                if job is not None:
                    db.execute(_HAS_JOB, (job, *record))
                    continue
                db.execute(_SENDING, (change.operation, push_id, at, *record))
                db.executemany(_IN_FLIGHT, [(each.value, *record, each.field) for each in change.edits])

    def settle(self, push_id: str, outcomes: Sequence[Outcome]) -> Settled:
        applied: list[Applied] = []
        parked: list[Change] = []
        created: dict[str, str] = {}
        with self._connections.writing() as db, unseen(db, in_outbox(db)):
            db.execute(_NOTE_PUSH, (push_id, format_datetime(self._now())))
            for outcome in outcomes:
                match outcome:
                    case Applied():
                        self._apply(db, push_id, outcome)
                        applied.append(outcome)
                        if outcome.change.operation is Operation.CREATE:
                            created[outcome.change.record_id] = outcome.record_id
                    case Rejected():
                        parked += self._reject(db, push_id, outcome)
                    case Deferred() | Conflicted() | Lost():
                        self._not_applied(db, push_id, outcome)
        return Settled(tuple(applied), tuple(parked), created)

    # ── one answer ───────────────────────────────────────────────────────────────────────────────────────────────

    def _apply(self, db: apsw.Connection, push_id: str, outcome: Applied) -> None:
        change, record_id = outcome.change, outcome.record_id
        name = change.object_name
        if change.operation is Operation.CREATE:
            adopt_id(db, self._schema(name), change.record_id, record_id)
        row = _row(db, name, record_id)
        if row is None:
            return  # settled before: a restart asks twice
        if change.operation in (Operation.CREATE, Operation.UPDATE):
            for edit in change.edits:
                db.execute(_ACKNOWLEDGED, (edit.value, name, record_id, edit.field))
                db.execute(_DONE, (name, record_id, edit.field))
        db.execute(_LANDED, (name, record_id))
        wanted = _wanted_next(change.operation, Operation(row.operation))
        if wanted is None:
            db.execute("DELETE FROM _sync_edit WHERE object_name = ? AND record_id = ?", (name, record_id))
        db.execute(_ANSWERED, (wanted or Operation.UPDATE, name, record_id))
        tidy(db, name, record_id)
        self._history.pushed(db, push_id, change, record_id)
        if outcome.replaced:
            put_item(db, change, record_id, Kind.REPLACED, self._now(), replaced=_replaced(change, outcome.replaced))
        _note_pushed(db, push_id, change, record_id, "applied")

    def _reject(self, db: apsw.Connection, push_id: str, outcome: Rejected) -> list[Change]:
        change = outcome.change
        record = change.object_name, change.record_id
        row = _row(db, *record)
        if row is None:
            return []
        problem = Problem(outcome.code, outcome.message)
        _note_pushed(db, push_id, change, change.record_id, "rejected", problem)
        newer = db.execute(_EDITED_SINCE, record).get
        db.execute(_LANDED, record)
        db.execute(_NOT_SENT, record)
        if change.operation is Operation.CREATE and row.operation == Operation.DELETE:
            # Deleted here while it was on its way, and it never came to be.
            forget_record(db, self._schema(change.object_name), change.record_id)
            return []
        if newer or (change.edited_at is not None and row.edited_at != format_datetime(change.edited_at)):
            return []  # edited since: what was refused is not what is here
        db.execute(_PARK, record)
        put_item(db, change, change.record_id, outcome.kind, self._now(), outcome)
        return [change]

    def _not_applied(self, db: apsw.Connection, push_id: str, outcome: Deferred | Conflicted | Lost) -> None:
        change = outcome.change
        record = change.object_name, change.record_id
        row = _row(db, *record)
        if row is None:
            return
        match outcome:
            case Deferred(_, code, message):
                pause = min(FIRST_PAUSE * 2 ** min(row.attempts, 20), LONGEST_PAUSE)
                db.execute(_LATER, (format_datetime(self._now() + pause), *record))
                _release(db, row)
                _note_pushed(db, push_id, change, change.record_id, "deferred", Problem(code, message))
            case Conflicted():
                db.execute(_NOT_SENT, record)
                _release(db, row)
                _note_pushed(db, push_id, change, change.record_id, "conflicted")
            case Lost(_, message, job):
                if job is not None:
                    db.execute(_HAS_JOB, (job, *record))
                _note_pushed(db, push_id, change, change.record_id, "lost", Problem("NO_ANSWER", message))

    # ── pushes ───────────────────────────────────────────────────────────────────────────────────────────────────

    def record_push(self, push: Push) -> None:
        problem = push.problem
        reason = (None, None, None) if problem is None else (problem.code, problem.message, problem.hint)
        with self._connections.writing() as db:
            at = format_datetime(self._now())
            db.execute(_RECORD_PUSH, (push.push_id, at, push.calls, push.seconds, *reason))
            db.execute(_KEEP_PUSHES)

    def pushes(self, most: int) -> tuple[Push, ...]:
        with self._connections.looking() as db:
            rows = list(db.execute(_PUSHES, (most,)))
            return tuple(_push(row, [_pushed(each) for each in db.execute(_PUSHED, (row[0],))]) for row in rows)


def _release(db: apsw.Connection, row: OutboxRow) -> None:
    """Nothing of the record is on its way any more: what is back at its base has nothing left to send."""
    record = row.object_name, row.record_id
    db.execute(_LANDED, record)
    if row.operation == Operation.UPDATE:
        db.execute(_IDLE, record)
    tidy(db, *record)


def edits_by_record(db: apsw.Connection) -> dict[tuple[str, str], list[EditRow]]:
    """Every edit, by object and record."""
    rows = [EditRow(*row) for row in db.execute(_EDITS)]
    return {key: list(each) for key, each in groupby(rows, lambda row: _key(row.object_name, row.record_id))}


def _key(object_name: str, record_id: str) -> tuple[str, str]:
    return object_name.casefold(), record_id


def _row(db: apsw.Connection, object_name: str, record_id: str) -> OutboxRow | None:
    row = db.execute(_ONE, (object_name, record_id)).fetchone()
    return None if row is None else OutboxRow(*row)


def _change(row: OutboxRow, edits: Sequence[EditRow], stamp: str | None) -> Change:
    operation = Operation(row.sending or row.operation)
    carries = operation in (Operation.CREATE, Operation.UPDATE)
    if row.sending is not None:
        told = [Edit(each.field, each.base, each.sent, True, each.sent) for each in edits if each.in_flight]
    else:
        told = [
            Edit(each.field, each.base, each.value, bool(each.in_flight), each.sent)
            for each in edits
            if not each.contested
        ]
    state = ChangeState(row.state)
    if row.sending is not None:
        state = ChangeState.SENDING
    elif operation is Operation.UPDATE and not told:
        state = ChangeState.PARKED  # every field is in conflict
    return Change(
        number=row.number,
        object_name=row.object_name,
        record_id=row.record_id,
        operation=operation,
        edits=tuple(told) if carries else (),
        stamp=stamp,
        state=state,
        attempts=row.attempts,
        not_before=None if row.not_before is None else parse_datetime(row.not_before),
        sent_at=None if row.sent_at is None else parse_datetime(row.sent_at),
        job=row.job,
        allow_duplicates=bool(row.allow_duplicates),
        edited_at=parse_datetime(row.edited_at),
    )


def _wanted_next(done: Operation, wanted: Operation) -> Operation | None:
    """What is wanted of a record after `done`; None where nothing can be left of it."""
    if done is Operation.DELETE:
        return None if wanted is Operation.DELETE else Operation.UNDELETE
    if wanted in (Operation.CREATE, done):
        return Operation.UPDATE
    return wanted


def _replaced(change: Change, found: Mapping[str, Stored]) -> list[tuple[str, Stored, Stored, Stored]]:
    return [(each.field, each.base, each.value, found[each.field]) for each in change.edits if each.field in found]


def _note_pushed(
    db: apsw.Connection, push_id: str, change: Change, record_id: str, outcome: str, problem: Problem | None = None
) -> None:
    db.execute(_FORGET_ATTEMPT, (push_id, change.object_name, change.record_id))
    edits = msgspec.json.encode([(each.field, each.base, each.value) for each in change.edits]).decode()
    reason = (None, None, None) if problem is None else (problem.code, problem.message, problem.hint)
    db.execute(_NOTE_PUSHED, (push_id, change.object_name, record_id, change.operation, edits, outcome, *reason))


def _pushed(row: tuple[object, ...]) -> PushedChange:
    name, record_id, operation, edits, outcome, code, message, hint = row
    told = msgspec.json.decode(str(edits), type=list[tuple[str, Stored, Stored]])
    return PushedChange(
        str(name),
        str(record_id),
        Operation(str(operation)),
        tuple(Edit(*each) for each in told),
        str(outcome),
        _problem(code, message, hint),
    )


def _push(row: tuple[object, ...], changes: Sequence[PushedChange]) -> Push:
    push_id, calls, seconds, code, message, hint, at = row
    cost = int(str(calls)), float(str(seconds))
    return Push(str(push_id), tuple(changes), *cost, _problem(code, message, hint), parse_datetime(str(at)))


def _problem(code: object, message: object, hint: object) -> Problem | None:
    return None if code is None else Problem(str(code), str(message), str(hint or ""))
