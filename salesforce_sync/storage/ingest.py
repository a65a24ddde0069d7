"""A page's way into an object's table: staging, then one merge. The database parses, casts and merges."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import partial
from typing import NamedTuple

import apsw
import msgspec
from msgspec.structs import replace

from salesforce_sync.errors import Incomplete, LossRefused, SchemaChanged, SyncError
from salesforce_sync.models.change import LossLimit, Merged, Staged
from salesforce_sync.models.page import CsvFile, Page, PullRequest, Rows, TypedFile
from salesforce_sync.models.salesforce_id import lengthened
from salesforce_sync.models.schema import ObjectSchema
from salesforce_sync.models.values import format_datetime, parse_datetime
from salesforce_sync.storage import csv_files
from salesforce_sync.storage import statements as sql
from salesforce_sync.storage.connections import Connections, room_to_merge, switched, translated
from salesforce_sync.storage.contested import Judge
from salesforce_sync.storage.history import HistoryWriter
from salesforce_sync.storage.signal_log import count_changed
from salesforce_sync.storage.watch import give_triggers, unseen

log = logging.getLogger(__name__)

LATEST = "~"
"""After every stamp."""

TAKE_OVER_ROWS = 5_000
"""From so many rows on it is cheaper to put a staging table in an empty table's place than to copy it: that has SQLite
read the schema of the whole database several times."""

# Made once, here: msgspec crashes when two threads meet a type at once that it has not seen before.
_SCHEMA = msgspec.json.Decoder(ObjectSchema)
_COLUMNS = msgspec.json.Decoder(list[str])


class Adopted(NamedTuple):
    """A row of _sync_object."""

    name: str
    schema: str
    described_at: str
    until: str | None
    merged: int
    refill: int
    read_at: str | None


class Survey(NamedTuple):
    """What lies in a staging table."""

    newest: str | None
    live: int
    dead: int

    @property
    def rows(self) -> int:
        return self.live + self.dead

    def until(self, limit: datetime | None) -> str | None:
        """The checkpoint that the staged rows allow."""
        if self.newest is None or limit is None:
            return self.newest
        return min(self.newest, format_datetime(limit))


class Ingest:
    """The writing half of the SQLite store; `ports.Store` says what each call promises."""

    def __init__(self, connections: Connections, judge: Judge, history: HistoryWriter) -> None:
        self._connections = connections
        self._judge = judge
        self._history = history
        csv_files.give_reader(connections.writer)

    # ── staging ──────────────────────────────────────────────────────────────────────────────────────────────────

    def staged(self, schema: ObjectSchema) -> Staged | None:
        with self._connections.writing() as db:
            row = db.execute(sql.STAGED, (schema.name,)).fetchone()
            if row is None:
                return None
            columns, since, resume, durable, server_time = row
            same_columns = columns == _shape(schema)
            # Changes alone are not enough when everything is to be read again.
            enough = since is None or not _adopted(db, schema.name).refill
            # Records that were asked for by id are no part of a pull that could go on.
            partial = db.execute(sql.IS_PARTIAL, (schema.name,)).get
            if partial or resume is None or not same_columns or not enough:
                empty_staging(db, schema.name)
                db.execute(sql.END_STAGING, (schema.name,))
                return None
            db.execute(sql.cut_staging(schema.name), (durable,))
        return Staged(schema.name, _moment(since), resume, durable, _moment(server_time))

    def begin(self, request: PullRequest) -> None:
        schema = request.schema
        since = None if request.since is None else format_datetime(request.since)
        with self._connections.writing() as db:
            empty_staging(db, schema.name)
            db.execute(sql.BEGIN_STAGING, (schema.name, _shape(schema), since, int(bool(request.ids))))

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
        db, width = self._connections.writer, len(page.schema.columns)
        with self._connections.lock, translated(self._connections.path):
            if isinstance(body, TypedFile):
                with csv_files.attached(db, body):
                    return self._stage_file(page, sql.stage_typed)
            with csv_files.opened(db, body, width):
                return self._stage_file(page, partial(sql.stage_csv, places=body.places))

    def _stage_rows(self, page: Page, body: Rows) -> int:
        with self._connections.writing() as db:
            schema = page.schema
            write = sql.stage_rows if body.stored is None else sql.stage_stored
            insert = write(schema.name, schema.columns, _staging_width(db, schema))
            db.executemany(insert, body.values if body.stored is None else body.stored)
            self._note_progress(db, page)
        return len(body.values)

    def _stage_file(self, page: Page, statement: Callable[..., str]) -> int:
        """Stage all rows of the file that the statement reads; gives how many."""
        schema = page.schema
        with self._connections.writing() as db:
            before: int = db.execute(sql.highest_row(sql.staging_table(schema.name))).get
            db.execute(statement(schema.name, schema.columns, width=_staging_width(db, schema)))
            rows = db.changes()
            first = db.execute(sql.staged_id(schema.name), (before + 1,)).get
            if lengthened(first) != first:
                db.execute(sql.lengthen_ids(schema.name, schema.columns), (before,))
            self._note_progress(db, page)
        return rows

    def _note_progress(self, db: apsw.Connection, page: Page) -> None:
        name = page.schema.name
        if page.server_time is not None:
            db.execute(sql.NOTE_SERVER_TIME, (format_datetime(page.server_time), name))
        if page.total is not None:
            db.execute(sql.ANNOUNCED, (page.total, name))
        if page.resume is None:
            return
        durable: int = db.execute(sql.STAGED, (name,)).get[3]
        rows: int = db.execute(sql.highest_row(sql.staging_table(name))).get
        if page.expected is not None and rows - durable != page.expected:
            raise Incomplete(f"The org announced {page.expected:,} rows of {name}, and {rows - durable:,} arrived.")
        db.execute(sql.STAGED_DURABLY, (page.resume, rows, name))

    # ── merge ────────────────────────────────────────────────────────────────────────────────────────────────────

    def merge(self, schema: ObjectSchema, checkpoint_limit: datetime | None, loss: LossLimit | None = None) -> Merged:
        with self._connections.writing() as db:
            adopted = _adopted(db, schema.name)
            schema = decode_schema(adopted.schema)
            since = self._check_staging(db, schema)
            if _may_take_over(db, schema):
                survey, merged = self._take_over(db, schema)
            else:
                survey, merged = _survey(db, schema), self._merge_rows(db, schema, loss)
            until = survey.until(checkpoint_limit)
            if until is None and adopted.until is None and schema.stamp is not None and checkpoint_limit is not None:
                # Nothing is there that could tell: what comes will have stamps from the time of the query on.
                until = format_datetime(checkpoint_limit)
            self._move_checkpoint(db, adopted, since, until)
            db.execute(sql.END_STAGING, (schema.name,))
            count_changed(db, schema.name, merged.changed)
            if merged.inserted:
                db.execute(sql.come_back(schema), (schema.name,))
        return merged

    def _check_staging(self, db: apsw.Connection, schema: ObjectSchema) -> str | None:
        """Somebody may have begun this pull anew, or described the object again, since the rows were staged.

        Gives the pull's `since`.
        """
        row = db.execute(sql.STAGED, (schema.name,)).fetchone()
        if row is None:
            raise Incomplete(f"{schema.name}: the staged rows are gone; the pull starts again.")
        columns, since, *_ = row
        if columns != _shape(schema):
            raise SchemaChanged(f"{schema.name} was described anew while it was read.")
        return None if since is None else str(since)

    def _move_checkpoint(self, db: apsw.Connection, adopted: Adopted, since: str | None, until: str | None) -> None:
        # Rows that were asked for by id say nothing about the rows between them and the checkpoint.
        partial = db.execute(sql.IS_PARTIAL, (adopted.name,)).get
        if partial or (adopted.refill and since is not None):
            return
        # After a refill the old checkpoint stays: what was deleted since is not among all live rows.
        knows_deletions = not adopted.refill or adopted.until is None
        server_time = db.execute(sql.STAGED, (adopted.name,)).get[4]
        if server_time is not None and knows_deletions:
            db.execute(sql.READ_UNTIL, (server_time, adopted.name))
        if until is None or not knows_deletions:
            db.execute(sql.KEEP_CHECKPOINT, (adopted.name,))
        else:
            db.execute(sql.MOVE_CHECKPOINT, (until, adopted.name))

    def _take_over(self, db: apsw.Connection, schema: ObjectSchema) -> tuple[Survey, Merged]:
        """A first load: the staging table becomes the object's table, so no row is written twice.

        What lies in it is committed, so another thread looks at it while the key is made.
        """
        with self._connections.aside() as reader, ThreadPoolExecutor(1, "survey") as pool:
            surveyed = pool.submit(_survey, reader, schema)
            doubles = _replace_table(db, schema)
            survey = surveyed.result()
        if doubles:
            survey = Survey(survey.newest, *db.execute(sql.count_rows(schema)).get)
        give_triggers(db, schema)  # the old table took its own with it
        empty_staging(db, schema.name)
        return survey, Merged(schema.name, inserted=survey.live, unchanged=survey.dead)

    def _merge_rows(self, db: apsw.Connection, schema: ObjectSchema, loss: LossLimit | None) -> Merged:
        deletable = schema.has("IsDeleted")
        _order_staged(db, schema)
        trusted = {"trusted": _trusted(db, schema.name)}
        counts = db.execute(sql.count_merge(schema.name, deletable=deletable, stamp=schema.stamp), trusted).get
        new, new_dead, revived, died, staged, met_live = counts
        # To count all that live reads the whole table; mostly those that are met are enough to allow the loss.
        if loss is not None and loss.refuses(died, met_live):
            live, _ = db.execute(sql.count_rows(schema)).get
            if loss.refuses(died, live):
                raise refused_loss(schema.name, *loss.counted(died, live))
        with unseen(db, [schema.name]), room_to_merge(db, staged):
            met = self._judge.meet(db, schema, [field.name for field in schema.columns])
            self._history.merged(db, schema, trusted)
            db.execute(sql.merge(schema.name, schema.columns, schema.stamp), trusted)
            changed = db.changes()
            seen = self._judge.settle(db, schema, met)
            if met:
                self._history.trim(db, schema.name)
        db.execute(sql.END_CAME)
        empty_staging(db, schema.name)
        updated = max(0, changed - new - new_dead - revived - died)
        inserted, updated, died = new + revived + seen.inserted, updated + seen.updated, died + seen.deleted
        return Merged(schema.name, inserted, updated, died, staged - inserted - died - updated)


def empty_staging(db: apsw.Connection, object_name: str) -> None:
    """An empty staging table for all of the object's columns: the one that is here, where it has them.

    A pull that reads only some of them leaves the others empty.
    """
    table = sql.staging_table(object_name)
    empty_table(db, table, sql.create_table(table, decode_schema(_adopted(db, object_name).schema).columns))


def empty_table(db: apsw.Connection, table: str, wanted: str) -> None:
    """The table of this name is empty, and as the statement `wanted` makes it: the one that is here, where it is so.

    Making one anew each time would let every other connection read the database's schema again.
    """
    if db.execute(sql.MADE_BY, (table,)).get == wanted:
        db.execute(sql.empty(table))
        return
    db.execute(sql.drop_table(table))
    db.execute(wanted)


def _replace_table(db: apsw.Connection, schema: ObjectSchema) -> bool:
    """The staging table is the object's table now, with its key; whether rows that came twice had to go."""
    db.execute(sql.drop_table(schema.name))
    # Without a look for the name in the triggers of all tables, which takes most of a second with 40 objects: none
    # of ours has the name of a staging table, and where somebody else's could have it, nothing is taken over.
    with switched(db, apsw.SQLITE_DBCONFIG_LEGACY_ALTER_TABLE, on=True):
        db.execute(sql.rename_table(sql.staging_table(schema.name), schema.name))
    try:
        db.execute(sql.create_key(schema.name, schema.name))
    except apsw.ConstraintError:
        db.execute(sql.drop_doubles(schema.name, schema.stamp))
        _refuse_hidden_gaps(db, schema.name, schema.name)
        db.execute(sql.create_key(schema.name, schema.name))
        return True
    return False


def _order_staged(db: apsw.Connection, schema: ObjectSchema) -> None:
    """Set the staged rows in the order in which they enter, after those that came twice have gone."""
    db.execute(sql.MAKE_CAME)
    order = sql.order_staged(schema.name, deletable=schema.has("IsDeleted"))
    try:
        db.execute(order)
    except apsw.ConstraintError:
        db.execute(sql.drop_doubles(sql.staging_table(schema.name), schema.stamp))
        _refuse_hidden_gaps(db, schema.name, sql.staging_table(schema.name))
        db.execute(order)


def _staging_width(db: apsw.Connection, schema: ObjectSchema) -> int:
    width: int = db.execute(sql.width(sql.staging_table(schema.name))).get
    return width


def _adopted(db: apsw.Connection, object_name: str) -> Adopted:
    return Adopted(*db.execute(sql.ONE_OBJECT, (object_name,)).get)


def _survey(db: apsw.Connection, schema: ObjectSchema) -> Survey:
    return Survey(*db.execute(sql.survey_staging(schema)).get)


def _may_take_over(db: apsw.Connection, schema: ObjectSchema) -> bool:
    if db.execute(sql.highest_row(sql.staging_table(schema.name))).get < TAKE_OVER_ROWS:
        return False
    return bool(db.execute(sql.may_be_replaced(schema.name, len(schema.columns)), (schema.name,)).get)


def _trusted(db: apsw.Connection, object_name: str) -> str:
    """The latest stamp here that keeps an older row out.

    A stamp after the last reading was ahead of the org's clock, and says nothing of what was saved later. Rows that
    were asked for by id are what the org has now, whatever their stamps.
    """
    if db.execute(sql.IS_PARTIAL, (object_name,)).get:
        return ""
    return _adopted(db, object_name).read_at or LATEST


def _refuse_hidden_gaps(db: apsw.Connection, object_name: str, table: str) -> None:
    """A row that came twice fills the count of one that never came."""
    total = db.execute(sql.TOTAL, (object_name,)).get
    rows: int = db.execute(f"SELECT count(*) FROM {sql.quote(table)}").get
    if total is not None and rows < total:
        raise Incomplete(f"The org announced {total:,} rows of {object_name}, and {rows:,} different ones arrived.")


def _shape(schema: ObjectSchema) -> str:
    """What staged rows have to fit: a field whose type changed is another one, even under the same name."""
    return msgspec.json.encode([f"{field.name}: {field.type}" for field in schema.columns]).decode()


def staged_columns(shape: str) -> list[str]:
    """The names of the columns that are staged, of a row of _sync_staging."""
    return [text.rpartition(": ")[0] for text in _COLUMNS.decode(shape)]


def _moment(text: str | None) -> datetime | None:
    return None if text is None else parse_datetime(text)


def refused_loss(object_name: str, lost: int, live: int) -> LossRefused:
    """The error for a loss that nobody has agreed to."""
    return LossRefused(
        f"{lost:,} of {live:,} rows of {object_name} are gone in the org.",
        hint=f"If that is right, say so: salesforce-sync sync {object_name} --accept-loss {object_name}",
    )


def decode_schema(text: str) -> ObjectSchema:
    """A schema as _sync_object keeps it."""
    return _SCHEMA.decode(text)
