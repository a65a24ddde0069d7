"""Questions that are withdrawn, as it shows that nobody had changed anything: the org emptied a reference by itself.

It does so when it deletes the record that was referred to. Objects are read one after the other, so that the row may
come before the tombstone that explains it.
"""

from __future__ import annotations

import apsw
import msgspec

from salesforce_sync.models.inbox import Conflict
from salesforce_sync.models.outbox import Kind
from salesforce_sync.storage import inbox_items
from salesforce_sync.storage.contested import UNPARK, Judge
from salesforce_sync.storage.decision import SEEN
from salesforce_sync.storage.push_log import note_less, note_no_problem

_ASKED = """
SELECT object_name, record_id, kind, message, replaced FROM _sync_inbox
WHERE kind IN ('changed there', 'deleted over') AND replaced <> '[]'
"""
_WITHDRAW = "DELETE FROM _sync_inbox WHERE object_name = ? AND record_id = ? AND kind = ?"
_NARROW = """
UPDATE _sync_inbox SET message = ?1, fields = CASE kind WHEN 'deleted over' THEN ?2 ELSE fields END, replaced = ?3
WHERE object_name = ?4 AND record_id = ?5 AND kind = ?6
"""


def withdraw(db: apsw.Connection, judge: Judge) -> None:
    """Ask no more about references to records that have become tombstones, in the transaction that brought these."""
    for row in db.execute(_ASKED).fetchall():
        object_name, record_id, kind, message, text = map(str, row)
        key, asked = (object_name, record_id, kind), inbox_items.decoded(text)
        left = _left(db, judge, object_name, asked)
        if not left:
            db.execute(_WITHDRAW, key)
            if Kind(kind) is Kind.CHANGED_THERE:
                db.execute(SEEN, key[:2])
                db.execute(UNPARK, key[:2])
            else:
                note_no_problem(db, object_name, record_id)
        elif len(left) < len(asked):
            names = [each.field for each in left]
            told = message.replace(", ".join(each.field for each in asked), ", ".join(names))
            db.execute(_NARROW, (told, msgspec.json.encode(names).decode(), inbox_items.encoded(left), *key))
            note_less(db, object_name, record_id, message, told)


def _left(db: apsw.Connection, judge: Judge, object_name: str, asked: list[Conflict]) -> list[Conflict]:
    schema = judge.schema(object_name)
    if schema is None:
        return asked
    before, now = {each.field: each.base for each in asked}, {each.field: each.org for each in asked}
    emptied = judge.emptied(db, schema, before, now)
    return [each for each in asked if each.field not in emptied]
