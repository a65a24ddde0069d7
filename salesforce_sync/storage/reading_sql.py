"""Statements that read the objects' tables."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from salesforce_sync.models.outbox import LOCAL_PREFIX
from salesforce_sync.models.schema import Field, ObjectSchema
from salesforce_sync.storage.sql_text import literal, quote
from salesforce_sync.storage.table_sql import DEAD


def has_record(object_name: str) -> str:
    return f'SELECT 1 FROM {quote(object_name)} WHERE "Id" = ?'


def some_id(object_name: str) -> str:
    """One of the org's own, in 18 characters."""
    return f'SELECT "Id" FROM {quote(object_name)} WHERE length("Id") = 18 LIMIT 1'


def alive(schema: ObjectSchema) -> str:
    return '"IsDeleted" IS NOT 1' if schema.has("IsDeleted") else "true"


def listed(schema: ObjectSchema, fields: Collection[str] = ()) -> str:
    return ", ".join(quote(each.name) for each in schema.chosen(fields))


def count_rows(schema: ObjectSchema) -> str:
    """Live rows and tombstones: two indexes are read, where there is one of the tombstones, and no row."""
    live, dead = _counted_rows(schema)
    return f"SELECT {live}, {dead}"


def _counted_rows(schema: ObjectSchema) -> tuple[str, str]:
    rows = f"(SELECT count(*) FROM {quote(schema.name)})"
    if not schema.has("IsDeleted"):
        return rows, "0"
    dead = f"(SELECT count(*) FROM {quote(schema.name)} WHERE {DEAD})"
    return f"{rows} - {dead}", dead


def live_and_dead(schema: ObjectSchema) -> str:
    if not schema.has("IsDeleted"):
        return "count(*), 0"
    dead = f"count(*) FILTER (WHERE {DEAD})"
    return f"count(*) - {dead}, {dead}"


def org_view(schema: ObjectSchema) -> str:
    """The object's rows as a table, those too that were only deleted here."""
    if schema.has("IsDeleted"):
        return quote(schema.name)
    # Without tombstones, a row that was deleted here has left the table: its values wait in the outbox.
    stamp = schema.stamp
    columns = '"Id"' if stamp is None else f'"Id", {quote(stamp)}'
    noted = "SELECT e.base FROM _sync_edit e WHERE e.object_name = o.object_name AND e.record_id = o.record_id"
    waiting = "o.record_id" if stamp is None else f"o.record_id, ({noted} AND e.field = {literal(stamp)})"
    deleted = f"FROM _sync_outbox o WHERE o.object_name = {literal(schema.name)} AND o.operation = 'delete'"
    return f"(SELECT {columns} FROM {quote(schema.name)} UNION ALL SELECT {waiting} {deleted})"


def dead_in_org(schema: ObjectSchema) -> str:
    """Whether the org has shown a row `t` of `org_view` as deleted, or does not show it: made here, or gone there."""
    mine = f'object_name = {literal(schema.name)} AND record_id = t."Id"'
    made_here = f"substr(t.\"Id\", 1, {len(LOCAL_PREFIX)}) = '{LOCAL_PREFIX}'"
    gone = f"EXISTS (SELECT 1 FROM _sync_inbox WHERE {mine} AND kind = 'deleted there')"
    if not schema.has("IsDeleted"):
        return f"({made_here} OR {gone})"
    wants = f"SELECT 1 FROM _sync_outbox WHERE {mine} AND operation"
    deleted_here = f"t.\"IsDeleted\" IS 1 AND NOT EXISTS ({wants} = 'delete')"
    brought_back_here = f"t.\"IsDeleted\" IS NOT 1 AND (EXISTS ({wants} = 'undelete') OR {gone})"
    return f"({made_here} OR ({deleted_here}) OR ({brought_back_here}))"


def count_shown(schema: ObjectSchema) -> str:
    """Live rows as the org has shown them."""
    return f"SELECT count(*) FROM {org_view(schema)} t WHERE NOT {dead_in_org(schema)}"


def count_since(schema: ObjectSchema, stamp: str) -> str:
    gone = 'SELECT 1 FROM _sync_gone g WHERE g.object_name = ? AND g.id = t."Id"'
    return f"SELECT count(*) FROM {quote(schema.name)} t WHERE t.{quote(stamp)} >= ? AND NOT EXISTS ({gone})"


def ids_between(schema: ObjectSchema, stamp: str) -> str:
    """The rows, tombstones too, whose stamp is in this range (both ends with it)."""
    return f'SELECT "Id" FROM {quote(schema.name)} WHERE {quote(stamp)} BETWEEN ? AND ? LIMIT ?'


def get(schema: ObjectSchema) -> str:
    return f'SELECT {listed(schema)} FROM {quote(schema.name)} WHERE "Id" = ? AND {alive(schema)}'


def select_ids(schema: ObjectSchema) -> str:
    return f'SELECT {listed(schema)} FROM {quote(schema.name)} WHERE "Id" IN (SELECT value FROM json_each(?))'


def scan(schema: ObjectSchema, conditions: Sequence[str], fields: Collection[str] = ()) -> str:
    passing = " AND ".join([alive(schema), *conditions])
    return f"SELECT {listed(schema, fields)} FROM {quote(schema.name)} WHERE {passing}"


def scan_named(schema: ObjectSchema, lookups: Sequence[tuple[Field, Sequence[ObjectSchema]]]) -> str:
    """`scan` with the name of the record that each lookup points to, of the objects beside it."""
    own = ", ".join(f"t.{quote(each.name)}" for each in schema.columns)
    named = "".join(f", {_name_of(field, parents)}" for field, parents in lookups)
    return f"SELECT {own}{named} FROM {quote(schema.name)} t WHERE {alive(schema)}"


def _name_of(lookup: Field, parents: Sequence[ObjectSchema]) -> str:
    """The first object that has the record: an id is in one only."""
    points_to = f"t.{quote(lookup.name)}"
    names = [
        f'(SELECT p.{quote(parent.name_field.name)} FROM {quote(parent.name)} p WHERE p."Id" = {points_to})'
        for parent in parents
        if parent.name_field is not None
    ]
    return f"coalesce({', '.join([*names, 'NULL', 'NULL'])})"


def select(schema: ObjectSchema, conditions: Sequence[str], order: Sequence[str], fields: Collection[str] = ()) -> str:
    # A bare LIMIT ? is looked at by the planner: SQLite makes the whole statement anew each time that it is bound.
    return f"{scan(schema, conditions, fields)} ORDER BY {', '.join(order)} LIMIT ? + 0"


def count_matching(schema: ObjectSchema, conditions: Sequence[str]) -> str:
    if not conditions:
        return f"SELECT {_counted_rows(schema)[0]}"
    return f"SELECT count(*) FROM {quote(schema.name)} WHERE {' AND '.join([alive(schema), *conditions])}"
