"""Live rows that refer to deleted ones, found by what is here: no stamp need tell that the org emptied a reference."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import apsw
import msgspec

from salesforce_sync.models.change import Orphans
from salesforce_sync.models.outbox import LOCAL_PREFIX
from salesforce_sync.models.schema import ObjectSchema
from salesforce_sync.storage import statements as sql
from salesforce_sync.storage.connections import Connections
from salesforce_sync.storage.search_index import SearchIndexes

_SEEN = "SELECT bereaved FROM _sync_object WHERE name = ?"
_NOTE = "UPDATE _sync_object SET bereaved = ? WHERE name = ?"

Parents = Mapping[str, Sequence[ObjectSchema]]
"""Fields, and the objects here that they may refer to and that have tombstones."""


class OrphanSearch:
    """The part of the SQLite store that knows of orphans; `ports.Store` says what each call promises."""

    def __init__(
        self, connections: Connections, schemas: Callable[[str], ObjectSchema | None], indexes: SearchIndexes
    ) -> None:
        self._connections = connections
        self._schemas = schemas
        self._indexes = indexes

    def find(self, schema: ObjectSchema, most: int, *, again: bool) -> Orphans | None:
        parents = self._parents(schema)
        for each in _distinct(parents):
            self._indexes.give_dead(each)
        with self._connections.looking() as db:
            seen = _counted(db, parents)
            if not again and seen == (db.execute(_SEEN, (schema.name,)).get or ""):
                return None
            if not seen:
                return Orphans()
            rows = db.execute(_orphans(schema, parents), (most,))
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
            known = [self._schemas(name) for name in field.reference_to]
            mortal = [each for each in known if each is not None and each.has("IsDeleted")]
            if mortal:
                found[field.name] = mortal
        return found


def _distinct(parents: Parents) -> Sequence[ObjectSchema]:
    found = {each.name: each for some in parents.values() for each in some}
    return [found[name] for name in sorted(found)]


def _counted(db: apsw.Connection, parents: Parents) -> str:
    """How many tombstones the parents have, as a text; empty if they have none."""
    counts = {each.name: db.execute(f"SELECT count(*) FROM ({_dead([each])})").get for each in _distinct(parents)}
    return msgspec.json.encode(counts).decode() if any(counts.values()) else ""


def _dead(parents: Sequence[ObjectSchema]) -> str:
    """The ids of records that the org has deleted: not of those whose deletion here waits for the org."""
    return " UNION ALL ".join(
        f'SELECT p."Id" FROM {sql.quote(each.name)} p WHERE p."IsDeleted" IS 1 AND NOT EXISTS'
        f' (SELECT 1 FROM _sync_outbox o WHERE o.object_name = {sql.literal(each.name)} AND o.record_id = p."Id")'
        for each in parents
    )


def _orphans(schema: ObjectSchema, parents: Parents) -> str:
    """Ids, and for each field that may refer to a tombstone, the id of that tombstone. All rows are read once."""
    noted = f'SELECT 1 FROM _sync_orphan n WHERE n.object_name = {sql.literal(schema.name)} AND n.record_id = t."Id"'
    bereft = {
        field: f"t.{sql.quote(field)} IN ({_dead(some)})"
        f" AND NOT EXISTS ({noted} AND n.parent_id = t.{sql.quote(field)})"
        for field, some in parents.items()
    }
    told = ", ".join(f"iif({each}, t.{sql.quote(field)}, NULL)" for field, each in bereft.items())
    made_there = f"substr(t.\"Id\", 1, {len(LOCAL_PREFIX)}) <> '{LOCAL_PREFIX}'"
    any_of_them = " OR ".join(f"({each})" for each in bereft.values())
    conditions = f"{sql.alive(schema)} AND {made_there} AND ({any_of_them})"
    return f'SELECT t."Id", {told} FROM {sql.quote(schema.name)} t WHERE {conditions} LIMIT ?'


def _left_so(schema: ObjectSchema, field: str) -> str:
    """Notes of which of these pairs the row still refers to the record."""
    reference = f"t.{sql.quote(field)}"
    return f"""
INSERT OR IGNORE INTO _sync_orphan
SELECT {sql.literal(schema.name)}, t."Id", {reference}
FROM json_each(?) pair JOIN {sql.quote(schema.name)} t ON t."Id" = pair.value ->> 0
WHERE {reference} = pair.value ->> 1"""


def _forget(schema: ObjectSchema, parents: Parents) -> str:
    """Forgets what was noted of records that are not deleted any more."""
    dead = _dead(_distinct(parents)) if parents else "SELECT NULL WHERE false"
    return f"DELETE FROM _sync_orphan WHERE object_name = {sql.literal(schema.name)} AND parent_id NOT IN ({dead})"
