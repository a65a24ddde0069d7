"""Change events on their way into an object's table, in one transaction with the place where they go on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import compress
from operator import itemgetter, ne

import apsw
import msgspec

from salesforce_sync.models.event import EventPage, EventsMerged, Folded, Lack, Position, Row, Told, fold, what_happened
from salesforce_sync.models.outbox import Operation
from salesforce_sync.models.page import Page, Rows
from salesforce_sync.models.proof import Cause
from salesforce_sync.models.schema import ObjectSchema
from salesforce_sync.models.values import Stored, from_rest
from salesforce_sync.signals import news_of_events
from salesforce_sync.storage import merge_sql, reading_sql
from salesforce_sync.storage.connections import Connections
from salesforce_sync.storage.contested import Judge
from salesforce_sync.storage.history import HistoryWriter
from salesforce_sync.storage.met import Met
from salesforce_sync.storage.signal_log import SignalLog
from salesforce_sync.storage.sql_text import quote
from salesforce_sync.storage.watch import unseen
from salesforce_sync.storage.withdrawal import withdraw
from salesforce_sync.storage.written import Written, note_deleted, note_shown

SEEN_KEPT = 50_000
"""Records of an object whose last change is remembered: only changes of one and the same second need it."""
PRUNED_EVERY = 100

_REPLAY = "SELECT replay FROM _sync_follow WHERE object_name = ?"
_MOVE = """
INSERT INTO _sync_follow (object_name, replay) VALUES (?, ?)
ON CONFLICT (object_name) DO UPDATE SET replay = excluded.replay
"""
_FORGET = """
INSERT INTO _sync_follow (object_name, unsure) VALUES (?, 1)
ON CONFLICT (object_name) DO UPDATE SET replay = NULL, unsure = unsure + 1
"""
_UNSURE = "SELECT unsure FROM _sync_follow WHERE object_name = ?"
_NOTE_UNSURE = """
INSERT INTO _sync_follow (object_name, unsure) VALUES (?, 1)
ON CONFLICT (object_name) DO UPDATE SET unsure = unsure + 1
"""
_NOTE_SURE = "UPDATE _sync_follow SET unsure = 0 WHERE object_name = ? AND unsure = ?"
_SEEN = """
SELECT record_id, places FROM _sync_seen
WHERE object_name = ? AND record_id IN (SELECT value FROM json_each(?))
"""
_NOTE_SEEN = "INSERT OR REPLACE INTO _sync_seen (object_name, record_id, places, newest) VALUES (?, ?, ?, ?)"
_PRUNE = """
DELETE FROM _sync_seen WHERE object_name = ?1 AND newest < (
    SELECT newest FROM _sync_seen WHERE object_name = ?1 ORDER BY newest DESC LIMIT 1 OFFSET ?2)
"""
_READ_AGAIN = """
INSERT INTO _sync_read_again (object_name, record_id, lacks) VALUES (?, ?, ?)
ON CONFLICT (object_name, record_id) DO UPDATE SET lacks = max(lacks, excluded.lacks)
"""
_TO_READ = """
SELECT record_id, lacks FROM _sync_read_again WHERE object_name = ? ORDER BY lacks DESC, record_id LIMIT ?
"""
_UNREAD = """
SELECT record_id FROM _sync_read_again
WHERE object_name = ? AND lacks = 'values' AND record_id IN (SELECT value FROM json_each(?))
"""
_BEING_DELETED = """
-- Of these, what somebody changes is to be held against what was here before, once they are read as deleted.
SELECT record_id FROM _sync_outbox
WHERE object_name = ?1 AND sending = 'delete' AND record_id IN (SELECT value FROM json_each(?2))
UNION SELECT record_id FROM _sync_written
WHERE object_name = ?1 AND operation = 'delete' AND record_id IN (SELECT value FROM json_each(?2))
"""
_DELETED_ITSELF = f"{_BEING_DELETED} AND with_it IS NULL"
_READ = "DELETE FROM _sync_read_again WHERE object_name = ? AND record_id = ?"
_READ_AT = "SELECT read_at FROM _sync_object WHERE name = ?"
_COME_BACK = """
DELETE FROM _sync_gone WHERE object_name = ? AND id IN (SELECT value FROM json_each(?))
"""
_CONTESTED = """
SELECT o.record_id, o.operation, e.field, CASE WHEN e.contested THEN e.org ELSE e.base END,
    EXISTS (SELECT 1 FROM _sync_inbox i
        WHERE i.object_name = o.object_name AND i.record_id = o.record_id AND i.kind = 'deleted there')
FROM _sync_outbox o LEFT JOIN _sync_edit e ON e.object_name = o.object_name AND e.record_id = o.record_id
WHERE o.object_name = ? AND o.record_id IN (SELECT value FROM json_each(?))
"""

# Made once, here: msgspec crashes when two threads meet a type at once that it has not seen before.
_PLACES = msgspec.json.Decoder(tuple[tuple[int, int], ...])

TakeOut = Callable[[apsw.Connection, ObjectSchema, str, Cause], int]


class EventMerger:
    """The events part of the SQLite store; `ports.Store` says what each call promises."""

    def __init__(
        self,
        connections: Connections,
        judge: Judge,
        history: HistoryWriter,
        written: Written,
        take_out: TakeOut,
        signals: SignalLog,
    ) -> None:
        self._connections = connections
        self._judge = judge
        self._history = history
        self._written = written
        self._take_out = take_out
        self._signals = signals
        self._merges = 0
        self._texts: dict[str, _Texts] = {}

    # ── where events go on ───────────────────────────────────────────────────────────────────────────────────────

    def replay(self, object_name: str) -> bytes | None:
        with self._connections.looking() as db:
            found = db.execute(_REPLAY, (object_name,)).fetchone()
        return None if found is None or found[0] is None else bytes(found[0])

    def forget_replay(self, object_name: str) -> None:
        with self._connections.writing() as db:
            db.execute(_FORGET, (object_name,))

    def unsure(self, object_name: str) -> int:
        with self._connections.looking() as db:
            found = db.execute(_UNSURE, (object_name,)).fetchone()
        return 0 if found is None else int(found[0])

    def note_unsure(self, object_name: str) -> None:
        with self._connections.writing() as db:
            db.execute(_NOTE_UNSURE, (object_name,))

    def note_sure(self, object_name: str, times: int) -> None:
        with self._connections.writing() as db:
            db.execute(_NOTE_SURE, (object_name, times))

    def to_read_again(self, object_name: str, most: int) -> tuple[tuple[str, Lack], ...]:
        with self._connections.looking() as db:
            return tuple((str(key), Lack(lacks)) for key, lacks in db.execute(_TO_READ, (object_name, most)))

    # ── merge ────────────────────────────────────────────────────────────────────────────────────────────────────

    def merge(self, schema: ObjectSchema, page: EventPage) -> EventsMerged:
        name = schema.name
        ids = list(dict.fromkeys(each.record_id for each in page.events))
        with self._connections.writing() as db:
            told: tuple[Told, ...] = ()
            stale = again = 0
            if ids:
                entering = _Entering(db, self._texts_of(schema), ids)
                read_at = str(db.execute(_READ_AT, (name,)).get or "")
                unread = _ids_of(db, _UNREAD, name, ids) | _ids_of(db, _BEING_DELETED, name, ids)
                folded = fold(page.events, schema, entering.known, _seen(db, name, ids), read_at, unread)
                told, stale, again = self._enter(db, entering, folded), folded.stale, len(folded.again)
                db.executemany(_NOTE_SEEN, (_noted(name, key, places) for key, places in folded.seen.items()))
                db.executemany(_READ_AGAIN, ((name, key, lacks) for key, lacks in folded.again.items()))
                self._prune(db, name)
            if page.unsure:
                db.execute(_NOTE_UNSURE, (name,))
            if page.replay:
                db.execute(_MOVE, (name, page.replay))
            merged = EventsMerged(name, told, stale, again)
            self._signals.write_all(db, news_of_events(merged))
        return merged

    def _enter(self, db: apsw.Connection, entering: _Entering, folded: Folded) -> tuple[Told, ...]:
        told = entering.changes(folded.rows, folded.own)
        self._put(db, entering, [folded.rows[each.record_id] for each in told])
        if folded.gone:
            with unseen(db, [entering.schema.name]):
                for key in folded.gone:
                    self._take_out(db, entering.schema, key, Cause.DELETED)
            withdraw(db, self._judge)
        return told

    def _put(self, db: apsw.Connection, entering: _Entering, rows: Sequence[Row]) -> None:
        """Write rows as the org has them; local edits are held against them, what is replaced goes to the history."""
        schema = entering.schema
        edited = [row for row in rows if row["Id"] in entering.contested]
        plain = [row for row in rows if row["Id"] not in entering.contested]
        if plain:
            with unseen(db, [schema.name]):
                self._write(db, entering, plain)
            self._keep_replaced(db, entering, plain)
        if edited:
            with unseen(db, [schema.name]):
                self._write(db, entering, edited)
                for row in edited:
                    if row.get("IsDeleted"):
                        note_deleted(db, schema.name, str(row["Id"]))
                shown = entering.shown
                met = [Met(key, shown.get(key), row) for key, row in ((str(row["Id"]), row) for row in edited)]
                self._judge.settle(db, schema, met)
        if any(row.get("IsDeleted") for row in rows):
            withdraw(db, self._judge)
        back = [row["Id"] for row in rows if not row.get("IsDeleted") and entering.lacked(str(row["Id"]))]
        if back:
            db.execute(_COME_BACK, (schema.name, msgspec.json.encode(back).decode()))
            db.execute(merge_sql.shown_again(schema), (schema.name,))

    def _write(self, db: apsw.Connection, entering: _Entering, rows: Sequence[Row]) -> None:
        db.executemany(entering.texts.upsert, map(entering.texts.values, rows))

    def _keep_replaced(self, db: apsw.Connection, entering: _Entering, rows: Sequence[Row]) -> None:
        came = {str(row["Id"]): row for row in rows}
        replaced = {
            key: _replaced(entering.shown[key], row, made_here=key not in entering.known)
            for key, row in came.items()
            if key in entering.shown
        }
        self._history.merged_rows(db, entering.schema.name, replaced, came)

    def merge_again(self, schema: ObjectSchema, page: Page, ids: Sequence[str]) -> EventsMerged:
        assert isinstance(page.body, Rows)  # records that were asked for by id come so
        columns = page.schema.columns
        came = {}
        for values in page.body.values:
            row = {each.name: from_rest(each.type, value) for each, value in zip(columns, values, strict=True)}
            came[str(row["Id"])] = row
        with self._connections.writing() as db:
            going = _ids_of(db, _DELETED_ITSELF, schema.name, list(came))
            came = {key: row for key, row in came.items() if key not in going or row.get("IsDeleted")}
            entering = _Entering(db, self._texts_of(schema), list(came))
            newer = {key: row for key, row in came.items() if entering.takes(row)}
            losses = self._written.shown(db, schema, list(newer.values()))
            told = entering.changes(newer, {})
            self._put(db, entering, [newer[each.record_id] for each in told])
            self._written.settle(db, schema, losses)
            for key, row in newer.items():
                note_shown(db, schema.name, key, row.get(schema.stamp or ""))
            db.executemany(_READ, ((schema.name, key) for key in ids))
            merged = EventsMerged(schema.name, told)
            self._signals.write_all(db, news_of_events(merged))
        return merged

    def _texts_of(self, schema: ObjectSchema) -> _Texts:
        """The statements; writing them anew takes as long as running them for one row."""
        known = self._texts.get(schema.name)
        if known is None or known.schema is not schema:
            known = self._texts[schema.name] = _Texts(schema)
        return known

    def _prune(self, db: apsw.Connection, name: str) -> None:
        self._merges += 1
        if self._merges % PRUNED_EVERY == 0:
            db.execute(_PRUNE, (name, SEEN_KEPT))
            self._signals.trim(db)
            self._history.trim(db, name)


class _Texts:
    """An object's statements."""

    def __init__(self, schema: ObjectSchema) -> None:
        self.schema = schema
        self.columns = tuple(each.name for each in schema.columns)
        self.values: Callable[[Row], tuple[Stored, ...]] = itemgetter(*self.columns)
        self.select = reading_sql.select_ids(schema)
        names = [quote(name) for name in self.columns]
        assigned = ", ".join(f"{name} = excluded.{name}" for name in names if name != '"Id"')
        marks = ", ".join("?" * len(names))
        put = f"INSERT INTO {quote(schema.name)} ({', '.join(names)}) VALUES ({marks})"
        self.upsert = f'{put} ON CONFLICT ("Id") DO UPDATE SET {assigned}'


class _Entering:
    """Records that events are about: `shown` rows as they are here, `known` ones as the org last showed them."""

    def __init__(self, db: apsw.Connection, texts: _Texts, ids: Sequence[str]) -> None:
        self.texts = texts
        self.schema = schema = texts.schema
        columns = texts.columns
        wanted = msgspec.json.encode(ids).decode()
        rows = list(db.execute(texts.select, (wanted,)))
        self.shown: dict[str, Row] = {str(row[0]): dict(zip(columns, row, strict=True)) for row in rows}
        self.contested: set[str] = set()
        self.known = dict(self.shown)
        for record_id, operation, field, base, deleted_there in db.execute(_CONTESTED, (schema.name, wanted)):
            self.contested.add(record_id)
            row = self.known.get(record_id)
            if row is not None:
                self.known[record_id] = _as_the_org_has_it(schema, row, operation, {field: base}, bool(deleted_there))
        stamp = schema.stamp
        if stamp is not None:  # what was made here, and never read, is not known
            self.known = {key: row for key, row in self.known.items() if row[stamp] is not None}

    def lacked(self, record_id: str) -> bool:
        """Whether there was no living row here."""
        row = self.shown.get(record_id)
        return row is None or bool(row.get("IsDeleted"))

    def takes(self, row: Row) -> bool:
        """Whether a row is not older than the one here."""
        here, stamp = self.known.get(str(row["Id"])), self.schema.stamp
        return here is None or stamp is None or str(row[stamp] or "") >= str(here[stamp] or "")

    def changes(self, rows: Mapping[str, Row], own: Mapping[str, bool]) -> tuple[Told, ...]:
        """What these rows are to the ones that are known."""
        found: Iterable[tuple[str, object]] = (
            (key, what_happened(self.known.get(key), row)) for key, row in rows.items()
        )
        return tuple(Told(key, action, own.get(key, False)) for key, action in found if action is not None)  # type: ignore[arg-type]


def _replaced(before: Row, row: Row, *, made_here: bool) -> dict[str, tuple[Stored, Stored]]:
    """The values that differ, old and new; of what was made here, and never read, the nulls were no values."""
    differing = compress(row, map(ne, row.values(), map(before.__getitem__, row)))
    return {name: (before[name], row[name]) for name in differing if not made_here or before[name] is not None}


def _as_the_org_has_it(
    schema: ObjectSchema, row: Row, operation: str, bases: Mapping[str | None, object], deleted_there: bool
) -> Row:
    made = dict(row)
    made |= {name: value for name, value in bases.items() if name is not None and name in made}  # type: ignore[misc]
    if schema.has("IsDeleted"):
        if deleted_there or operation == Operation.UNDELETE:
            made["IsDeleted"] = 1
        elif operation == Operation.DELETE:
            made["IsDeleted"] = 0
    return made


def _ids_of(db: apsw.Connection, statement: str, object_name: str, ids: Sequence[str]) -> set[str]:
    return {str(key) for (key,) in db.execute(statement, (object_name, msgspec.json.encode(ids).decode()))}


def _seen(db: apsw.Connection, object_name: str, ids: Sequence[str]) -> dict[str, tuple[Position, ...]]:
    found = db.execute(_SEEN, (object_name, msgspec.json.encode(ids).decode()))
    return {str(key): _PLACES.decode(str(places)) for key, places in found}


def _noted(object_name: str, record_id: str, places: Sequence[Position]) -> tuple[str, str, str, int]:
    return object_name, record_id, msgspec.json.encode(places).decode(), max(places)[0]
