"""Sweeps: some columns of all of an object's rows. Listings to compare with, and columns that are filled.

They are staged as every pull is. A listing enters its table when it is compared; any sweep does when another pull is
to be staged before it has come to its end: then as far as it is durable. So it outlives its process.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import apsw

from salesforce_sync.errors import Incomplete
from salesforce_sync.models.change import Staged
from salesforce_sync.models.page import PullRequest, Sweep
from salesforce_sync.models.schema import ObjectSchema
from salesforce_sync.models.values import parse_datetime
from salesforce_sync.storage import own_sql, staging_sql, table_sql
from salesforce_sync.storage.connections import Connections
from salesforce_sync.storage.sql_text import quote
from salesforce_sync.storage.staging import empty_staging, empty_table, shape, staged_columns

_KEPT = "SELECT columns, resume, rows, server_time FROM _sync_sweep WHERE object_name = ? AND kind = ?"
_KEEP = """
INSERT INTO _sync_sweep (object_name, kind, columns, resume, rows, server_time) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET
    resume = excluded.resume, rows = rows + excluded.rows, server_time = coalesce(server_time, excluded.server_time)
"""
_ALL_KEPT = "SELECT kind, columns FROM _sync_sweep WHERE object_name = ?"
_FORGET = "DELETE FROM _sync_sweep WHERE object_name = ? AND kind = ?"


class Sweeps:
    """The sweeps of one store; `ports.Store` says what is promised of them."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._recent: set[str] = set()

    def make_way(self, schema: ObjectSchema, request: PullRequest) -> None:
        """Before `request` is staged: a sweep that was staged so far is kept, or forgotten for a new one."""
        kind = request.sweep(schema)
        if request.resume is None and kind is not None:
            self.forget(schema, kind)
            self.lay_aside(schema, all_but=kind)
        else:
            self.lay_aside(schema)

    def lay_aside(self, schema: ObjectSchema, all_but: Sweep | None = None) -> None:
        """Keep what was staged of a sweep, up to its last durable page; nothing of one of the kind `all_but`."""
        with self._connections.looking() as db:
            if _staged_kind(db, schema) in (None, all_but):
                return
        with self._connections.writing() as db:
            kind = _staged_kind(db, schema)
            if kind is None:
                return
            durable: int = db.execute(own_sql.STAGED, (schema.name,)).get[3]
            db.execute(staging_sql.cut_staging(schema.name), (durable,))
            self._enter(db, schema, kind)

    def kept(self, schema: ObjectSchema, request: PullRequest) -> Staged | None:
        """How far the sweep that `request` asks for has come that was kept."""
        kind = request.sweep(schema)
        if kind is None:
            return None
        self.lay_aside(schema)
        with self._connections.looking() as db:
            row = db.execute(_KEPT, (schema.name, kind)).fetchone()
        if row is None or row[0] != shape(request.schema) or row[1] is None:
            return None
        _, resume, rows, server_time = row
        at: datetime | None = None if server_time is None else parse_datetime(str(server_time))
        return Staged(schema.name, None, str(resume), int(str(rows)), at)

    def amend(self, schema: ObjectSchema, request: PullRequest) -> None:
        """Let the rows that were staged last take the place of those in the sweep that `request` asks for."""
        with self._connections.writing() as db:
            _take_staged(db, schema, _table(schema, request.sweep(schema)), request.schema)

    def take_listing(self, db: apsw.Connection, schema: ObjectSchema, *, recent: bool) -> None:
        """Let what was staged last be in the listing, within a transaction that has begun."""
        staged = db.execute(own_sql.STAGED, (schema.name,)).fetchone() is not None
        if staged and recent:
            _make_empty(db, table_of_recent(schema), schema.listed)
            _take_staged(db, schema, table_of_recent(schema), schema.listed)
            self._recent.add(schema.name)
        elif staged:
            self._enter(db, schema, Sweep.LISTING)
        elif not (schema.name in self._recent if recent else db.execute(_KEPT, (schema.name, Sweep.LISTING)).get):
            raise Incomplete(f"{schema.name}: there is no listing of the org to compare with.")

    def stage_kept(self, db: apsw.Connection, schema: ObjectSchema, request: PullRequest) -> None:
        """Let all rows of the sweep be staged, those that were kept too, within a transaction that has begun."""
        kind = request.sweep(schema)
        if kind is None or db.execute(_KEPT, (schema.name, kind)).fetchone() is None:
            return
        if db.execute(own_sql.STAGED, (schema.name,)).fetchone() is not None:
            self._enter(db, schema, kind)
        empty_staging(db, schema.name)
        columns = ", ".join(_columns(request.schema))
        staging, kept = quote(staging_sql.staging_table(schema.name)), quote(_table(schema, kind))
        db.execute(f"INSERT INTO {staging} ({columns}) SELECT {columns} FROM {kept}")
        db.execute(own_sql.BEGIN_STAGING, (schema.name, shape(request.schema), None, 0, kind))
        _forget(db, schema, kind)

    def end_recent(self, schema: ObjectSchema) -> None:
        """Forget the listing of the rows from a stamp on."""
        self._recent.discard(schema.name)
        with self._connections.writing() as db:
            _make_empty(db, table_of_recent(schema), schema.listed)

    def forget(self, schema: ObjectSchema, kind: Sweep) -> None:
        """Forget a sweep. Its table stays: to make and drop tables costs every other connection more."""
        with self._connections.looking() as db:
            if db.execute(_KEPT, (schema.name, kind)).fetchone() is None:
                return
        with self._connections.writing() as db:
            _forget(db, schema, kind)

    def forget_others(self, db: apsw.Connection, schema: ObjectSchema, gained: Sequence[str]) -> None:
        """Forget sweeps of columns that are not the schema's now, or were gained now, within a transaction.

        A field that comes back under its old name and type may be another one: what was read of the old one is not its.
        """
        same = schema.without(*gained)
        for kind, columns in list(db.execute(_ALL_KEPT, (schema.name,))):
            if not _fits(same, str(columns)):
                _forget(db, schema, Sweep(kind))
        row = db.execute(own_sql.STAGED, (schema.name,)).fetchone()
        if row is not None and not _fits(same, str(row[0])):
            db.execute(own_sql.CANNOT_GO_ON, (schema.name,))

    def _enter(self, db: apsw.Connection, schema: ObjectSchema, kind: Sweep) -> None:
        """The staged rows join those of the same sweep that are kept."""
        columns, _, resume, _, server_time = db.execute(own_sql.STAGED, (schema.name,)).get
        read, table = schema.only(*staged_columns(str(columns))), _table(schema, kind)
        if db.execute(_KEPT, (schema.name, kind)).fetchone() is None:
            _make_empty(db, table, read)
        rows = _take_staged(db, schema, table, read)
        db.execute(_KEEP, (schema.name, kind, columns, resume, rows, server_time))


def table_of_all(schema: ObjectSchema) -> str:
    """The table of an object's whole listing."""
    return _table(schema, Sweep.LISTING)


def table_of_recent(schema: ObjectSchema) -> str:
    """The table of a listing of the rows from a stamp on."""
    return f"_sync_recent_{schema.name}"


def _table(schema: ObjectSchema, kind: Sweep | None) -> str:
    assert kind is not None  # a pull has no table of its own
    return f"_sync_{kind}_{schema.name}"


def _staged_kind(db: apsw.Connection, schema: ObjectSchema) -> Sweep | None:
    """What sweep is staged, if it is one that could go on."""
    row = db.execute(own_sql.STAGED, (schema.name,)).fetchone()
    kind = None if row is None else db.execute(own_sql.STAGED_KIND, (schema.name,)).get
    if row is None or kind is None:
        return None
    columns, _, resume, _, _ = row
    # Of an object with no other columns it may be the rows.
    goes_on = resume is not None and _fits(schema, str(columns)) and columns != shape(schema)
    return Sweep(kind) if goes_on else None


def _fits(schema: ObjectSchema, columns: str) -> bool:
    """Whether the schema has all that was read, as it was read."""
    return columns == shape(schema.only(*staged_columns(columns)))


def _make_empty(db: apsw.Connection, table: str, read: ObjectSchema) -> None:
    """An empty table for a sweep: the one that is here, unless other columns are read now."""
    _, *others = _columns(read)
    columns = ", ".join(['"Id" TEXT PRIMARY KEY', *others])
    empty_table(db, table, f"CREATE TABLE {quote(table)} ({columns}) WITHOUT ROWID")


def _forget(db: apsw.Connection, schema: ObjectSchema, kind: Sweep) -> None:
    db.execute(table_sql.empty(_table(schema, kind)))
    db.execute(_FORGET, (schema.name, kind))


def _take_staged(db: apsw.Connection, schema: ObjectSchema, table: str, read: ObjectSchema) -> int:
    """The staged rows into the table; gives how many. Of a row that came twice the last one stays."""
    staging = quote(staging_sql.staging_table(schema.name))
    columns = ", ".join(_columns(read))
    rows = f'SELECT {columns} FROM {staging} ORDER BY "Id", _rowid_'
    db.execute(f"INSERT OR REPLACE INTO {quote(table)} ({columns}) {rows}")
    count = db.changes()
    db.execute(table_sql.empty(staging_sql.staging_table(schema.name)))
    db.execute(own_sql.END_STAGING, (schema.name,))
    return count


def _columns(read: ObjectSchema) -> list[str]:
    """`Id` first: its table's key."""
    return ['"Id"', *(quote(field.name) for field in read.columns if field.name != "Id")]
