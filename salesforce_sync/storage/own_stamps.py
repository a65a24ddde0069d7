"""Which stamps of the org come from our own pushes: what moved a record from one to the next was nobody else.

A push holds its write against the stamp that the edits were made on, and the record is read with it or right after it.
What the org fills in, calculates or tidies up with such a write is no change of anybody's.
"""

from __future__ import annotations

from datetime import timedelta

import apsw

from salesforce_sync.models.schema import ObjectSchema
from salesforce_sync.models.values import format_datetime, parse_datetime
from salesforce_sync.storage import staging_sql
from salesforce_sync.storage.sql_text import quote

KEPT = timedelta(days=1)
"""How long a program may hold a record that it has read, and still have its own pushes told from others' changes."""

_NOTE = "INSERT OR IGNORE INTO _sync_own_stamp (object_name, record_id, after, before) VALUES (?, ?, ?, ?)"
_BEFORE = "SELECT before FROM _sync_own_stamp WHERE object_name = ? AND record_id = ? AND after = ?"
_TRIM = "DELETE FROM _sync_own_stamp WHERE after < ?"
_MOST_STEPS = 10_000


def note_own_stamp(db: apsw.Connection, object_name: str, record_id: str, before: object, after: object) -> None:
    """A push of ours has moved the record's stamp; `before` is None where it has made the record."""
    if isinstance(after, str) and before != after:
        db.execute(_NOTE, (object_name, record_id, after, before))


def note_made(db: apsw.Connection, schema: ObjectSchema) -> None:
    """The staged rows show records that a push of ours has made."""
    if schema.stamp is not None:
        made = "SELECT record_id FROM _sync_written WHERE object_name = ?1 AND operation = 'create'"
        stamp, staging = f"s.{quote(schema.stamp)}", quote(staging_sql.staging_table(schema.name))
        rows = f'SELECT ?1, s."Id", {stamp}, NULL FROM {staging} s WHERE s."Id" IN ({made}) AND {stamp} NOTNULL'
        db.execute(
            f"INSERT OR IGNORE INTO _sync_own_stamp (object_name, record_id, after, before) {rows}", (schema.name,)
        )


def trim_own_stamps(db: apsw.Connection, now: str) -> None:
    """Forget what is older than a day at that time of the org's."""
    db.execute(_TRIM, (format_datetime(parse_datetime(now) - KEPT),))


def only_ours(db: apsw.Connection, object_name: str, record_id: str, seen: object, now: object) -> bool:
    """Whether nothing but pushes of ours moved the record from one stamp to the other (None: before it was made)."""
    for _ in range(_MOST_STEPS):
        if now == seen:
            return True
        found = db.execute(_BEFORE, (object_name, record_id, now)).fetchone()
        if found is None:
            return False
        (now,) = found
    return False
