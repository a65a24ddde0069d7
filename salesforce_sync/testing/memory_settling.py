"""The settling half of the memory store: the org's answers, local ids that become real ones, pushes, history."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from msgspec.structs import replace

from salesforce_sync.models.history import Origin, Replaced
from salesforce_sync.models.inbox import Conflict
from salesforce_sync.models.outbox import Change, Kind, Operation, is_local
from salesforce_sync.models.outcome import (
    NOT_SHOWN,
    Applied,
    Conflicted,
    Deferred,
    Lost,
    Outcome,
    Rejected,
    Settled,
    edited_twice,
    not_deleted,
    overwriting,
)
from salesforce_sync.models.push import Push, PushedChange, besides_settled
from salesforce_sync.models.run import Problem
from salesforce_sync.models.schema import FieldType
from salesforce_sync.models.values import Stored
from salesforce_sync.models.values import same as alike
from salesforce_sync.ports import MOST_LISTED, Pushed
from salesforce_sync.resolve import Policy, arrived
from salesforce_sync.testing.forms import from_rest
from salesforce_sync.testing.memory_contested import Contesting
from salesforce_sync.testing.memory_outbox import Pending, PushLog, Sent
from salesforce_sync.testing.memory_tables import LATEST, Done, Row, Table, alive, dead, names

Fields = tuple[str, ...]

FIRST_WAIT, LONGEST_WAIT = timedelta(seconds=2), timedelta(hours=1)


class Settling(Contesting):
    """What `ports.Store` says of settling, over the tables in memory."""

    def settle(self, push_id: str, outcomes: Sequence[Outcome]) -> Settled:
        """Take the org's answers into the store."""
        applied: list[Applied] = []
        parked: list[Change] = []
        created: dict[str, str] = {}
        overwrote: dict[int, Fields] = {}
        come: set[int] = set()
        with self._disk.lock:
            for outcome in outcomes:
                table = self._table(outcome.change.object_name)
                pending = table.pending.get(self.real_id(outcome.change.record_id))
                if isinstance(outcome, Conflicted) and self._has_arrived(table, push_id, outcome.change, pending):
                    come.add(outcome.change.number)
                    if pending is not None:
                        self._untaken(table, pending, outcome)
                    told = _pushed(table, outcome.change.record_id, outcome.change, "applied", None)
                    self._disk.pushes[push_id].note(told)
                    continue
                if pending is None or pending.sent is None:
                    continue  # it was settled before
                local, sent = pending.record_id, pending.sent
                match outcome:
                    case Applied():
                        fields = self._take(table, pending, sent, push_id, outcome)
                        overwrote |= {outcome.change.number: fields} if fields else {}
                        applied.append(outcome)
                        if sent.operation is Operation.CREATE:
                            created[local] = outcome.record_id
                    case Lost():
                        sent.job = outcome.job or sent.job
                    case _:
                        if self._untaken(table, pending, outcome):
                            parked += [each for each in self.changes() if each.number == pending.number]
                self._log(push_id, table, sent, self.real_id(local), outcome, overwrote)
        return Settled(tuple(applied), tuple(parked), created, overwrote, frozenset(come))

    # ── applied ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _take(self, table: Table, pending: Pending, sent: Sent, push_id: str, outcome: Applied) -> Fields:
        for edit in sent.edits:
            slot = pending.slots.get(edit.field)
            if slot is not None and slot.in_flight:
                slot.base = slot.org = edit.value
                slot.disputed = False
        if outcome.row is None and not outcome.was_gone:
            bases = {name: each.base for name, each in pending.slots.items()}
            under = bases if sent.operation is Operation.DELETE else {}
            table.written[outcome.record_id] = Done(push_id, sent.operation, under)
        if sent.operation is Operation.DELETE:
            self._note_along(table, outcome.record_id, push_id, f"{table.schema.name} {outcome.record_id}")
        pending.land()
        pending.attempts, pending.not_before = 0, None
        match sent.operation:
            case Operation.CREATE:
                pending.exists = True
                self._get_real(table, pending, outcome.record_id)
            case Operation.DELETE:
                pending.org_dead = True
            case Operation.UNDELETE:
                pending.org_dead = False
        overwrote = self._keep_replaced(table, pending, sent, push_id, outcome)
        self._tidy(table, pending)
        if outcome.row is not None:
            columns, stamp = table.schema.columns, table.schema.stamp
            row = dict(zip(names(table.schema), from_rest(columns, outcome.row), strict=True))
            if stamp is not None and not outcome.replaced:
                made = sent.operation is Operation.CREATE
                table.note_own_stamp(
                    outcome.record_id, None if made else outcome.stamp or outcome.change.stamp, row[stamp]
                )
            self._arrive(table, row, LATEST, push_id)
            table.written.pop(outcome.record_id, None)
        return overwrote

    def _note_along(self, master: Table, key: str, push_id: str, with_it: str) -> None:
        """What the org takes along with a deleted record is seen later."""
        for table in self._disk.tables.values():
            for field in table.schema.masters(master.schema):
                for child, row in table.rows.items():
                    if row.get(field) == key and not (dead(row) or is_local(child) or child in table.written):
                        slots = table.pending[child].slots if child in table.pending else {}
                        bases = {name: each.org for name, each in slots.items()}
                        table.written[child] = Done(push_id, Operation.DELETE, bases, with_it)
                        self._note_along(table, child, push_id, with_it)

    def _keep_replaced(self, table: Table, pending: Pending, sent: Sent, push_id: str, outcome: Applied) -> Fields:
        now, schema, key = self._clock.now(), table.schema, pending.record_id
        if sent.operation is not Operation.UPDATE:
            return ()
        others = outcome.replaced or {}
        version = tuple(
            Replaced(schema.name, key, each.field, old, each.value, Origin.PUSH, now, "", push_id)
            for each in sent.edits
            if (old := others.get(each.field, each.base)) != each.value
            and not self._disk.history.has(push_id, schema.name, key, each.field, old, each.value)
        )
        self._disk.history.keep(version, self._keeping, now)
        overwritten = tuple(
            Conflict(each.field, each.base, each.value, others[each.field])
            for each in sent.edits
            if each.field in others
            and not alike(schema.field(each.field).type, others[each.field], each.value)
            and self._policies.of(schema.name, each.field) is not Policy.LOCAL
        )
        if overwritten:
            self._tell(table, pending, Kind.REPLACED).replaced = overwritten
        return tuple(each.field for each in overwritten)

    def _get_real(self, table: Table, pending: Pending, real: str) -> None:
        """The local record becomes the org's; a row of it that was pulled already enters by the rule of the merge."""
        local, since = pending.record_id, {name: each.value for name, each in pending.slots.items()}
        times = {name: each.edited_at for name, each in pending.slots.items()}
        pulled, edited = table.rows.pop(real, None), table.pending.pop(real, None)
        table.rows[real] = table.rows.pop(local)
        table.pending[real] = table.pending.pop(local)
        table.rows[real]["Id"] = pending.record_id = real
        self._rename(local, real)
        if pulled is None:
            return
        theirs = {} if edited is None else edited.slots
        row = pulled | {name: each.org for name, each in theirs.items()}
        if edited is not None and "IsDeleted" in row:
            row["IsDeleted"] = int(edited.org_dead)
        kept = edited is not None and (
            bool(since) and edited.want_dead if not pending.want_dead else bool(theirs) and not edited.want_dead
        )
        if kept:
            pending.want_dead = False
            told = not_deleted()
            self._put_item(table, real, Kind.REPLACED, Operation.UPDATE, told.message)
        if pending.want_dead or (edited is not None and edited.want_dead and not kept):
            self._bury(table, pending, row)
        else:
            self._arrive(table, row, LATEST)
        if edited is not None and theirs and alive(table, real):
            wanted = {name: each.value for name, each in theirs.items()}
            both = sorted(name for name in wanted.keys() & since if wanted[name] != since[name])
            later = {name for name in both if _is_later(times[name], theirs[name].edited_at)}
            merged = self._pending(table, real)
            self._put(table, merged, wanted | {name: since[name] for name in later})
            for name in wanted.keys() & merged.slots.keys():
                merged.slots[name].edited_at = times[name] if name in later else theirs[name].edited_at
            pairs = [(name, *((since, wanted) if name in later else (wanted, since))) for name in both]
            lost = tuple(Conflict(name, theirs[name].base, new[name], old[name]) for name, new, old in pairs)
            if lost:
                told = edited_twice(both)
                self._put_item(table, real, Kind.REPLACED, Operation.UPDATE, told.message).replaced = lost

    def _bury(self, table: Table, pending: Pending, row: Row) -> None:
        """The record was deleted here before the org's row of it was known: that is what the deletion is made on."""
        pending.want_dead, pending.org_dead = True, dead(row)
        table.rows[pending.record_id] = row | {"IsDeleted": 1}
        for name, slot in pending.slots.items():
            slot.base = slot.org = row.get(name)

    def _rename(self, local: str, real: str) -> None:
        """Every place that holds the local id gets the org's."""
        self._disk.ids[local] = real
        for table in self._disk.tables.values():
            references = [each.name for each in table.schema.columns if each.type is FieldType.REFERENCE]
            for row in table.rows.values():
                row.update({name: real for name in references if row.get(name) == local})
            for pending in table.pending.values():
                _refer(pending, references, local, real)
        for item in self._disk.items:
            item.record_id = real if item.record_id == local else item.record_id
        self._disk.history.rename(local, real)
        for push in self._disk.pushes.values():
            push.rename(local, real)

    # ── not applied ──────────────────────────────────────────────────────────────────────────────────────────────

    def _untaken(self, table: Table, pending: Pending, outcome: Outcome) -> bool:
        """The org is as it was; whether the change is parked now."""
        pending.land()
        if isinstance(outcome, Deferred):
            wait = min(FIRST_WAIT * 2 ** min(pending.attempts - 1, 20), LONGEST_WAIT)
            pending.not_before = self._clock.now() + wait
        if isinstance(outcome, Rejected) and outcome.apart:
            self._dispute(table, pending, outcome)
            return False
        stays = not pending.touched or (isinstance(outcome, Rejected) and outcome.kind is Kind.UNCERTAIN)
        parks = isinstance(outcome, Rejected) and stays and not pending.void
        if parks and isinstance(outcome, Rejected):
            pending.parked_for = outcome.kind
            item = self._tell(table, pending, outcome.kind, outcome.message)
            item.code, item.fields, item.matches = outcome.code, outcome.fields, outcome.matches
        self._tidy(table, pending)
        return parks

    def _dispute(self, table: Table, pending: Pending, outcome: Rejected) -> None:
        """Only some fields were refused: a person decides them."""
        for name in outcome.apart:
            if name in pending.slots:
                pending.slots[name].disputed = True
        self._tidy(table, pending)
        if pending.conflicts():
            item = self._tell(table, pending, Kind.CONFLICT)
            before = item.message if item.fields else ""  # of fields that were refused before, and wait on
            item.message = before if outcome.message in before else f"{before} {outcome.message}".strip()
            item.code, item.fields = outcome.code, tuple(dict.fromkeys((*item.fields, *outcome.apart)))

    # ── pushes ───────────────────────────────────────────────────────────────────────────────────────────────────

    def _log(
        self, push_id: str, table: Table, sent: Sent, record_id: str, outcome: Outcome, overwrote: Mapping[int, Fields]
    ) -> None:
        fields = overwrote.get(outcome.change.number)
        problem = None if fields is None else overwriting(fields)
        if isinstance(outcome, Rejected | Deferred):
            problem = Problem(outcome.code, outcome.message)
        word = type(outcome).__name__.lower()
        if isinstance(outcome, Conflicted) and sent.push_id != push_id and self._has_shown(table, record_id, sent):
            word = "applied"  # an earlier push has written it, and its answer was lost
        told = _pushed(table, record_id, sent, word, problem)
        self._disk.pushes.setdefault(push_id, PushLog()).note(told)

    def _has_arrived(self, table: Table, push_id: str, change: Change, pending: Pending | None) -> bool:
        """Whether this push had lost the answer to the change, and a row that came since shows it."""
        log, row = self._disk.pushes.get(push_id, PushLog()), table.rows.get(change.record_id)
        if not log.of(table.schema.name, change.record_id, "lost"):
            return False
        match change.operation:
            case Operation.DELETE:
                return (pending is None or pending.org_dead) and (row is None or dead(row))
            case Operation.UNDELETE:
                return (pending is None or not pending.org_dead) and alive(table, change.record_id)
            case Operation.UPDATE if pending is not None and row is not None:
                return all(
                    each.field not in pending.slots and arrived(table.schema, each.field, each.value, row[each.field])
                    for each in change.edits
                )
        return False

    def _has_shown(self, table: Table, record_id: str, sent: Sent) -> bool:
        """Whether a row has shown all that was sent, before it was answered."""
        has, name = self._disk.history.has, table.schema.name
        return sent.operation is Operation.UPDATE and all(
            has(sent.push_id, name, record_id, each.field, each.base, each.value)
            for each in sent.edits
            if each.base != each.value
        )

    def pushes(self, most: int = 20, listed: int = MOST_LISTED) -> tuple[Push, ...]:
        """The last pushes, newest first, with the first `listed` changes of each."""
        with self._disk.lock:
            newest = list(self._disk.pushes.items())[::-1][:most]
            room = MOST_LISTED
            found: list[Push] = []
            for key, each in newest:
                changes, here = tuple(each.changes.values()), min(room, listed)
                beyond = Counter(each.besides) + Counter(change.outcome for change in changes[here:])
                codes = [change.problem.code for change in changes if change.outcome == "applied" and change.problem]
                hidden = codes.count(NOT_SHOWN)
                over = len(codes) - hidden
                cost = each.calls, each.seconds
                found.append(Push(key, changes[:here], *cost, each.problem, None, beyond, over, hidden=hidden))
                room -= len(changes[:here])
            return tuple(found)

    def pushed(self, push_id: str, before: int | None = None, most: int = MOST_LISTED) -> Pushed:
        """What became of a push's changes, the last first."""
        with self._disk.lock:
            log = self._disk.pushes.get(push_id, PushLog())
            changes = list(log.changes.values())[:before]
            left = len(changes) - most
            return Pushed(tuple(changes[::-1][:most]), left if left > 0 else None, log.ended or self._clock.now())

    def knows_push(self, push_id: str) -> bool:
        """Whether it is one of the pushes that are kept."""
        return push_id in self._disk.pushes

    def made_here(self, ids: Sequence[str]) -> frozenset[str]:
        """Those of these ids of the org that records have which were made here."""
        return frozenset(ids) & frozenset(self._disk.ids.values())

    def record_push(self, push: Push) -> None:
        """Keep what a push cost and what stopped it."""
        with self._disk.lock:
            log = self._disk.pushes.setdefault(push.push_id, PushLog())
            log.calls, log.seconds, log.problem = push.calls, push.seconds, push.problem
            log.ended = self._clock.now()
            log.besides = besides_settled(push, Counter(each.outcome for each in log.changes.values()))

    def history(self, object_name: str, record_id: str) -> tuple[Replaced, ...]:
        """The record's values that were replaced, newest first."""
        return self._disk.history.of(self._table(object_name).schema.name, self.real_id(record_id))


def _pushed(table: Table, record_id: str, sent: Sent | Change, word: str, problem: Problem | None) -> PushedChange:
    edits = tuple(replace(each, in_flight=False, sent=None) for each in sent.edits)
    return PushedChange(table.schema.name, record_id, sent.operation, edits, word, problem)


def _is_later(made: datetime | None, pulled: datetime | None) -> bool:
    return made is None or pulled is None or made >= pulled


def _refer(pending: Pending, references: Sequence[str], local: str, real: str) -> None:
    def now(value: Stored) -> Stored:
        return real if value == local else value

    for name in references:
        slot = pending.slots.get(name)
        if slot is not None:
            slot.base, slot.value, slot.org, slot.sent = map(now, (slot.base, slot.value, slot.org, slot.sent))
            if slot.idle:
                del pending.slots[name]
