"""Bulk CSV files: read by SQLite's own CSV reader, and where that is worth it, brought into typed form beside the
database.

Parsing and casting are nine tenths of what it takes to stage a file, and a database has one writer. So whoever would
have to wait for the writer does that part meanwhile, into a small database of its own; of that SQLite copies the rows
as they are, without looking at their values (its "transfer optimization" of INSERT INTO … SELECT * between tables that
were made alike).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import compress
from pathlib import Path
from typing import Any

import apsw

from salesforce_sync.errors import Incomplete, StoreTrouble
from salesforce_sync.models.page import CsvFile, TypedFile
from salesforce_sync.models.schema import ObjectSchema
from salesforce_sync.storage import staging_sql, table_sql
from salesforce_sync.storage.casts import give_casts
from salesforce_sync.storage.connections import PAGE_BYTES

CACHE_KIB = 512
"""Of a typed file: its rows are written, and read, one behind the other."""


@contextmanager
def opened(db: apsw.Connection, body: CsvFile, width: int) -> Iterator[None]:
    """Within, the file is the table temp._sync_csv; `StoreTrouble` if it cannot be read."""
    from apsw import sqlite_extra  # a twentieth of what the package takes to import, and only for first loads

    sqlite_extra.load(db, "csv")
    db.create_scalar_function("_sync_short_row", _short_row, 0)
    db.execute(staging_sql.CLOSE_CSV)
    try:
        db.execute(staging_sql.open_csv(body.path, width))
    except apsw.SQLError as error:
        raise StoreTrouble(f"A page cannot be read: {error}.", hint="Check the disk, and sync again.") from error
    try:
        yield
    finally:
        db.execute(staging_sql.CLOSE_CSV)


def stored_columns(db: apsw.Connection, schema: ObjectSchema, body: CsvFile) -> frozenset[str]:
    """The columns of the opened file that need no cast, as far as its first row shows."""
    names, tests = staging_sql.stored_in_first_row(schema, body.places)
    if not names:
        return frozenset()
    holds = db.execute(tests).fetchone() or ()
    return frozenset(compress(names, holds))


def typed(schema: ObjectSchema, body: CsvFile) -> TypedFile:
    """The file's rows in the stored form, in a file in its place; may be called in any thread.

    What goes wrong is raised as it comes, and the CSV file is then as it was.
    """
    path = body.path.with_name(f"{body.path.name}.typed")
    try:
        _make_private(path)
        with closing(apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)) as db:
            _prepare(db)
            db.execute(table_sql.create_table(staging_sql.TYPED_ROWS, schema.columns))
            with opened(db, body, len(schema.columns)):
                db.execute("BEGIN")
                db.execute(staging_sql.type_csv(schema.columns, body.places, stored_columns(db, schema, body)))
                db.execute("COMMIT")
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    body.path.unlink(missing_ok=True)
    return TypedFile(path)


@contextmanager
def attached(db: apsw.Connection, body: TypedFile) -> Iterator[None]:
    """Within, the file's rows can be read on the connection, which must not be in a transaction before."""
    db.execute(staging_sql.ATTACH_TYPED, (str(body.path),))
    try:
        db.execute(staging_sql.bound_typed_cache(CACHE_KIB))
        yield
    finally:
        db.execute(staging_sql.DETACH_TYPED)


def _make_private(path: Path) -> None:
    path.unlink(missing_ok=True)  # what a killed process left
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))


def _prepare(db: apsw.Connection) -> None:
    """For a file that is thrown away unless it is whole: no journal, and nobody waits for the disk."""
    give_casts(db)
    for name, value in (("page_size", PAGE_BYTES), ("journal_mode", "off"), ("synchronous", "off")):
        db.pragma(name, value)
    db.pragma("locking_mode", "exclusive")
    db.pragma("cache_size", -CACHE_KIB)


def _short_row(*_nothing: Any) -> None:
    raise Incomplete("A row of a page has fewer values than columns.", hint="It was cut on its way; sync again.")
