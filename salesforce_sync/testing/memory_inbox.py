"""The deciding half of the memory store: what a person says to an inbox item."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from salesforce_sync.errors import Misuse, RecordNotFound
from salesforce_sync.models.history import Origin
from salesforce_sync.models.inbox import MERGED, Conflict, InboxItem, Resolution, Side, beyond_reach, check_seen
from salesforce_sync.models.outbox import TOLD, Kind, Operation
from salesforce_sync.models.outcome import EDITED_TWICE, linked_over
from salesforce_sync.models.salesforce_id import from_org
from salesforce_sync.models.values import Stored
from salesforce_sync.testing.memory_history import differences
from salesforce_sync.testing.memory_outbox import Item, Pending
from salesforce_sync.testing.memory_settling import Settling
from salesforce_sync.testing.memory_tables import Table, alive


@dataclass(frozen=True, slots=True)
class _Case:
    """An item, its record, and what was decided. `values` are checked."""

    table: Table
    item: Item
    pending: Pending | None
    resolution: Resolution
    values: Mapping[str, Stored]

    @property
    def org(self) -> bool:
        return self.resolution.side is Side.ORG

    @property
    def local(self) -> bool:
        return self.resolution.side is Side.LOCAL or self.resolution.again or self.resolution.allow_duplicates


class Deciding(Settling):
    """What `ports.Store` says of the inbox, over the tables in memory."""

    def inbox(
        self, after: int = 0, most: int | None = None, records: Sequence[str] | None = None
    ) -> tuple[InboxItem, ...]:
        """What waits for a person, oldest first."""
        with self._disk.lock:
            tables = self._disk.tables
            wanted = None if records is None else frozenset(records)
            later = (each for each in self._disk.items if each.number > after)
            items = [each for each in later if wanted is None or each.record_id in wanted][:most]
            return tuple(each.shown(tables[each.object_name.casefold()].pending.get(each.record_id)) for each in items)

    def count_inbox(self) -> int:
        """How many items wait."""
        return len(self._disk.items)

    def newest_item(self) -> int:
        """A number that is greater than that of any item; every later item gets a greater one."""
        return next(self._disk.numbers)

    def resolve(self, number: int, resolution: Resolution) -> None:
        """Carry out a person's decision."""
        with self._disk.lock:
            item = next((each for each in self._disk.items if each.number == number), None)
            if item is None:
                raise RecordNotFound(f"The inbox has no item {number}.")
            if resolution == Resolution() or resolution == Resolution(values={}):
                raise Misuse("A decision says a side, values, a link, or to send it again.")
            table = self._table(item.object_name)
            pending = table.pending.get(item.record_id)
            check_seen(item.shown(pending), resolution)
            values = self._checked(table, pending, resolution.values or {}) if resolution.values else {}
            case = _Case(table, item, pending, resolution, values)
            before = dict(table.rows.get(item.record_id, {}))
            if resolution.link is not None:
                self._link(case, resolution.link, before)
                return
            if item.kind is Kind.CONFLICT:
                self._decide_fields(case)
            elif item.kind is Kind.REPLACED:
                self._decide_replaced(case)
            elif item.kind in TOLD:
                self._decide_told(case)
            else:
                self._decide_change(case)
            self._keep_decided(table, item.record_id, before)

    def _keep_decided(self, table: Table, record_id: str, before: dict[str, Stored]) -> None:
        after = table.rows.get(self.real_id(record_id))
        if after is not None and before:
            decided = differences(table.schema, before, after, Origin.DECISION, self._clock.now())
            self._disk.history.keep(tuple(decided), self._keeping, self._clock.now())

    def _decide_fields(self, case: _Case) -> None:
        assert case.pending is not None
        row = case.table.rows[case.item.record_id]
        for name, slot in list(case.pending.slots.items()):
            if not slot.disputed or not (name in case.values or case.org or case.local):
                continue
            slot.base, slot.disputed, slot.edited_at = slot.org, False, self._clock.now()
            if case.org or name in case.values:
                row[name] = slot.value = case.values.get(name, slot.org)
            if slot.idle:
                del case.pending.slots[name]
        self._give(case)

    def _decide_replaced(self, case: _Case) -> None:
        table, key = case.table, case.item.record_id
        wanted = {each.field: each.org for each in case.item.replaced} if case.org else {}
        wanted |= case.values
        if wanted and alive(table, key):
            self._edit(table, table.rows[key], wanted)
        left = tuple(each for each in case.item.replaced if each.field not in wanted)
        if left and not (case.org or case.local):
            case.item.replaced = left
        else:
            self._drop_items(table, key, Kind.REPLACED)

    def _decide_told(self, case: _Case) -> None:
        if case.values:
            raise Misuse(f"An item of the kind {case.item.kind} has no value to decide.")
        key = case.item.record_id
        if case.item.kind is Kind.DELETED_OVER and case.org and not alive(case.table, key):
            self.undelete(case.table.schema.name, key)
        self._drop_items(case.table, key, case.item.kind)

    def _decide_change(self, case: _Case) -> None:
        assert case.pending is not None
        pending = case.pending
        if case.org:
            self._give_up(case, pending)
            return
        if case.item.code == MERGED:
            raise Misuse(f"{case.item.record_id} was merged into {case.item.matches[0].record_id}.")
        if beyond_reach(case.item.kind, case.item.code) and not case.resolution.again:
            raise Misuse(f"{case.item.record_id} is not in the org's bin.")
        if case.resolution.allow_duplicates:
            pending.allow_duplicates = True
        if pending.absent is not None and pending.absent.is_deletion:
            # It can only be written to again once it is out of the org's recycle bin.
            pending.absent, pending.org_dead = None, True
        pending.attempts, pending.not_before = 0, None
        self._unpark(case.table, pending)
        self._give(case)

    def _give(self, case: _Case) -> None:
        """The person's own values go to the outbox."""
        row = case.table.rows[case.item.record_id]
        assert case.pending is not None
        self._tidy(case.table, case.pending)
        self._edit(case.table, row, case.values)

    def _give_up(self, case: _Case, pending: Pending) -> None:
        """The change as a whole ends: the org's row holds."""
        table, key = case.table, pending.record_id
        self._unpark(table, pending)
        if pending.operation is Operation.CREATE:
            self._forget(table, pending)
            return
        if pending.absent is not None:
            self._take_out(table, pending, pending.absent)
        else:
            row = table.rows[key]
            deleted = pending.operation is Operation.DELETE
            ended = [name for name, slot in pending.slots.items() if deleted or not slot.disputed]
            row.update({name: pending.slots.pop(name).org for name in ended})
            pending.want_dead = pending.org_dead
            row["IsDeleted"] = int(pending.org_dead)
        self._tidy(table, pending)
        if case.values and alive(table, key):
            self._edit(table, table.rows[key], case.values)

    def _link(self, case: _Case, link: str, before: dict[str, Stored]) -> None:
        """The record that was made here is this one of the org: its values hold, unless the local ones are wanted."""
        real, table, pending = from_org(link), case.table, case.pending
        named = {from_org(each.record_id) for each in case.item.matches if each.object_name == table.schema.name}
        if real not in named and (case.item.code == MERGED or not alive(table, real)):
            raise Misuse(f"{real} is not here, and the org has not named it.")
        if pending is not None and case.item.code == MERGED:
            given = {name: each.value for name, each in pending.slots.items()} if case.local else {}
            if given and not alive(table, real):
                raise Misuse(f"{real} is not here.")
            self._give_up(case, pending)
            self._keep_decided(table, case.item.record_id, before)
            if given:
                self._edit_over(table, real, given)
            return
        if pending is None or pending.operation is not Operation.CREATE:
            raise Misuse("Only a new record can be the one of the org.")
        local = pending.record_id
        drafted = {name: each.value for name, each in pending.slots.items()}
        given = {**(drafted if case.local else {}), **case.values}
        made = table.rows.pop(local)
        del table.pending[local]
        self._drop_items(table, local, *Kind)
        table.rows.setdefault(real, made | {"Id": real})
        self._rename(local, real)
        if alive(table, real):
            self._keep_decided(table, real, {**table.rows[real], **({} if case.local else drafted)})
            given = {name: value for name, value in given.items() if table.schema.field(name).updateable}
            self._edit_over(table, real, given)

    def _edit_over(self, table: Table, real: str, given: Mapping[str, Stored]) -> None:
        """Edit a record to what is linked to it; edits of its own that give way are told."""
        before, pending = dict(table.rows[real]), table.pending.get(real)
        own = {} if pending is None else pending.slots
        told = {name: slot for name, slot in own.items() if name in given and slot.value != given[name]}
        lost = tuple(Conflict(name, slot.base, given[name], slot.value) for name, slot in told.items())
        self._edit(table, table.rows[real], given)
        self._keep_decided(table, real, before)
        if lost:
            item = self._put_item(table, real, Kind.REPLACED, Operation.UPDATE, linked_over(list(told)).message)
            item.replaced, item.code = lost, EDITED_TWICE
