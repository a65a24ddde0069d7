"""`MemoryWrites`: how an org in memory takes changes (`ports.Org.write`), one record at a time."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Generator, Iterator, Sequence
from datetime import datetime, timedelta

from msgspec import Struct
from msgspec.structs import replace

from salesforce_sync.errors import FieldNotFound, LimitExceeded, NeedsPerson, RequestRefused, SyncError
from salesforce_sync.models import values
from salesforce_sync.models.outbox import Change, Kind, Operation, is_local
from salesforce_sync.models.outcome import Applied, Conflicted, Deferred, Lost, Match, Outcome, Rejected
from salesforce_sync.models.salesforce_id import to_18
from salesforce_sync.models.schema import Field, FieldType, ObjectSchema
from salesforce_sync.models.values import Stored
from salesforce_sync.ports import Announce, Order
from salesforce_sync.testing.faults import Call, Fault, Faults
from salesforce_sync.testing.forms import to_rest
from salesforce_sync.testing.memory_records import MemoryRecords, Values

BLANKS = " \t\r\n\f\v"
"""What Salesforce takes off the ends of a text."""


class _Rule(Struct, frozen=True):
    """Changes of a record, or of an object, that the org does not take; `times`: how often still, None for ever."""

    target: str
    code: str
    message: str
    fields: tuple[str, ...] = ()
    matches: tuple[Match, ...] = ()
    times: int | None = None

    def concerns(self, change: Change) -> bool:
        return self.target in (change.object_name, change.record_id)

    def outcome(self, change: Change) -> Outcome:
        if self.code == "UNABLE_TO_LOCK_ROW":
            return Deferred(change, self.code, self.message)
        kind = Kind.DUPLICATE if self.matches else Kind.REJECTED
        return Rejected(change, self.code, self.message, self.fields, self.matches, kind)


class MemoryWrites(MemoryRecords, ABC):
    """Takes changes in calls of `orders_a_call`; `bulk_from` so many orders or more, as one Bulk job."""

    faults: Faults
    _lock: threading.RLock

    def __init__(self, *schemas: ObjectSchema) -> None:
        super().__init__(*schemas)
        self.orders_a_call = 20
        self.bulk_from: int | None = None
        self.written: list[Change] = []
        self._rules: list[_Rule] = []
        self._begun: set[str] = set()
        self._jobs: dict[str, dict[int, Outcome]] = {}
        self.user = "005000000000001AAA"
        self._makers: dict[str, str] = {}

    # ── the script: what the org does not take ───────────────────────────────────────────────────────────────────────

    def reject(self, target: str, code: str, message: str = "", *fields: str, times: int | None = None) -> None:
        """Refuse the changes of a record (its id) or of an object (its name), until `accept` or so many times."""
        self._rules.append(_Rule(target, code, message or code, fields, times=times))

    def accept(self, target: str) -> None:
        """Take them again."""
        self._rules = [rule for rule in self._rules if rule.target != target]

    def lock_row(self, target: str, times: int = 1) -> None:
        """Let a record, or all of an object, be locked by somebody so many times."""
        self._rules.append(_Rule(target, "UNABLE_TO_LOCK_ROW", "unable to obtain exclusive access", times=times))

    def find_duplicates(self, object_name: str, *ids: str) -> None:
        """Let a duplicate rule find these records for each change of the object that does not allow duplicates."""
        matches = tuple(Match(object_name, to_18(each)) for each in ids)
        self._rules.append(_Rule(object_name, "DUPLICATES_DETECTED", "Use one of these records?", (), matches))

    def lose_answer(self, object_name: str | None = None, *, call: int = 1, rows: int | None = None) -> None:
        """Once, do that call of a `write` (of the first `rows` orders, if so many are told) and lose its answer."""
        self.faults.add(Fault("lost", "write", object_name, call, rows=rows))

    def lose_request(self, object_name: str | None = None, *, call: int = 1) -> None:
        """Once, lose that call of a `write` before the org does anything; nobody can tell this from a lost answer."""
        self.faults.add(Fault("lost", "write", object_name, call, rows=0))

    def forget_jobs(self) -> None:
        """Know nothing of any Bulk job any more, as Salesforce after seven days."""
        self._begun.clear()
        self._jobs.clear()

    # ── the port ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def write(self, orders: Sequence[Order], announce: Announce) -> Generator[tuple[Outcome, ...], None, None]:
        for number, some in enumerate(self._calls(orders), 1):
            changes = [order.change for order in some]
            job = f"memory-job-{next(self._numbers)}" if self._as_job(orders) else None
            announce(changes, None)
            if job:
                announce(changes, job)
            self._begun |= {job} if job else set()
            try:
                fault = self._answer("write", some[0].schema.name, number)
            except (LimitExceeded, NeedsPerson) as stop:
                yield tuple(Deferred(each, stop.code, stop.message) for each in changes)
                raise
            except SyncError as broken:
                yield tuple(Lost(each, broken.message, job) for each in changes)
                continue
            yield self._performed(some, fault, job)

    def recover(self, orders: Sequence[Order], job: str) -> tuple[Outcome, ...]:
        self._answer("recover", None, 1)
        done = self._jobs.get(job, {})
        return tuple(done.get(order.change.number, self._not_begun(order.change, job)) for order in orders)

    def created(self, schema: ObjectSchema, since: datetime, by: str | None = None) -> tuple[tuple[object, ...], ...]:
        self._answer("created", schema.name, 1)
        if not schema.has("CreatedDate"):
            raise RequestRefused(f"{schema.name} does not tell when its records were made.", code="NO_CREATED_DATE")
        with self._lock:
            table = self._rows[schema.name]
            found = [row for key, row in table.items() if self._is_by(key, by) and self._is_since(row, since)]
            return tuple(self._shown(schema, row) for row in found)

    def user_id(self) -> str | None:
        """None of its rows tells who changed it."""
        self._answer("user_id", None)
        return self.user

    def told_user(self) -> str | None:
        return self.user

    def cost(self, orders: Sequence[Order]) -> int:
        return sum(1 for _ in self._calls(orders))

    def time(self) -> datetime | None:
        return self.clock.now()

    # ── within ───────────────────────────────────────────────────────────────────────────────────────────────────────

    @abstractmethod
    def _answer(self, call: Call, object_name: str | None, page: int = 1) -> Fault | None:
        """Count the call and meet what was scripted for it: `MemoryOrg`, which has the script, says how."""

    def _calls(self, orders: Sequence[Order]) -> Iterator[Sequence[Order]]:
        size = max(1, len(orders)) if self._as_job(orders) else self.orders_a_call
        yield from (orders[start : start + size] for start in range(0, len(orders), size))

    def _as_job(self, orders: Sequence[Order]) -> bool:
        return self.bulk_from is not None and len(orders) >= self.bulk_from

    def _performed(self, orders: Sequence[Order], fault: Fault | None, job: str | None) -> tuple[Outcome, ...]:
        """The outcomes of one call; with a fault, only some of it is done and nothing of it is told."""
        done = orders if fault is None or fault.rows is None else orders[: fault.rows]
        outcomes = tuple(map(self._take, done))
        if job is not None and done:
            self._jobs[job] = {each.change.number: each for each in outcomes}
        if fault is None:
            return outcomes
        return tuple(Lost(order.change, "The answer was lost.", job) for order in orders)

    def _not_begun(self, change: Change, job: str) -> Outcome:
        if job in self._begun:
            return Deferred(change, "JOB_FAILED", "The job never ran.")
        return Lost(change, "There is no such job.")

    def _take(self, order: Order) -> Outcome:
        change = order.change
        with self._lock:
            refused = self._refusal(order)
            if refused is not None:
                return refused
            self.written.append(change)
            match change.operation:
                case Operation.CREATE:
                    return self._create(order)
                case Operation.UPDATE:
                    return self._update(order)
                case Operation.DELETE:
                    return self._delete(order)
            return self._undelete(order)

    def _refusal(self, order: Order) -> Outcome | None:
        change, schema = order.change, self._schema(order.schema.name)
        for rule in self._rules:
            if rule.concerns(change) and not (rule.matches and change.allow_duplicates):
                self._wear(rule)
                return rule.outcome(change)
        creates = change.operation is Operation.CREATE
        try:
            fields = [schema.field(each.field) for each in change.edits]
        except FieldNotFound as unknown:
            return Rejected(change, "INVALID_FIELD", unknown.message)
        local = tuple(each.name for each in fields if each.type is FieldType.REFERENCE and _is_local(change, each.name))
        if local:
            return Rejected(change, "INVALID_CROSS_REFERENCE_KEY", "The org does not have the record yet.", local)
        fixed = tuple(each.name for each in fields if not (each.createable if creates else each.updateable))
        if fixed:
            code = "INVALID_FIELD_FOR_INSERT_UPDATE"
            return Rejected(change, code, f"Unable to create/update fields: {', '.join(fixed)}.", fixed)
        return self._missing(change, schema)

    def _missing(self, change: Change, schema: ObjectSchema) -> Outcome | None:
        given = change.values
        if change.operation is Operation.CREATE:
            wanting = [each.name for each in schema.columns if each.required and given.get(each.name) is None]
        else:
            wanting = [each for each in given if given[each] is None and not schema.field(each).nillable]
        if not wanting:
            return None
        text = f"Required fields are missing: [{', '.join(wanting)}]"
        return Rejected(change, "REQUIRED_FIELD_MISSING", text, tuple(wanting))

    def _wear(self, rule: _Rule) -> None:
        if rule.times is None:
            return
        self._rules.remove(rule)
        if rule.times > 1:
            self._rules.insert(0, replace(rule, times=rule.times - 1))

    def _create(self, order: Order) -> Outcome:
        record_id = self.put(order.schema.name, **self._fresh(order))
        self._makers[record_id] = self.user
        return Applied(order.change, record_id, row=self._row(order.schema, record_id))

    def _update(self, order: Order) -> Outcome:
        change, schema = order.change, order.schema
        there = self._rows[schema.name].get(change.record_id)
        if there is None or there.get("IsDeleted") or not self._as_it_was(order, there):
            return Conflicted(change)
        replaced = self._replaced(order, there)
        self.put(schema.name, change.record_id, **self._fresh(order))
        return Applied(change, change.record_id, replaced or None, self._row(schema, change.record_id))

    def _delete(self, order: Order) -> Outcome:
        change = order.change
        there = self._rows[order.schema.name].get(change.record_id)
        if there is None or there.get("IsDeleted"):
            return Applied(change, change.record_id)
        if not self._as_it_was(order, there):
            return Conflicted(change)
        self.delete(order.schema.name, change.record_id)
        return Applied(change, change.record_id)

    def _undelete(self, order: Order) -> Outcome:
        change = order.change
        there = self._rows[order.schema.name].get(change.record_id)
        if there is None:
            return Rejected(change, "INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id")
        if there.get("IsDeleted"):
            self.undelete(order.schema.name, change.record_id)
        return Applied(change, change.record_id)

    def _fresh(self, order: Order) -> Values:
        fields = [(order.schema.field(each.field), each.value) for each in order.change.edits]
        return {field.name: _kept(field, value) for field, value in fields}

    def _as_it_was(self, order: Order, there: Values) -> bool:
        stamp = order.schema.stamp
        if stamp is None or order.change.stamp is None:
            return not self._replaced(order, there)
        return self._stored(order.schema.field(stamp), there[stamp]) == order.change.stamp

    def _replaced(self, order: Order, there: Values) -> dict[str, Stored]:
        """What somebody has written in the very moment of the stamp."""
        fields = [order.schema.field(each.field) for each in order.change.edits]
        return order.replaced({each.name: self._stored(each, there[each.name]) for each in fields})

    def _stored(self, field: Field, value: object) -> Stored:
        return values.from_rest(field.type, to_rest(value))

    def _row(self, schema: ObjectSchema, record_id: str) -> tuple[object, ...] | None:
        row = self._rows[schema.name].get(record_id)
        return None if row is None else self._shown(schema, row)

    def _shown(self, schema: ObjectSchema, row: Values) -> tuple[object, ...]:
        return tuple(to_rest(row.get(each.name)) for each in schema.columns)

    def _is_by(self, record_id: str, user: str | None) -> bool:
        return self._makers.get(record_id) == (user or self.user)

    def _is_since(self, row: Values, since: datetime) -> bool:
        made = row.get("CreatedDate")
        return isinstance(made, datetime) and made >= since - timedelta(seconds=1)


def _is_local(change: Change, field: str) -> bool:
    return is_local(str(change.values.get(field)))


def _kept(field: Field, value: Stored) -> object:
    """A sent value as the org keeps it."""
    if field.type is FieldType.TEXT and isinstance(value, str):
        value = value.strip(BLANKS) or None
    return values.decode(field.type, value)
