"""Change events of the Pub/Sub API, decoded: Avro, bitmaps of changed fields, nested compound fields.

Section 9 of the API facts. The values come out in the stored form, the same that REST and Bulk give.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any

import msgspec
from msgspec import Struct

from salesforce_sync.api.avro import RecordReader
from salesforce_sync.errors import RequestRefused
from salesforce_sync.models.event import Action, Lack, RecordEvent
from salesforce_sync.models.salesforce_id import from_org
from salesforce_sync.models.schema import Field, FieldType, ObjectSchema
from salesforce_sync.models.values import EXACT_DIGITS, Stored, store_datetime, store_decimal

HEADER = "ChangeEventHeader"
OVERFLOW = "GAP_OVERFLOW"
BAD_EVENT = "BAD_EVENT"
"""The code of an event that does not fit its schema."""
PLANS = 1000
"""Combinations of changed fields that are remembered."""
TIMES = 1000
"""Moments that are remembered as they are written: what one transaction changed has one time."""
_EPOCH = datetime(1970, 1, 1)
_DAY_MS = 86_400_000
_PERSONAL = frozenset({"LastViewedDate", "LastReferencedDate"})
"""Another value for each user."""
_ACTIONS = {each.value.upper(): each for each in Action if each is not Action.GAP}


class Unfit(Exception):
    """A value that is not the field's, or not with all its digits: the record has to be read."""


Part = tuple[str, Field]
"""A part of a compound field, by its name within it, and the column that it is."""


class Slot(Struct, frozen=True):
    """One field of the Avro schema, at its `bit`: the column that it is (None: not ours), or those of its `parts`.

    `opaque`: it is compound, and none of its parts is known to be a column.
    """

    name: str
    bit: int
    field: Field | None
    parts: tuple[tuple[int, Part], ...] = ()
    opaque: bool = False


class Plan(Struct, frozen=True):
    """What is read of an event with certain bitmaps: fields, and of compound ones the parts that have a new value.

    `cleared` are the columns that are null from now on; `lacks` is what no such event tells.
    """

    told: tuple[tuple[str, Field | None, tuple[Part, ...]], ...]
    cleared: dict[str, Stored]
    lacks: Lack


class Decoded(Struct, frozen=True):
    """An event as records; `unsure`: it concerns more records than it names, or fields that we do not know."""

    records: tuple[RecordEvent, ...]
    unsure: bool = False


class EventDecoder:
    """Reads the events that were written with one Avro schema, for one object as we know it."""

    def __init__(self, schema: ObjectSchema, avro: str, caller: str) -> None:
        """`caller` is what stands in the changeOrigin of our own writes, `client=NAME`."""
        self._schema = schema
        self._caller = caller
        try:
            body = msgspec.json.decode(avro, type=dict[str, Any])
            self._reader = RecordReader(body)
            self._slots = tuple(_slots(body["fields"], schema))
        except Exception as bad:  # whatever a schema can be wrong in
            raise RequestRefused(f"The events of {schema.name} cannot be read: {bad}.", code="BAD_SCHEMA") from bad
        carried = {field.name for field in self._fields() if field is not None}
        composed = {schema.composed_name}
        missing = [each for each in schema.columns if each.name not in {"Id", "IsDeleted", "SystemModstamp"} | carried]
        derived = [each for each in missing if each.name not in composed | _PERSONAL]
        self._old_lacks = Lack.DERIVED if any(each.calculated for each in derived) else Lack.NOTHING
        self._by_bit = {slot.bit: slot for slot in self._slots}
        self._whole = Plan(_everything(self._slots), {}, Lack.DERIVED if derived else Lack.NOTHING)
        self._plans: dict[tuple[tuple[str, ...], ...], Plan] = {}
        # A field that somebody has made since the object was described. Told once: the user may not see it at all.
        self._newer = any(field is None for field in self._fields())

    def _fields(self) -> Iterator[Field | None]:
        for slot in self._slots:
            if not slot.opaque:
                yield from (field for _, (_, field) in slot.parts) if slot.parts else (slot.field,)

    def decode(self, payload: bytes) -> Decoded:
        """The event; `RequestRefused` if it does not fit its schema."""
        try:
            record = self._reader.read(payload)
            return self._decoded(record, record[HEADER])
        except (ValueError, LookupError, TypeError, EOFError, ArithmeticError) as bad:
            what = f"{type(bad).__name__}: {bad}"
            raise RequestRefused(f"An event of {self._schema.name} cannot be read: {what}.", code=BAD_EVENT) from bad

    def _decoded(self, record: Mapping[str, Any], header: Mapping[str, Any]) -> Decoded:
        if str(header["entityName"]).casefold() != self._schema.name.casefold():
            return Decoded(())
        kind, ids = str(header["changeType"]), [str(each) for each in header["recordIds"]]
        if kind == OVERFLOW or any("*" in each for each in ids):
            return Decoded((), unsure=True)
        action = _ACTIONS.get(kind, Action.GAP)
        values, lacks = self._told(action, record, header)
        committed = _datetime(header["commitTimestamp"])
        position = int(header["commitNumber"]), int(header["sequenceNumber"])
        own = self._caller in str(header["changeOrigin"]).split(";")
        records = tuple(RecordEvent(_key(each), action, values, committed, position, lacks, own) for each in ids)
        newer, self._newer = self._newer, False
        return Decoded(records, newer)

    def _told(
        self, action: Action, record: Mapping[str, Any], header: Mapping[str, Any]
    ) -> tuple[dict[str, Stored], Lack]:
        if action in (Action.DELETE, Action.GAP):
            return {}, Lack.VALUES if action is Action.GAP else Lack.NOTHING
        if action is not Action.UPDATE:
            values, fit = _read(self._whole, record)
            return values, self._whole.lacks if fit else Lack.VALUES
        plan = self._plan(tuple(header["changedFields"]), tuple(header["nulledFields"]), tuple(header["diffFields"]))
        values, fit = _read(plan, record)
        if None in values.values():
            # Nobody said that it was cleared (nulledFields): the org keeps its value back.
            values, fit = {name: value for name, value in values.items() if value is not None}, False
        return values | plan.cleared, plan.lacks if fit else Lack.VALUES

    def _plan(self, *elements: tuple[str, ...]) -> Plan:
        """Most events change what others did: their bitmaps are read once."""
        plan = self._plans.get(elements)
        if plan is None:
            if len(self._plans) > PLANS:
                self._plans.clear()
            plan = self._plans[elements] = self._planned(*map(Bitmap.read, elements))
        return plan

    def _planned(self, changed: Bitmap, nulled: Bitmap, differing: Bitmap) -> Plan:
        told: list[tuple[str, Field | None, tuple[Part, ...]]] = []
        cleared: dict[str, Stored] = {}
        touched = [self._by_bit[bit] for bit in (changed | nulled).places() if bit in self._by_bit]
        for slot in touched:
            if not slot.parts and slot.field is not None:
                if nulled.has(slot.bit):
                    cleared[slot.field.name] = None
                elif not differing.has(slot.bit):  # its value is the difference
                    told.append((slot.name, slot.field, ()))
                continue
            cleared |= {field.name: None for at, (_, field) in slot.parts if nulled.has(slot.bit, at)}
            parts = [part for at, part in slot.parts if changed.has(slot.bit, at) and part[1].name not in cleared]
            if parts:
                told.append((slot.name, slot.field if changed.has(slot.bit) else None, tuple(parts)))
        unknown = differing or any(slot.opaque for slot in touched)
        return Plan(tuple(told), cleared, Lack.VALUES if unknown else self._old_lacks)


def _key(record_id: str) -> str:
    return record_id if len(record_id) == 18 else from_org(record_id)


def _everything(slots: Iterable[Slot]) -> tuple[tuple[str, Field | None, tuple[Part, ...]], ...]:
    return tuple((slot.name, slot.field, tuple(part for _, part in slot.parts)) for slot in slots)


def _read(plan: Plan, record: Mapping[str, Any]) -> tuple[dict[str, Stored], bool]:
    """The values in the stored form, and whether all of them are certain."""
    values: dict[str, Stored] = {}
    fit = plan.lacks is not Lack.VALUES
    for name, field, parts in plan.told:
        given = record.get(name)
        # The Name of a business account is a text, that of a person is nested.
        if parts and not isinstance(given, str):
            inner = given if isinstance(given, Mapping) else {}
            leaves = [(part, inner.get(inside)) for inside, part in parts]
        else:
            leaves = [] if field is None else [(field, given)]
        for leaf, value in leaves:
            try:
                values[leaf.name] = stored(leaf, value)
            except Unfit:
                fit = False
    return values, fit


class Bitmap(Struct, frozen=True):
    """Fields of an event: bits of the schema's fields, and for compound ones the bits of their parts."""

    plain: int
    nested: dict[int, int]

    @classmethod
    def read(cls, elements: Sequence[str]) -> Bitmap:
        """`0x400800` has bits 11 and 22; `4-0x01` is part 0 of field 4."""
        if not elements:
            return _EMPTY
        plain, nested = 0, dict[int, int]()
        for element in elements:
            place, dash, bits = element.partition("-")
            if dash:
                nested[int(place)] = nested.get(int(place), 0) | int(bits, 16)
            else:
                plain |= int(place, 16)
        return cls(plain, nested)

    def has(self, bit: int, part: int | None = None) -> bool:
        """Whether the field is among them; of a compound one, this part (or all of it)."""
        if self.plain >> bit & 1:
            return True
        return part is not None and bool(self.nested.get(bit, 0) >> part & 1)

    def places(self) -> Iterator[int]:
        """The fields of which anything is among them."""
        rest = self.plain
        while rest:
            yield (rest & -rest).bit_length() - 1
            rest &= rest - 1
        yield from (place for place in self.nested if not self.plain >> place & 1)

    def __or__(self, other: Bitmap) -> Bitmap:
        nested = {place: self.nested.get(place, 0) | other.nested.get(place, 0) for place in self.nested | other.nested}
        return Bitmap(self.plain | other.plain, nested)

    def __bool__(self) -> bool:
        return bool(self.plain or self.nested)


_EMPTY = Bitmap(0, {})


def _slots(fields: Sequence[Mapping[str, Any]], schema: ObjectSchema) -> Iterator[Slot]:
    ours = {each.name: each for each in schema.columns}
    known = {each.name for each in schema.fields}
    for bit, entry in enumerate(fields):
        name = str(entry["name"])
        if name == HEADER:
            continue
        inner, field = _record_of(entry["type"], fields), ours.get(name)
        if inner is None:
            if name not in known or field is not None:  # else we know it, and do not keep it
                yield Slot(name, bit, field)
            continue
        parts = [(at, (str(each["name"]), _part(name, str(each["name"]), schema))) for at, each in enumerate(inner)]
        # Parts that the org has not described (a country's code) belong to no column of ours.
        mine = tuple((at, (part, column)) for at, (part, column) in parts if column is not None)
        if mine or field is not None or name not in known:
            yield Slot(name, bit, field, mine)
        else:
            yield Slot(name, bit, None, opaque=True)


def _record_of(kind: Any, fields: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]] | None:
    """The inner fields of a nested record, which may have been declared by an earlier field."""
    options = kind if isinstance(kind, list) else [kind]
    for option in options:
        if isinstance(option, Mapping) and option.get("type") == "record":
            return list(option["fields"])
        if isinstance(option, str):
            found = _declared(option, fields)
            if found is not None:
                return found
    return None


def _declared(name: str, fields: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]] | None:
    bare = name.rpartition(".")[2]
    for entry in fields:
        for option in entry["type"] if isinstance(entry["type"], list) else [entry["type"]]:
            if isinstance(option, Mapping) and option.get("type") == "record" and option.get("name") == bare:
                return list(option["fields"])
    return None


def _part(compound: str, part: str, schema: ObjectSchema) -> Field | None:
    """The column of a compound field's part: Street of MailingAddress is MailingStreet."""
    for each in schema.columns:
        if each.compound_field_name != compound or each.name == compound:
            continue
        if each.name in (part, compound.removesuffix("Address") + part) or each.name.endswith(f"__{part}__s"):
            return each
    return None


# ── values ───────────────────────────────────────────────────────────────────────────────────────────────────────


def stored(field: Field, value: Any) -> Stored:
    """An event's value in the stored form; `Unfit` if it is not certain to be the org's."""
    if value is None or value == "":
        return None
    convert = _CONVERT.get(field.type)
    if convert is not None:
        return convert(field, value)
    if isinstance(value, str):
        return value
    raise Unfit(field.name)


def _boolean(field: Field, value: Any) -> Stored:
    if isinstance(value, bool):
        return int(value)
    raise Unfit(field.name)


def _integer(field: Field, value: Any) -> Stored:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    raise Unfit(field.name)


def _decimal(field: Field, value: Any) -> Stored:
    """Avro's double keeps 15 digits. Where the field can hold more at this size, the number may be another."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Unfit(field.name)
    kept = store_decimal(Decimal(repr(value)))
    if isinstance(kept, str) or abs(value) >= 10.0 ** (EXACT_DIGITS - field.scale):
        raise Unfit(field.name)
    return kept


def _date(field: Field, value: Any) -> Stored:
    if isinstance(value, int) and value % _DAY_MS == 0:
        return (_EPOCH + timedelta(milliseconds=value)).date().isoformat()
    raise Unfit(field.name)


def _moment(field: Field, value: Any) -> Stored:
    if isinstance(value, str):
        return store_datetime(value)
    if isinstance(value, int):
        return _datetime(value)
    raise Unfit(field.name)


def _time(field: Field, value: Any) -> Stored:
    """Milliseconds of the day."""
    if isinstance(value, int) and 0 <= value < _DAY_MS:
        return (_EPOCH + timedelta(milliseconds=value)).time().isoformat(timespec="milliseconds") + "Z"
    raise Unfit(field.name)


@lru_cache(TIMES)
def _datetime(ms: int) -> str:
    return (_EPOCH + timedelta(milliseconds=ms)).isoformat(timespec="milliseconds") + "Z"


_CONVERT: dict[FieldType, Callable[[Field, Any], Stored]] = {
    FieldType.BOOLEAN: _boolean,
    FieldType.INTEGER: _integer,
    FieldType.DECIMAL: _decimal,
    FieldType.DATE: _date,
    FieldType.DATETIME: _moment,
    FieldType.TIME: _time,
}
