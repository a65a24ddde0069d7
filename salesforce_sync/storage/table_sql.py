"""Statements that make, change and look at the objects' tables and their indexes."""

from __future__ import annotations

from collections.abc import Iterable

from salesforce_sync.models.outbox import LOCAL_PREFIX
from salesforce_sync.models.schema import Field, FieldType
from salesforce_sync.storage.sql_text import literal, quote

DEAD = '"IsDeleted" IS 1'
"""A tombstone. Word for word as the index of the tombstones has it: else SQLite does not take it."""

HAS_INDEX = "SELECT 1 FROM sqlite_master WHERE type = 'index' AND name = ?"
MADE_BY = "SELECT sql FROM sqlite_master WHERE type = 'table' AND name = ? COLLATE NOCASE"

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
    return f'CREATE INDEX IF NOT EXISTS {name} ON {table} ("Id") WHERE {DEAD}'


def collation(field: Field) -> str:
    """Texts compare without case, as in SOQL; ids and fields that describe calls case sensitive compare exactly."""
    return " COLLATE NOCASE" if field.type is FieldType.TEXT and not field.case_sensitive else ""


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


def highest_row(table: str) -> str:
    return f"SELECT coalesce(max(_rowid_), 0) FROM {quote(table)}"


def drop_doubles(table: str, stamp: str | None) -> str:
    """Of a row that came twice in one pull (it moved while pages were read) the newest is kept, else the last."""
    newest = f"{quote(stamp)} DESC, _rowid_ DESC" if stamp is not None else "_rowid_ DESC"
    place = f'row_number() OVER (PARTITION BY "Id" ORDER BY {newest})'
    places = f"SELECT _rowid_ AS double, {place} AS place FROM {quote(table)}"
    return f"DELETE FROM {quote(table)} WHERE _rowid_ IN (SELECT double FROM ({places}) WHERE place > 1)"
