"""The outbox's triggers on the objects' tables: giving them, and working unseen by them.

Only ours are passed by in a merge, and only within its transaction: triggers that somebody else has put on a table see
what a merge does, and nobody ever finds a table without ours.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import apsw

from salesforce_sync.models.schema import ObjectSchema
from salesforce_sync.storage.checks import write_rules
from salesforce_sync.storage.connections import switched
from salesforce_sync.storage.sql_text import quote
from salesforce_sync.storage.triggers import triggers

_OURS = """
SELECT name, sql FROM sqlite_master
WHERE type = 'trigger' AND tbl_name = ? COLLATE NOCASE AND name GLOB '_sync_on_*' ORDER BY rowid
"""
_LOST_COLUMNS = """
SELECT name FROM pragma_table_info(:name) WHERE EXISTS (
    SELECT 1 FROM _sync_lost_field l WHERE l.object_name = :name AND l.field = pragma_table_info.name) ORDER BY cid
"""
_OTHERS = "SELECT 1 FROM sqlite_master WHERE type = 'trigger' AND name NOT GLOB '_sync_on_*' LIMIT 1"
_IN_OUTBOX = "SELECT DISTINCT object_name FROM _sync_outbox"


def give_triggers(db: apsw.Connection, schema: ObjectSchema) -> None:
    """Give the object's table the triggers of this schema, and what they look up: its fields' rules, and the
    values of its restricted picklists."""
    lost = [str(name) for (name,) in db.execute(_LOST_COLUMNS, {"name": schema.name})]
    wanted, here = triggers(schema, lost), _ours(db, schema.name)
    if wanted != here:
        drop_triggers(db, schema.name)
        for statement in wanted.values():
            db.execute(statement)
    write_rules(db, schema)
    db.execute("DELETE FROM _sync_picklist WHERE object_name = ?", (schema.name,))
    values = [
        (schema.name, field.name, value)
        for field in schema.columns
        if field.restricted_picklist
        for value, active in field.picklist
        if active
    ]
    db.executemany("INSERT OR IGNORE INTO _sync_picklist VALUES (?, ?, ?)", values)


def drop_triggers(db: apsw.Connection, object_name: str) -> dict[str, str]:
    """Take our triggers off the object's table; gives their statements by name."""
    dropped = _ours(db, object_name)
    for name in dropped:
        db.execute(f"DROP TRIGGER {quote(name)}")
    return dropped


@contextmanager
def unseen(db: apsw.Connection, object_names: Iterable[str]) -> Iterator[None]:
    """Within the open transaction: what is written to these objects' tables is no edit of anybody's.

    The connection runs no trigger at all within, unless somebody has given the database one. Putting ours aside and
    back changes the database's schema, which every other connection then has to read again: 15 ms of CPU with four
    objects and 30 ms with 38, on a busy machine.
    """
    if db.execute(_OTHERS).get is None:
        with switched(db, apsw.SQLITE_DBCONFIG_ENABLE_TRIGGER, on=False):
            yield
        return
    dropped = [statement for name in object_names for statement in drop_triggers(db, name).values()]
    yield
    # If the block raises, the transaction is rolled back, and with it the dropping.
    for statement in dropped:
        db.execute(statement)


def in_outbox(db: apsw.Connection) -> list[str]:
    """The objects that have something in the outbox: all tables that can hold a local id."""
    return [str(name) for (name,) in db.execute(_IN_OUTBOX)]


def _ours(db: apsw.Connection, object_name: str) -> dict[str, str]:
    return {str(name): str(text) for name, text in db.execute(_OURS, (object_name,))}
