"""Values of unique fields that the records of one push hand on to each other, in a chain or in a circle. Pure.

The org takes one row after the other, and refuses a value that another record still has. It names that record: where
the push takes the value from it, the refusal is one of the order alone. In a circle one field has to be emptied first.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from salesforce_sync.models.outbox import Change, Edit, Operation
from salesforce_sync.models.outcome import Outcome, Rejected
from salesforce_sync.models.salesforce_id import lengthened
from salesforce_sync.models.schema import ObjectSchema
from salesforce_sync.ports import Order

TAKEN = "DUPLICATE_VALUE"
_ID = re.compile(r"\b[0-9A-Za-z]{15}(?:[0-9A-Za-z]{3})?\b")


class Taking(Struct, frozen=True):
    """A refused update, which wants the value that `holder` has in the field, and that this push takes from it."""

    refused: Rejected
    field: str
    holder: str

    @property
    def change(self) -> Change:
        """The update."""
        return self.refused.change


class Takings(Struct, frozen=True):
    """What is refused because of the order: `empty` these fields first, then send `rest` again, in this order."""

    empty: tuple[Taking, ...]
    rest: tuple[Taking, ...]


def by_record(orders: Sequence[Order]) -> dict[tuple[str, str], Change]:
    """The updates among these, by object and record."""
    updates = (each.change for each in orders if each.change.operation is Operation.UPDATE)
    return {(each.object_name, each.record_id): each for each in updates}


def taking(
    outcome: Outcome, schemas: Mapping[str, ObjectSchema], changes: Mapping[tuple[str, str], Change]
) -> Taking | None:
    """What the refusal says, if it is about a value that another of these `changes` gives away."""
    if not isinstance(outcome, Rejected) or outcome.code != TAKEN or outcome.change.operation is not Operation.UPDATE:
        return None
    change, schema = outcome.change, schemas[outcome.change.object_name]
    field = _field(outcome, schema)
    holders = (str(lengthened(each)) for each in _ID.findall(outcome.message))
    for holder in holders:
        giving = changes.get((change.object_name, holder))
        if field and holder != change.record_id and giving is not None and field in giving.values:
            return Taking(outcome, field, holder)
    return None


def _field(refused: Rejected, schema: ObjectSchema) -> str:
    """The unique field that it is about."""
    edited = [each.field for each in refused.change.edits if schema.has(each.field) and schema.field(each.field).unique]
    named = [each for each in edited if re.search(rf"\b{re.escape(each)}\b", refused.message)]
    found = named or edited
    return found[0] if len(found) == 1 else ""


def in_order(takings: Sequence[Taking], applied: Collection[str], schemas: Mapping[str, ObjectSchema]) -> Takings:
    """How these can be sent: who gives a value away before who takes it. `applied`: records that have given theirs.

    What depends on a record that keeps its value after all is not among them; nor a circle without a field that may be
    empty.
    """
    waiting = {each.change.record_id: each for each in takings}
    empty: list[Taking] = []
    rest: list[Taking] = []
    free = set(applied)
    while waiting:
        ready = [each for each in waiting.values() if each.holder in free]
        if not ready:
            ready = _opened(waiting, schemas)
            if not ready:
                break
            empty += ready
            free.update(each.change.record_id for each in ready)
            continue
        rest += ready
        for each in ready:
            free.add(each.change.record_id)
            del waiting[each.change.record_id]
    done = {each.change.number for each in rest}
    return Takings(tuple(each for each in empty if each.change.number in done), tuple(rest))


def _opened(waiting: Mapping[str, Taking], schemas: Mapping[str, ObjectSchema]) -> list[Taking]:
    """One of each circle among these, whose field may be empty."""
    found: list[Taking] = []
    seen: set[str] = set()
    for start in waiting:
        path: list[str] = []
        key = start
        while key in waiting and key not in seen:
            seen.add(key)
            path.append(key)
            key = waiting[key].holder
        circle = path[path.index(key) :] if key in path else []
        nillable = (waiting[each] for each in circle if _may_be_empty(waiting[each], schemas))
        found += [first] if (first := next(nillable, None)) is not None else []
    return found


def _may_be_empty(one: Taking, schemas: Mapping[str, ObjectSchema]) -> bool:
    return schemas[one.change.object_name].field(one.field).nillable


def emptied(one: Taking, now: Change) -> Change:
    """The change that only empties the field, of the update as it waits by now."""
    edits = tuple(Edit(each.field, each.base, None) for each in now.edits if each.field == one.field)
    return replace(now, edits=edits)
