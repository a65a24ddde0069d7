"""Unfinished pulls that make way: records that are asked for by id need the object's one staging table.

A push reads what it has written again in the middle of everything. A pull that broke off before, perhaps for want of
calls, goes on afterwards from its last durable page all the same.
"""

from __future__ import annotations

import apsw

from salesforce_sync.models.schema import ObjectSchema
from salesforce_sync.storage import staging_sql, table_sql
from salesforce_sync.storage.sql_text import quote

_HAS_WAY_ON = """
SELECT durable FROM _sync_staging
WHERE name = ? AND columns = ? AND resume IS NOT NULL AND NOT partial AND kind IS NULL
"""
_KEEP = """
INSERT OR REPLACE INTO _sync_aside
SELECT name, columns, since, resume, durable, server_time, total FROM _sync_staging WHERE name = ?
"""
_COLUMNS = "SELECT columns FROM _sync_aside WHERE name = ?"
_ROWS = "SELECT durable FROM _sync_aside WHERE name = ?"
_BRING_BACK = """
INSERT OR REPLACE INTO _sync_staging (name, columns, since, resume, durable, server_time, total)
SELECT name, columns, since, resume, durable, server_time, total FROM _sync_aside WHERE name = ?
"""
_FORGET = "DELETE FROM _sync_aside WHERE name = ?"


def keep(db: apsw.Connection, schema: ObjectSchema, columns: str) -> None:
    """Within a transaction: what is staged of a pull that can go on, up to its last durable page, is set aside.

    It can if it reads these `columns`, which are the schema's now.
    """
    durable = db.execute(_HAS_WAY_ON, (schema.name, columns)).get
    if durable is None:
        return
    staging, aside = staging_sql.staging_table(schema.name), _table(schema.name)
    db.execute(staging_sql.cut_staging(schema.name), (durable,))
    db.execute(table_sql.drop_table(aside))
    db.execute(table_sql.create_table(aside, schema.columns))
    _copy(db, schema, staging, aside)
    db.execute(_KEEP, (schema.name,))


def bring_back(db: apsw.Connection, schema: ObjectSchema, columns: str) -> None:
    """Within a transaction, with an empty staging table: the pull is staged as it was, if it reads these `columns`."""
    if db.execute(_COLUMNS, (schema.name,)).get == columns:
        _copy(db, schema, _table(schema.name), staging_sql.staging_table(schema.name))
        db.execute(_BRING_BACK, (schema.name,))
    forget(db, schema.name)


def is_kept(db: apsw.Connection, object_name: str) -> bool:
    """Whether a pull of the object was set aside."""
    return db.execute(_ROWS, (object_name,)).get is not None


def rows(db: apsw.Connection, object_name: str) -> int:
    """How many rows of the object are set aside."""
    found: int | None = db.execute(_ROWS, (object_name,)).get
    return found or 0


def forget(db: apsw.Connection, object_name: str) -> None:
    """Within a transaction: nothing of the object is set aside."""
    if is_kept(db, object_name):
        db.execute(table_sql.drop_table(_table(object_name)))
        db.execute(_FORGET, (object_name,))


def _table(object_name: str) -> str:
    return f"_sync_aside_{object_name}"


def _copy(db: apsw.Connection, schema: ObjectSchema, source: str, target: str) -> None:
    """Row by row in their order, so that each has the number again that it had."""
    names = ", ".join(quote(field.name) for field in schema.columns)
    db.execute(f"INSERT INTO {quote(target)} ({names}) SELECT {names} FROM {quote(source)}")
