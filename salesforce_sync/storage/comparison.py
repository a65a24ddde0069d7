"""Holding a listing of the org (ids and stamps) against a table, and what follows from it. The database compares."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

import apsw
import msgspec

from salesforce_sync.errors import Incomplete
from salesforce_sync.models.outbox import is_local
from salesforce_sync.models.page import PullRequest, Sweep
from salesforce_sync.models.proof import UNSHOWN, Cause, Comparison, Listed, Proof
from salesforce_sync.models.schema import ObjectSchema
from salesforce_sync.models.values import format_datetime, parse_datetime
from salesforce_sync.signals import news_of_proof
from salesforce_sync.storage import missed, own_sql, reading_sql, staging_sql, table_sql
from salesforce_sync.storage.adopted import adopted
from salesforce_sync.storage.connections import Connections
from salesforce_sync.storage.contested import Judge
from salesforce_sync.storage.signal_log import count_changed, tell
from salesforce_sync.storage.sql_text import literal, quote
from salesforce_sync.storage.staging import staged_columns
from salesforce_sync.storage.sweeps import Sweeps, table_of_all, table_of_recent
from salesforce_sync.storage.watch import unseen
from salesforce_sync.storage.withdrawal import withdraw
from salesforce_sync.storage.written import Written

_GONE = "INSERT OR REPLACE INTO _sync_gone (object_name, id, reason, at, row) VALUES (?, ?, ?, ?, ?)"
_RECORD_PROOF = "INSERT INTO _sync_proof (object_name, at, org_rows, rows, repaired) VALUES (?, ?, ?, ?, ?)"
_LAST_PROOF = """
SELECT object_name, at, org_rows, rows, repaired FROM _sync_proof WHERE object_name = ? ORDER BY id DESC LIMIT 1
"""

_UNSHOWN = ", ".join(map(literal, UNSHOWN))

# Made once, here: msgspec crashes when two threads meet a type at once that it has not seen before.
_CAUSES = msgspec.json.Decoder(tuple[tuple[Cause, int], ...])


class Comparer:
    """The comparing part of the SQLite store; `ports.Store` says what each call promises."""

    def __init__(
        self,
        connections: Connections,
        now: Callable[[], datetime],
        judge: Judge,
        written: Written,
        sweeps: Sweeps,
    ) -> None:
        self._connections = connections
        self._sweeps = sweeps
        self._now = now
        self._judge = judge
        self._written = written

    def compare(self, schema: ObjectSchema, since: datetime | None, most: int) -> Comparison:
        with self._connections.writing() as db:
            self._sweeps.take_listing(db, schema, recent=since is not None)
            missing_some = missed.is_any(db, schema.name)
            table = _Tables(schema, None if since is None else format_datetime(since), missing_some=missing_some)
            listed, live = db.execute(table.counts(), table.bindings).get
            missing, stale, extra = (
                tuple(
                    Listed(name, stamp, bool(again))
                    for name, stamp, again in db.execute(f"{statement} LIMIT ?", (*table.bindings, most + 1))
                )
                for statement in (table.missing(), table.stale(), table.extra())
            )
            gone = len(extra) if len(extra) <= most else db.execute(table.count_extra(), table.bindings).get
            if since is not None:
                db.execute(table.note_purged_tombstones(), (schema.name, format_datetime(self._now()), *table.bindings))
            cut = max(len(missing), len(stale)) > most
            until = adopted(db, schema.name).until or ""
            counting = table.count_differing(), (until, *table.bindings * 2)
            differing, late, again = db.execute(*counting).get if cut else (0, 0, 0)
        named = tuple(each.id for each in extra[:most])
        return Comparison(listed, live, missing[:most], stale[:most], named, cut, gone, differing, late, again)

    def set_aside(self, schema: ObjectSchema, ids: Sequence[str], cause: Cause, at: datetime) -> int:
        rows = 0
        with self._connections.writing() as db, unseen(db, [schema.name]):
            for record_id in ids:
                rows += self._set_aside_one(db, schema, record_id, cause, format_datetime(at))
            if cause.is_deletion:
                withdraw(db, self._judge)
            count_changed(db, schema.name, rows)
        return rows

    def take_out(self, db: apsw.Connection, schema: ObjectSchema, record_id: str, cause: Cause) -> int:
        """Take one row out, within a transaction that has begun."""
        return self._set_aside_one(db, schema, record_id, cause, format_datetime(self._now()))

    def _set_aside_one(self, db: apsw.Connection, schema: ObjectSchema, record_id: str, cause: Cause, at: str) -> int:
        if is_local(record_id):
            return 0
        done = self._written.unshown(db, schema, record_id, cause)
        if not self._judge.gone(db, schema, record_id, cause):
            return 0
        if done is not None:
            self._written.tell_unshown(db, schema, record_id, done)
        row = db.execute(reading_sql.get(schema), (record_id,)).fetchone()
        if row is None:
            return 0
        values = dict(zip((field.name for field in schema.columns), row, strict=True))
        missed.forget(db, schema.name, record_id)
        db.execute(_GONE, (schema.name, record_id, cause.value, at, msgspec.json.encode(values).decode()))
        if cause.is_deletion and schema.has("IsDeleted"):
            db.execute(f'UPDATE {quote(schema.name)} SET "IsDeleted" = 1 WHERE "Id" = ?', (record_id,))
        else:
            db.execute(f'DELETE FROM {quote(schema.name)} WHERE "Id" = ?', (record_id,))
        return 1

    def merge_columns(self, schema: ObjectSchema, request: PullRequest) -> int:
        """The columns that were read enter the rows that are here; gives how many rows are not as they were."""
        staging, table = quote(staging_sql.staging_table(schema.name)), quote(schema.name)
        with self._connections.writing() as db, unseen(db, [schema.name]):
            self._sweeps.stage_kept(db, schema, request)
            row = db.execute(own_sql.STAGED, (schema.name,)).fetchone()
            if row is None:
                raise Incomplete(f"{schema.name}: the staged rows are gone; the pull starts again.")
            staged = [name for name in staged_columns(str(row[0])) if name != "Id"]
            db.execute(table_sql.drop_doubles(staging_sql.staging_table(schema.name), None))
            if request.sweep(schema) is Sweep.FILLING:
                missed.note_missed(db, schema)
            met = self._judge.meet(db, schema, ["Id", *staged])
            names = [quote(name) for name in staged]
            assigned = ", ".join(f"{name} = s.{name}" for name in names)
            mine, theirs = (", ".join(f"{prefix}.{name}" for name in names) for prefix in (table, "s"))
            matching = f'{table}."Id" = s."Id" AND ({mine}) IS NOT ({theirs})'
            db.execute(f"UPDATE {table} SET {assigned} FROM {staging} s WHERE {matching}")
            changed = db.changes()
            changed += self._judge.settle(db, schema, met).updated
            db.execute(table_sql.empty(staging_sql.staging_table(schema.name)))
            db.execute(own_sql.END_STAGING, (schema.name,))
            count_changed(db, schema.name, changed)
        return changed

    # ── proofs ───────────────────────────────────────────────────────────────────────────────────────────────────

    def record(self, proof: Proof) -> None:
        repaired = msgspec.json.encode(proof.repaired).decode()
        with self._connections.writing() as db:
            at = format_datetime(proof.at)
            db.execute(_RECORD_PROOF, (proof.object_name, at, proof.org_rows, proof.rows, repaired))
            db.execute(own_sql.END_LOSS, (proof.object_name,))
            tell(db, self._now(), news_of_proof(proof))

    def last(self, object_name: str) -> Proof | None:
        with self._connections.looking() as db:
            row = db.execute(_LAST_PROOF, (object_name,)).fetchone()
        if row is None:
            return None
        name, at, org_rows, rows, repaired = row
        return Proof(
            str(name), parse_datetime(str(at)), int(str(org_rows)), int(str(rows)), _CAUSES.decode(str(repaired))
        )


class _Tables:
    """The statements that compare a listing (`l`) with the table (`t`), from a stamp on where `since` is given.

    The table is seen as the org has shown it: what was made here only is not there, what was deleted here only is.
    """

    def __init__(self, schema: ObjectSchema, since: str | None, *, missing_some: bool) -> None:
        """`missing_some`: whether there are rows that a filling has missed, which takes a look for each row."""
        self.bindings = () if since is None else (since,)
        table = table_of_all(schema) if since is None else table_of_recent(schema)
        self._listing, self._table = quote(table), reading_sql.org_view(schema)
        stamp = schema.stamp
        self._stamp = "NULL" if stamp is None else f"l.{quote(stamp)}"
        # Not <: a row that was stamped ahead of the org's clock has an older stamp after its next change.
        moved = f"t.{quote(stamp)} IS NOT l.{quote(stamp)}" if stamp is not None else "false"
        self._moved = f"({moved} OR {missed.is_missed(schema)})" if missing_some else moved
        self._recent = f" AND t.{quote(stamp)} >= ?" if since is not None and stamp is not None else ""
        self._dead_here = reading_sql.dead_in_org(schema)
        self._dead_there = 'l."IsDeleted" IS 1' if schema.has("IsDeleted") else "false"
        gone = f"_sync_gone g WHERE g.object_name = {literal(schema.name)} AND g.reason IN ({_UNSHOWN})"
        self._unshown = f'EXISTS (SELECT 1 FROM {gone} AND g.id = l."Id")'
        self._listed = f"SELECT * FROM {self._listing} l WHERE NOT ({self._dead_there})"
        self._live = f"NOT {self._dead_here}{self._recent}"
        self._join = f'{self._listing} l LEFT JOIN {self._table} t ON t."Id" = l."Id"'

    def counts(self) -> str:
        here = f"SELECT count(*) FROM {self._table} t WHERE {self._live}"
        return f"SELECT (SELECT count(*) FROM ({self._listed})), ({here})"

    def missing(self) -> str:
        """`?` is bound for the sake of one set of bindings for all."""
        absent = f'(t."Id" IS NULL OR {self._dead_here}) AND NOT ({self._dead_there})'
        row = f'l."Id", {self._stamp} AS stamp, {self._unshown} AS again'
        return f"SELECT {row} FROM {self._join} WHERE {absent}{self._bound()}"

    def stale(self) -> str:
        alive = f'(t."Id" IS NOT NULL AND NOT {self._dead_here})'
        row = f'l."Id", {self._stamp} AS stamp, 0 AS again'
        return f"SELECT {row} FROM {self._join} WHERE {alive} AND {self._moved}{self._bound()}"

    def extra(self) -> str:
        absent = f'NOT EXISTS (SELECT 1 FROM {self._listing} l WHERE l."Id" = t."Id" AND NOT ({self._dead_there}))'
        return f'SELECT t."Id", NULL, 0 FROM {self._table} t WHERE {self._live} AND {absent}'

    def count_differing(self) -> str:
        """All that are missing or stale; those of them whose stamp is not after the one that is bound first, but for
        those that are shown again; and these."""
        rows = f"{self.missing()} UNION ALL {self.stale()}"
        return f"SELECT count(*), coalesce(sum(stamp <= ? AND NOT again), 0), coalesce(sum(again), 0) FROM ({rows})"

    def count_extra(self) -> str:
        return f"SELECT count(*) FROM ({self.extra()})"

    def note_purged_tombstones(self) -> str:
        """Tombstones that the org does not list any more have left its recycle bin, too."""
        absent = f'NOT EXISTS (SELECT 1 FROM {self._listing} l WHERE l."Id" = t."Id")'
        return f"""
INSERT OR IGNORE INTO _sync_gone (object_name, id, reason, at, row)
SELECT ?, t."Id", '{Cause.PURGED.value}', ?, '{{}}' FROM {self._table} t
WHERE {self._dead_here} AND {absent}{self._recent}
"""

    def _bound(self) -> str:
        return " AND ? IS NOT NULL" if self.bindings else ""
