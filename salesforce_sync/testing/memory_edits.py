"""The editing half of the memory store: what a person does to a record, and the outbox."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from msgspec.structs import replace

from salesforce_sync.errors import Misuse, RecordNotFound
from salesforce_sync.models.outbox import EVERYTHING, LOCAL_PREFIX, TOLD, Change, Kind, Operation, Wanted, is_local
from salesforce_sync.models.proof import Cause
from salesforce_sync.models.salesforce_id import is_guarded
from salesforce_sync.models.schema import Field, FieldType, ObjectSchema
from salesforce_sync.models.values import Stored
from salesforce_sync.testing.memory_comparison import Comparing
from salesforce_sync.testing.memory_outbox import RELEASED_BY_AN_EDIT, Item, Pending, Sent, Slot
from salesforce_sync.testing.memory_rules import Known, checked
from salesforce_sync.testing.memory_tables import Row, Table, alive, dead


class Editing(Comparing):
    """What `ports.Store` says of edits and of the outbox, over the tables in memory."""

    def create(self, object_name: str, values: Mapping[str, Stored]) -> str:
        """Make a record here."""
        with self._disk.lock:
            table = self._table(object_name)
            _allow(table.schema, table.schema.createable, "made")
            named = self._with_real_ids(table.schema, values)
            given = checked(table.schema, named, self._known_to(table), creating=True)
            local = f"{LOCAL_PREFIX}{next(self._disk.numbers):012d}"
            table.rows[local] = _new_row(table.schema, local)
            table.pending[local] = Pending(next(self._disk.numbers), local, exists=False)
            self._put(table, table.pending[local], given)
            return local

    def update(self, object_name: str, record_id: str, values: Mapping[str, Stored]) -> None:
        """Change fields of a live record."""
        with self._disk.lock:
            table = self._table(object_name)
            row = self._live(table, record_id)
            pending = table.pending.get(str(row["Id"]))
            self._edit(table, row, self._checked(table, pending, values))

    def delete(self, object_name: str, record_id: str) -> None:
        """Delete a live record here."""
        with self._disk.lock:
            table = self._table(object_name)
            row = self._live(table, record_id)
            pending = self._pending(table, str(row["Id"]))
            if not pending.exists and pending.sent is None:
                self._forget(table, pending)
                return
            if not table.schema.deletable:
                self._tidy(table, pending)
                _allow(table.schema, False, "deleted")
            row["IsDeleted"] = 1
            pending.want_dead = True
            if pending.absent is not None:
                self._take_out(table, pending, pending.absent)
            self._touch(table, pending)

    def undelete(self, object_name: str, record_id: str) -> None:
        """Bring a tombstone back."""
        with self._disk.lock:
            table = self._table(object_name)
            key = self.real_id(record_id)
            if not table.schema.has("IsDeleted"):
                raise Misuse(f"Deleted {table.schema.name} records cannot be brought back.")
            if not dead(table.rows.get(key, {})):
                raise RecordNotFound(f"{table.schema.name} has no deleted record {record_id}.")
            pending = self._pending(table, key)
            table.rows[key]["IsDeleted"] = 0
            pending.want_dead = False
            if pending.parked_for is Kind.CHANGED_THERE:
                self._unpark(table, pending)
            self._touch(table, pending)

    def real_id(self, record_id: str) -> str:
        """The org's id for a local one that has been created there."""
        return self._disk.ids.get(record_id, record_id)

    # ── the outbox ───────────────────────────────────────────────────────────────────────────────────────────────

    def referring(self, record_id: str) -> tuple[tuple[str, str, str], ...]:
        """What is edited here to refer to a record that was made here."""
        with self._disk.lock:
            return tuple(
                sorted(
                    (table.schema.name, key, name)
                    for table in self._disk.tables.values()
                    for key, pending in table.pending.items()
                    for name, slot in pending.slots.items()
                    if slot.value == record_id and is_local(record_id) and name in table.schema.references
                )
            )

    def changes(self, wanted: Wanted = EVERYTHING) -> tuple[Change, ...]:
        """What is wanted of the outbox, in order."""
        with self._disk.lock:
            found = [
                _change(table, pending) for table in self._disk.tables.values() for pending in table.pending.values()
            ]
            return tuple(sorted(filter(wanted.takes, found), key=lambda each: each.number)[: wanted.most])

    def count_changes(self, wanted: Wanted = EVERYTHING) -> int:
        """How many there are of these."""
        return len(self.changes(replace(wanted, most=None)))

    def edited_objects(self) -> tuple[str, ...]:
        """The objects that have changes in the outbox, by name."""
        with self._disk.lock:
            return tuple(sorted(each.schema.name for each in self._disk.tables.values() if each.pending))

    def leaving(self, ids: Sequence[str]) -> tuple[tuple[str, int], ...]:
        """Who refers to these records no more once the outbox is sent."""
        with self._disk.lock:
            found = {
                (each, pending.number)
                for table in self._disk.tables.values()
                for pending in table.pending.values()
                for each in _left(table, pending)
                if each in ids
            }
            return tuple(sorted(found, key=lambda each: each[1]))

    def sending(
        self,
        changes: Sequence[Change],
        push_id: str,
        sent_at: datetime | None,
        job: str | None,
        sent_by: str | None = None,
    ) -> None:
        """Note that these changes are about to be handed to the org."""
        with self._disk.lock:
            for change in changes:
                pending = self._looked_at(change)
                if pending.sent is not None and pending.sent.push_id == push_id:
                    pending.sent.sent_at = sent_at or pending.sent.sent_at
                    pending.sent.job = job or pending.sent.job
                else:
                    self._mark(change, pending, Sent(change.operation, (), push_id, sent_at, job, sent_by))

    def _mark(self, change: Change, pending: Pending, mark: Sent) -> None:
        row = self._table(change.object_name).rows[pending.record_id]
        pending.land()
        for edit in change.edits:
            here = row.get(edit.field)
            slot = pending.slots.setdefault(edit.field, Slot(edit.base, here, edit.base, edited_at=self._clock.now()))
            slot.in_flight, slot.sent = True, edit.value
        # Edited between the look and the mark is edited since.
        pending.touched = any(each.in_flight and each.value != each.sent for each in pending.slots.values())
        mark.edits = tuple(replace(each, in_flight=True, sent=each.value) for each in change.edits)
        pending.sent = mark
        pending.attempts += 1

    def _looked_at(self, change: Change) -> Pending:
        """The change's place in the outbox; made again if a person has ended the change since it was looked at."""
        table = self._table(change.object_name)
        key = self.real_id(change.record_id)
        if key not in table.pending:
            if key not in table.rows:
                table.rows[key] = _new_row(table.schema, key) | change.values | {"IsDeleted": 1}
            here = dead(table.rows[key])
            there = {Operation.DELETE: False, Operation.UNDELETE: True, Operation.CREATE: False}
            table.pending[key] = Pending(
                change.number,
                key,
                exists=change.operation is not Operation.CREATE,
                org_dead=there.get(change.operation, here),
                want_dead=here,
            )
        return table.pending[key]

    # ── within ───────────────────────────────────────────────────────────────────────────────────────────────────

    def _live(self, table: Table, record_id: str) -> Row:
        key = self.real_id(record_id)
        if not alive(table, key):
            raise RecordNotFound(f"{table.schema.name} has no live record {record_id}.")
        return table.rows[key]

    def _checked(self, table: Table, pending: Pending | None, values: Mapping[str, Stored]) -> dict[str, Stored]:
        """The values, if they may be written to this live record."""
        schema = table.schema
        creating = pending is not None and not pending.exists and pending.sent is None
        given = self._with_real_ids(schema, values)
        if not creating:
            _allow(schema, schema.updateable, "changed")
            return checked(schema, given, self._known_to(table), creating=False)
        assert pending is not None
        whole = {name: each.value for name, each in pending.slots.items()} | given
        sound = checked(schema, whole, self._known_to(table), creating=True)
        return {name: value for name, value in sound.items() if name in given}

    def _edit(self, table: Table, row: Row, given: Mapping[str, Stored]) -> None:
        changed = {name: value for name, value in given.items() if row.get(name) != value}
        if changed:
            self._put(table, self._pending(table, str(row["Id"])), changed)

    def _put(self, table: Table, pending: Pending, given: Mapping[str, Stored]) -> None:
        row = table.rows[pending.record_id]
        for name, value in given.items():
            pending.put(name, value, row.get(name), self._clock.now())
            row[name] = value
        self._touch(table, pending)

    def _known_to(self, table: Table) -> Known:
        """Tells whether a lookup of the table has the id of a record that is here, or one that the org may have."""

        def known(field: Field, value: Stored) -> bool:
            found = (self._disk.tables.get(each.casefold()) for each in field.reference_to)
            here = [each for each in found if each is not None]
            return any(value in each.rows for each in here) or any(_may_have(each, value) for each in here or [table])

        return known

    def _with_real_ids(self, schema: ObjectSchema, values: Mapping[str, Stored]) -> dict[str, Stored]:
        """The values by API name; `Misuse` for a reference to a local id that nobody has."""
        given: dict[str, Stored] = {}
        for name, value in values.items():
            field = schema.field(name)
            if field.type is FieldType.REFERENCE and isinstance(value, str) and is_local(value):
                value = self.real_id(value)
                if not any(value in each.rows for each in self._disk.tables.values()):
                    raise Misuse(f"{schema.name}.{field.name}: no record has the local id {value!r}.")
            given[field.name] = value
        return given

    def _pending(self, table: Table, key: str) -> Pending:
        if key not in table.pending:
            here = dead(table.rows[key])
            table.pending[key] = Pending(next(self._disk.numbers), key, org_dead=here, want_dead=here)
        return table.pending[key]

    def _touch(self, table: Table, pending: Pending) -> None:
        """A person has edited the record: a change that is parked for what it says is free again."""
        pending.edited_at, pending.touched = self._clock.now(), True
        pending.attempts, pending.not_before = 0, None
        if pending.parked_for in RELEASED_BY_AN_EDIT:
            self._unpark(table, pending)
        self._tidy(table, pending)

    def _tidy(self, table: Table, pending: Pending) -> None:
        """Take out of the outbox and the inbox what has no reason to be there any more."""
        if table.pending.get(pending.record_id) is not pending:
            return  # it is out already, and a newer one may be in its place
        if pending.void:
            if not pending.exists:
                self._forget(table, pending)
                return
            if pending.absent is not None:
                self._take_out(table, pending, pending.absent)
            row = table.rows.get(pending.record_id)
            if row is not None:
                row.update({name: each.org for name, each in pending.slots.items()})
            table.pending.pop(pending.record_id, None)
            self._unpark(table, pending)
            pending.slots.clear()
        self._tell_conflict(table, pending)

    def _unpark(self, table: Table, pending: Pending) -> None:
        pending.parked_for = None
        self._drop_items(table, pending.record_id, *(set(Kind) - {Kind.CONFLICT, *TOLD}))

    def _tell_conflict(self, table: Table, pending: Pending) -> None:
        if pending.conflicts() and pending.operation is not Operation.DELETE:
            item = self._tell(table, pending, Kind.CONFLICT)
            waits = {each.field for each in pending.conflicts() if each.org == each.base}
            item.fields = tuple(each for each in item.fields if each in waits)  # what was refused, and nobody changed
            item.code, item.message = (item.code, item.message) if item.fields else ("", "")
        else:
            self._drop_items(table, pending.record_id, Kind.CONFLICT)

    def _tell(self, table: Table, pending: Pending, kind: Kind, message: str = "") -> Item:
        """The record's inbox item of this kind; the one that is there, if one is."""
        return self._put_item(table, pending.record_id, kind, pending.operation, message)

    def _put_item(self, table: Table, record_id: str, kind: Kind, operation: Operation, message: str) -> Item:
        for item in self._disk.items:
            if (item.object_name, item.record_id, item.kind) == (table.schema.name, record_id, kind):
                item.message = message or item.message
                return item
        item = Item(
            next(self._disk.numbers),
            table.schema.name,
            record_id,
            kind,
            operation,
            self._clock.now(),
            message=message,
        )
        self._disk.items.append(item)
        self._disk.tale.append((item.at, item))
        return item

    def _drop_items(self, table: Table, record_id: str, *kinds: Kind) -> None:
        mine = table.schema.name, record_id
        self._disk.items = [
            each for each in self._disk.items if (each.object_name, each.record_id) != mine or each.kind not in kinds
        ]

    def _forget(self, table: Table, pending: Pending) -> None:
        """A record that the org never had is gone, and whoever referred to it goes back to what was there."""
        local = pending.record_id
        table.rows.pop(local, None)
        table.pending.pop(local, None)
        self._drop_items(table, local, *Kind)
        for other in self._disk.tables.values():
            for each in list(other.pending.values()):
                for name in [name for name, slot in each.slots.items() if slot.value == local]:
                    if other.schema.field(name).type is FieldType.REFERENCE:
                        self._put(other, each, {name: each.slots[name].org})

    def _take_out(self, table: Table, pending: Pending, cause: Cause) -> None:
        """The record is gone here as it is in the org."""
        row = table.rows[pending.record_id]
        row.update({name: each.org for name, each in pending.slots.items()})
        pending.slots.clear()
        pending.absent, pending.org_dead, pending.want_dead = None, True, True
        table.gone[pending.record_id] = cause
        if cause.is_deletion and table.schema.has("IsDeleted"):
            row["IsDeleted"] = 1
        else:
            del table.rows[pending.record_id]


def _allow(schema: ObjectSchema, allowed: bool, done: str) -> None:
    if not allowed:
        raise Misuse(f"{schema.name} records cannot be {done} by the connected user.")


def _new_row(schema: ObjectSchema, key: str) -> Row:
    row: Row = {each.name: None for each in schema.columns}
    return row | {"Id": key} | ({"IsDeleted": 0} if schema.has("IsDeleted") else {})


def _left(table: Table, pending: Pending) -> Iterator[str]:
    """The records that this one refers to no more once its change is sent."""
    references = [each.name for each in table.schema.columns if each.type is FieldType.REFERENCE]
    if pending.operation is Operation.DELETE:
        row = table.rows.get(pending.record_id, {})
        yield from (str(row.get(name)) for name in references)
    else:
        yield from (str(each.base) for name, each in pending.slots.items() if name in references)


def _change(table: Table, pending: Pending) -> Change:
    stamp = table.schema.stamp
    row = table.rows.get(pending.record_id, {})
    value = row.get(stamp) if stamp else None
    return pending.change(table.schema.name, None if value is None else str(value))


def _may_have(table: Table, value: Stored) -> bool:
    some = next((each for each in table.rows if len(each) == 18), None)
    formed = isinstance(value, str) and len(value) == 18 and value.isascii() and value.isalnum()
    return formed and some is not None and not is_guarded(some)
