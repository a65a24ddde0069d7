"""What a push does to the outbox in SQLite: changes go on their way, and the org's answers come in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import apsw
from msgspec.structs import replace

from salesforce_sync.models.outbox import Change, ChangeState, Edit, Kind, Operation
from salesforce_sync.models.outcome import (
    Applied,
    Conflicted,
    Deferred,
    Lost,
    Outcome,
    Rejected,
    Settled,
    edited_twice,
    not_deleted,
    overwriting,
)
from salesforce_sync.models.run import Problem
from salesforce_sync.models.schema import ObjectSchema
from salesforce_sync.models.values import Stored, format_datetime, from_rest
from salesforce_sync.resolve import arrived
from salesforce_sync.storage.connections import Connections
from salesforce_sync.storage.contested import Judge
from salesforce_sync.storage.edits import real_id
from salesforce_sync.storage.history import HistoryWriter
from salesforce_sync.storage.inbox_items import put_item, put_refused_fields, put_told
from salesforce_sync.storage.outbox import OutboxRow, Schemas, row_in_outbox
from salesforce_sync.storage.own_stamps import note_own_stamp, trim_own_stamps
from salesforce_sync.storage.push_log import has_lost, note_push, note_pushed
from salesforce_sync.storage.records import adopt_id, forget_change, forget_record, row_of, set_cell, tidy
from salesforce_sync.storage.watch import in_outbox, unseen
from salesforce_sync.storage.written import forget_written, note_along, note_written

FIRST_PAUSE = timedelta(seconds=2)
LONGEST_PAUSE = timedelta(minutes=30)

_SENDING = """
UPDATE _sync_outbox SET sending = ?, push_id = ?, sent_at = ?, sent_by = ?, job = NULL
WHERE object_name = ? AND record_id = ?
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
INSERT INTO _sync_edit (object_name, record_id, field, base, value, in_flight, sent, edited_at)
VALUES (?, ?, ?, ?, ?, 1, ?, ?)
"""
_WANT = "UPDATE _sync_outbox SET operation = ? WHERE object_name = ? AND record_id = ?"
_HAS_JOB = "UPDATE _sync_outbox SET job = ? WHERE object_name = ? AND record_id = ? AND sending IS NOT NULL"
_ANSWERED = """
UPDATE _sync_outbox SET operation = ?, sending = NULL, state = 'waiting', attempts = 0, not_before = NULL,
    sent_at = NULL, sent_by = NULL, job = NULL, allow_duplicates = 0 WHERE object_name = ? AND record_id = ?
"""
_ACKNOWLEDGED = """
UPDATE _sync_edit SET base = ?, in_flight = 0, sent = NULL WHERE object_name = ? AND record_id = ? AND field = ?
"""
_LANDED = "UPDATE _sync_edit SET in_flight = 0, sent = NULL WHERE object_name = ? AND record_id = ?"
_NOT_SENT = """
UPDATE _sync_outbox SET sending = NULL, sent_at = NULL, sent_by = NULL, job = NULL
WHERE object_name = ? AND record_id = ?
"""
_LATER = """
UPDATE _sync_outbox SET attempts = attempts + 1, not_before = ? WHERE object_name = ? AND record_id = ?
"""
_EDITED_SINCE = """
SELECT EXISTS (SELECT 1 FROM _sync_edit WHERE object_name = ? AND record_id = ? AND in_flight = 1 AND value IS NOT sent)
"""
_EDITED = "SELECT field FROM _sync_edit WHERE object_name = ? AND record_id = ?"
_DISPUTE = "UPDATE _sync_edit SET contested = 1, org = base WHERE object_name = ? AND record_id = ? AND field = ?"
_OBJECTS = "SELECT name FROM _sync_object"
_PARK = "UPDATE _sync_outbox SET state = 'parked' WHERE object_name = ? AND record_id = ?"


class Settling:
    """The writing half of the outbox; `ports.Store` says what each call promises."""

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

    def sending(
        self,
        changes: Sequence[Change],
        push_id: str,
        sent_at: datetime | None,
        job: str | None,
        sent_by: str | None = None,
    ) -> None:
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
                db.execute(_SENDING, (change.operation, push_id, at, sent_by, *record))
                for edit in change.edits:
                    self._in_flight(db, change, edit, now)

    def _in_flight(self, db: apsw.Connection, change: Change, edit: Edit, now: str) -> None:
        record = change.object_name, change.record_id
        db.execute(_IN_FLIGHT, (edit.value, *record, edit.field))
        if not db.changes():
            schema = self._schema(change.object_name)
            shown = None if schema is None else row_of(db, schema, change.record_id)
            value = edit.base if shown is None else shown.get(edit.field)
            db.execute(_WENT_BACK, (*record, edit.field, edit.base, value, edit.value, now))

    def settle(self, push_id: str, outcomes: Sequence[Outcome]) -> Settled:
        applied: list[Applied] = []
        parked: list[Change] = []
        created: dict[str, str] = {}
        overwrote: dict[int, tuple[str, ...]] = {}
        come: set[int] = set()
        with self._connections.writing() as db, unseen(db, in_outbox(db)):
            note_push(db, push_id, self._now())
            for outcome in outcomes:
                change = outcome.change
                row = row_in_outbox(db, change.object_name, real_id(db, change.record_id))
                if isinstance(outcome, Conflicted) and self._has_arrived(db, push_id, change, row):
                    note_pushed(db, push_id, change, change.record_id, "applied")
                    come.add(change.number)
                    if row is not None:
                        self._stay(db, change, row)
                    continue
                if row is None or row.sending is None:
                    if isinstance(outcome, Conflicted) and has_lost(db, push_id, change, change.record_id):
                        note_pushed(db, push_id, change, change.record_id, "conflicted")  # ended as it was read again
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
            deleted = [each for each in applied if each.change.operation is Operation.DELETE]
            if deleted:
                found = map(self._schema, [str(name) for (name,) in db.execute(_OBJECTS)])
                gone = [(each.change.object_name, each.record_id) for each in deleted]
                note_along(db, push_id, [each for each in found if each is not None], gone)
            for name in {outcome.change.object_name for outcome in applied}:
                self._history.trim(db, name)
            if applied:
                trim_own_stamps(db, format_datetime(self._now()))
        return Settled(tuple(applied), tuple(parked), created, overwrote, frozenset(come))

    # ── one answer ───────────────────────────────────────────────────────────────────────────────────────────────

    def _apply(self, db: apsw.Connection, push_id: str, outcome: Applied) -> tuple[str, ...]:
        """Take it in; gives the fields of which somebody else's value was overwritten, and waits in the inbox."""
        change, record_id = outcome.change, outcome.record_id
        name = change.object_name
        schema = self._schema(name)
        if change.operation is Operation.CREATE:
            lost, kept = adopt_id(db, self._schema, name, change.record_id, record_id)
            if lost or kept:
                problem = not_deleted() if kept else edited_twice([each.field for each in lost])
                put_told(db, (name, record_id, Kind.REPLACED), Operation.UPDATE, self._now(), problem, lost)
        row = row_in_outbox(db, name, record_id)
        if row is None or schema is None:
            return ()
        if outcome.row is None and not outcome.was_gone:
            note_written(db, push_id, change, record_id)
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
        self._history.pushed(db, push_id, change, record_id, outcome.replaced or {})
        if outcome.row is not None:
            shown = _stored(schema, outcome.row)
            if schema.stamp is not None and not outcome.replaced:
                before = None if change.operation is Operation.CREATE else outcome.stamp or change.stamp
                note_own_stamp(db, name, record_id, before, shown[schema.stamp])
            self._judge.bring(db, schema, record_id, shown, push_id)
            forget_written(db, name, record_id)
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
            put_refused_fields(db, change, row.record_id, self._now(), outcome)
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
        looked_at = problem is None and self._was_lost(db, push_id, change, row)
        note_pushed(db, push_id, change, change.record_id, told, problem)
        self._stay(db, change, row, looked_at=looked_at)
        if isinstance(outcome, Deferred):
            pause = min(FIRST_PAUSE * 2 ** min(row.attempts, 20), LONGEST_PAUSE)
            db.execute(_LATER, (format_datetime(self._now() + pause), row.object_name, row.record_id))

    def _has_arrived(self, db: apsw.Connection, push_id: str, change: Change, row: OutboxRow | None) -> bool:
        """Whether this push had lost the answer to the change, and what was read since shows that the org has it."""
        schema = self._schema(change.object_name)
        if schema is None or not has_lost(db, push_id, change, change.record_id):
            return False
        shown = row_of(db, schema, change.record_id)
        match change.operation:
            case Operation.DELETE:  # its place in the outbox ended with it
                return row is None and (shown is None or shown.get("IsDeleted") == 1)
            case Operation.UNDELETE:
                back = row is None or row.operation != Operation.UNDELETE
                return back and shown is not None and shown.get("IsDeleted") != 1
            case Operation.UPDATE if row is not None and shown is not None:
                waiting = {str(name) for (name,) in db.execute(_EDITED, (row.object_name, row.record_id))}
                return all(
                    each.field not in waiting and arrived(schema, each.field, each.value, shown.get(each.field))
                    for each in change.edits
                )
        return False

    def _was_lost(self, db: apsw.Connection, push_id: str, change: Change, row: OutboxRow) -> bool:
        """Whether the answer was lost, to this push or to an earlier one: then the record has been read again since."""
        return row.push_id not in (None, push_id) or has_lost(db, push_id, change, change.record_id)

    def _stay(self, db: apsw.Connection, change: Change, row: OutboxRow, *, looked_at: bool = False) -> None:
        """The org is as it was before the change was sent: what was undone since needs no undoing there.

        Unless it was `looked_at` since, and the undoing has outlasted that: then the org has what was sent.
        """
        record = row.object_name, row.record_id
        db.execute(_LANDED, record)
        db.execute(_NOT_SENT, record)
        wanted = Operation(row.operation)
        if change.operation is Operation.CREATE and wanted is Operation.DELETE:
            forget_record(db, self._schema, *record)
        elif change.operation is Operation.DELETE and wanted is Operation.UNDELETE and not looked_at:
            db.execute(_WANT, (Operation.UPDATE, *record))
        elif change.operation is Operation.UNDELETE and wanted is Operation.DELETE and not looked_at:
            forget_change(db, *record)
        tidy(db, *record)


def _edited_since(change: Change, row: OutboxRow) -> bool:
    return change.edited_at is not None and row.edited_at != format_datetime(change.edited_at)


def _wanted_next(done: Operation, wanted: Operation) -> Operation | None:
    """What is wanted of a record after `done`; None where nothing can be left of it."""
    if done is Operation.DELETE:
        return None if wanted is Operation.DELETE else Operation.UNDELETE
    if wanted in (Operation.CREATE, done):
        return Operation.UPDATE
    return wanted


def _stored(schema: ObjectSchema, row: Sequence[object]) -> dict[str, Stored]:
    return {field.name: from_rest(field.type, value) for field, value in zip(schema.columns, row, strict=True)}
