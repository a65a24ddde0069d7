"""How staged rows enter an object's table: one merge, or the staging table itself in a first load."""

from __future__ import annotations

from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import NamedTuple

import apsw

from salesforce_sync.errors import Incomplete, LossRefused, SchemaChanged
from salesforce_sync.models.change import LossLimit, Merged
from salesforce_sync.models.schema import ObjectSchema
from salesforce_sync.models.values import format_datetime
from salesforce_sync.storage import merge_sql, missed, own_sql, reading_sql, staging_sql, table_sql
from salesforce_sync.storage.adopted import Adopted, adopted, decode_schema
from salesforce_sync.storage.connections import Connections, switched
from salesforce_sync.storage.contested import Judge
from salesforce_sync.storage.history import HistoryWriter
from salesforce_sync.storage.page_cache import room_to_merge
from salesforce_sync.storage.signal_log import count_changed
from salesforce_sync.storage.sql_text import quote
from salesforce_sync.storage.staging import empty_staging, shape
from salesforce_sync.storage.watch import give_triggers, unseen
from salesforce_sync.storage.withdrawal import withdraw
from salesforce_sync.storage.written import Written

LATEST = "~"
"""After every stamp."""

TAKE_OVER_ROWS = 5_000
"""From so many rows on it is cheaper to put a staging table in an empty table's place than to copy it: that has SQLite
read the schema of the whole database several times."""


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


class Merging:
    """The merging half of the SQLite store; `ports.Store` says what each call promises."""

    def __init__(self, connections: Connections, judge: Judge, history: HistoryWriter, written: Written) -> None:
        self._connections = connections
        self._judge = judge
        self._written = written
        self._history = history

    def merge(
        self,
        schema: ObjectSchema,
        checkpoint_limit: datetime | None,
        loss: LossLimit | None = None,
        own: Collection[str] = (),
    ) -> Merged:
        with self._connections.writing() as db:
            known = adopted(db, schema.name)
            schema = decode_schema(known.schema)
            since = self._check_staging(db, schema)
            missed.forget_staged(db, schema)
            if _may_take_over(db, schema):
                survey, merged = self._take_over(db, schema)
            else:
                survey, merged = _survey(db, schema), self._merge_rows(db, schema, loss, own)
            until = survey.until(checkpoint_limit)
            if until is None and known.until is None and schema.stamp is not None and checkpoint_limit is not None:
                # Nothing is there that could tell: what comes will have stamps from the time of the query on.
                until = format_datetime(checkpoint_limit)
            self._move_checkpoint(db, known, since, until)
            db.execute(own_sql.END_STAGING, (schema.name,))
            count_changed(db, schema.name, merged.changed)
            if merged.inserted:
                db.execute(merge_sql.come_back(schema), (schema.name,))
                db.execute(merge_sql.shown_again(schema), (schema.name,))
        return merged

    def _check_staging(self, db: apsw.Connection, schema: ObjectSchema) -> str | None:
        """Somebody may have begun this pull anew, or described the object again, since the rows were staged.

        Gives the pull's `since`.
        """
        row = db.execute(own_sql.STAGED, (schema.name,)).fetchone()
        if row is None:
            raise Incomplete(f"{schema.name}: the staged rows are gone; the pull starts again.")
        columns, since, *_ = row
        if columns != shape(schema):
            raise SchemaChanged(f"{schema.name} was described anew while it was read.")
        return None if since is None else str(since)

    def _move_checkpoint(self, db: apsw.Connection, known: Adopted, since: str | None, until: str | None) -> None:
        # Rows that were asked for by id say nothing about the rows between them and the checkpoint.
        partial = db.execute(own_sql.IS_PARTIAL, (known.name,)).get
        if partial or (known.refill and since is not None):
            return
        # After a refill the old checkpoint stays: what was deleted since is not among all live rows.
        knows_deletions = not known.refill or known.until is None
        server_time = db.execute(own_sql.STAGED, (known.name,)).get[4]
        if server_time is not None and knows_deletions:
            db.execute(own_sql.READ_UNTIL, (server_time, known.name))
        if until is None or not knows_deletions:
            db.execute(own_sql.KEEP_CHECKPOINT, (known.name,))
        else:
            db.execute(own_sql.MOVE_CHECKPOINT, (until, known.name))

    def _take_over(self, db: apsw.Connection, schema: ObjectSchema) -> tuple[Survey, Merged]:
        """A first load: the staging table becomes the object's table, so no row is written twice.

        What lies in it is committed, so another thread looks at it while the key is made.
        """
        with self._connections.aside() as reader, ThreadPoolExecutor(1, "survey") as pool:
            surveyed = pool.submit(_survey, reader, schema)
            doubles = _replace_table(db, schema)
            survey = surveyed.result()
        if doubles:
            survey = Survey(survey.newest, *db.execute(reading_sql.count_rows(schema)).get)
        give_triggers(db, schema)  # the old table took its own with it
        if survey.dead:
            withdraw(db, self._judge)
        empty_staging(db, schema.name)
        return survey, Merged(schema.name, inserted=survey.live, unchanged=survey.dead)

    def _merge_rows(
        self, db: apsw.Connection, schema: ObjectSchema, loss: LossLimit | None, own: Collection[str]
    ) -> Merged:
        deletable = schema.has("IsDeleted")
        _order_staged(db, schema)
        trusted = {"trusted": _trusted(db, schema.name)}
        counts = db.execute(merge_sql.count_merge(schema.name, deletable=deletable, stamp=schema.stamp), trusted).get
        new, new_dead, revived, died, staged, met_live = counts
        # To count all that live reads the whole table; mostly those that are met are enough to allow the loss.
        if loss is not None and loss.refuses(died, met_live):
            live, _ = db.execute(reading_sql.count_rows(schema)).get
            if loss.refuses(died, live):
                raise _refused_loss(schema.name, *loss.counted(died, live))
        with unseen(db, [schema.name]), room_to_merge(db, staged):
            met = self._judge.meet(db, schema, [field.name for field in schema.columns])
            losses = self._written.staged(db, schema)
            self._history.merged(db, schema, trusted)
            db.execute(merge_sql.merge(schema.name, schema.columns, schema.stamp), trusted)
            changed = db.changes()
            seen = self._judge.settle(db, schema, met, own)
            over = self._written.settle(db, schema, losses)
            self._written.forget_staged(db, schema)
            if died or new_dead:
                withdraw(db, self._judge)
            if met:
                self._history.trim(db, schema.name)
        db.execute(merge_sql.END_CAME)
        empty_staging(db, schema.name)
        updated = max(0, changed - new - new_dead - revived - died)
        inserted, updated, died = new + revived + seen.inserted, updated + seen.updated, died + seen.deleted
        return Merged(schema.name, inserted, updated, died, staged - inserted - died - updated, over)


def _replace_table(db: apsw.Connection, schema: ObjectSchema) -> bool:
    """The staging table is the object's table now, with its key; whether rows that came twice had to go."""
    db.execute(table_sql.drop_table(schema.name))
    # Without a look for the name in the triggers of all tables, which takes most of a second with 40 objects: none
    # of ours has the name of a staging table, and where somebody else's could have it, nothing is taken over.
    with switched(db, apsw.SQLITE_DBCONFIG_LEGACY_ALTER_TABLE, on=True):
        db.execute(table_sql.rename_table(staging_sql.staging_table(schema.name), schema.name))
    try:
        db.execute(table_sql.create_key(schema.name, schema.name))
    except apsw.ConstraintError:
        db.execute(table_sql.drop_doubles(schema.name, schema.stamp))
        _refuse_hidden_gaps(db, schema.name, schema.name)
        db.execute(table_sql.create_key(schema.name, schema.name))
        return True
    return False


def _order_staged(db: apsw.Connection, schema: ObjectSchema) -> None:
    """Set the staged rows in the order in which they enter, after those that came twice have gone."""
    db.execute(merge_sql.MAKE_CAME)
    order = merge_sql.order_staged(schema.name, deletable=schema.has("IsDeleted"))
    try:
        db.execute(order)
    except apsw.ConstraintError:
        db.execute(table_sql.drop_doubles(staging_sql.staging_table(schema.name), schema.stamp))
        _refuse_hidden_gaps(db, schema.name, staging_sql.staging_table(schema.name))
        db.execute(order)


def _survey(db: apsw.Connection, schema: ObjectSchema) -> Survey:
    return Survey(*db.execute(staging_sql.survey_staging(schema)).get)


def _may_take_over(db: apsw.Connection, schema: ObjectSchema) -> bool:
    if db.execute(table_sql.highest_row(staging_sql.staging_table(schema.name))).get < TAKE_OVER_ROWS:
        return False
    return bool(db.execute(table_sql.may_be_replaced(schema.name, len(schema.columns)), (schema.name,)).get)


def _trusted(db: apsw.Connection, object_name: str) -> str:
    """The latest stamp here that keeps an older row out.

    A stamp after the last reading was ahead of the org's clock, and says nothing of what was saved later. Rows that
    were asked for by id are what the org has now, whatever their stamps.
    """
    if db.execute(own_sql.IS_PARTIAL, (object_name,)).get:
        return ""
    return adopted(db, object_name).read_at or LATEST


def _refuse_hidden_gaps(db: apsw.Connection, object_name: str, table: str) -> None:
    """A row that came twice fills the count of one that never came."""
    total = db.execute(own_sql.TOTAL, (object_name,)).get
    rows: int = db.execute(f"SELECT count(*) FROM {quote(table)}").get
    if total is not None and rows < total:
        raise Incomplete(f"The org announced {total:,} rows of {object_name}, and {rows:,} different ones arrived.")


def _refused_loss(object_name: str, lost: int, live: int) -> LossRefused:
    """The error for a loss that nobody has agreed to."""
    return LossRefused(
        f"{lost:,} of {live:,} rows of {object_name} are gone in the org.",
        hint=f"If that is right, say so: salesforce-sync sync {object_name} --accept-loss {object_name}",
    )
