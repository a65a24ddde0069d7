"""Listings of the org (ids and stamps), as tables to compare with. One of all rows outlives its process.

They are staged as every pull is. A whole one enters its table when it is compared, or when another pull is to be staged
before it has come to its end: then as far as it is durable.
"""

from __future__ import annotations

from datetime import datetime

import apsw

from salesforce_sync.errors import Incomplete
from salesforce_sync.models.change import Staged
from salesforce_sync.models.page import PullRequest
from salesforce_sync.models.schema import ObjectSchema
from salesforce_sync.models.values import parse_datetime
from salesforce_sync.storage import own_sql, staging_sql, table_sql
from salesforce_sync.storage.connections import Connections
from salesforce_sync.storage.sql_text import quote
from salesforce_sync.storage.staging import empty_table, shape

_KEPT = "SELECT columns, resume, rows, server_time FROM _sync_listing WHERE object_name = ?"
_KEEP = """
INSERT INTO _sync_listing (object_name, columns, resume, rows, server_time) VALUES (?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET
    resume = excluded.resume, rows = rows + excluded.rows, server_time = coalesce(server_time, excluded.server_time)
"""
_FORGET = "DELETE FROM _sync_listing WHERE object_name = ?"


class Listings:
    """The listings of one store; `ports.Store` says what is promised of them."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._recent: set[str] = set()

    def make_way(self, schema: ObjectSchema, request: PullRequest) -> None:
        """Before `request` is staged: a whole listing that was staged so far is kept, or forgotten for a new one."""
        if request.resume is None and _lists_all(schema, request):
            self.forget(schema)
        else:
            self.lay_aside(schema)

    def lay_aside(self, schema: ObjectSchema) -> None:
        """Keep what was staged of a whole listing, up to its last durable page."""
        with self._connections.looking() as db:
            if not _is_staged(db, schema):
                return
        with self._connections.writing() as db:
            if not _is_staged(db, schema):
                return
            durable: int = db.execute(own_sql.STAGED, (schema.name,)).get[3]
            db.execute(staging_sql.cut_staging(schema.name), (durable,))
            self._enter(db, schema)

    def kept(self, schema: ObjectSchema) -> Staged | None:
        """How far the whole listing has come that was kept."""
        self.lay_aside(schema)
        with self._connections.looking() as db:
            row = db.execute(_KEPT, (schema.name,)).fetchone()
        if row is None or row[0] != shape(schema.listed) or row[1] is None:
            return None
        _, resume, rows, server_time = row
        at: datetime | None = None if server_time is None else parse_datetime(str(server_time))
        return Staged(schema.name, None, str(resume), int(str(rows)), at)

    def amend(self, schema: ObjectSchema) -> None:
        """Let the rows that were staged last take the place of those in the whole listing."""
        with self._connections.writing() as db:
            _take_staged(db, schema, table_of_all(schema))

    def take(self, db: apsw.Connection, schema: ObjectSchema, *, recent: bool) -> None:
        """Let what was staged last be in the listing, within a transaction that has begun."""
        staged = db.execute(own_sql.STAGED, (schema.name,)).fetchone() is not None
        if staged and recent:
            _make_empty(db, schema, table_of_recent(schema))
            _take_staged(db, schema, table_of_recent(schema))
            self._recent.add(schema.name)
        elif staged:
            self._enter(db, schema)
        elif not (schema.name in self._recent if recent else db.execute(_KEPT, (schema.name,)).fetchone()):
            raise Incomplete(f"{schema.name}: there is no listing of the org to compare with.")

    def end_recent(self, schema: ObjectSchema) -> None:
        """Forget the listing of the rows from a stamp on."""
        self._recent.discard(schema.name)
        with self._connections.writing() as db:
            _make_empty(db, schema, table_of_recent(schema))

    def forget(self, schema: ObjectSchema) -> None:
        """Forget the whole listing. Its table stays: to make and drop tables costs every other connection more."""
        with self._connections.looking() as db:
            if db.execute(_KEPT, (schema.name,)).fetchone() is None:
                return
        with self._connections.writing() as db:
            _make_empty(db, schema, table_of_all(schema))
            db.execute(_FORGET, (schema.name,))

    def _enter(self, db: apsw.Connection, schema: ObjectSchema) -> None:
        """The staged rows join those of the same listing that are kept."""
        columns, _, resume, _, server_time = db.execute(own_sql.STAGED, (schema.name,)).get
        if db.execute(_KEPT, (schema.name,)).fetchone() is None:
            _make_empty(db, schema, table_of_all(schema))
        rows = _take_staged(db, schema, table_of_all(schema))
        db.execute(_KEEP, (schema.name, columns, resume, rows, server_time))


def table_of_all(schema: ObjectSchema) -> str:
    """The table of an object's whole listing."""
    return f"_sync_listing_{schema.name}"


def table_of_recent(schema: ObjectSchema) -> str:
    """The table of a listing of the rows from a stamp on."""
    return f"_sync_recent_{schema.name}"


def _lists_all(schema: ObjectSchema, request: PullRequest) -> bool:
    return request.since is None and not request.ids and shape(request.schema) == shape(schema.listed)


def _is_staged(db: apsw.Connection, schema: ObjectSchema) -> bool:
    """Whether a whole listing is staged that could go on. (Of an object with no other columns it may be the rows.)"""
    row = db.execute(own_sql.STAGED, (schema.name,)).fetchone()
    if row is None or shape(schema) == shape(schema.listed) or db.execute(own_sql.IS_PARTIAL, (schema.name,)).get:
        return False
    columns, since, resume, _, _ = row
    return columns == shape(schema.listed) and since is None and resume is not None


def _make_empty(db: apsw.Connection, schema: ObjectSchema, table: str) -> None:
    """An empty listing: the table that is here, unless the object is listed by other columns now."""
    _, *others = _columns(schema)
    columns = ", ".join(['"Id" TEXT PRIMARY KEY', *others])
    empty_table(db, table, f"CREATE TABLE {quote(table)} ({columns}) WITHOUT ROWID")


def _take_staged(db: apsw.Connection, schema: ObjectSchema, table: str) -> int:
    """The staged rows into the table; gives how many. Of a row that came twice the last one stays."""
    listing, staging = quote(table), quote(staging_sql.staging_table(schema.name))
    columns = ", ".join(_columns(schema))
    rows = f'SELECT {columns} FROM {staging} ORDER BY "Id", _rowid_'
    db.execute(f"INSERT OR REPLACE INTO {listing} ({columns}) {rows}")
    count = db.changes()
    db.execute(table_sql.empty(staging_sql.staging_table(schema.name)))
    db.execute(own_sql.END_STAGING, (schema.name,))
    return count


def _columns(schema: ObjectSchema) -> list[str]:
    return [quote(field.name) for field in schema.listed.columns]
