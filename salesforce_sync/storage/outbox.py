"""The outbox in SQLite: what waits to be sent, and what is on its way."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import NamedTuple

import apsw
import msgspec

from salesforce_sync.models.outbox import Change, ChangeState, Edit, Operation, Wanted
from salesforce_sync.models.schema import FieldType, ObjectSchema
from salesforce_sync.models.values import Stored, format_datetime, parse_datetime
from salesforce_sync.storage.connections import Connections
from salesforce_sync.storage.sql_text import quote

READ_AT_ONCE = 1000
"""Changes of which the rows are held while they are made."""

_ROWS = """
SELECT number, object_name, record_id, operation, sending, state, edited_at, attempts, not_before, push_id, sent_at,
    job, allow_duplicates, sent_by FROM _sync_outbox o
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
    sent_by: str | None


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
    """The reading half of the outbox; `ports.Store` says what each call promises."""

    def __init__(self, connections: Connections, schema: Schemas) -> None:
        self._connections = connections
        self._schema = schema

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


def row_in_outbox(db: apsw.Connection, object_name: str, record_id: str) -> OutboxRow | None:
    """The record's row of the outbox, if it has one."""
    row = db.execute(_ONE, (object_name, record_id)).fetchone()
    return None if row is None else OutboxRow(*row)


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
            later=tuple(told) if operation is Operation.UNDELETE else (),
            sent_by=None if row.sent_by is None else self._text(row.sent_by),
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
