"""Where a page lands: its rows enter the object's staging table, parsed and typed by the database."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime
from functools import partial

import apsw
import msgspec
from msgspec.structs import replace

from salesforce_sync.errors import Incomplete, SyncError
from salesforce_sync.models.change import Staged
from salesforce_sync.models.page import CsvFile, Page, PullRequest, Rows, TypedFile
from salesforce_sync.models.salesforce_id import lengthened
from salesforce_sync.models.schema import ObjectSchema
from salesforce_sync.models.values import format_datetime, parse_datetime
from salesforce_sync.storage import asides, csv_files, own_sql, staging_sql, table_sql
from salesforce_sync.storage.adopted import adopted, decode_schema
from salesforce_sync.storage.connections import Connections
from salesforce_sync.storage.trouble import translated

log = logging.getLogger(__name__)

# Made once, here: msgspec crashes when two threads meet a type at once that it has not seen before.
_COLUMNS = msgspec.json.Decoder(list[str])


class Staging:
    """The staging half of the SQLite store; `ports.Store` says what each call promises."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    def staged(self, schema: ObjectSchema) -> Staged | None:
        with self._connections.writing() as db:
            _bring_back(db, schema)
            row = db.execute(own_sql.STAGED, (schema.name,)).fetchone()
            if row is None:
                return None
            columns, since, resume, durable, server_time = row
            same_columns = columns == shape(schema)
            # Changes alone are not enough when everything is to be read again.
            enough = since is None or not adopted(db, schema.name).refill
            # Records that were asked for by id are no part of a pull that could go on.
            partial = db.execute(own_sql.IS_PARTIAL, (schema.name,)).get
            if partial or resume is None or not same_columns or not enough:
                empty_staging(db, schema.name)
                db.execute(own_sql.END_STAGING, (schema.name,))
                return None
            db.execute(staging_sql.cut_staging(schema.name), (durable,))
        return Staged(schema.name, _moment(since), resume, durable, _moment(server_time))

    def begin(self, request: PullRequest, kind: str | None) -> None:
        schema = request.schema
        since = None if request.since is None else format_datetime(request.since)
        with self._connections.writing() as db:
            if request.ids:
                whole = decode_schema(adopted(db, schema.name).schema)
                asides.keep(db, whole, shape(whole))
            elif kind is None:
                asides.forget(db, schema.name)
            empty_staging(db, schema.name)
            db.execute(own_sql.BEGIN_STAGING, (schema.name, shape(schema), since, int(bool(request.ids)), kind))

    def prepare(self, page: Page) -> Page:
        if not isinstance(page.body, CsvFile):
            return page
        try:
            return replace(page, body=csv_files.typed(page.schema, page.body))
        except (SyncError, apsw.Error, OSError) as error:
            log.info("%s: a page is not typed beside the database: %s", page.schema.name, error)
            return page

    def stage(self, page: Page) -> int:
        if self._connections.is_busy:
            page = self.prepare(page)
        try:
            return self._staged(page, page.body)
        finally:
            page.drop()

    def _staged(self, page: Page, body: CsvFile | TypedFile | Rows) -> int:
        if isinstance(body, Rows):
            return self._stage_rows(page, body)
        width = len(page.schema.columns)
        with self._connections.holding(), translated(self._connections.path):
            db = self._connections.writer
            if isinstance(body, TypedFile):
                with csv_files.attached(db, body):
                    return self._stage_file(page, staging_sql.stage_typed)
            with csv_files.opened(db, body, width):
                stored = csv_files.stored_columns(db, page.schema, body)
                return self._stage_file(page, partial(staging_sql.stage_csv, places=body.places, stored=stored))

    def _stage_rows(self, page: Page, body: Rows) -> int:
        with self._connections.writing() as db:
            schema = page.schema
            write = staging_sql.stage_rows if body.stored is None else staging_sql.stage_stored
            insert = write(schema.name, schema.columns, _staging_width(db, schema))
            db.executemany(insert, body.values if body.stored is None else body.stored)
            self._note_progress(db, page)
        return len(body.values)

    def _stage_file(self, page: Page, statement: Callable[..., str]) -> int:
        """Stage all rows of the file that the statement reads; gives how many."""
        schema = page.schema
        with self._connections.writing() as db:
            before: int = db.execute(table_sql.highest_row(staging_sql.staging_table(schema.name))).get
            db.execute(statement(schema.name, schema.columns, width=_staging_width(db, schema)))
            rows = db.changes()
            first = db.execute(staging_sql.staged_id(schema.name), (before + 1,)).get
            if lengthened(first) != first:
                db.execute(staging_sql.lengthen_ids(schema.name, schema.columns), (before,))
            self._note_progress(db, page)
        return rows

    def _note_progress(self, db: apsw.Connection, page: Page) -> None:
        name = page.schema.name
        if page.server_time is not None:
            db.execute(own_sql.NOTE_SERVER_TIME, (format_datetime(page.server_time), name))
        if page.total is not None:
            db.execute(own_sql.ANNOUNCED, (page.total, name))
        if page.resume is None:
            return
        durable: int = db.execute(own_sql.STAGED, (name,)).get[3]
        rows: int = db.execute(table_sql.highest_row(staging_sql.staging_table(name))).get
        if page.expected is not None and rows - durable != page.expected:
            raise Incomplete(f"The org announced {page.expected:,} rows of {name}, and {rows - durable:,} arrived.")
        db.execute(own_sql.STAGED_DURABLY, (page.resume, rows, name))


def _bring_back(db: apsw.Connection, schema: ObjectSchema) -> None:
    """A pull that made way for records that were asked for by id goes on, now that they are merged or given up."""
    if not asides.is_kept(db, schema.name):
        return
    staged = db.execute(own_sql.STAGED, (schema.name,)).fetchone()
    if staged is None or db.execute(own_sql.IS_PARTIAL, (schema.name,)).get:
        empty_staging(db, schema.name)
        asides.bring_back(db, schema, shape(schema))


def empty_staging(db: apsw.Connection, object_name: str) -> None:
    """An empty staging table for all of the object's columns: the one that is here, where it has them.

    A pull that reads only some of them leaves the others empty.
    """
    table = staging_sql.staging_table(object_name)
    empty_table(db, table, table_sql.create_table(table, decode_schema(adopted(db, object_name).schema).columns))


def empty_table(db: apsw.Connection, table: str, wanted: str) -> None:
    """The table of this name is empty, and as the statement `wanted` makes it: the one that is here, where it is so.

    Making one anew each time would let every other connection read the database's schema again.
    """
    if db.execute(table_sql.MADE_BY, (table,)).get == wanted:
        db.execute(table_sql.empty(table))
        return
    db.execute(table_sql.drop_table(table))
    db.execute(wanted)


def _staging_width(db: apsw.Connection, schema: ObjectSchema) -> int:
    width: int = db.execute(table_sql.width(staging_sql.staging_table(schema.name))).get
    return width


def shape(schema: ObjectSchema) -> str:
    """What staged rows have to fit: a field whose type changed is another one, even under the same name."""
    return msgspec.json.encode([f"{field.name}: {field.type}" for field in schema.columns]).decode()


def staged_columns(shape: str) -> list[str]:
    """The names of the columns that are staged, of a row of _sync_staging."""
    return [text.rpartition(": ")[0] for text in _COLUMNS.decode(shape)]


def _moment(text: str | None) -> datetime | None:
    return None if text is None else parse_datetime(text)
