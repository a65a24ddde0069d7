"""Live rows that refer to deleted ones, found by what is here: no stamp need tell that the org emptied a reference."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence

import apsw
import msgspec

from salesforce_sync.models.change import Orphans
from salesforce_sync.models.outbox import LOCAL_PREFIX
from salesforce_sync.models.proof import Cause
from salesforce_sync.models.schema import ObjectSchema
from salesforce_sync.storage import own_sql, reading_sql
from salesforce_sync.storage.connections import Connections
from salesforce_sync.storage.search_index import SearchIndexes
from salesforce_sync.storage.sql_text import literal, quote

_SEEN = "SELECT bereaved FROM _sync_object WHERE name = ?"
_NOTE = "UPDATE _sync_object SET bereaved = ? WHERE name = ?"

MOST_JOINED = 400
"""SELECTs that are joined to one: SQLite takes no more than five hundred."""

Parents = Mapping[str, Sequence[ObjectSchema]]
"""Fields, and the objects here that they may refer to."""


class OrphanSearch:
    """The part of the SQLite store that knows of orphans; `ports.Store` says what each call promises."""

    def __init__(
        self,
        connections: Connections,
        schemas: Callable[[Iterable[str]], Sequence[ObjectSchema]],
        indexes: SearchIndexes,
    ) -> None:
        self._connections = connections
        self._schemas = schemas
        self._indexes = indexes
        self._counts = threading.local()  # as each thread has its own reader, which knows what it has seen

    def find(self, schema: ObjectSchema, most: int, *, again: bool) -> Orphans | None:
        parents = self._parents(schema)
        for each in _distinct(parents):
            self._indexes.give_dead(each)
        with self._connections.looking() as db:
            graves = self._graves(db, _distinct(parents))
            seen = msgspec.json.encode(graves).decode() if graves else ""
            if not again and seen == (db.execute(_SEEN, (schema.name,)).get or ""):
                return None
            bereaving = {field: [each for each in some if each.name in graves] for field, some in parents.items()}
            bereaving = {field: some for field, some in bereaving.items() if some}
            if not bereaving or not most:
                return Orphans(seen=seen)
            rows = db.execute(_orphans(schema, bereaving), (most,))
            return Orphans(tuple((key, parent) for key, *some in rows for parent in some if parent is not None), seen)

    def note(self, schema: ObjectSchema, orphans: Orphans) -> None:
        parents = self._parents(schema)
        pairs = msgspec.json.encode(orphans.pairs).decode()
        with self._connections.writing() as db:
            db.execute(_forget(schema, parents))
            for field in parents if orphans.pairs else ():
                db.execute(_left_so(schema, field), (pairs,))
            db.execute(_NOTE, (orphans.seen, schema.name))

    def _parents(self, schema: ObjectSchema) -> Parents:
        found = {}
        for field in schema.references.values():
            known = self._schemas(field.reference_to)
            if known:
                found[field.name] = known
        here = self._here(_distinct(found))
        return {field: [each for each in some if each.name in here] for field, some in found.items()}

    def _here(self, schemas: Sequence[ObjectSchema]) -> frozenset[str]:
        """Those whose tables are there: somebody may have dropped one, with all that is known of its object."""
        with self._connections.looking() as db:
            return frozenset(
                each.name for each in schemas if db.execute(own_sql.HAS_COLUMN, (each.name, _mark(each))).get
            )

    def _graves(self, db: apsw.Connection, schemas: Sequence[ObjectSchema]) -> dict[str, str]:
        """What tells the tombstones of these objects from others, where they have any.

        Kept as long as nothing in the file has changed: many objects refer to the same few.
        """
        version = db, db.pragma("data_version")
        kept: tuple[object, dict[str, str]] | None = getattr(self._counts, "kept", None)
        if kept is None or kept[0] != version:
            kept = self._counts.kept = version, {}
        counted = kept[1]
        for each in schemas:
            if each.name not in counted:
                counted[each.name] = str(db.execute(_count(each)).get)
        return {each.name: counted[each.name] for each in schemas if counted[each.name]}


def _distinct(parents: Parents) -> Sequence[ObjectSchema]:
    found = {each.name: each for some in parents.values() for each in some}
    return [found[name] for name in sorted(found)]


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


def _left_so(schema: ObjectSchema, field: str) -> str:
    """Notes of which of these pairs the row still refers to the record."""
    reference = f"t.{quote(field)}"
    return f"""
INSERT OR IGNORE INTO _sync_orphan
SELECT {literal(schema.name)}, t."Id", {reference}
FROM json_each(?) pair JOIN {quote(schema.name)} t ON t."Id" = pair.value ->> 0
WHERE {reference} = pair.value ->> 1"""


def _forget(schema: ObjectSchema, parents: Parents) -> str:
    """Forgets what was noted of records that are not deleted any more."""
    some = _distinct(parents)
    dead = _dead(some) if some else "SELECT NULL WHERE false"
    return f"DELETE FROM _sync_orphan WHERE object_name = {literal(schema.name)} AND parent_id NOT IN ({dead})"
