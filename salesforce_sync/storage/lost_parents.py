"""Live rows that refer to records which are not here, though all of their object is: it was read after these rows.

Such a record was deleted before its object was read for the first time, and what referred to it was emptied, perhaps
without a stamp; or the connected user may not see it, and then nothing was. One row of each tells which it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import apsw

from salesforce_sync.models.outbox import LOCAL_PREFIX
from salesforce_sync.models.proof import Cause
from salesforce_sync.models.schema import ObjectSchema
from salesforce_sync.storage import reading_sql
from salesforce_sync.storage.sql_text import literal, quote

Parents = Mapping[str, Sequence[ObjectSchema]]
"""Fields, and the objects here that they may refer to."""

_NOTE_GONE = """
INSERT OR IGNORE INTO _sync_gone (object_name, id, reason, at, row)
SELECT ?, n.parent_id, ?, ?, '{}' FROM (SELECT value ->> 0 AS row_id, value ->> 1 AS parent_id FROM json_each(?)) n
"""

NEVER_DELETED = frozenset({"User"})
"""Users are made inactive (Salesforce Help, Delete Users): many objects have four fields that refer to them."""

_SOME = 100
"""Conditions that are joined at a time: SQLite's expressions may be a thousand deep."""


def find(db: apsw.Connection, schema: ObjectSchema, fresh: Parents, most: int) -> list[tuple[str, str]]:
    """A row and its record, at most so many: of each missing one of the `fresh` objects that nobody has asked about."""
    found: list[tuple[str, str]] = []
    for field, some in fresh.items():
        missing = _any([_is_missing(each, f"t.{quote(field)}", of) for each, of in _told(schema, field, some)])
        if most > len(found):
            rows = db.execute(_first(schema, field, missing), (most - len(found),))
            found += ((str(key), str(parent)) for key, parent in rows)
    return found


def note_gone(db: apsw.Connection, schema: ObjectSchema, parents: Parents, pairs: str, at: str) -> None:
    """Of these pairs of rows and records: a missing record to which its row does not refer any more was deleted."""
    told = {each.name: (each, of) for field, some in parents.items() for each, of in _told(schema, field, some)}
    for each, of in told.values():
        emptied = f'SELECT 1 FROM {quote(schema.name)} t WHERE t."Id" = n.row_id AND NOT ({refers(parents)})'
        row = f"EXISTS ({emptied} AND {reading_sql.alive(schema)})"
        of_it = f"{_is_missing(each, 'n.parent_id', of)} AND NOT ({is_here(distinct(parents))}) AND {row}"
        db.execute(f"{_NOTE_GONE} WHERE {of_it}", (each.name, Cause.UNKNOWN, at, pairs))


def _first(schema: ObjectSchema, field: str, missing: str) -> str:
    """One row for each missing record that no row was read for."""
    key, value = 't."Id"', f"t.{quote(field)}"
    asked = f"SELECT parent_id FROM _sync_orphan WHERE object_name = {literal(schema.name)}"
    rows = f"FROM {quote(schema.name)} t WHERE {reading_sql.alive(schema)} AND {_not_local(key)}"
    return f"SELECT min({key}), {value} {rows} AND ({missing}) AND {value} NOT IN ({asked}) GROUP BY {value} LIMIT ?"


def _not_local(value: str) -> str:
    return f"substr({value}, 1, {len(LOCAL_PREFIX)}) <> '{LOCAL_PREFIX}'"


def _told(schema: ObjectSchema, field: str, some: Sequence[ObjectSchema]) -> Iterator[tuple[ObjectSchema, str]]:
    """Which of these objects a reference is to: each with what its ids begin with, '' if that is not known."""
    alone = len(schema.field(field).reference_to) == 1
    for each in some:
        if each.name not in NEVER_DELETED and (alone or each.key_prefix):
            yield each, each.key_prefix or ""


def _is_missing(of: ObjectSchema, value: str, prefix: str) -> str:
    """Whether an id is one of this object's, made by the org, and no record of it is here, nor known to be gone."""
    gone = f"SELECT 1 FROM _sync_gone g WHERE g.object_name = {literal(of.name)} AND g.id = {value}"
    here = f'SELECT 1 FROM {quote(of.name)} p WHERE p."Id" = {value}'
    its = f"substr({value}, 1, 3) = {literal(prefix)} AND " if prefix else ""
    return f"({its}{value} IS NOT NULL AND {_not_local(value)} AND NOT EXISTS ({here}) AND NOT EXISTS ({gone}))"


def distinct(parents: Parents) -> Sequence[ObjectSchema]:
    """The objects, each once, by name."""
    found = {each.name: each for some in parents.values() for each in some}
    return [found[name] for name in sorted(found)]


def is_here(schemas: Sequence[ObjectSchema]) -> str:
    """Whether one of these objects has the record of the note `n`."""
    return _any([f'EXISTS (SELECT 1 FROM {quote(each.name)} p WHERE p."Id" = n.parent_id)' for each in schemas])


def refers(parents: Parents) -> str:
    """Whether the row `t` refers to the record of the note `n` by any of these fields."""
    return _any([f"t.{quote(field)} IS n.parent_id" for field in parents])


def _any(conditions: Sequence[str]) -> str:
    """Whether one of them holds."""
    parts = [" OR ".join(conditions[at : at + _SOME]) for at in range(0, len(conditions), _SOME)]
    return " OR ".join(f"({part})" for part in parts) or "false"
