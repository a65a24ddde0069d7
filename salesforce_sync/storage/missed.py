"""Rows that a filling of columns did not bring: the org did not show them then. Read whole, they are missed no more."""

from __future__ import annotations

import apsw

from salesforce_sync.models.schema import ObjectSchema
from salesforce_sync.storage import reading_sql, staging_sql
from salesforce_sync.storage.sql_text import literal, quote

_ANY = "SELECT 1 FROM _sync_missed WHERE object_name = ? LIMIT 1"
_ONE = "SELECT 1 FROM _sync_missed WHERE object_name = ? AND record_id = ?"
_TO_ASK = "SELECT record_id FROM _sync_missed WHERE object_name = ? AND NOT asked LIMIT ?"
_ASKED = "UPDATE _sync_missed SET asked = 1 WHERE object_name = ? AND NOT asked"
_FOUND = "DELETE FROM _sync_missed WHERE object_name = ? AND record_id = ?"


def note_missed(db: apsw.Connection, schema: ObjectSchema) -> None:
    """Note the living rows that are not among the staged ones of a filling."""
    staging = quote(staging_sql.staging_table(schema.name))
    living = f"FROM {reading_sql.org_view(schema)} t WHERE NOT {reading_sql.dead_in_org(schema)}"
    absent = f't."Id" NOT IN (SELECT "Id" FROM {staging})'
    db.execute(
        f'INSERT OR REPLACE INTO _sync_missed (object_name, record_id) SELECT ?, t."Id" {living} AND {absent}',
        (schema.name,),
    )


def to_ask(db: apsw.Connection, object_name: str, most: int) -> tuple[str, ...]:
    """At most so many ids of which the org has not been asked since they were missed."""
    return tuple(str(record_id) for (record_id,) in db.execute(_TO_ASK, (object_name, most)))


def is_one(db: apsw.Connection, object_name: str, record_id: str) -> bool:
    """Whether the row is missed."""
    return db.execute(_ONE, (object_name, record_id)).fetchone() is not None


def note_asked(db: apsw.Connection, object_name: str) -> None:
    """The org has been asked for them, or is not to be."""
    db.execute(_ASKED, (object_name,))


def is_any(db: apsw.Connection, object_name: str) -> bool:
    """Whether any row of the object is missed."""
    return db.execute(_ANY, (object_name,)).fetchone() is not None


def forget_staged(db: apsw.Connection, schema: ObjectSchema) -> None:
    """The staged rows are read whole."""
    if not is_any(db, schema.name):
        return
    staging = quote(staging_sql.staging_table(schema.name))
    db.execute(
        f'DELETE FROM _sync_missed WHERE object_name = ? AND record_id IN (SELECT "Id" FROM {staging})', (schema.name,)
    )


def forget(db: apsw.Connection, object_name: str, record_id: str) -> None:
    """The row is not here any more."""
    db.execute(_FOUND, (object_name, record_id))


def is_missed(schema: ObjectSchema) -> str:
    """Whether a listed row `l` is one of them."""
    mine = f'object_name = {literal(schema.name)} AND record_id = l."Id"'
    return f"EXISTS (SELECT 1 FROM _sync_missed WHERE {mine})"
