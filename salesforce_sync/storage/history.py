"""Values that were replaced, kept for a while. The database compares and writes; bounded by age and by number."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

import apsw
import msgspec

from salesforce_sync.models.history import Keeping, Origin, Replaced
from salesforce_sync.models.outbox import Change, Operation
from salesforce_sync.models.schema import Field, ObjectSchema
from salesforce_sync.models.values import Stored, format_datetime, parse_datetime
from salesforce_sync.storage import merge_sql
from salesforce_sync.storage.connections import Connections
from salesforce_sync.storage.records import row_of
from salesforce_sync.storage.sql_text import concatenated, literal, quote

UNTOLD = ("SystemModstamp", "LastModifiedDate", "LastModifiedById", "LastViewedDate", "LastReferencedDate")
"""Fields that move with every change, or with every look: their values tell nothing that `at` and `who` do not."""

_NOTE = """
INSERT INTO _sync_history (object_name, record_id, at, origin, who, push_id, replaced) VALUES (?, ?, ?, ?, ?, ?, ?)
"""
_OF = """
SELECT object_name, record_id, origin, at, who, push_id, replaced FROM _sync_history
WHERE record_id = ? AND object_name = ? ORDER BY id DESC
"""
_OF_PUSH = "SELECT replaced FROM _sync_history WHERE record_id = ? AND object_name = ? AND push_id = ?"
_BASES = "SELECT field, base FROM _sync_edit WHERE object_name = ? AND record_id = ?"
# Entries are in the order of their time: a look at the oldest is enough, and one at all, for each row of a push, is not
# to be paid.
_TOO_OLD = """
DELETE FROM _sync_history WHERE object_name = ?1 AND id < (
    SELECT id FROM _sync_history WHERE object_name = ?1 AND at >= ?2 ORDER BY id LIMIT 1)
"""
_TOO_MANY = """
DELETE FROM _sync_history WHERE object_name = ?1 AND id <= (
    SELECT id FROM _sync_history WHERE object_name = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)
"""


class HistoryWriter:
    """The history part of the SQLite store."""

    def __init__(self, connections: Connections, keeping: Keeping, now: Callable[[], datetime]) -> None:
        self._connections = connections
        self._keeping = keeping
        self._now = now
        self._kept = bool(keeping.rows and keeping.days)

    def of(self, schema: ObjectSchema, record_id: str) -> tuple[Replaced, ...]:
        with self._connections.looking() as db:
            rows = list(db.execute(_OF, (record_id, schema.name)))
            after = {**(row_of(db, schema, record_id) or {}), **dict(db.execute(_BASES, (schema.name, record_id)))}
        told: list[Replaced] = []
        for row in rows:
            entry = _read(row, after)
            after |= {each.field: each.old for each in entry}
            told += entry
        return tuple(told)

    def merged(self, db: apsw.Connection, schema: ObjectSchema, trusted: Mapping[str, str]) -> None:
        """Keep what the staged rows, set in order, are about to replace; rows with local edits are told by `note`."""
        if not self._kept:
            return
        fields = [each for each in schema.columns if each.name != "Id" and each.name not in UNTOLD]
        if not fields:
            return
        named = {"at": format_datetime(self._now()), "name": schema.name, "most": self._keeping.rows}
        db.execute(_note_merge(schema, fields), {**named, **trusted})
        if db.changes():
            self.trim(db, schema.name)

    def pushed(
        self, db: apsw.Connection, push_id: str, change: Change, record_id: str, found: Mapping[str, Stored]
    ) -> None:
        """Keep what a push has replaced in the org: the bases, or what it found there instead.

        Not what is kept already, because a row has shown it before the push was answered.
        """
        if change.operation is Operation.UPDATE:
            kept = self._kept_of(db, push_id, change, record_id)
            pairs = {each.field: (found.get(each.field, each.base), each.value) for each in change.edits}
            replaced = {name: pair for name, pair in pairs.items() if (name, [*pair]) not in kept}
            self.note(db, change.object_name, record_id, Origin.PUSH, replaced, push_id=push_id)

    def has_shown(self, db: apsw.Connection, push_id: str, change: Change) -> bool:
        """Whether a row has shown all that this push wrote, before it was answered."""
        kept = self._kept_of(db, push_id, change, change.record_id)
        return change.operation is Operation.UPDATE and all(
            (each.field, [each.base, each.value]) in kept for each in change.edits if each.base != each.value
        )

    def _kept_of(self, db: apsw.Connection, push_id: str, change: Change, record_id: str) -> list[tuple[str, object]]:
        """Field and [old, new] of what is kept of this push already."""
        shown = db.execute(_OF_PUSH, (record_id, change.object_name, push_id)).fetchall()
        return [pair for (text,) in shown for pair in msgspec.json.decode(str(text)).items()]

    def note(
        self,
        db: apsw.Connection,
        object_name: str,
        record_id: str,
        origin: Origin,
        replaced: Mapping[str, tuple[Stored, Stored]],
        *,
        who: str = "",
        push_id: str | None = None,
    ) -> None:
        """Keep one record's replaced values: field → (old, new). The bounds are for `trim`, once a transaction."""
        told = {name: pair for name, pair in replaced.items() if name not in UNTOLD and pair[0] != pair[1]}
        if told and self._kept:
            text = msgspec.json.encode(told).decode()
            at = format_datetime(self._now())
            db.execute(_NOTE, (object_name, record_id, at, origin, who, push_id, text))

    def merged_rows(
        self,
        db: apsw.Connection,
        object_name: str,
        replaced: Mapping[str, Mapping[str, tuple[Stored, Stored]]],
        rows: Mapping[str, Mapping[str, Stored]],
    ) -> None:
        """Keep what rows that came by themselves have replaced: record → field → (old, new)."""
        if not self._kept:
            return
        at = format_datetime(self._now())
        entries = []
        for key, pairs in replaced.items():
            told = {name: pair for name, pair in pairs.items() if name not in UNTOLD}
            if told:
                who = str(rows[key].get("LastModifiedById") or "")
                text = msgspec.json.encode(told).decode()
                entries.append((object_name, key, at, Origin.PULL.value, who, None, text))
        db.executemany(_NOTE, entries)

    @property
    def oldest(self) -> str:
        """The time before which nothing is kept; '' if there is none."""
        return format_datetime(self._now() - timedelta(days=self._keeping.days)) if self._kept else ""

    def trim(self, db: apsw.Connection, object_name: str) -> None:
        """Hold the object's history to its bounds."""
        db.execute(_TOO_OLD, (object_name, self.oldest))
        db.execute(_TOO_MANY, (object_name, self._keeping.rows))


def _note_merge(schema: ObjectSchema, fields: Sequence[Field]) -> str:
    """One statement: for each row that a merge will change, the changed fields' old values as JSON.

    The new ones are the old ones of the next entry, or what is here now: writing them too would cost as much again.
    """
    pairs = concatenated([_pair(each) for each in fields])
    who = 's."LastModifiedById"' if schema.has("LastModifiedById") else "''"
    contested = 'SELECT 1 FROM _sync_outbox o WHERE o.object_name = :name AND o.record_id = s."Id"'
    changed = f"SELECT s.\"Id\" AS id, coalesce({who}, '') AS who, {pairs} AS pairs"
    staged = f"{merge_sql.came_and_staged(schema.name)} CROSS JOIN {quote(schema.name)} t ON t._rowid_ = o.here"
    newer = merge_sql.may_enter("s", schema.stamp)
    # With a limit SQLite keeps an inner query as one: else it would put together the pairs of each row twice.
    return f"""
INSERT INTO _sync_history (object_name, record_id, at, origin, who, replaced)
SELECT :name, id, :at, '{Origin.PULL}', who, '{{' || substr(pairs, 2) || '}}'
FROM ({changed} FROM {staged} WHERE NOT EXISTS ({contested}){newer} LIMIT -1)
WHERE pairs <> '' LIMIT :most
"""


def _pair(field: Field) -> str:
    name = quote(field.name)
    key = literal(f',"{field.name}":')
    return f"CASE WHEN s.{name} IS t.{name} THEN '' ELSE {key} || json_quote(t.{name}) END"


def _read(row: tuple[object, ...], after: Mapping[str, Stored]) -> list[Replaced]:
    """One entry; where it has only the old values, the new ones are what came `after` it."""
    object_name, record_id, origin, at, who, push_id, replaced = row
    pairs = {
        field: tuple(told) if isinstance(told, list) else (told, after.get(field))
        for field, told in msgspec.json.decode(str(replaced)).items()
    }
    return [
        Replaced(
            str(object_name),
            str(record_id),
            field,
            old,
            new,
            Origin(str(origin)),
            parse_datetime(str(at)),
            str(who),
            None if push_id is None else str(push_id),
        )
        for field, (old, new) in pairs.items()
    ]
