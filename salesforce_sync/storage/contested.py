"""Local edits against rows that came from the org: the three-way merge, within the transaction of the merge."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta

import apsw
from msgspec.structs import replace

from salesforce_sync.models.draft import Draft
from salesforce_sync.models.history import Origin
from salesforce_sync.models.inbox import Conflict, Contested, Verdict
from salesforce_sync.models.outbox import Change, Edit, Operation
from salesforce_sync.models.proof import Cause
from salesforce_sync.models.schema import ObjectSchema
from salesforce_sync.models.values import Stored, parse_datetime
from salesforce_sync.resolve import Policies, arrived, judge, judge_draft, overwritten
from salesforce_sync.storage import own_sql
from salesforce_sync.storage.history import HistoryWriter
from salesforce_sync.storage.inbox_items import put_record_item
from salesforce_sync.storage.met import Meetings, Met, Row, Tally, is_dead, seen
from salesforce_sync.storage.outbox import row_in_outbox
from salesforce_sync.storage.records import forget_change, row_of, set_cell, tidy
from salesforce_sync.storage.sql_text import quote

_EDITS = """
SELECT field, base, value, in_flight, sent, contested, edited_at FROM _sync_edit WHERE object_name = ? AND record_id = ?
"""
_EDIT_BASES = "SELECT field, base FROM _sync_edit WHERE object_name = ? AND record_id = ?"
_WAITING = "SELECT operation, edited_at, state FROM _sync_outbox WHERE object_name = ? AND record_id = ?"
_ON_ITS_WAY = """
in_flight AND EXISTS (SELECT 1 FROM _sync_outbox o
    WHERE o.object_name = e.object_name AND o.record_id = e.record_id AND o.sending IS NOT NULL)
"""
_KEEP = f"""
UPDATE _sync_edit AS e SET base = ?, value = ?, in_flight = {_ON_ITS_WAY}, contested = 0, org = NULL
WHERE object_name = ? AND record_id = ? AND field = ?
"""
_DISPUTE = f"""
UPDATE _sync_edit AS e SET base = ?, value = ?, in_flight = {_ON_ITS_WAY}, contested = 1, org = ?
WHERE object_name = ? AND record_id = ? AND field = ?
"""
_WITH = "SELECT with_it FROM _sync_written WHERE object_name = ? AND record_id = ? AND operation = 'delete'"
_PUSH_OF = """
SELECT push_id FROM _sync_outbox WHERE object_name = ? AND record_id = ? AND sending IS NOT NULL
"""
_BROUGHT_BACK = """
UPDATE _sync_outbox SET operation = 'update' WHERE object_name = ? AND record_id = ? AND sending IS NULL
"""
_END = "DELETE FROM _sync_edit WHERE object_name = ? AND record_id = ? AND field = ?"
_PARK = "UPDATE _sync_outbox SET state = 'parked' WHERE object_name = ? AND record_id = ?"
UNPARK = f"""
UPDATE _sync_outbox SET state = 'waiting' WHERE object_name = ?1 AND record_id = ?2 AND state = 'parked'
    AND NOT EXISTS (SELECT 1 FROM _sync_inbox WHERE object_name = ?1 AND record_id = ?2
        AND kind NOT IN ('conflict', {own_sql.TOLD_KINDS}))
"""

_UNFILLED = "SELECT refill FROM _sync_object WHERE name = ?"
_DISPUTED = "SELECT field, org FROM _sync_edit WHERE object_name = ? AND record_id = ? AND contested = 1"
_DELETED_THERE = "SELECT 1 FROM _sync_inbox WHERE object_name = ? AND record_id = ? AND kind = 'deleted there'"
_REFUSED = """
-- What was refused is no longer wanted.
DELETE FROM _sync_inbox WHERE object_name = ? AND record_id = ? AND kind = 'rejected'
"""
_BACK_THERE = "DELETE FROM _sync_inbox WHERE object_name = ? AND record_id = ? AND kind = 'deleted there'"


def _moved(schema: ObjectSchema, contested: Contested, known: Row) -> dict[str, tuple[Stored, Stored]]:
    """Of edited fields: what the org had, and has by now, unless that is what we have sent."""
    came = contested.org or {}
    return {
        each.field: (known.get(each.field), came[each.field])
        for each in contested.edits
        if not (each.in_flight and arrived(schema, each.field, each.sent, came[each.field]))
    }


def shown_before(db: apsw.Connection, schema: ObjectSchema, before: Row | None) -> dict[str, Stored]:
    """What the org had shown of the record.

    Of one that was made here and never read, what was sent and no more; while the object has a new column that is not
    filled yet, nothing of what is empty.
    """
    if before is None:
        return {}
    made_here = schema.stamp is not None and before[schema.stamp] is None
    if made_here or db.execute(_UNFILLED, (schema.name,)).get:
        return {name: value for name, value in before.items() if value is not None}
    return dict(before)


class Judge:
    """Asks `resolve.judge` what becomes of local edits, and carries it out."""

    def __init__(
        self,
        schemas: Callable[[str], ObjectSchema | None],
        policies: Policies,
        history: HistoryWriter,
        now: Callable[[], datetime],
    ) -> None:
        self.schema = schemas
        self._policies = policies
        self._history = history
        self._now = now
        self.ahead: timedelta | None = None
        """By how much the org's clock is ahead of this machine's; None: that is not known."""

    def meet(self, db: apsw.Connection, schema: ObjectSchema, columns: Sequence[str]) -> Meetings:
        """The records with local edits among the staged rows. To be asked before these enter the table."""
        return Meetings(db, schema, columns)

    def known(self, db: apsw.Connection, schema: ObjectSchema, record_id: str, here: Row) -> dict[str, Stored]:
        """The row as the org showed it last, beneath what is edited here."""
        record = schema.name, record_id
        return {**here, **dict(db.execute(_EDIT_BASES, record)), **dict(db.execute(_DISPUTED, record))}

    def verdict_on(
        self, db: apsw.Connection, schema: ObjectSchema, draft: Draft, here: Row
    ) -> tuple[Contested, Verdict]:
        """What becomes of an update that was made on an older base."""
        at = None if draft.edited_at is None or self.ahead is None else draft.edited_at + self.ahead
        draft = replace(draft, edited_at=at)
        return judge_draft(draft, schema, here, self.known(db, schema, draft.record_id, here), self._policies)

    def dispute(self, db: apsw.Connection, contested: Contested, verdict: Verdict) -> None:
        """Put the verdict's conflicts, whose local values are in the row already, before a person."""
        for each in verdict.conflicts:
            record = contested.object_name, contested.record_id
            db.execute(_DISPUTE, (each.base, each.local, each.org, *record, each.field))
        if verdict.conflicts:
            put_record_item(db, contested, verdict, self._now())

    def overwritten(self, schema: ObjectSchema, change: Change, there: Row) -> tuple[Conflict, ...]:
        """What a person has to be told of what our write took the place of."""
        return overwritten(schema, change, there, self._policies)

    def bring(self, db: apsw.Connection, schema: ObjectSchema, record_id: str, row: Row, push_id: str) -> None:
        """The answer to this push showed the record's row: it enters, and newer edits are held against it."""
        before = row_of(db, schema, record_id)
        stamp = schema.stamp
        if before is not None and stamp is not None and str(before[stamp] or "") > str(row[stamp] or ""):
            return
        names, marks = ", ".join(map(quote, row)), ", ".join("?" * len(row))
        assigned = ", ".join(f"{quote(name)} = excluded.{quote(name)}" for name in row)
        put = f"INSERT INTO {quote(schema.name)} ({names}) VALUES ({marks})"
        db.execute(f'{put} ON CONFLICT ("Id") DO UPDATE SET {assigned}', tuple(row.values()))
        if row_in_outbox(db, schema.name, record_id) is None:
            shown = shown_before(db, schema, before)
            made = {name: (shown[name], value) for name, value in row.items() if name in shown}
            who = str(row.get("LastModifiedById") or "")
            self._history.note(db, schema.name, record_id, Origin.SAVE, made, who=who, push_id=push_id)
        else:
            self.settle(db, schema, [Met(record_id, before, row)])

    def settle(self, db: apsw.Connection, schema: ObjectSchema, met: Iterable[Met], own: Collection[str] = ()) -> Tally:
        """Hold the local edits against the rows that have entered the table; those of `own` are our doing.

        Gives by how much the counts of a merge, which has seen the rows as they are shown here, are to be corrected.
        """
        tally = Tally()
        for each in met:
            here = row_of(db, schema, each.record_id)
            if here is None or any(here[name] != value for name, value in each.came.items()):
                continue  # it was older than the row here, and has not entered
            base = self._one(db, schema, each, is_own=each.record_id in own)
            tally = tally + seen(base, each.came) - seen(each.before, each.came)
        return tally

    def _one(self, db: apsw.Connection, schema: ObjectSchema, met: Met, *, is_own: bool) -> Row | None:
        """Judge one record; gives its row as the org had it before."""
        contested = self._contested(db, schema, met.record_id, met.before, met.came, is_own=is_own)
        if contested is None:
            return met.before
        verdict = judge(contested, schema, self._policies)
        known = self._known(db, contested)
        self._note_sent(db, schema, contested, met.came)
        self._carry_out(db, schema, contested, verdict)
        local = {each.field: each.value for each in contested.edits}
        done = set(local) if verdict.revert else set(verdict.done)
        told = local.keys() - done  # what goes on, or waits, is not replaced
        before = {**contested.base, **{name: local[name] for name in done}}
        who = str(met.came.get("LastModifiedById") or "")
        changed = {
            name: (before[name], value) for name, value in met.came.items() if name in before and name not in told
        }
        self._history.note(db, schema.name, met.record_id, Origin.PULL, _moved(schema, contested, known), who=who)
        self._history.note(db, schema.name, met.record_id, Origin.PULL, changed, who=who)
        return known or None

    def _note_sent(self, db: apsw.Connection, schema: ObjectSchema, contested: Contested, came: Row) -> None:
        """What a push has replaced, where a row is the first to show that: the answer may be lost for good."""
        there = {
            each.field: (each.base, each.sent)
            for each in contested.edits
            if each.in_flight and each.field in came and arrived(schema, each.field, each.sent, came[each.field])
        }
        if there:
            record = contested.object_name, contested.record_id
            push_id = db.execute(_PUSH_OF, record).get
            self._history.note(db, *record, Origin.PUSH, there, push_id=push_id)

    def _known(self, db: apsw.Connection, contested: Contested) -> dict[str, Stored]:
        """The row as the org last showed it: what is disputed already is no news when it is read again."""
        record = contested.object_name, contested.record_id
        known = {**contested.base, **dict(db.execute(_DISPUTED, record))}
        if "IsDeleted" in known and db.execute(_DELETED_THERE, record).get:
            known["IsDeleted"] = 1
        return known

    def _contested(
        self,
        db: apsw.Connection,
        schema: ObjectSchema,
        record_id: str,
        before: Row | None,
        org: Row | None,
        *,
        is_own: bool = False,
    ) -> Contested | None:
        waiting = db.execute(_WAITING, (schema.name, record_id)).fetchone()
        if waiting is None:
            return None
        operation, edited_at, _state = waiting
        rows = list(db.execute(_EDITS, (schema.name, record_id)))
        edits = tuple(Edit(row[0], row[1], row[2], bool(row[3]), row[4]) for row in rows)
        base: dict[str, Stored] = shown_before(db, schema, before) | {each.field: each.base for each in edits}
        if operation == Operation.DELETE and org is not None:
            # What we have sent ourselves is no change of anybody's.
            base |= {each.field: each.sent for each in edits if each.in_flight and org.get(each.field) == each.sent}
            base |= dict.fromkeys(self.emptied(db, schema, base, org))
        if "IsDeleted" in base and operation in (Operation.DELETE, Operation.UNDELETE):
            base["IsDeleted"] = int(operation == Operation.UNDELETE)
        if org is not None:  # only some columns may have come
            edits = tuple(each for each in edits if each.field in org)
            base = {name: value for name, value in base.items() if name in org}
        disputed = frozenset(str(row[0]) for row in rows if row[5])
        times = {str(row[0]): at for row in rows if (at := self._there(row[6])) is not None}
        operation, last = Operation(operation), self._there(edited_at)
        return Contested(
            schema.name,
            record_id,
            operation,
            edits,
            base,
            org,
            disputed,
            last,
            times=times,
            with_it=str(db.execute(_WITH, (schema.name, record_id)).get or ""),
            is_own=is_own,
        )

    def time_here(self, stamp: Stored) -> datetime | None:
        """What this machine's clock showed when the org's showed this; None where that is not known."""
        return parse_datetime(stamp) - self.ahead if isinstance(stamp, str) and self.ahead is not None else None

    def _there(self, edited_at: str | None) -> datetime | None:
        """What the org's clock showed when this one showed that."""
        return None if edited_at is None or self.ahead is None else parse_datetime(edited_at) + self.ahead

    def emptied(self, db: apsw.Connection, schema: ObjectSchema, base: Row, org: Row) -> list[str]:
        """The references that the org has emptied because their record is deleted, here or along with one of ours."""
        return [
            field.name
            for field in schema.references.values()
            if field.name in org
            and org[field.name] is None
            and base.get(field.name) is not None
            and any(self._is_deleted(db, target, base[field.name]) for target in field.reference_to)
        ]

    def _is_deleted(self, db: apsw.Connection, object_name: str, record_id: Stored) -> bool:
        schema = self.schema(object_name)
        if schema is None or not schema.has("IsDeleted"):
            return False
        there = f'SELECT 1 FROM {quote(schema.name)} WHERE "Id" = ? AND "IsDeleted" = 1'
        goes_along = db.execute(_WITH, (schema.name, record_id)).get
        return goes_along is not None or db.execute(there, (record_id,)).get is not None

    def _carry_out(self, db: apsw.Connection, schema: ObjectSchema, contested: Contested, verdict: Verdict) -> None:
        record = schema.name, contested.record_id
        if verdict.revert:
            self._give_up(db, schema, contested)
            return
        if contested.operation is Operation.UNDELETE and verdict.kind is None and not is_dead(contested.org):
            db.execute(_BROUGHT_BACK, record)  # the org has brought it back by itself
            db.execute(_REFUSED, record)
        for edit in verdict.keep:
            db.execute(_KEEP, (edit.base, edit.value, *record, edit.field))
        for name in verdict.done:
            db.execute(_END, (*record, name))
        for each in verdict.conflicts:
            db.execute(_DISPUTE, (each.base, each.local, each.org, *record, each.field))
        kept = {each.field: each.value for each in verdict.keep}
        kept |= {each.field: each.local for each in verdict.conflicts}
        if verdict.kind is not None:
            db.execute(_PARK, record)
            put_record_item(db, contested, verdict, self._now())
            beneath = contested.operation is Operation.DELETE
            self._show_local(
                db, schema, contested, kept if beneath else {each.field: each.value for each in contested.edits}
            )
            return
        db.execute(_BACK_THERE, record)
        db.execute(UNPARK, record)
        self._show_local(db, schema, contested, kept)
        if verdict.conflicts:
            put_record_item(db, contested, verdict, self._now())
        tidy(db, *record)

    def _give_up(self, db: apsw.Connection, schema: ObjectSchema, contested: Contested) -> None:
        """The change ends: where no newer value came, the row shows the org's last one; the history keeps ours."""
        record = schema.name, contested.record_id
        known = dict(db.execute(_EDIT_BASES, record)) | dict(db.execute(_DISPUTED, record))
        local = {str(row[0]): row[2] for row in db.execute(_EDITS, record)}
        left = {name: (local[name], known[name]) for name in local.keys() - (contested.org or {}).keys()}
        for name, (_, shown) in left.items():
            set_cell(db, schema, contested.record_id, name, shown)
        self._history.note(db, *record, Origin.PULL, left)
        forget_change(db, *record)

    def _show_local(
        self, db: apsw.Connection, schema: ObjectSchema, contested: Contested, values: Mapping[str, Stored]
    ) -> None:
        """The row shows what was edited here until the org has it: beneath a deletion, too, which may be taken back."""
        record_id, deleted = contested.record_id, contested.operation is Operation.DELETE
        if deleted and not schema.has("IsDeleted"):
            self._keep_bases(db, schema, contested)
            db.execute(f'DELETE FROM {quote(schema.name)} WHERE "Id" = ?', (record_id,))
            return
        if deleted or (schema.has("IsDeleted") and "IsDeleted" in (contested.org or {})):
            set_cell(db, schema, record_id, "IsDeleted", int(deleted))
        for name, value in values.items():
            set_cell(db, schema, record_id, name, value)

    def _keep_bases(self, db: apsw.Connection, schema: ObjectSchema, contested: Contested) -> None:
        """The values that bring the row back should its deletion be taken back."""
        put = "INSERT OR REPLACE INTO _sync_edit (object_name, record_id, field, base, value) VALUES (?, ?, ?, ?, ?)"
        rows = [
            (schema.name, contested.record_id, name, value, value)
            for name, value in (contested.org or {}).items()
            if name != "Id"
        ]
        db.executemany(put, rows)

    def gone(self, db: apsw.Connection, schema: ObjectSchema, record_id: str, cause: Cause) -> bool:
        """The org shows this record no more; whether its row here is to be taken out."""
        contested = self._contested(db, schema, record_id, row_of(db, schema, record_id), None)
        if contested is None:
            return True
        verdict = judge(replace(contested, cause=cause), schema, self._policies)
        if verdict.kind is None:
            self._give_up(db, schema, contested)
            return True
        db.execute(_PARK, (schema.name, record_id))
        put_record_item(db, contested, verdict, self._now(), code=cause.name)
        return False
