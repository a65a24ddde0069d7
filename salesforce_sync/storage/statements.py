"""Every SQL statement of the SQLite store, once. Values are parameters; identifiers go through `quote`."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

from salesforce_sync.models.outbox import LOCAL_PREFIX
from salesforce_sync.models.schema import Field, FieldType, ObjectSchema
from salesforce_sync.models.values import EXACT_DIGITS

# ── the store's own tables ───────────────────────────────────────────────────────────────────────────────────────

_DEAD = '"IsDeleted" IS 1'
"""A tombstone. Word for word as the index of the tombstones has it: else SQLite does not take it."""

ALL_OBJECTS = "SELECT schema FROM _sync_object ORDER BY name"
ONE_OBJECT = "SELECT name, schema, described_at, until, merged, refill, read_at FROM _sync_object WHERE name = ?"
FIND_OBJECT = f"""{ONE_OBJECT} AND EXISTS (
    SELECT 1 FROM sqlite_master WHERE type = 'table' AND sqlite_master.name = _sync_object.name COLLATE NOCASE)
"""
HAS_COLUMN = "SELECT 1 FROM pragma_table_info(?) WHERE name = ? COLLATE NOCASE"
HAS_INDEX = "SELECT 1 FROM sqlite_master WHERE type = 'index' AND name = ?"
FORGET_OBJECT = """
UPDATE _sync_object SET until = NULL, merged = 0, refill = 0, read_at = NULL, doubt_from = NULL, doubt_to = NULL
WHERE name = ?
"""
ORG = "SELECT id, instance_url FROM _sync_org"
REMEMBER_ORG = "DELETE FROM _sync_org; INSERT INTO _sync_org (id, instance_url) VALUES (?, ?)"
ADOPT_OBJECT = """
INSERT INTO _sync_object (name, schema, described_at) VALUES (?, ?, ?)
ON CONFLICT (name) DO UPDATE SET schema = excluded.schema, described_at = excluded.described_at
"""
FILLED = "UPDATE _sync_object SET refill = 0 WHERE name = ?"
READ_ALL_AGAIN = "UPDATE _sync_object SET refill = 1 WHERE name = ?"
MOVE_CHECKPOINT = "UPDATE _sync_object SET until = max(coalesce(until, ''), ?), merged = 1, refill = 0 WHERE name = ?"
KEEP_CHECKPOINT = "UPDATE _sync_object SET merged = 1, refill = 0 WHERE name = ?"

READ_UNTIL = "UPDATE _sync_object SET read_at = max(coalesce(read_at, ''), ?) WHERE name = ?"
DOUBT = "SELECT doubt_from, doubt_to FROM _sync_object WHERE name = ? AND doubt_from IS NOT NULL"
SET_DOUBT = "UPDATE _sync_object SET doubt_from = ?, doubt_to = ? WHERE name = ?"
REFRESHED = "UPDATE _sync_object SET refreshed_at = ? WHERE name = ?"
AGES = "SELECT refreshed_at, described_as FROM _sync_object WHERE name = ?"
DESCRIBED_AS = "UPDATE _sync_object SET described_as = ?, described_at = ? WHERE name = ?"

STAGED = "SELECT columns, since, resume, durable, server_time FROM _sync_staging WHERE name = ?"
BEGIN_STAGING = "INSERT OR REPLACE INTO _sync_staging (name, columns, since, partial) VALUES (?, ?, ?, ?)"
ANNOUNCED = "UPDATE _sync_staging SET total = ? WHERE name = ?"
TOTAL = "SELECT total FROM _sync_staging WHERE name = ?"
IS_PARTIAL = "SELECT partial FROM _sync_staging WHERE name = ?"
NOTE_SERVER_TIME = "UPDATE _sync_staging SET server_time = ? WHERE name = ? AND server_time IS NULL"
STAGED_DURABLY = "UPDATE _sync_staging SET resume = ?, durable = ? WHERE name = ?"
END_STAGING = "DELETE FROM _sync_staging WHERE name = ?"
MADE_BY = "SELECT sql FROM sqlite_master WHERE type = 'table' AND name = ? COLLATE NOCASE"

NOTE_USAGE = "INSERT OR REPLACE INTO _sync_usage (only, used, most, at) VALUES (1, ?, ?, ?)"
USAGE = "SELECT used, most, at FROM _sync_usage"

RECORD_RUN = """
INSERT INTO _sync_run
    (run_id, object_name, state, started, finished, rows, inserted, updated, deleted, code, message, hint)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
KEEP_RUNS = """
DELETE FROM _sync_run WHERE object_name = ?1 AND id <= (
    SELECT id FROM _sync_run WHERE object_name = ?1 ORDER BY id DESC LIMIT 1 OFFSET 500)
"""
LAST_RUN = """
SELECT run_id, object_name, state, started, finished, rows, inserted, updated, deleted, code, message, hint
FROM _sync_run WHERE object_name = ? ORDER BY id DESC LIMIT 1
"""
OBJECTS_WITH_RUNS = "SELECT DISTINCT object_name FROM _sync_run"
FIRST_COMPLETE = "SELECT min(finished) FROM _sync_run WHERE object_name = ? AND state = 'complete'"
LAST_COMPLETE = "SELECT max(finished) FROM _sync_run WHERE object_name = ? AND state = 'complete'"


# ── objects' tables ──────────────────────────────────────────────────────────────────────────────────────────────


def quote(identifier: str) -> str:
    """An SQL identifier; the only way a name enters a statement."""
    return '"' + identifier.replace('"', '""') + '"'


def literal(text: str) -> str:
    """An SQL text literal, for the few places where SQLite takes no parameter."""
    return "'" + text.replace("'", "''") + "'"


def joined(parts: Sequence[str], operator: str) -> str:
    """Expressions joined by an associative operator, in groups: SQLite takes no chain of a thousand."""
    if len(parts) <= _GROUP:
        return operator.join(parts)
    groups = [parts[start : start + _GROUP] for start in range(0, len(parts), _GROUP)]
    return joined([f"({joined(group, operator)})" for group in groups], operator)


def concatenated(texts: Sequence[str]) -> str:
    """Texts one behind the other, in one call for each group: `||` copies what it has so far for each of them."""
    groups = [texts[start : start + _GROUP] for start in range(0, len(texts), _GROUP)]
    calls = [f"concat({', '.join(group)})" for group in groups]
    return calls[0] if len(calls) == 1 else concatenated(calls)


_GROUP = 50

_DECLARED = {
    FieldType.BOOLEAN: "BOOLEAN",
    FieldType.INTEGER: "INTEGER",
    # No declared type: any other would make SQLite round a decimal of more than 15 digits to a double.
    FieldType.DECIMAL: "",
}


NEW_LOCAL_ID = f"('{LOCAL_PREFIX}' || lower(hex(randomblob(10))))"
"""The id of a row that somebody inserts without one."""


def column_definition(field: Field) -> str:
    """A column as CREATE TABLE and ADD COLUMN want it."""
    if field.name == "Id":
        return f'"Id" TEXT NOT NULL DEFAULT {NEW_LOCAL_ID}'
    if field.name == "IsDeleted":
        return '"IsDeleted" BOOLEAN DEFAULT 0'
    return f"{quote(field.name)} {_DECLARED.get(field.type, 'TEXT')}".rstrip()


def create_table(table: str, columns: Iterable[Field]) -> str:
    return f"CREATE TABLE {quote(table)} ({', '.join(column_definition(each) for each in columns)})"


def drop_column(table: str, name: str) -> str:
    return f"ALTER TABLE {quote(table)} DROP COLUMN {quote(name)}"


def rename_column(table: str, name: str, new_name: str) -> str:
    return f"ALTER TABLE {quote(table)} RENAME COLUMN {quote(name)} TO {quote(new_name)}"


def search_index(object_name: str, field: Field) -> str:
    return f"_sync_search_{object_name}_{field.name}"


def dead_index(object_name: str) -> str:
    return f"_sync_dead_{object_name}"


def drop_index(index: str) -> str:
    return f"DROP INDEX IF EXISTS {quote(index)}"


def add_column(table: str, field: Field) -> str:
    return f"ALTER TABLE {quote(table)} ADD COLUMN {column_definition(field)}"


def create_key(table: str, object_name: str) -> str:
    """The unique index on Id. Built after a first load: building it row by row costs twice as much."""
    return f'CREATE UNIQUE INDEX {quote(f"_sync_key_{object_name}")} ON {quote(table)} ("Id")'


def create_search_index(object_name: str, field: Field) -> str:
    name = quote(search_index(object_name, field))
    return f"CREATE INDEX IF NOT EXISTS {name} ON {quote(object_name)} ({quote(field.name)}{collation(field)})"


def create_dead_index(object_name: str) -> str:
    """Of the tombstones alone: without it every row is read to count them."""
    name, table = quote(dead_index(object_name)), quote(object_name)
    return f'CREATE INDEX IF NOT EXISTS {name} ON {table} ("Id") WHERE {_DEAD}'


def collation(field: Field) -> str:
    """Texts compare without case, as in SOQL; ids and fields that describe calls case sensitive compare exactly."""
    return " COLLATE NOCASE" if field.type is FieldType.TEXT and not field.case_sensitive else ""


def staging_table(object_name: str) -> str:
    return f"_sync_staging_{object_name}"


def width(table: str) -> str:
    return f"SELECT count(*) FROM pragma_table_info({literal(table)})"


def columns_of(table: str) -> str:
    return f"SELECT name FROM pragma_table_info({literal(table)})"


def empty(table: str) -> str:
    return f"DELETE FROM {quote(table)}"


def drop_table(table: str) -> str:
    return f"DROP TABLE IF EXISTS {quote(table)}"


def may_be_replaced(table: str, width: int) -> str:
    """Whether the table is empty, and nothing is lost or broken if one of so many columns takes its place.

    Somebody may have given it a view, a trigger, an index or a column; or the org may have lost a field.
    """
    return f"""
SELECT NOT EXISTS (SELECT 1 FROM {quote(table)})
   AND NOT EXISTS (SELECT 1 FROM _sync_outbox WHERE object_name = {literal(table)})
   AND (SELECT count(*) FROM pragma_table_info({literal(table)})) = {width}
   AND NOT EXISTS (
    SELECT 1 FROM sqlite_master WHERE name NOT GLOB '_sync_*'
    AND (type IN ('view', 'trigger') OR (type = 'index' AND tbl_name = ? COLLATE NOCASE)))
"""


def rename_table(old: str, new: str) -> str:
    return f"ALTER TABLE {quote(old)} RENAME TO {quote(new)}"


# ── staging: where a page lands ──────────────────────────────────────────────────────────────────────────────────


def open_csv(path: Path, width: int) -> str:
    """SQLite's own CSV reader over a page's file. With `schema=` and no `columns=` it skips the header row."""
    columns = ", ".join(f"c{number} TEXT" for number in range(width))
    return (
        f"CREATE VIRTUAL TABLE temp._sync_csv USING csv"
        f"(filename={literal(str(path))}, header=yes, schema='CREATE TABLE x({columns})')"
    )


TYPED_ROWS = "typed_rows"
"""The table of a file that was typed beside the database."""
ATTACH_TYPED = "ATTACH ? AS _sync_typed"
DETACH_TYPED = "DETACH _sync_typed"


def bound_typed_cache(kib: int) -> str:
    """Hold the cache of the attached file to so much."""
    return f"PRAGMA _sync_typed.cache_size = -{kib}"


CLOSE_CSV = "DROP TABLE IF EXISTS temp._sync_csv"


def has_record(object_name: str) -> str:
    return f'SELECT 1 FROM {quote(object_name)} WHERE "Id" = ?'


def some_id(object_name: str) -> str:
    """One of the org's own, in 18 characters."""
    return f'SELECT "Id" FROM {quote(object_name)} WHERE length("Id") = 18 LIMIT 1'


def stage_csv(object_name: str, columns: Sequence[Field], places: Sequence[int], width: int) -> str:
    """`places` says where each column stands in the file; empty: in this order."""
    return f"INSERT INTO {_staged_cells(object_name, columns, width)} {_typed_csv(columns, places)}"


def type_csv(columns: Sequence[Field], places: Sequence[int]) -> str:
    """Fills the table of a file that is typed beside the database."""
    return f"INSERT INTO {TYPED_ROWS} {_typed_csv(columns, places)}"


def stage_typed(object_name: str, columns: Sequence[Field], width: int) -> str:
    """Stages what was typed: where the columns are the same, SQLite copies whole rows."""
    return f"INSERT INTO {_staged_cells(object_name, columns, width)} SELECT * FROM _sync_typed.{TYPED_ROWS}"


def _typed_csv(columns: Sequence[Field], places: Sequence[int]) -> str:
    casts = [_from_csv(field, f"c{at}") for field, at in zip(columns, places or range(len(columns)), strict=True)]
    # SQLite's reader gives null for what a short row does not have, and only for that.
    casts[-1] = f"CASE WHEN c{len(columns) - 1} IS NULL THEN _sync_short_row() ELSE {casts[-1]} END"
    return f"SELECT {', '.join(casts)} FROM temp._sync_csv"


def staged_id(object_name: str) -> str:
    """The id of the staged row at place `?`."""
    return f'SELECT "Id" FROM {quote(staging_table(object_name))} WHERE _rowid_ = ?'


def lengthen_ids(object_name: str, columns: Sequence[Field]) -> str:
    """Gives the rows that were staged after row `?` 18 characters in each id."""
    ids = [quote(each.name) for each in columns if each.type in (FieldType.ID, FieldType.REFERENCE)]
    longer = ", ".join(f"{name} = _sync_full_id({name})" for name in ids)
    return f"UPDATE {quote(staging_table(object_name))} SET {longer} WHERE _rowid_ > ?"


def stage_rows(object_name: str, columns: Sequence[Field], width: int) -> str:
    """Stages rows in REST's form."""
    casts = ", ".join(_from_rest(field, number) for number, field in enumerate(columns, 1))
    return f"INSERT INTO {_staged_cells(object_name, columns, width)} VALUES ({casts})"


def stage_stored(object_name: str, columns: Sequence[Field], width: int) -> str:
    """Stages rows in the stored form.

    A short text: apsw hashes it for every row of an executemany, and 1,000 characters more cost 1.2 µs.
    """
    return f"INSERT INTO {_staged_cells(object_name, columns, width)} VALUES ({','.join('?' * len(columns))})"


def _staged_cells(object_name: str, columns: Sequence[Field], width: int) -> str:
    """The staging table, which has `width` columns, and which of them are filled where it is not all."""
    table = quote(staging_table(object_name))
    return table if len(columns) == width else f"{table} ({', '.join(quote(each.name) for each in columns)})"


def _from_csv(field: Field, value: str) -> str:
    """A Bulk CSV text in the stored form (`models/values.py`). An empty text is null: Bulk cannot tell them apart."""
    match field.type:
        case FieldType.BOOLEAN:
            return f"CASE {value} WHEN 'true' THEN 1 WHEN 'false' THEN 0 WHEN '' THEN NULL ELSE {value} END"
        case FieldType.INTEGER:
            # NUMERIC and not INTEGER, which reads 1.0E7 as 1.
            return f"CAST(nullif({value}, '') AS NUMERIC)"
        case FieldType.DECIMAL:
            # Up to 15 characters there cannot be more digits than a double keeps; longer texts are looked at.
            short = f"WHEN length({value}) <= {EXACT_DIGITS} THEN CAST({value} AS REAL)"
            return f"CASE WHEN {value} = '' THEN NULL {short} ELSE _sync_decimal({value}) END"
        case FieldType.DATETIME:
            bulk = f"WHEN substr({value}, 24) = 'Z' THEN {value}"
            return f"CASE {bulk} WHEN {value} = '' THEN NULL ELSE _sync_datetime({value}) END"
        case _:
            return f"nullif({value}, '')"


def _from_rest(field: Field, number: int) -> str:
    """A REST value in the stored form. Decimals were bound in it already."""
    match field.type:
        case FieldType.BOOLEAN | FieldType.INTEGER | FieldType.DECIMAL:
            return "?"
        case FieldType.DATETIME:
            value = f"?{number}"
            rest = f"WHEN substr({value}, 24) = '+0000' THEN substr({value}, 1, 23) || 'Z'"
            return f"CASE {rest} WHEN {value} NOTNULL THEN _sync_datetime({value}) END"
        case _:
            return "nullif(?, '')"


def survey_staging(schema: ObjectSchema) -> str:
    """The newest stamp, live rows and tombstones: one reading of all rows, where each costs 4 % of a first load."""
    newest = "NULL" if schema.stamp is None else f"max({quote(schema.stamp)})"
    return f"SELECT {newest}, {_live_and_dead(schema)} FROM {quote(staging_table(schema.name))}"


def highest_row(table: str) -> str:
    return f"SELECT coalesce(max(_rowid_), 0) FROM {quote(table)}"


def cut_staging(object_name: str) -> str:
    return f"DELETE FROM {quote(staging_table(object_name))} WHERE _rowid_ > ?"


def drop_doubles(table: str, stamp: str | None) -> str:
    """Of a row that came twice in one pull (it moved while pages were read) the newest is kept, else the last."""
    newest = f"{quote(stamp)} DESC, _rowid_ DESC" if stamp is not None else "_rowid_ DESC"
    place = f'row_number() OVER (PARTITION BY "Id" ORDER BY {newest})'
    places = f"SELECT _rowid_ AS double, {place} AS place FROM {quote(table)}"
    return f"DELETE FROM {quote(table)} WHERE _rowid_ IN (SELECT double FROM ({places}) WHERE place > 1)"


# ── merge: how staging enters the table ──────────────────────────────────────────────────────────────────────────


CAME = "temp._sync_came"
MAKE_CAME = f"""
CREATE TABLE IF NOT EXISTS {CAME} (key PRIMARY KEY, here INTEGER, place INTEGER, dies INTEGER) WITHOUT ROWID
"""
"""The staged rows in the order in which they enter: those whose records are here as they lie in the table, then new
ones by their ids. What changes together is then in the cache together. `here` and `place` are a row's places in the
table, null for a new one, and in staging; a record that came twice does not fit in."""
END_CAME = f"DELETE FROM {CAME}"


def order_staged(object_name: str, *, deletable: bool) -> str:
    """Only places are sorted, and not rows; and a merge that did not find them here would copy all rows, because it
    reads the table that it writes."""
    staging, table = quote(staging_table(object_name)), quote(object_name)
    dies = 'c."IsDeleted" IS 1' if deletable else "0"
    return f"""
INSERT INTO {CAME}
SELECT coalesce(h._rowid_, c."Id") AS key, h._rowid_, c._rowid_, {dies}
FROM {staging} c LEFT JOIN {table} h ON h."Id" = c."Id" ORDER BY key
"""


def came_and_staged(object_name: str) -> str:
    """The staged rows `s` with their places `o`, in their order."""
    return f"{CAME} o CROSS JOIN {quote(staging_table(object_name))} s ON s._rowid_ = o.place"


def count_merge(object_name: str, *, deletable: bool, stamp: str | None) -> str:
    """What a merge is about to do: new live rows, new tombstones, tombstones that live again, rows that die, staged;
    and how many of these are live here now.

    `:trusted` is as in `merge`.
    """
    staging, table = quote(staging_table(object_name)), quote(object_name)
    dead = 't."IsDeleted" IS 1' if deletable else "false"
    # Asked last, of the few for which the rest holds: it looks a row up.
    enters = f"EXISTS (SELECT 1 FROM {staging} s WHERE s._rowid_ = o.place{may_enter('s', stamp)})"
    return f"""
SELECT count(*) FILTER (WHERE o.here IS NULL AND NOT o.dies),
       count(*) FILTER (WHERE o.here IS NULL AND o.dies),
       count(*) FILTER (WHERE o.here NOTNULL AND NOT o.dies AND {dead} AND {enters}),
       count(*) FILTER (WHERE o.here NOTNULL AND o.dies AND NOT {dead} AND {enters}),
       count(*),
       count(*) FILTER (WHERE o.here NOTNULL AND NOT {dead})
FROM {CAME} o LEFT JOIN {table} t ON t._rowid_ = o.here
"""


def may_enter(come: str, stamp: str | None) -> str:
    if stamp is None:
        return ""
    here = f"t.{quote(stamp)}"
    return f" AND coalesce({come}.{quote(stamp)} >= {here} OR {here} > :trusted, 1)"


def merge(object_name: str, columns: Sequence[Field], stamp: str | None) -> str:
    """One statement; rows that hold nothing new are left alone, and an older row never replaces a newer one.

    Only stamps up to `:trusted` count for that: a later one was ahead of the org's clock when the row was read.
    """
    names, table = [quote(each.name) for each in columns], quote(object_name)
    others = [name for name in names if name != '"Id"']
    assigned = ", ".join(f"{name} = excluded.{name}" for name in others)
    # The stamp first: it differs in nearly every row that differs at all, and the first difference decides.
    others.sort(key=lambda name: stamp is None or name != quote(stamp))
    came, here = (", ".join(f"{row}.{name}" for name in others) for row in ("excluded", "t"))
    # By their places in the table: by their ids SQLite would look each of them up again.
    return f"""
INSERT INTO {table} AS t (_rowid_, {", ".join(names)})
SELECT o.here, {", ".join(f"s.{name}" for name in names)} FROM {came_and_staged(object_name)} WHERE true
ON CONFLICT (_rowid_) DO UPDATE SET {assigned} WHERE ({came}) IS NOT ({here}){may_enter("excluded", stamp)}
"""


def come_back(schema: ObjectSchema) -> str:
    """A record that the org shows again is no longer gone."""
    live = f'SELECT 1 FROM {quote(schema.name)} t WHERE t."Id" = _sync_gone.id AND {alive(schema)}'
    return f"DELETE FROM _sync_gone WHERE object_name = ? AND EXISTS ({live})"


# ── reading ──────────────────────────────────────────────────────────────────────────────────────────────────────


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
    dead = f"(SELECT count(*) FROM {quote(schema.name)} WHERE {_DEAD})"
    return f"{rows} - {dead}", dead


def _live_and_dead(schema: ObjectSchema) -> str:
    if not schema.has("IsDeleted"):
        return "count(*), 0"
    dead = f"count(*) FILTER (WHERE {_DEAD})"
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
