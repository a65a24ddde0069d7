"""One record's places in the store: its row, its edits, its items; and what its local id becomes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import apsw

from salesforce_sync.models.inbox import Conflict
from salesforce_sync.models.outbox import is_local
from salesforce_sync.models.schema import FieldType, ObjectSchema
from salesforce_sync.models.values import Stored, readable
from salesforce_sync.storage import own_sql, reading_sql
from salesforce_sync.storage.sql_text import quote

_MINE = "object_name = ? AND record_id = ?"
_SINCE = """
SELECT e.field, e.value, p.base, p.value, p.field NOTNULL,
    coalesce(coalesce(e.edited_at, made.edited_at) >= coalesce(p.edited_at, pulled.edited_at), 1), e.edited_at
FROM _sync_edit e
LEFT JOIN _sync_edit p ON p.object_name = e.object_name AND p.record_id = ?3 AND p.field = e.field
LEFT JOIN _sync_outbox made ON made.object_name = e.object_name AND made.record_id = e.record_id
LEFT JOIN _sync_outbox pulled ON pulled.object_name = e.object_name AND pulled.record_id = ?3
WHERE e.object_name = ?1 AND e.record_id = ?2 AND NOT (e.in_flight AND e.value IS e.sent)
"""
"""What was edited of a record that was made here, since it was sent; beside it what was edited of the row of it that a
pull has brought, and whether that was before."""
_EDIT_AGAIN = f"UPDATE _sync_edit SET value = ?, edited_at = ? WHERE {_MINE} AND field = ?"
_KNOW_LOCAL = "INSERT OR REPLACE INTO _sync_local (local_id, object_name, record_id) VALUES (?, ?, ?)"
_NAMED_LOCALLY = """
SELECT object_name, record_id, field FROM _sync_edit WHERE value = ?1 AND value GLOB 'local-*'
"""
_NAME_REALLY = """
UPDATE _sync_edit SET value = ?1, base = CASE WHEN base = ?2 THEN ?1 ELSE base END
WHERE object_name = ?3 AND record_id = ?4 AND field = ?5
"""
_NOT_DELETED = f"""
UPDATE _sync_outbox SET operation = 'update' WHERE {_MINE} AND operation = 'delete' AND sending IS NULL RETURNING 1
"""
_BASE = f"SELECT base FROM _sync_edit WHERE {_MINE} AND field = ?"
_END = f"DELETE FROM _sync_edit WHERE {_MINE} AND field = ?"
_BACK_AT_BASE = f"""
DELETE FROM _sync_edit WHERE {_MINE} AND value IS base AND contested = 0 AND in_flight = 0
    AND NOT EXISTS (SELECT 1 FROM _sync_outbox WHERE {_MINE} AND operation = 'delete')
"""
_TIDY_OUTBOX = f"""
DELETE FROM _sync_outbox WHERE {_MINE} AND operation = 'update' AND sending IS NULL
    AND NOT EXISTS (SELECT 1 FROM _sync_edit WHERE {_MINE})
"""
_TIDY_INBOX = f"""
DELETE FROM _sync_inbox WHERE {_MINE} AND (
    (kind = 'conflict' AND NOT EXISTS (SELECT 1 FROM _sync_edit WHERE {_MINE} AND contested = 1))
    OR (kind NOT IN ('conflict', {own_sql.TOLD_KINDS})
        AND NOT EXISTS (SELECT 1 FROM _sync_outbox WHERE {_MINE} AND state = 'parked')))
"""


class Adopted(NamedTuple):
    """What two rows that are one by now had meant for each other's edits.

    `lost`: fields that both have edited, with the earlier value as `org`, where the later one is `local`. `kept`:
    one row was edited and the other one deleted, and so the record is not deleted.
    """

    lost: Sequence[Conflict] = ()
    kept: bool = False


def adopt_id(
    db: apsw.Connection, schemas: Callable[[str], ObjectSchema | None], object_name: str, local_id: str, record_id: str
) -> Adopted:
    """The org has given the record an id: every place that holds the local one gets it.

    If a pull has brought the record already, both rows may have been edited since: of each field the later edit stays,
    and no edit is deleted with the other row.
    """
    schema = schemas(object_name)
    if not is_local(local_id) or schema is None:
        return Adopted()
    lost: list[Conflict] = []
    kept = False
    db.execute(_KNOW_LOCAL, (local_id, schema.name, record_id))
    table = quote(schema.name)
    if db.execute(f'SELECT 1 FROM {table} WHERE "Id" = ?', (record_id,)).get is None:
        db.execute(f'UPDATE {table} SET "Id" = ? WHERE "Id" = ?', (record_id, local_id))
    else:
        # A pull has brought it already. What was edited here since goes over to that row.
        db.execute(f'DELETE FROM {table} WHERE "Id" = ?', (local_id,))
        both = list(db.execute(_SINCE, (schema.name, local_id, record_id)))
        if schema.has("IsDeleted"):
            kept = _keep_edited(db, schema, local_id, record_id, is_edited=bool(both))
        for field, value, base, theirs, is_edited_too, is_later, at in both:
            if is_edited_too and value != theirs:
                lost.append(Conflict(str(field), base, *((value, theirs) if is_later else (theirs, value))))
            if is_later or not is_edited_too:
                set_cell(db, schema, record_id, str(field), value)
                db.execute(_EDIT_AGAIN, (value, at, schema.name, record_id, field))
    for own in ("_sync_edit", "_sync_outbox", "_sync_inbox", "_sync_history", "_sync_pushed"):
        db.execute(f"UPDATE OR IGNORE {own} SET record_id = ? WHERE {_MINE}", (record_id, schema.name, local_id))
        db.execute(f"DELETE FROM {own} WHERE {_MINE}", (schema.name, local_id))
    for holding, holder, field in referring(db, schemas, local_id):
        db.execute(_NAME_REALLY, (record_id, local_id, holding.name, holder, field))
        set_cell(db, holding, holder, field, record_id)  # the row shows the same value as its edit
    return Adopted(lost, kept)


def _keep_edited(db: apsw.Connection, schema: ObjectSchema, local_id: str, record_id: str, *, is_edited: bool) -> bool:
    """Take a row's deletion back if the record's other row was edited; `is_edited`: the one that was made here."""
    made, pulled = (
        db.execute(f"SELECT operation FROM _sync_outbox WHERE {_MINE}", (schema.name, each)).get
        for each in (local_id, record_id)
    )
    if is_edited and made != "delete" and db.execute(_NOT_DELETED, (schema.name, record_id)).get:
        set_cell(db, schema, record_id, "IsDeleted", 0)
        return True
    return bool(made == "delete" and pulled == "update")


def referring(
    db: apsw.Connection, schemas: Callable[[str], ObjectSchema | None], local_id: str
) -> list[tuple[ObjectSchema, str, str]]:
    """Who refers to a record that was made here: object, record and field. Such a value can only come by an edit."""
    found = [
        (schemas(str(name)), str(holder), str(field)) for name, holder, field in db.execute(_NAMED_LOCALLY, (local_id,))
    ]
    return [
        (schema, holder, field)
        for schema, holder, field in found
        if schema is not None and schema.has(field) and schema.field(field).type is FieldType.REFERENCE
    ]


def set_cell(db: apsw.Connection, schema: ObjectSchema, record_id: str, field: str, value: Stored) -> None:
    """Write one value of a row, past the outbox; one that its field cannot hold since it changed its type, is not."""
    if any(each.name == field and readable(each.type, value) for each in schema.columns):
        db.execute(f'UPDATE {quote(schema.name)} SET {quote(field)} = ? WHERE "Id" = ?', (value, record_id))


def forget_record(
    db: apsw.Connection, schemas: Callable[[str], ObjectSchema | None], object_name: str, record_id: str
) -> None:
    """Take a record that was made here, and all that waits for it, away; who refers to it refers to what it did."""
    schema = schemas(object_name)
    if schema is None or not is_local(record_id):
        return
    for holding, holder, field in referring(db, schemas, record_id):
        edit = holding.name, holder, field
        set_cell(db, holding, holder, field, db.execute(_BASE, edit).get)
        db.execute(_END, edit)
        tidy(db, holding.name, holder)
    forget_change(db, schema.name, record_id)
    db.execute(f'DELETE FROM {quote(schema.name)} WHERE "Id" = ?', (record_id,))


def forget_change(db: apsw.Connection, object_name: str, record_id: str) -> None:
    """End the record's change: its edits, its place in the outbox, and what waited for a person because of it."""
    for own in ("_sync_edit", "_sync_outbox", "_sync_inbox"):
        kept = f" AND kind NOT IN ({own_sql.TOLD_KINDS})" if own == "_sync_inbox" else ""
        db.execute(f"DELETE FROM {own} WHERE {_MINE}{kept}", (object_name, record_id))


def tidy(db: apsw.Connection, object_name: str, record_id: str) -> None:
    """Take out of the outbox and the inbox what has no reason to be there any more."""
    record = object_name, record_id
    db.execute(_BACK_AT_BASE, record * 2)
    db.execute(_TIDY_OUTBOX, record * 2)
    db.execute(_TIDY_INBOX, record * 3)


def row_of(db: apsw.Connection, schema: ObjectSchema, record_id: str) -> dict[str, Stored] | None:
    """The record's row, a tombstone too: column → stored value."""
    row = db.execute(
        f'SELECT {reading_sql.listed(schema)} FROM {quote(schema.name)} WHERE "Id" = ?', (record_id,)
    ).fetchone()
    return None if row is None else dict(zip((each.name for each in schema.columns), row, strict=True))
