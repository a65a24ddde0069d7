"""A connection that knows the tables and not their triggers: whoever only reads needs none.

SQLite parses the whole schema for each connection, and five triggers of an object of 237 fields take 1 MB there and
5 ms: with forty such objects that was most of what a process held. It has no switch for that. But it reads the schema
within the connection's own bounds, and, where it is told to (SQLITE_DBCONFIG_WRITABLE_SCHEMA), goes on behind what it
cannot read: so it is given no more room than the longest of all tables, views and indexes takes. Shorter triggers are
read as ever. Should somebody change the schema, the connection reads all of it again.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import apsw

_LONGEST = "SELECT max(length(CAST(sql AS BLOB))) FROM sqlite_master WHERE type <> 'trigger'"
_ANY = "SELECT 1 FROM sqlite_master LIMIT 1"
_LEAST = 100
"""Bytes. The statements above have to be read, and what SQLite itself says sqlite_master is."""


def read_tables(db: apsw.Connection) -> None:
    """Have it read the schema without what only a writer needs. Nothing may have been asked of the connection yet."""
    with _one_moment(db):  # a longer table that somebody made in between would not be there
        with _bounded(db, _LEAST):
            longest = db.execute(_LONGEST).get or 0
        forget(db)
        with _bounded(db, max(longest, _LEAST)):
            db.execute(_ANY).get  # noqa: B018 - reads the schema
    db.release_memory()  # the pages, too, that it was read from


def forget(db: apsw.Connection) -> None:
    """Have it forget the schema, and read it, with all triggers, once it is needed again."""
    db.pragma("writable_schema", "RESET")


@contextmanager
def _one_moment(db: apsw.Connection) -> Iterator[None]:
    """Within, the database is as it is when it is first looked at."""
    db.execute("BEGIN")
    try:
        yield
    finally:
        db.execute("END")


@contextmanager
def _bounded(db: apsw.Connection, most: int) -> Iterator[None]:
    """Within, the connection passes statements by that have more bytes than this."""
    usual = db.limit(apsw.SQLITE_LIMIT_SQL_LENGTH, most)
    db.config(apsw.SQLITE_DBCONFIG_WRITABLE_SCHEMA, 1)
    try:
        yield
    finally:
        db.config(apsw.SQLITE_DBCONFIG_WRITABLE_SCHEMA, 0)
        db.limit(apsw.SQLITE_LIMIT_SQL_LENGTH, usual)
