"""Statements that stage a page: the database parses and casts."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from salesforce_sync.models.schema import Field, FieldType, ObjectSchema
from salesforce_sync.models.values import EXACT_DIGITS
from salesforce_sync.storage.reading_sql import live_and_dead
from salesforce_sync.storage.sql_text import literal, quote


def staging_table(object_name: str) -> str:
    return f"_sync_staging_{object_name}"


def open_csv(path: Path, width: int) -> str:
    """SQLite's own CSV reader over a page's file. With `schema=` and no `columns=` it skips the header row."""
    columns = ", ".join(f"c{number} TEXT" for number in range(width))
    return (
        f"CREATE VIRTUAL TABLE temp._sync_csv USING csv"
        f"(filename={literal(str(path))}, header=yes, schema='CREATE TABLE x({columns})')"
    )


NEVER_EMPTY = frozenset(("Id", "CreatedDate", "CreatedById", "LastModifiedDate", "LastModifiedById", "SystemModstamp"))
"""What the org itself sets in every row (object reference, System Fields), and writes alike in all of them: to look at
one row instead of each is a twentieth of what it takes to type a file."""

TYPED_ROWS = "typed_rows"
"""The table of a file that was typed beside the database."""
ATTACH_TYPED = "ATTACH ? AS _sync_typed"
DETACH_TYPED = "DETACH _sync_typed"


def bound_typed_cache(kib: int) -> str:
    """Hold the cache of the attached file to so much."""
    return f"PRAGMA _sync_typed.cache_size = -{kib}"


CLOSE_CSV = "DROP TABLE IF EXISTS temp._sync_csv"


def stage_csv(
    object_name: str, columns: Sequence[Field], places: Sequence[int], width: int, stored: Collection[str]
) -> str:
    """`places` says where each column stands in the file; empty: in this order. Those in `stored` are in the stored
    form."""
    return f"INSERT INTO {_staged_cells(object_name, columns, width)} {_typed_csv(columns, places, stored)}"


def type_csv(columns: Sequence[Field], places: Sequence[int], stored: Collection[str]) -> str:
    """Fills the table of a file that is typed beside the database; the rest is as in `stage_csv`."""
    return f"INSERT INTO {TYPED_ROWS} {_typed_csv(columns, places, stored)}"


def stored_in_first_row(schema: ObjectSchema, places: Sequence[int]) -> tuple[Sequence[str], str]:
    """The names of columns that no row leaves empty, and whether the first row has each in the stored form.

    Not the stamp's: which of two rows is the newer one, and from where on changes are asked for, rests on it, so it is
    looked at in each row.
    """
    columns = schema.columns
    sure = [
        (field, f"c{at}")
        for field, at in zip(columns, places or range(len(columns)), strict=True)
        if field.name in NEVER_EMPTY and field.name != schema.stamp and not field.nillable
    ]
    tests = [
        f"substr({value}, 24) = 'Z'" if field.type is FieldType.DATETIME else f"length({value}) = 18"
        for field, value in sure
    ]
    return [field.name for field, _ in sure], f"SELECT {', '.join(tests)} FROM temp._sync_csv LIMIT 1"


def stage_typed(object_name: str, columns: Sequence[Field], width: int) -> str:
    """Stages what was typed: where the columns are the same, SQLite copies whole rows."""
    return f"INSERT INTO {_staged_cells(object_name, columns, width)} SELECT * FROM _sync_typed.{TYPED_ROWS}"


def _typed_csv(columns: Sequence[Field], places: Sequence[int], stored: Collection[str]) -> str:
    casts = [
        f"c{at}" if field.name in stored else _from_csv(field, f"c{at}")
        for field, at in zip(columns, places or range(len(columns)), strict=True)
    ]
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
            return f"CASE {value} WHEN 'false' THEN 0 WHEN 'true' THEN 1 WHEN '' THEN NULL ELSE {value} END"
        case FieldType.INTEGER:
            # NUMERIC and not INTEGER, which reads 1.0E7 as 1.
            return f"CAST(nullif({value}, '') AS NUMERIC)"
        case FieldType.DECIMAL:
            # Up to 15 characters there cannot be more digits than a double keeps; longer texts are looked at.
            short = f"WHEN length({value}) BETWEEN 1 AND {EXACT_DIGITS} THEN CAST({value} AS REAL)"
            return f"CASE {short} WHEN {value} = '' THEN NULL ELSE _sync_decimal({value}) END"
        case FieldType.DATETIME:
            bulk = f"WHEN substr({value}, 24) = 'Z' THEN {value}"
            return f"CASE {bulk} WHEN {value} = '' THEN NULL ELSE _sync_datetime({value}) END"
        case _:
            # Not nullif, which copies the text once more than reading it a second time does.
            return f"CASE WHEN {value} <> '' THEN {value} END"


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
    return f"SELECT {newest}, {live_and_dead(schema)} FROM {quote(staging_table(schema.name))}"


def cut_staging(object_name: str) -> str:
    return f"DELETE FROM {quote(staging_table(object_name))} WHERE _rowid_ > ?"
