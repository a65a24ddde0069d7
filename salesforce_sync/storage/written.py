"""Records of which the org has taken a change, until it shows them: what a deletion took, and what is shown no more."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime

import apsw
import msgspec
from msgspec import Struct

from salesforce_sync.models.inbox import Conflict, Contested
from salesforce_sync.models.outbox import Change, Kind, Operation, is_local
from salesforce_sync.models.outcome import deleted_over, not_shown
from salesforce_sync.models.proof import Cause
from salesforce_sync.models.run import Problem
from salesforce_sync.models.schema import ObjectSchema, schemas_by_name
from salesforce_sync.models.values import Stored
from salesforce_sync.resolve import Policies, data_fields, taken_along
from salesforce_sync.storage import reading_sql, staging_sql
from salesforce_sync.storage.contested import Judge, shown_before
from salesforce_sync.storage.inbox_items import put_told
from salesforce_sync.storage.own_stamps import note_made, note_own_stamp
from salesforce_sync.storage.push_log import note_problem
from salesforce_sync.storage.records import row_of
from salesforce_sync.storage.sql_text import joined, quote

_NOTE = """
INSERT OR REPLACE INTO _sync_written (object_name, record_id, push_id, operation, bases) VALUES (?, ?, ?, ?, ?)
"""
_NOTE_ALONG = """
INSERT OR IGNORE INTO _sync_written (object_name, record_id, push_id, operation, bases, with_it)
VALUES (?1, ?2, ?3, 'delete', (SELECT json_group_object(field, iif(contested, org, base)) FROM _sync_edit
    WHERE object_name = ?1 AND record_id = ?2), ?4)
"""
_EDIT_BASES = "SELECT field, base FROM _sync_edit WHERE object_name = ? AND record_id = ?"
_ANY = "SELECT EXISTS (SELECT 1 FROM _sync_written WHERE object_name = ?)"
_ONE = "SELECT push_id, operation, bases, with_it FROM _sync_written WHERE object_name = ? AND record_id = ?"
_FORGET = "DELETE FROM _sync_written WHERE object_name = ? AND record_id = ?"
_DELETED = "SELECT record_id FROM _sync_written WHERE object_name = :name AND operation = 'delete'"
_ON_ITS_WAY = "SELECT record_id FROM _sync_outbox WHERE object_name = :name AND sending = 'delete'"
_ANY_DELETED = f"SELECT EXISTS ({_DELETED}) OR EXISTS ({_ON_ITS_WAY})"
_SENT_BY = """
SELECT push_id FROM _sync_outbox WHERE object_name = ? AND record_id = ? AND sending = 'delete'
"""

# Made once, here: msgspec crashes when two threads meet a type at once that it has not seen before.
_BASES = msgspec.json.Decoder(dict[str, Stored])

Row = Mapping[str, Stored]


class Loss(Struct, frozen=True):
    """A record that a push has deleted, and the values that somebody had given it, as the org shows it now."""

    record_id: str
    push_id: str
    conflicts: tuple[Conflict, ...]
    touched: Row
    """Who touched the record last, and when, as the org tells it."""
    with_it: str = ""
    """The record that was deleted, where that took this one along."""


def note_written(db: apsw.Connection, push_id: str, change: Change, record_id: str) -> None:
    """The org has taken the change, and has not shown what it made of the record. Before the edits are ended."""
    record = change.object_name, record_id
    beneath = change.operation is Operation.DELETE
    bases = dict(db.execute(_EDIT_BASES, record)) if beneath else {}
    db.execute(_NOTE, (*record, push_id, change.operation, msgspec.json.encode(bases).decode()))


def note_along(
    db: apsw.Connection, push_id: str, schemas: Sequence[ObjectSchema], deleted: Iterable[tuple[str, str]]
) -> None:
    """The org has taken these deletions, by object and id: what it takes along is seen later, as those themselves."""
    todo: dict[str, dict[str, str]] = {}
    for name, key in deleted:
        todo.setdefault(name, {})[key] = f"{name} {key}"
    by_name = schemas_by_name(schemas)
    while todo:
        below: dict[str, dict[str, str]] = {}
        masters = [(by_name[name], with_it) for name, with_it in todo.items()]
        for schema in (each for each in schemas if each.has("IsDeleted")):
            for key, with_it in _children(db, schema, masters):
                db.execute(_NOTE_ALONG, (schema.name, key, push_id, with_it))
                if db.changes():  # of records that refer to each other each is met once
                    below.setdefault(schema.name, {})[key] = with_it
        todo = below


def _children(
    db: apsw.Connection, schema: ObjectSchema, masters: Iterable[tuple[ObjectSchema, Mapping[str, str]]]
) -> list[tuple[str, str]]:
    """The object's living records that go with these, and with which."""
    found: list[tuple[str, str]] = []
    for master, with_it in masters:
        ids = msgspec.json.encode(list(with_it)).decode()
        for field in schema.masters(master):
            asked = f'SELECT "Id", {quote(field)} FROM {quote(schema.name)} WHERE {reading_sql.alive(schema)}'
            rows = db.execute(f"{asked} AND {quote(field)} IN (SELECT value FROM json_each(?))", (ids,))
            found += [(str(key), with_it[str(parent)]) for key, parent in rows if not is_local(str(key))]
    return found


def note_deleted(db: apsw.Connection, object_name: str, record_id: str) -> None:
    """An event says that the record is deleted, while a deletion of ours is on its way: what it took is seen later."""
    push_id = db.execute(_SENT_BY, (object_name, record_id)).get
    if push_id is not None:
        bases = msgspec.json.encode(dict(db.execute(_EDIT_BASES, (object_name, record_id)))).decode()
        db.execute(_NOTE, (object_name, record_id, push_id, Operation.DELETE, bases))


def note_shown(db: apsw.Connection, object_name: str, record_id: str, stamp: Stored) -> None:
    """The org has shown the record, with this stamp."""
    found = db.execute(_ONE, (object_name, record_id)).fetchone()
    if found is not None and found[1] == Operation.CREATE:
        note_own_stamp(db, object_name, record_id, None, stamp)
    forget_written(db, object_name, record_id)


def forget_written(db: apsw.Connection, object_name: str, record_id: str) -> None:
    """The org has shown the record."""
    db.execute(_FORGET, (object_name, record_id))


class Written:
    """Holds what the org shows against what it has taken, within the transaction of the merge."""

    def __init__(self, judge: Judge, policies: Policies, now: Callable[[], datetime]) -> None:
        self._judge = judge
        self._policies = policies
        self._now = now

    def staged(self, db: apsw.Connection, schema: ObjectSchema) -> list[Loss]:
        """What our deletions seem to have taken, of the staged rows. To be asked before these enter the table."""
        told = [quote(name) for name in data_fields(schema)]
        if not told or not schema.has("IsDeleted") or not db.execute(_ANY_DELETED, {"name": schema.name}).get:
            return []
        names = [each.name for each in schema.columns]
        listed = ", ".join(f"s.{quote(name)}" for name in names)
        moved = joined([f"s.{name} IS NOT t.{name}" for name in told], " OR ")
        staging, table = quote(staging_sql.staging_table(schema.name)), quote(schema.name)
        deleted = f's."IsDeleted" IS 1 AND s."Id" IN ({_DELETED} UNION {_ON_ITS_WAY})'
        met = f'{staging} s CROSS JOIN {table} t ON t."Id" = s."Id"'
        rows = db.execute(f"SELECT {listed} FROM {met} WHERE {deleted} AND ({moved})", {"name": schema.name})
        # One after the other: of a mass deletion, the org has emptied references in most of the rows.
        return self._losses(db, schema, (dict(zip(names, row, strict=True)) for row in rows))

    def shown(self, db: apsw.Connection, schema: ObjectSchema, came: Sequence[Row]) -> list[Loss]:
        """The same of these rows."""
        return self._losses(db, schema, (each for each in came if each.get("IsDeleted")))

    def _losses(self, db: apsw.Connection, schema: ObjectSchema, came: Iterable[Row]) -> list[Loss]:
        met = ((each, row_of(db, schema, str(each["Id"]))) for each in came)
        found = (self._loss(db, schema, here, each) for each, here in met if here is not None)
        return [each for each in found if each is not None]

    def _loss(self, db: apsw.Connection, schema: ObjectSchema, here: Row, came: Row) -> Loss | None:
        record = schema.name, str(came["Id"])
        push_id, bases, with_it = db.execute(_SENT_BY, record).get, dict(db.execute(_EDIT_BASES, record)), None
        if push_id is None:
            push_id, operation, text, with_it = db.execute(_ONE, record).fetchone() or ("", "", "{}", None)
            if operation != Operation.DELETE:
                return None
            bases |= _BASES.decode(str(text))
        before = {**shown_before(db, schema, here), **bases}
        contested = Contested(schema.name, record[1], Operation.DELETE, (), before, came)
        lost = taken_along(contested, schema, self._policies)
        touched = {name: came.get(name) for name in ("LastModifiedById", "LastModifiedDate")}
        return Loss(record[1], str(push_id), lost, touched, str(with_it or "")) if lost else None

    def settle(self, db: apsw.Connection, schema: ObjectSchema, losses: Sequence[Loss]) -> dict[str, Problem]:
        """Put before a person what somebody had changed, as the rows have entered; gives, by record, what is told.

        References that the org has emptied because their record is deleted are nobody's change.
        """
        told = {}
        for each in losses:
            before, now = ({one.field: side(one) for one in each.conflicts} for side in (_base, _org))
            emptied = self._judge.emptied(db, schema, before, now)
            lost = [one for one in each.conflicts if one.field not in emptied]
            if lost:
                problem = deleted_over([one.field for one in lost], each.touched, each.with_it)
                told[each.record_id] = problem
                record = schema.name, each.record_id
                put_told(db, (*record, Kind.DELETED_OVER), Operation.DELETE, self._now(), problem, lost)
                note_problem(db, each.push_id, *record, problem)
        return told

    def forget_staged(self, db: apsw.Connection, schema: ObjectSchema) -> None:
        """The org has shown the records whose staged rows have entered the table."""
        if db.execute(_ANY, (schema.name,)).get:
            note_made(db, schema)
            staging = quote(staging_sql.staging_table(schema.name))
            mine = "SELECT record_id FROM _sync_written WHERE object_name = ?1"
            # Few rows of very many may be ours.
            shown = f'record_id IN (SELECT s."Id" FROM {staging} s WHERE s."Id" IN ({mine}))'
            db.execute(f"DELETE FROM _sync_written WHERE object_name = ?1 AND {shown}", (schema.name,))

    def unshown(self, db: apsw.Connection, schema: ObjectSchema, record_id: str, cause: Cause) -> Operation | None:
        """The org does not show the record; what a push has done to it that it has not shown since, a deletion apart.

        The push is told of it at once. Nothing where it is known that somebody has deleted the record.
        """
        found = db.execute(_ONE, (schema.name, record_id)).fetchone()
        forget_written(db, schema.name, record_id)
        if found is None or cause.is_deletion or found[1] == Operation.DELETE:
            return None
        note_problem(db, str(found[0]), schema.name, record_id, not_shown(record_id))
        return Operation(str(found[1]))

    def tell_unshown(self, db: apsw.Connection, schema: ObjectSchema, record_id: str, done: Operation) -> None:
        """The record leaves the table: a person is told of what a push has done to it."""
        put_told(db, (schema.name, record_id, Kind.NOT_SHOWN), done, self._now(), not_shown(record_id), ())


def _base(conflict: Conflict) -> Stored:
    return conflict.base


def _org(conflict: Conflict) -> Stored:
    return conflict.org
