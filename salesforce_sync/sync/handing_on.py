"""Values of unique fields that the records of one push hand on to each other, in a chain or in a circle. Pure.

The org takes one row after the other, and refuses a value that another record still has. It names that record: where
the push takes the value from it, the refusal is one of the order alone. In a circle one record has to be emptied first.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Collection, Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from salesforce_sync.models.outbox import Change, Edit, Operation
from salesforce_sync.models.outcome import Outcome, Rejected
from salesforce_sync.models.salesforce_id import lengthened
from salesforce_sync.models.schema import ObjectSchema
from salesforce_sync.models.values import Stored
from salesforce_sync.ports import Order

TAKEN = "DUPLICATE_VALUE"
_ID = re.compile(r"\b[0-9A-Za-z]{15}(?:[0-9A-Za-z]{3})?\b")


class Taking(Struct, frozen=True):
    """A refused update or create, which wants the value that `holder` has in the field: this push takes it from it.

    `after` is the number of the holder's change, if that goes with a later wave.
    """

    refused: Rejected
    field: str
    holder: str
    after: int | None = None

    @property
    def change(self) -> Change:
        """The update or create."""
        return self.refused.change


class Emptying(Struct, frozen=True):
    """A refused update whose record gets these fields emptied for a moment, so that others can take their values."""

    refused: Rejected
    fields: tuple[str, ...]

    @property
    def change(self) -> Change:
        """The update."""
        return self.refused.change


class Takings(Struct, frozen=True):
    """What is refused because of the order: `empty` these fields first, then send `rest` again, in this order."""

    empty: tuple[Emptying, ...]
    rest: tuple[Taking, ...]


def by_record(orders: Sequence[Order]) -> dict[tuple[str, str], Change]:
    """The updates and deletions among these, by object and record."""
    giving = (Operation.UPDATE, Operation.DELETE)
    changes = (each.change for each in orders if each.change.operation in giving)
    return {(each.object_name, each.record_id): each for each in changes}


def holders_of(refused: Rejected) -> list[str]:
    """The records that the refusal names."""
    found = (str(lengthened(each)) for each in _ID.findall(refused.message))
    return [each for each in found if each != refused.change.record_id]


def taking(
    outcome: Outcome, schemas: Mapping[str, ObjectSchema], changes: Mapping[tuple[str, str], Change]
) -> Taking | None:
    """What the refusal says, if it is about a value that another of these `changes` gives away."""
    takes = (Operation.UPDATE, Operation.CREATE)
    if not isinstance(outcome, Rejected) or outcome.code != TAKEN or outcome.change.operation not in takes:
        return None
    change, schema = outcome.change, schemas[outcome.change.object_name]
    field = _field(outcome, schema)
    for holder in holders_of(outcome):
        giving = changes.get((change.object_name, holder))
        if field and giving is not None and _gives(giving, field):
            return Taking(outcome, field, holder)
    return None


def later(takings: Sequence[Taking]) -> dict[int, tuple[Taking, int]]:
    """By number, those that have to wait for a later wave, and for which change of it: who wants one's value, too."""
    found = {each.change.number: (each, each.after) for each in takings if each.after is not None}
    numbers = {each.change.record_id: each.change.number for each in takings}
    takers: dict[int, list[Taking]] = {}
    for each in takings:
        if each.after is None and each.holder in numbers:
            takers.setdefault(numbers[each.holder], []).append(each)
    todo = [*found]
    for number in todo:
        new = [each for each in takers.get(number, ()) if each.change.number not in found]
        found |= {each.change.number: (each, number) for each in new}
        todo += [each.change.number for each in new]
    return found


def _gives(change: Change, field: str) -> bool:
    """Whether the record does not keep its value of the field."""
    return change.operation is Operation.DELETE or field in change.values


def _field(refused: Rejected, schema: ObjectSchema) -> str:
    """The unique field that it is about."""
    edited = _unique(refused.change, schema)
    named = [each for each in edited if re.search(rf"\b{re.escape(each)}\b", refused.message)]
    found = named or edited
    return found[0] if len(found) == 1 else ""


def _unique(change: Change, schema: ObjectSchema) -> list[str]:
    """The unique fields that it writes."""
    return [each.field for each in change.edits if schema.has(each.field) and schema.field(each.field).unique]


def turns(change: Change, schema: ObjectSchema) -> int:
    """How often the change may be sent again for the order: each refusal is about one of its unique fields."""
    return len(_unique(change, schema))


def in_order(takings: Sequence[Taking], applied: Collection[str], schemas: Mapping[str, ObjectSchema]) -> Takings:
    """How these can be sent: who gives a value away before who takes it. `applied`: records that have given theirs.

    What depends on a record that keeps its value after all is not among them; nor a circle without a field that may be
    empty.
    """
    return _Waiting(takings, applied, schemas).in_order()


Want = tuple[str, str]
"""A field, and the record that has the wanted value in it."""


class _Waiting:
    """Refused changes that wait for each other: for what the refusals name, and for what else they are seen to want."""

    def __init__(
        self, takings: Sequence[Taking], applied: Collection[str], schemas: Mapping[str, ObjectSchema]
    ) -> None:
        self._schemas = schemas
        self._all = {each.change.record_id: each for each in takings}
        self._wants = {
            key: dict.fromkeys(each for each in wants if each[1] not in applied)
            for key, wants in _wants(takings, schemas).items()
        }
        self._takers: dict[str, list[str]] = {}
        for taker, wants in self._wants.items():
            for holder in dict.fromkeys(each[1] for each in wants):
                self._takers.setdefault(holder, []).append(taker)

    def in_order(self) -> Takings:
        empty: dict[str, list[str]] = {}
        rest: dict[str, Taking] = {}
        self._drop([taker for holder, takers in self._takers.items() if holder not in self._all for taker in takers])
        ready = deque(key for key, wants in self._wants.items() if not wants)
        while self._wants:
            if ready:
                key = ready.popleft()
                del self._wants[key]
                rest[key] = self._all[key]
                ready.extend(self._given(key, None))
                continue
            circle = self._circle()
            holder = next((each for key, (name, each) in circle.items() if self._may_be_empty(key, name)), None)
            if holder is None:
                self._drop([*circle])
            else:
                fields = self._wanted_from(holder)
                empty.setdefault(holder, []).extend(fields)
                ready.extend(self._given(holder, fields))
        emptied = (Emptying(rest[key].refused, tuple(fields)) for key, fields in empty.items() if key in rest)
        return Takings(tuple(emptied), tuple(rest.values()))

    def _given(self, holder: str, fields: Collection[str] | None) -> list[str]:
        """The record gives the values of these fields (None: all); gives those that want nothing more."""
        free = []
        for taker in self._takers.get(holder, ()):
            wants = self._wants.get(taker, {})
            given = [each for each in wants if each[1] == holder and (fields is None or each[0] in fields)]
            for each in given:
                del wants[each]
            if given and not wants:
                free.append(taker)
        return free

    def _drop(self, keys: list[str]) -> None:
        """These keep their values; so does who wants them."""
        while keys:
            key = keys.pop()
            if self._wants.pop(key, None) is not None:
                takers = self._takers.get(key, ())
                keys += [each for each in takers if any(holder == key for _, holder in self._wants.get(each, ()))]

    def _circle(self) -> dict[str, Want]:
        """Records each of which wants something of the next one, and the last of the first."""
        path: dict[str, Want] = {}
        key = next(iter(self._wants))
        while key not in path:
            path[key] = next(iter(self._wants[key]))
            key = path[key][1]
        keys = [*path]
        return {each: path[each] for each in keys[keys.index(key) :]}

    def _wanted_from(self, holder: str) -> list[str]:
        """Its fields that others wait for, as far as they may be empty."""
        wants = (each for taker in self._takers[holder] for each in self._wants.get(taker, ()))
        fields = dict.fromkeys(name for name, each in wants if each == holder)
        return [each for each in fields if self._may_be_empty(holder, each)]

    def _may_be_empty(self, key: str, field: str) -> bool:
        return self._schemas[self._all[key].change.object_name].field(field).nillable


def _wants(takings: Sequence[Taking], schemas: Mapping[str, ObjectSchema]) -> dict[str, list[Want]]:
    """What each record wants of which other one. A refusal names one field; the bases of the others tell the rest."""
    holders: dict[tuple[str, str], str] = {}
    for each in takings:
        names = _unique(each.change, schemas[each.change.object_name])
        known = {edit.field: edit.base for edit in each.change.edits if edit.base is not None}
        holders |= {(name, str(known[name]).casefold()): each.change.record_id for name in names if name in known}
    found: dict[str, list[Want]] = {}
    for each in takings:
        change = each.change
        unique = _unique(change, schemas[change.object_name])
        names = [name for name in unique if name != each.field and change.values[name] is not None]
        told = ((name, holders.get((name, str(change.values[name]).casefold()))) for name in names)
        more = [(name, holder) for name, holder in told if holder is not None and holder != change.record_id]
        found[change.record_id] = [(each.field, each.holder), *more]
    return found


def emptied(one: Emptying, now: Change) -> Change:
    """The change that only empties the fields, of the update as it waits by now."""
    edits = tuple(Edit(each.field, each.base, None) for each in now.edits if each.field in one.fields)
    return replace(now, edits=edits)


def filled(now: Change, values: Mapping[str, Stored]) -> Change:
    """The change that only gives these values back where the field is empty still, of an update as it waits by now."""
    empty = (each for each in now.edits if each.field in values and each.base is None)
    return replace(now, edits=tuple(Edit(each.field, None, values[each.field]) for each in empty))
