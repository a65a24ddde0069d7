"""The memory store's merge: rows of the org against rows with local edits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from msgspec.structs import replace

from salesforce_sync.errors import Incomplete
from salesforce_sync.models.change import Merged
from salesforce_sync.models.history import Origin, Replaced
from salesforce_sync.models.inbox import MERGED, Contested, Verdict
from salesforce_sync.models.outbox import Kind, Operation
from salesforce_sync.models.outcome import Match, deleted_over, not_shown
from salesforce_sync.models.page import PullRequest, Sweep
from salesforce_sync.models.proof import Cause
from salesforce_sync.models.run import Problem
from salesforce_sync.models.schema import ObjectSchema
from salesforce_sync.models.values import Stored, readable
from salesforce_sync.resolve import arrived, as_told, changed_again, changed_there, judge, taken_along
from salesforce_sync.testing.memory_edits import Editing
from salesforce_sync.testing.memory_history import differences
from salesforce_sync.testing.memory_outbox import Pending, Slot
from salesforce_sync.testing.memory_tables import Done, Row, Table, dead, kept_out, org_view, same, shown


class Contesting(Editing):
    """What `ports.Store` says of rows that come from the org, or do not come any more."""

    _ahead: timedelta | None = None
    _own: frozenset[str] = frozenset()

    def note_clock(self, ahead: timedelta | None) -> None:
        """By how much the org's clock is ahead of this machine's."""
        self._ahead = ahead

    def set_aside(self, object_name: str, ids: Sequence[str], cause: Cause) -> int:
        """Take rows out that the org no longer shows."""
        with self._disk.lock:
            table = self._table(object_name)
            here = [key for key in ids if key in table.rows and shown(table, key)]
            for key in here:
                table.gone[key] = cause
                table.missed.pop(key, None)
                done = table.written.pop(key, None)
                unshown = done is not None and not cause.is_deletion and done.operation is not Operation.DELETE
                if done is not None and unshown:
                    self._note_problem(done.push_id, table, key, not_shown(key))
                pending = self._pending(table, key)
                wanted = pending.want_dead or not (pending.slots or pending.sent)
                if wanted or self._judge(table, pending, None, cause).revert:
                    self._keep_given_up(table, pending)
                    self._take_out(table, pending, cause)
                    if done is not None and unshown:
                        problem = not_shown(key)
                        item = self._put_item(table, key, Kind.NOT_SHOWN, done.operation, problem.message)
                        item.code = problem.code
                else:
                    pending.absent = cause
                self._tidy(table, pending)
            self._withdraw()
            self._disk.untold[table.schema.name] += len(here)
            return len(here)

    def _keep_given_up(self, table: Table, pending: Pending) -> None:
        """The edits end with their record; their values are kept."""
        row, now = table.rows[pending.record_id], self._clock.now()
        before = row | {name: each.value for name, each in pending.slots.items()} | {"LastModifiedById": None}
        after = before | {name: each.org for name, each in pending.slots.items()}
        self._disk.history.keep(tuple(differences(table.schema, before, after, Origin.PULL, now)), self._keeping, now)

    def merge_columns(self, request: PullRequest) -> int:
        """Let the columns that were read enter the rows that are here."""
        with self._disk.lock:
            table = self._table(request.schema.name)
            self._stage_kept(table, request)
            staging = self._disk.staging.pop(table.schema.name, None)
            if staging is None:
                raise Incomplete(f"{table.schema.name}: the staged rows are gone; the pull starts again.")
            if request.sweep(table.schema) is Sweep.FILLING:
                came = {str(row["Id"]) for row in staging.rows}
                table.missed |= {key: False for key in table.rows if shown(table, key) and key not in came}
            changed = sum(self._fill(table, row) for row in staging.rows if row["Id"] in table.rows)
            self._disk.untold[table.schema.name] += changed
            return changed

    def _fill(self, table: Table, row: Row) -> bool:
        key = str(row["Id"])
        if same(row, org_view(table, key)):
            return False
        pending = table.pending.get(key)
        if pending is None:
            table.rows[key].update(row)
            return True
        if pending.slots.keys() & row.keys() and pending.operation is Operation.UPDATE:
            self._apply(table, pending, row, self._judge(table, pending, row))
        self._show(table, pending, row)
        self._tidy(table, pending)
        return True

    # ── the merge ────────────────────────────────────────────────────────────────────────────────────────────────

    def _enter(self, table: Table, staged: Mapping[str, Row], trusted: str) -> Merged:
        """Let staged rows enter a table, by the rule of the merge."""
        inserted = updated = deleted = 0
        over: dict[str, Problem] = {}
        for key, row in staged.items():
            known = key in table.rows
            was = known and shown(table, key)
            over |= self._shown_deleted(table, row)
            arrived_now = self._arrive(table, row, trusted)
            table.note_shown({**row, "Id": key})
            if not arrived_now:
                continue
            now = shown(table, key)
            inserted += now and not was
            deleted += was and not now
            updated += known and was == now
        self._withdraw()
        return Merged(table.schema.name, inserted, updated, deleted, len(staged) - inserted - updated - deleted, over)

    def _shown_deleted(self, table: Table, row: Row) -> dict[str, Problem]:
        """The org shows a record: what somebody had changed in it before our deletion took it."""
        key = str(row["Id"])
        done, pending = table.written.get(key), table.pending.get(key)
        if pending is not None and pending.sent is not None and pending.sent.operation is Operation.DELETE:
            bases = {name: each.base for name, each in pending.slots.items()}
            done = Done(pending.sent.push_id, Operation.DELETE, bases)
        if not dead(row):
            self._drop_items(table, key, Kind.NOT_SHOWN)
        if key not in table.rows or done is None or done.operation is not Operation.DELETE:
            return {}
        before = {name: value for name, value in table.rows[key].items() if value is not None or not table.refill}
        if pending is not None:
            before |= {name: each.base for name, each in pending.slots.items()}
        before |= done.bases
        before |= dict.fromkeys(self._emptied(table, before, row))
        contested = Contested(table.schema.name, key, Operation.DELETE, (), before, row)
        lost = taken_along(contested, table.schema, self._policies)
        fields = tuple(each.field for each in lost)
        if not lost:
            return {}
        problem = deleted_over(fields, row, done.with_it)
        item = self._put_item(table, key, Kind.DELETED_OVER, Operation.DELETE, problem.message)
        item.code, item.fields, item.replaced = problem.code, fields, lost
        self._note_problem(done.push_id, table, key, problem)
        return {key: problem}

    def _note_problem(self, push_id: str, table: Table, key: str, problem: Problem) -> None:
        log = self._disk.pushes.get(push_id)
        if log is not None:
            for each in log.of(table.schema.name, key, "applied"):
                log.changes[each] = replace(log.changes[each], problem=problem)

    def _arrive(self, table: Table, row: Row, trusted: str, push_id: str | None = None) -> bool:
        """Let one row enter, which may be the answer to this push; whether it held anything new."""
        key = str(row["Id"])
        here, pending = table.rows.get(key), table.pending.get(key)
        if here is None:
            table.rows[key] = dict(row)
            return True
        absent = None if pending is None else pending.absent
        known = org_view(table, key) | ({"IsDeleted": 1} if absent is Cause.DELETED else {})
        told = absent is None or absent is Cause.DELETED
        if kept_out(table.schema.stamp, row, here, trusted) or (same(row, known) and told):
            return False
        before = dict(here)
        if pending is None:
            table.rows[key] = here | row
        else:
            self._disk.history.keep(self._moved(table, pending, known, row), self._keeping, self._clock.now())
            self._contest(table, pending, row)
        after = table.rows[key]
        origin = Origin.PULL if push_id is None or pending is not None else Origin.SAVE
        replaced = tuple(differences(table.schema, before, after, origin, self._clock.now()))
        if origin is Origin.SAVE:
            made_here = table.schema.stamp is not None and before[table.schema.stamp] is None
            replaced = tuple(
                replace(each, push_id=push_id) for each in replaced if each.old is not None or not made_here
            )
        self._disk.history.keep(replaced, self._keeping, self._clock.now())
        return True

    def _contest(self, table: Table, pending: Pending, row: Row) -> None:
        sent = None if pending.sent is None else pending.sent.operation
        if sent is Operation.DELETE and dead(row):
            pending.org_dead, pending.absent = True, None  # our own deletion, seen before it was settled
        else:
            brought = pending.operation is Operation.UNDELETE and not dead(row)
            verdict = self._judge(table, pending, row)
            if verdict.kind is None:
                pending.org_dead, pending.absent = dead(row), None
                if pending.parked_for is Kind.DELETED_THERE or (brought and pending.parked_for is Kind.REJECTED):
                    self._unpark(table, pending)
            elif verdict.kind is Kind.DELETED_THERE:
                pending.absent = Cause.DELETED
            self._keep_sent(table, pending, row)
            self._apply(table, pending, row, verdict)
        self._show(table, pending, row)
        self._tidy(table, pending)

    def _moved(self, table: Table, pending: Pending, known: Row, row: Row) -> tuple[Replaced, ...]:
        """Of edited fields: what the org had, and has by now, unless that is what we have sent."""
        ours = () if pending.sent is None else _taken(table.schema, pending.slots, row)
        who, now = str(row.get("LastModifiedById") or ""), self._clock.now()
        return tuple(
            Replaced(table.schema.name, pending.record_id, name, known[name], row[name], Origin.PULL, now, who)
            for name in pending.slots
            if name in row and name not in ours and known[name] != row[name]
        )

    def _keep_sent(self, table: Table, pending: Pending, row: Row) -> None:
        """What a push has replaced, where a row is the first to show that."""
        if pending.sent is None:
            return
        now, push_id = self._clock.now(), pending.sent.push_id
        version = tuple(
            Replaced(table.schema.name, pending.record_id, name, slot.base, slot.sent, Origin.PUSH, now, "", push_id)
            for name, slot in pending.slots.items()
            if name in _taken(table.schema, pending.slots, row) and slot.base != slot.sent
        )
        self._disk.history.keep(version, self._keeping, now)

    def _emptied(self, table: Table, base: Row, row: Row) -> list[str]:
        """The references that the org has emptied because their record is deleted, here or along with one of ours."""
        tables = self._disk.tables.values()
        gone = {key for each in tables for key, found in each.rows.items() if dead(found)}
        gone |= {key for each in tables for key, done in each.written.items() if done.with_it}
        return [name for name in table.schema.references if row.get(name, "") is None and base.get(name) in gone]

    def _withdraw(self) -> None:
        """Ask no more about references of which the records are tombstones by now."""
        for item in [each for each in self._disk.items if each.kind in (Kind.CHANGED_THERE, Kind.DELETED_OVER)]:
            table = self._disk.tables[item.object_name.casefold()]
            before = {each.field: each.base for each in item.replaced}
            now = {each.field: each.org for each in item.replaced}
            emptied = self._emptied(table, before, now)
            left = tuple(each for each in item.replaced if each.field not in emptied)
            names = [each.field for each in left]
            if not names:
                self._drop_items(table, item.record_id, item.kind)
                if item.kind is Kind.CHANGED_THERE:
                    self._unpark(table, table.pending[item.record_id])
                else:
                    self._note_less(table, item.record_id, item.message, None)
            elif len(left) < len(item.replaced):
                told = item.message
                item.message = item.message.replace(", ".join(each.field for each in item.replaced), ", ".join(names))
                item.replaced = left
                if item.kind is Kind.DELETED_OVER:
                    item.fields = tuple(names)
                    self._note_less(table, item.record_id, told, item.message)

    def _note_less(self, table: Table, key: str, told: str, now: str | None) -> None:
        """It shows that a deletion took less than was told, or nothing of anybody's."""
        for log in self._disk.pushes.values():
            for each in log.of(table.schema.name, key, "applied"):
                change = log.changes[each]
                if change.problem is not None and change.problem.message == told:
                    problem = None if now is None else replace(change.problem, message=now)
                    log.changes[each] = replace(change, problem=problem)

    def _judge(self, table: Table, pending: Pending, row: Row | None, cause: Cause | None = None) -> Verdict:
        key, slots = pending.record_id, pending.slots
        base = _shown_before(table, key) | {name: each.base for name, each in slots.items()}
        if row is not None and pending.operation is Operation.DELETE:
            base |= _taken(table.schema, slots, row)
            base |= dict.fromkeys(self._emptied(table, base, row))
        contested = Contested(
            table.schema.name,
            key,
            pending.operation,
            pending.judged_edits(),
            base,
            row,
            frozenset(name for name, each in slots.items() if each.disputed),
            self._there(pending.edited_at),
            cause,
            {name: at for name, each in slots.items() if (at := self._there(each.edited_at)) is not None},
            table.written[key].with_it if key in table.written else "",
            key in self._own,
        )
        verdict = judge(contested, table.schema, self._policies)
        if verdict.kind is not None:
            pending.parked_for = verdict.kind
            item = self._tell(table, pending, verdict.kind)
            item.message = as_told(item.message, verdict.message)
            if verdict.changed:
                item.replaced = changed_again(item.replaced, verdict.changed)
                item.message = changed_there([each.field for each in item.replaced])
            if cause is not None:
                item.code = cause.name
            if verdict.master:
                item.code, item.matches = MERGED, (Match(table.schema.name, verdict.master),)
        return verdict

    def _there(self, edited_at: datetime | None) -> datetime | None:
        """What the org's clock showed when this one showed that."""
        return None if edited_at is None or self._ahead is None else edited_at + self._ahead

    def _apply(self, table: Table, pending: Pending, row: Row, verdict: Verdict) -> None:
        """What becomes of the edits."""
        if verdict.revert:
            pending.slots.clear()
            pending.want_dead = pending.org_dead
            self._unpark(table, pending)
        if verdict.kind is not None and pending.operation is not Operation.DELETE:
            return
        slots = pending.slots
        pending.slots = {}
        for edit in verdict.keep:
            pending.slots[edit.field] = _held(pending, slots[edit.field], edit.base, edit.base)
        for each in verdict.conflicts:
            pending.slots[each.field] = _held(pending, slots[each.field], each.base, each.org, disputed=True)

    def _show(self, table: Table, pending: Pending, row: Row) -> None:
        """The org's row, beneath what was edited here."""
        key = pending.record_id
        kinds = {each.name: each.type for each in table.schema.columns}
        edits = {name: each.value for name, each in pending.slots.items()}
        fitting = {name: value for name, value in edits.items() if name not in kinds or readable(kinds[name], value)}
        here = table.rows[key] | row | fitting
        table.rows[key] = here | {"IsDeleted": int(pending.want_dead)}
        if not table.schema.has("IsDeleted") and not pending.want_dead:
            del table.rows[key]["IsDeleted"]


def _held(pending: Pending, old: Slot, base: Stored, org: Stored, *, disputed: bool = False) -> Slot:
    """The edit, held against what the org has now."""
    on_its_way = old.in_flight and pending.sent is not None
    return Slot(base, old.value, org, disputed, on_its_way, old.sent, old.edited_at)


def _taken(schema: ObjectSchema, slots: Mapping[str, Slot], row: Row) -> dict[str, Stored]:
    """The fields in which the row shows what we sent: nobody else has changed them."""
    return {
        name: row[name]
        for name, each in slots.items()
        if each.in_flight and name in row and arrived(schema, name, each.sent, row[name])
    }


def _shown_before(table: Table, key: str) -> Row:
    """What the org had shown of the record: of one that was made here and never read, what was sent and no more.

    While a new column is not filled yet, nothing of what is empty.
    """
    view, stamp = org_view(table, key), table.schema.stamp
    made_here = stamp is not None and view[stamp] is None
    return {name: value for name, value in view.items() if not (made_here or table.refill) or value is not None}
