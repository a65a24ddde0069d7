"""Live rows that refer to deleted ones, found by what is here: no stamp need tell that the org emptied a reference.

Nor that it has filled it again, as it does where it undeletes the record: so what was emptied is remembered, also where
the emptied row came by itself, as far as the history tells. What was deleted before its object was read for the first
time is not here at all; `lost_parents.py` finds what refers to that.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Sequence

import apsw
import msgspec

from salesforce_sync.models.change import Orphans
from salesforce_sync.models.history import Origin
from salesforce_sync.models.outbox import LOCAL_PREFIX
from salesforce_sync.models.proof import Cause
from salesforce_sync.models.schema import ObjectSchema
from salesforce_sync.models.values import format_datetime
from salesforce_sync.ports import Clock
from salesforce_sync.storage import lost_parents, own_sql, reading_sql
from salesforce_sync.storage.connections import Connections
from salesforce_sync.storage.lost_parents import Parents, distinct, refers
from salesforce_sync.storage.search_index import SearchIndexes
from salesforce_sync.storage.sql_text import literal, quote

_NAMES = msgspec.json.Decoder(dict[str, str])
_WHOLE = "SELECT name FROM _sync_object WHERE merged = 1"
_SEEN = "SELECT bereaved FROM _sync_object WHERE name = ?"
_NOTE = "UPDATE _sync_object SET bereaved = ? WHERE name = ?"
_NOTE_PAIRS = "INSERT OR IGNORE INTO _sync_orphan SELECT ?, value ->> 0, value ->> 1 FROM json_each(?)"

MOST_JOINED = 400
"""SELECTs that are joined to one: SQLite takes no more than five hundred."""


class OrphanSearch:
    """The part of the SQLite store that knows of orphans; `ports.Store` says what each call promises."""

    def __init__(
        self,
        connections: Connections,
        schemas: Callable[[Iterable[str]], Sequence[ObjectSchema]],
        indexes: SearchIndexes,
        clock: Clock,
    ) -> None:
        self._connections = connections
        self._schemas = schemas
        self._indexes = indexes
        self._clock = clock
        self._counts = threading.local()  # as each thread has its own reader, which knows what it has seen

    def find(self, schema: ObjectSchema, most: int, *, again: bool) -> Orphans | None:
        parents = self._parents(schema)
        for each in distinct(parents):
            self._indexes.give_dead(each)
        with self._connections.looking() as db:
            known = self._known(db, distinct(parents))
            seen, before = msgspec.json.encode(known).decode() if known else "", db.execute(_SEEN, (schema.name,)).get
            if not again and seen == (before or ""):
                return None
            if not parents or not most:
                return Orphans(seen=seen)
            back = [(str(key), str(parent)) for key, parent in db.execute(_parents_back(schema, parents), (most,))]
            most -= len({key for key, _ in back})
            bereaving = _of_these(parents, {name for name, graves in known.items() if graves})
            rows = db.execute(_orphans(schema, bereaving), (most,)) if bereaving and most > 0 else ()
            found = [(key, parent) for key, *some in rows for parent in some if parent is not None]
            most -= len({key for key, _ in found})
            looked_at = {} if again or not before else _NAMES.decode(before)
            fresh = _of_these(parents, {name for name in known if name not in looked_at and self._is_whole(name)})
            return Orphans((*back, *found, *lost_parents.find(db, schema, fresh, most)), seen)

    def note(self, schema: ObjectSchema, orphans: Orphans) -> None:
        parents = self._parents(schema)
        pairs = msgspec.json.encode(orphans.pairs).decode()
        with self._connections.writing() as db:
            db.execute(_NOTE_PAIRS, (schema.name, pairs))
            if parents and orphans.seen:
                db.execute(_note_emptied(schema, parents))
            lost_parents.note_gone(db, schema, parents, pairs, format_datetime(self._clock.now()))
            db.execute(_forget(schema, parents), (pairs,))
            db.execute(_NOTE, (orphans.seen, schema.name))

    def _parents(self, schema: ObjectSchema) -> Parents:
        found = {}
        for field in schema.references.values():
            known = self._schemas(field.reference_to)
            if known:
                found[field.name] = known
        here = self._here(distinct(found))
        return {field: [each for each in some if each.name in here] for field, some in found.items()}

    def _here(self, schemas: Sequence[ObjectSchema]) -> frozenset[str]:
        """Those whose tables are there: somebody may have dropped one, with all that is known of its object."""
        with self._connections.looking() as db:
            return frozenset(
                each.name for each in schemas if db.execute(own_sql.HAS_COLUMN, (each.name, _mark(each))).get
            )

    def _is_whole(self, name: str) -> bool:
        return name in self._counts.kept[2]

    def _known(self, db: apsw.Connection, schemas: Sequence[ObjectSchema]) -> dict[str, str]:
        """What tells the tombstones of these objects from others, where they have any, or are here whole.

        Kept as long as nothing in the file has changed: many objects refer to the same few.
        """
        version = db, db.pragma("data_version")
        kept: tuple[object, dict[str, str], set[str]] | None = getattr(self._counts, "kept", None)
        if kept is None or kept[0] != version:
            whole = {str(name) for (name,) in db.execute(_WHOLE)}
            kept = self._counts.kept = version, {}, whole
        _, counted, whole = kept
        for each in schemas:
            if each.name not in counted:
                counted[each.name] = str(db.execute(_count(each)).get)
        return {each.name: counted[each.name] for each in schemas if counted[each.name] or each.name in whole}


def _of_these(parents: Parents, names: Collection[str]) -> Parents:
    """The fields that may refer to these objects."""
    some = {field: [each for each in of if each.name in names] for field, of in parents.items()}
    return {field: of for field, of in some.items() if of}


def _mark(schema: ObjectSchema) -> str:
    """A column without which nothing can be said of the object's deleted records."""
    return "IsDeleted" if schema.has("IsDeleted") else "Id"


def _count(schema: ObjectSchema) -> str:
    """How many are dead, and something that is another one where as many others are; '' if none are."""
    gone = f"SELECT count(*) || '+' || max(g.at) || max(g.id) {_gone(schema)} HAVING count(*)"
    if not schema.has("IsDeleted"):
        return f"SELECT coalesce(({gone}), '')"
    tombstones = f"SELECT count(*) || ':' || sum(p._rowid_) {_tombstones(schema)} HAVING count(*)"
    return f"SELECT coalesce(({tombstones}), '') || coalesce(({gone}), '')"


def _dead(parents: Sequence[ObjectSchema]) -> str:
    """The ids of records that the org has deleted, or may have."""
    selects = [f'SELECT p."Id" {_tombstones(each)}' for each in parents if each.has("IsDeleted")]
    selects += [f"SELECT g.id {_gone(each)}" for each in parents]
    parts = [" UNION ALL ".join(selects[at : at + MOST_JOINED]) for at in range(0, len(selects), MOST_JOINED)]
    return " UNION ALL ".join(f"SELECT * FROM ({part})" for part in parts) if len(parts) > 1 else parts[0]


def _tombstones(schema: ObjectSchema) -> str:
    """Not those whose deletion here waits for the org."""
    waits = f'SELECT 1 FROM _sync_outbox o WHERE o.object_name = {literal(schema.name)} AND o.record_id = p."Id"'
    return f'FROM {quote(schema.name)} p WHERE p."IsDeleted" IS 1 AND NOT EXISTS ({waits})'


def _gone(schema: ObjectSchema) -> str:
    """Those that the org does not show, and of which it did not tell why; without a bin, all that it has deleted."""
    causes = (Cause.UNKNOWN,) if schema.has("IsDeleted") else (Cause.UNKNOWN, Cause.DELETED, Cause.PURGED)
    reasons = ", ".join(map(literal, causes))
    return f"FROM _sync_gone g WHERE g.object_name = {literal(schema.name)} AND g.reason IN ({reasons})"


def _orphans(schema: ObjectSchema, parents: Parents) -> str:
    """Ids, and for each field that may refer to a tombstone, the id of that tombstone. All rows are read once."""
    noted = f'SELECT 1 FROM _sync_orphan n WHERE n.object_name = {literal(schema.name)} AND n.record_id = t."Id"'
    bereft = {
        field: f"t.{quote(field)} IN ({_dead(some)}) AND NOT EXISTS ({noted} AND n.parent_id = t.{quote(field)})"
        for field, some in parents.items()
    }
    told = ", ".join(f"iif({each}, t.{quote(field)}, NULL)" for field, each in bereft.items())
    made_there = f"substr(t.\"Id\", 1, {len(LOCAL_PREFIX)}) <> '{LOCAL_PREFIX}'"
    any_of_them = " OR ".join(f"({each})" for each in bereft.values())
    conditions = f"{reading_sql.alive(schema)} AND {made_there} AND ({any_of_them})"
    return f'SELECT t."Id", {told} FROM {quote(schema.name)} t WHERE {conditions} LIMIT ?'


def _parents_back(schema: ObjectSchema, parents: Parents) -> str:
    """Pairs of rows that were noted and records that are not deleted any more, to which the org may let them refer.

    They do not here: what it emptied is still empty.
    """
    return f"""
SELECT n.record_id, n.parent_id FROM _sync_orphan n JOIN {quote(schema.name)} t ON t."Id" = n.record_id
WHERE {_is_back(schema, parents)} AND NOT ({refers(parents)}) AND {reading_sql.alive(schema)} LIMIT ?"""


def _note_emptied(schema: ObjectSchema, parents: Parents) -> str:
    """Notes rows that have come empty by themselves: by the history they referred to a record that is deleted now."""
    names = [literal(f'"{field}":') for field in parents]
    told = " OR ".join(f"instr(h.replaced, {name})" for name in names)
    empty = " OR ".join(f"(j.key = {literal(field)} AND t.{quote(field)} IS NULL)" for field in parents)
    parent = "iif(j.type = 'array', j.value ->> 0, j.value)"  # [old, new], or the old value alone
    return f"""
INSERT OR IGNORE INTO _sync_orphan SELECT {literal(schema.name)}, t."Id", {parent}
FROM _sync_history h JOIN {quote(schema.name)} t ON t."Id" = h.record_id JOIN json_each(h.replaced) j
WHERE h.object_name = {literal(schema.name)} AND h.origin = '{Origin.PULL}' AND ({told}) AND ({empty})
    AND {parent} IN ({_dead(distinct(parents))}) AND {reading_sql.alive(schema)}"""


def _forget(schema: ObjectSchema, parents: Parents) -> str:
    """Forgets what was noted of records that are not deleted any more; but not of rows that are still to be read."""
    unread = f"""
EXISTS (SELECT 1 FROM {quote(schema.name)} t WHERE t."Id" = n.record_id AND {reading_sql.alive(schema)}
    AND NOT ({refers(parents)}))
AND (n.record_id, n.parent_id) NOT IN (SELECT value ->> 0, value ->> 1 FROM json_each(?))"""
    return f"DELETE FROM _sync_orphan AS n WHERE {_is_back(schema, parents)} AND NOT ({unread})"


def _is_back(schema: ObjectSchema, parents: Parents) -> str:
    some = distinct(parents)
    noted = f"n.object_name = {literal(schema.name)}"
    return f"{noted} AND n.parent_id NOT IN ({_dead(some)}) AND ({lost_parents.is_here(some)})" if some else noted
