"""The outbox in SQLite: what waits to be sent, what is on its way, and the org's answers coming in."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import NamedTuple

import apsw
import msgspec
from msgspec.structs import replace

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
    Rejected,
    Settled,
    Wanted,
    overwriting,
)
from salesforce_sync.models.run import Problem
from salesforce_sync.models.schema import FieldType, ObjectSchema
from salesforce_sync.models.values import Stored, format_datetime, from_rest, parse_datetime
from salesforce_sync.storage.connections import Connections
from salesforce_sync.storage.contested import Judge
from salesforce_sync.storage.edits import real_id
from salesforce_sync.storage.history import HistoryWriter
from salesforce_sync.storage.inbox import put_item
from salesforce_sync.storage.push_log import note_push, note_pushed
from salesforce_sync.storage.records import adopt_id, forget_change, forget_record, row_of, set_cell, tidy
from salesforce_sync.storage.sql_text import quote
from salesforce_sync.storage.watch import in_outbox, unseen

FIRST_PAUSE = timedelta(seconds=2)
LONGEST_PAUSE = timedelta(minutes=30)

READ_AT_ONCE = 1000
"""Changes of which the rows are held while they are made."""

_ROWS = """
SELECT number, object_name, record_id, operation, sending, state, edited_at, attempts, not_before, push_id, sent_at,
    job, allow_duplicates FROM _sync_outbox o
"""
_ONE = f"{_ROWS} WHERE object_name = ? AND record_id = ?"
_DUE = """(state = 'waiting' AND sending IS NULL AND (not_before IS NULL OR not_before <= :{0})
    AND (operation <> 'update' OR EXISTS (SELECT 1 FROM _sync_edit e
        WHERE e.object_name = o.object_name AND e.record_id = o.record_id AND NOT e.contested)))"""
_CONDITIONS = {
    "after": "number > :after",
    "until": "number <= :until",
    "due": _DUE.format("due"),
    "held": f"sending IS NULL AND NOT {_DUE.format('held')}",
    "put_off": "sending IS NULL AND state = 'waiting' AND not_before > :put_off",
    "sending": "sending IS NOT NULL",
    "numbers": "number IN (SELECT value FROM json_each(:numbers))",
    "records": "record_id IN (SELECT value FROM json_each(:records))",
}
"""By the names of `Wanted`."""
_EDITS = """
SELECT o.number, e.object_name, e.field, e.base, e.value, e.in_flight, e.sent, e.contested, l.record_id
FROM json_each(?) n CROSS JOIN _sync_outbox o ON o.number = n.value
CROSS JOIN _sync_edit e ON e.object_name = o.object_name AND e.record_id = o.record_id
LEFT JOIN _sync_local l ON l.local_id = e.value ORDER BY n.id, e.field
"""
_EDITED_OBJECTS = "SELECT DISTINCT object_name FROM _sync_outbox ORDER BY object_name"
_LEAVING_BY_EDIT = """
SELECT e.base, o.number FROM _sync_edit e JOIN _sync_outbox o USING (object_name, record_id)
WHERE e.base IN (SELECT value FROM json_each(?)) AND o.operation <> 'delete'
"""
_MADE_HERE = "SELECT record_id FROM _sync_local WHERE record_id IN (SELECT value FROM json_each(?))"
_SENDING = """
UPDATE _sync_outbox SET sending = ?, push_id = ?, sent_at = ?, job = NULL WHERE object_name = ? AND record_id = ?
"""
_IN_FLIGHT = """
UPDATE _sync_edit SET in_flight = 1, sent = ? WHERE object_name = ? AND record_id = ? AND field = ?
"""
_TAKEN_BACK = """
INSERT OR IGNORE INTO _sync_outbox (object_name, record_id, operation, edited_at) VALUES (?, ?, ?, ?)
"""
_INSTEAD = {
    Operation.CREATE: Operation.DELETE,
    Operation.UPDATE: Operation.UPDATE,
    Operation.DELETE: Operation.UNDELETE,
    Operation.UNDELETE: Operation.DELETE,
}
"""What is wanted after a change that was taken back in the moment in which it was sent."""
_WENT_BACK = """
INSERT INTO _sync_edit (object_name, record_id, field, base, value, in_flight, sent) VALUES (?, ?, ?, ?, ?, 1, ?)
"""
_WANT = "UPDATE _sync_outbox SET operation = ? WHERE object_name = ? AND record_id = ?"
_HAS_JOB = "UPDATE _sync_outbox SET job = ? WHERE object_name = ? AND record_id = ? AND sending IS NOT NULL"
_ANSWERED = """
UPDATE _sync_outbox SET operation = ?, sending = NULL, state = 'waiting', attempts = 0, not_before = NULL,
    sent_at = NULL, job = NULL, allow_duplicates = 0 WHERE object_name = ? AND record_id = ?
"""
_ACKNOWLEDGED = """
UPDATE _sync_edit SET base = ?, in_flight = 0, sent = NULL WHERE object_name = ? AND record_id = ? AND field = ?
"""
_LANDED = "UPDATE _sync_edit SET in_flight = 0, sent = NULL WHERE object_name = ? AND record_id = ?"
_NOT_SENT = "UPDATE _sync_outbox SET sending = NULL, sent_at = NULL, job = NULL WHERE object_name = ? AND record_id = ?"
_LATER = """
UPDATE _sync_outbox SET attempts = attempts + 1, not_before = ? WHERE object_name = ? AND record_id = ?
"""
_EDITED_SINCE = """
SELECT EXISTS (SELECT 1 FROM _sync_edit WHERE object_name = ? AND record_id = ? AND in_flight = 1 AND value IS NOT sent)
"""
_DISPUTE = "UPDATE _sync_edit SET contested = 1, org = base WHERE object_name = ? AND record_id = ? AND field = ?"
_PARK = "UPDATE _sync_outbox SET state = 'parked' WHERE object_name = ? AND record_id = ?"


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
    """A row of _sync_edit, with the number of its change."""

    number: int
    object_name: str
    field: str
    base: Stored
    value: Stored
    in_flight: int
    sent: Stored
    contested: int
    real_id: str | None
    """What the value has become, if it is the id of a record that was made here."""


Schemas = Callable[[str], ObjectSchema | None]


class Outbox:
    """The outbox part of the SQLite store; `ports.Store` says what each call promises."""

    def __init__(
        self,
        connections: Connections,
        schema: Schemas,
        judge: Judge,
        history: HistoryWriter,
        now: Callable[[], datetime],
    ) -> None:
        self._connections = connections
        self._judge = judge
        self._schema = schema
        self._history = history
        self._now = now

    def changes(self, wanted: Wanted) -> tuple[Change, ...]:
        where, bindings = _conditions(wanted)
        most = -1 if wanted.most is None else wanted.most
        found: list[Change] = []
        made = _Shared()
        # One snapshot: a row, its edits and its stamp belong together.
        with self._connections.looking() as db, db:
            cursor = db.execute(f"{_ROWS} {where} ORDER BY number LIMIT {most:d}", bindings)
            while rows := [OutboxRow(*row) for row in islice(cursor, READ_AT_ONCE)]:
                edits, stamps = self._edits(db, rows), self._stamps(db, rows)
                found += [made.change(row, edits.get(row.number, ()), stamps.get(row.record_id)) for row in rows]
        return tuple(found)

    def count_changes(self, wanted: Wanted) -> int:
        where, bindings = _conditions(wanted)
        with self._connections.looking() as db:
            return int(db.execute(f"SELECT count(*) FROM _sync_outbox o {where}", bindings).get)

    def edited_objects(self) -> tuple[str, ...]:
        with self._connections.looking() as db:
            return tuple(str(name) for (name,) in db.execute(_EDITED_OBJECTS))

    def leaving(self, ids: Sequence[str]) -> tuple[tuple[str, int], ...]:
        listed = _json(ids)
        with self._connections.looking() as db, db:
            found = {(str(key), int(number)) for key, number in db.execute(_LEAVING_BY_EDIT, (listed,))}
            deleting = "SELECT DISTINCT object_name FROM _sync_outbox WHERE operation = 'delete'"
            for (name,) in list(db.execute(deleting)):
                schema = self._schema(str(name))
                if schema is not None:
                    found.update(_leaving_by_deletion(db, schema, listed))
        return tuple(sorted(found, key=lambda each: each[1]))

    def made_here(self, ids: Sequence[str]) -> frozenset[str]:
        with self._connections.looking() as db:
            return frozenset(str(key) for (key,) in db.execute(_MADE_HERE, (_json(ids),)))

    def _edits(self, db: apsw.Connection, changes: Sequence[OutboxRow]) -> dict[int, list[EditRow]]:
        """The changes' edits; a reference to a record that the org has by now holds its real id."""
        found: dict[int, list[EditRow]] = {}
        for each in db.execute(_EDITS, (_json([row.number for row in changes]),)):
            row = EditRow(*each)
            if row.real_id is not None and self._refers(row):
                row = row._replace(value=row.real_id)
            found.setdefault(row.number, []).append(row)
        return found

    def _refers(self, row: EditRow) -> bool:
        schema = self._schema(row.object_name)
        return schema is not None and schema.has(row.field) and schema.field(row.field).type is FieldType.REFERENCE

    def _stamps(self, db: apsw.Connection, rows: Sequence[OutboxRow]) -> dict[str, str]:
        """The org's stamp of each row in the outbox."""
        found: dict[str, str] = {}
        for name in {row.object_name for row in rows}:
            schema = self._schema(name)
            if schema is not None and schema.stamp is not None:
                table = f'json_each(?) n CROSS JOIN {quote(schema.name)} t ON t."Id" = n.value'
                ids = _json([row.record_id for row in rows if row.object_name == name])
                found |= {
                    str(record_id): str(stamp)
                    for record_id, stamp in db.execute(f"SELECT n.value, t.{quote(schema.stamp)} FROM {table}", (ids,))
                    if stamp is not None
                }
        return found

    def sending(self, changes: Sequence[Change], push_id: str, sent_at: datetime | None, job: str | None) -> None:
        at = None if sent_at is None else format_datetime(sent_at)
        now = format_datetime(self._now())
        with self._connections.writing() as db:
            note_push(db, push_id, self._now())
            for change in changes:
                record = change.object_name, change.record_id
                if job is not None:
                    db.execute(_HAS_JOB, (job, *record))
                    continue
                # Taken back since it was looked at: it is on its way all the same, and then has to be undone.
                db.execute(_TAKEN_BACK, (*record, _INSTEAD[change.operation], now))
                db.execute(_SENDING, (change.operation, push_id, at, *record))
                for edit in change.edits:
                    self._in_flight(db, change, edit)

    def _in_flight(self, db: apsw.Connection, change: Change, edit: Edit) -> None:
        record = change.object_name, change.record_id
        db.execute(_IN_FLIGHT, (edit.value, *record, edit.field))
        if not db.changes():
            schema = self._schema(change.object_name)
            shown = None if schema is None else row_of(db, schema, change.record_id)
            value = edit.base if shown is None else shown.get(edit.field)
            db.execute(_WENT_BACK, (*record, edit.field, edit.base, value, edit.value))

    def settle(self, push_id: str, outcomes: Sequence[Outcome]) -> Settled:
        applied: list[Applied] = []
        parked: list[Change] = []
        created: dict[str, str] = {}
        overwrote: dict[int, tuple[str, ...]] = {}
        with self._connections.writing() as db, unseen(db, in_outbox(db)):
            note_push(db, push_id, self._now())
            for outcome in outcomes:
                change = outcome.change
                row = _row(db, change.object_name, real_id(db, change.record_id))
                if row is None or row.sending is None:
                    continue  # it is not on its way: it was settled before
                match outcome:
                    case Applied():
                        fields = self._apply(db, push_id, outcome)
                        overwrote |= {change.number: fields} if fields else {}
                        applied.append(outcome)
                        if change.operation is Operation.CREATE:
                            created[change.record_id] = outcome.record_id
                    case Rejected():
                        parked += self._reject(db, push_id, outcome, row)
                    case Lost(_, message, job):
                        if job is not None:
                            db.execute(_HAS_JOB, (job, row.object_name, row.record_id))
                        note_pushed(db, push_id, change, change.record_id, "lost", Problem("NO_ANSWER", message))
                    case Deferred() | Conflicted():
                        self._not_taken(db, push_id, outcome, row)
            for name in {outcome.change.object_name for outcome in applied}:
                self._history.trim(db, name)
        return Settled(tuple(applied), tuple(parked), created, overwrote)

    # ── one answer ───────────────────────────────────────────────────────────────────────────────────────────────

    def _apply(self, db: apsw.Connection, push_id: str, outcome: Applied) -> tuple[str, ...]:
        """Take it in; gives the fields of which somebody else's value was overwritten, and waits in the inbox."""
        change, record_id = outcome.change, outcome.record_id
        name = change.object_name
        schema = self._schema(name)
        if change.operation is Operation.CREATE:
            adopt_id(db, self._schema, name, change.record_id, record_id)
        row = _row(db, name, record_id)
        if row is None or schema is None:
            return ()
        wanted = _wanted_next(change.operation, Operation(row.operation))
        if change.operation in (Operation.CREATE, Operation.UPDATE):
            db.executemany(_ACKNOWLEDGED, [(each.value, name, record_id, each.field) for each in change.edits])
        db.execute(_LANDED, (name, record_id))
        if wanted is None:
            db.execute("DELETE FROM _sync_edit WHERE object_name = ? AND record_id = ?", (name, record_id))
        db.execute(_ANSWERED, (wanted or Operation.UPDATE, name, record_id))
        if wanted is Operation.DELETE and schema.has("IsDeleted"):
            set_cell(db, schema, record_id, "IsDeleted", 1)  # a pull may have brought it in between
        tidy(db, name, record_id)
        if outcome.row is not None:
            self._judge.bring(db, schema, record_id, _stored(schema, outcome.row))
        self._history.pushed(db, push_id, change, record_id, outcome.replaced or {})
        replaced = self._judge.overwritten(schema, change, outcome.replaced or {})
        if replaced:
            put_item(db, change, record_id, Kind.REPLACED, self._now(), replaced=replaced)
        fields = tuple(each.field for each in replaced)
        note_pushed(db, push_id, change, record_id, "applied", overwriting(fields) if fields else None)
        return fields

    def _reject(self, db: apsw.Connection, push_id: str, outcome: Rejected, row: OutboxRow) -> list[Change]:
        change = outcome.change
        record = row.object_name, row.record_id
        problem = Problem(outcome.code, outcome.message)
        note_pushed(db, push_id, change, change.record_id, "rejected", problem)
        undone = change.operation != row.operation
        newer = undone or db.execute(_EDITED_SINCE, record).get or _edited_since(change, row)
        if outcome.apart:
            db.executemany(_DISPUTE, [(*record, name) for name in outcome.apart])
            put_item(db, change, row.record_id, Kind.CONFLICT, self._now(), replace(outcome, fields=outcome.apart))
            self._stay(db, change, row)
            return []
        self._stay(db, change, row)
        if undone or (newer and outcome.kind is not Kind.UNCERTAIN):
            return []  # edited since: what was refused is not what is here; what may be there, may be so all the same
        db.execute(_PARK, record)
        put_item(db, change, change.record_id, outcome.kind, self._now(), outcome)
        return [replace(change, state=ChangeState.PARKED)]

    def _not_taken(self, db: apsw.Connection, push_id: str, outcome: Deferred | Conflicted, row: OutboxRow) -> None:
        change = outcome.change
        problem = Problem(outcome.code, outcome.message) if isinstance(outcome, Deferred) else None
        told = "deferred" if isinstance(outcome, Deferred) else "conflicted"
        if problem is None and row.push_id not in (None, push_id) and self._history.has_shown(db, row.push_id, change):
            told = "applied"  # an earlier push has written it, and its answer was lost
        note_pushed(db, push_id, change, change.record_id, told, problem)
        self._stay(db, change, row)
        if isinstance(outcome, Deferred):
            pause = min(FIRST_PAUSE * 2 ** min(row.attempts, 20), LONGEST_PAUSE)
            db.execute(_LATER, (format_datetime(self._now() + pause), row.object_name, row.record_id))

    def _stay(self, db: apsw.Connection, change: Change, row: OutboxRow) -> None:
        """The org is as it was before the change was sent: what was undone since needs no undoing there."""
        record = row.object_name, row.record_id
        db.execute(_LANDED, record)
        db.execute(_NOT_SENT, record)
        wanted = Operation(row.operation)
        if change.operation is Operation.CREATE and wanted is Operation.DELETE:
            forget_record(db, self._schema, *record)
        elif change.operation is Operation.DELETE and wanted is Operation.UNDELETE:
            db.execute(_WANT, (Operation.UPDATE, *record))
        elif change.operation is Operation.UNDELETE and wanted is Operation.DELETE:
            forget_change(db, *record)
        tidy(db, *record)


def _conditions(wanted: Wanted) -> tuple[str, dict[str, Stored]]:
    """The WHERE clause, and its values by name."""
    told: dict[str, Stored] = {"after": wanted.after}
    if wanted.until is not None:
        told["until"] = wanted.until
    if wanted.due is not None:
        told["due"] = format_datetime(wanted.due)
    if wanted.held is not None:
        told["held"] = format_datetime(wanted.held)
    if wanted.put_off is not None:
        told["put_off"] = format_datetime(wanted.put_off)
    if wanted.numbers is not None:
        told["numbers"] = _json(wanted.numbers)
    if wanted.records is not None:
        told["records"] = _json(wanted.records)
    names = [*told, *(["sending"] if wanted.sending else [])]
    return "WHERE " + " AND ".join(_CONDITIONS[name] for name in names), told


def _edited_since(change: Change, row: OutboxRow) -> bool:
    return change.edited_at is not None and row.edited_at != format_datetime(change.edited_at)


def _json(values: Collection[object]) -> str:
    return msgspec.json.encode(list(values)).decode()


def _leaving_by_deletion(db: apsw.Connection, schema: ObjectSchema, listed: str) -> Iterator[tuple[str, int]]:
    """The deletions of this object's rows that refer to one of these records."""
    fields = [quote(each.name) for each in schema.columns if each.type is FieldType.REFERENCE]
    if not fields:
        return
    held = " OR ".join(f"t.{name} IN (SELECT value FROM json_each(:ids))" for name in fields)
    rows = db.execute(
        f"SELECT o.number, {', '.join(f't.{name}' for name in fields)} "
        f'FROM _sync_outbox o CROSS JOIN {quote(schema.name)} t ON t."Id" = o.record_id '
        f"WHERE o.object_name = :name AND o.operation = 'delete' AND ({held})",
        {"ids": listed, "name": schema.name},
    )
    wanted = set(msgspec.json.decode(listed))
    for number, *values in rows:
        yield from ((str(value), int(str(number))) for value in values if value in wanted)


def _row(db: apsw.Connection, object_name: str, record_id: str) -> OutboxRow | None:
    row = db.execute(_ONE, (object_name, record_id)).fetchone()
    return None if row is None else OutboxRow(*row)


class _Shared:
    """Makes changes that share what is alike in many of them: names, and the moments of edits made together."""

    def __init__(self) -> None:
        self._texts: dict[str, str] = {}
        self._moments: dict[str, datetime] = {}

    def change(self, row: OutboxRow, edits: Sequence[EditRow], stamp: str | None) -> Change:
        operation = Operation(row.sending or row.operation)
        carries = operation in (Operation.CREATE, Operation.UPDATE)
        if row.sending is not None:
            told = [
                Edit(self._text(each.field), each.base, each.sent, True, each.sent) for each in edits if each.in_flight
            ]
        else:
            told = [
                Edit(self._text(each.field), each.base, each.value, bool(each.in_flight), each.sent)
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
            object_name=self._text(row.object_name),
            record_id=row.record_id,
            operation=operation,
            edits=tuple(told) if carries else (),
            stamp=None if stamp is None else self._text(stamp),
            state=state,
            attempts=row.attempts,
            not_before=self._moment(row.not_before),
            sent_at=self._moment(row.sent_at),
            job=None if row.job is None else self._text(row.job),
            allow_duplicates=bool(row.allow_duplicates),
            edited_at=self._moment(row.edited_at),
        )

    def _text(self, text: str) -> str:
        return self._texts.setdefault(text, text)

    def _moment(self, text: str | None) -> datetime | None:
        if text is None:
            return None
        found = self._moments.get(text)
        if found is None:
            found = self._moments[text] = parse_datetime(text)
        return found


def _wanted_next(done: Operation, wanted: Operation) -> Operation | None:
    """What is wanted of a record after `done`; None where nothing can be left of it."""
    if done is Operation.DELETE:
        return None if wanted is Operation.DELETE else Operation.UNDELETE
    if wanted in (Operation.CREATE, done):
        return Operation.UPDATE
    return wanted


def _stored(schema: ObjectSchema, row: Sequence[object]) -> dict[str, Stored]:
    return {field.name: from_rest(field.type, value) for field, value in zip(schema.columns, row, strict=True)}
