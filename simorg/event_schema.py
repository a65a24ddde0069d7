"""Avro schemas of change events, and records of them: compound fields are nested, changed fields are bitmaps.

The schema of an object's events: the header, then the fields in describe's order. Left out are formulas, base64,
IsDeleted, SystemModstamp and values that are derived from elsewhere. Not sure are the type of times (here: milliseconds
of the day) and the names of the nested records beyond Address, PersonName and Location.
"""

import base64
import difflib
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from simorg.database import Row, Value
from simorg.schema import NUMBER_TYPES, SField, SObject
from simorg.times import parse_datetime

ACTIONS = ("CREATE", "UPDATE", "DELETE", "UNDELETE")
CHANGE_TYPES = (*ACTIONS, *(f"GAP_{action}" for action in ACTIONS), "GAP_OVERFLOW", "SNAPSHOT")
_LEFT_OUT = (
    "Id IsDeleted SystemModstamp MasterRecordId LastActivityDate LastViewedDate LastReferencedDate PhotoUrl "
    "IsEmailBounced"
)
LEFT_OUT = frozenset(_LEFT_OUT.split())
DIFFED = 1000
"""Texts from this length on may be told as a difference."""
_AVRO = {"boolean": "boolean", "int": "int", "date": "long", "datetime": "long", "time": "long"} | dict.fromkeys(
    NUMBER_TYPES, "double"
)
_TEXTS = {"type": "array", "items": "string"}
_HEADER = {
    "type": "record",
    "name": "ChangeEventHeader",
    "fields": [
        {"name": "entityName", "type": "string"},
        {"name": "recordIds", "type": _TEXTS},
        {"name": "changeType", "type": {"type": "enum", "name": "ChangeType", "symbols": list(CHANGE_TYPES)}},
        {"name": "changeOrigin", "type": "string"},
        {"name": "transactionKey", "type": "string"},
        {"name": "sequenceNumber", "type": "int"},
        {"name": "commitTimestamp", "type": "long"},
        {"name": "commitNumber", "type": "long"},
        {"name": "commitUser", "type": "string"},
        {"name": "nulledFields", "type": _TEXTS},
        {"name": "diffFields", "type": _TEXTS},
        {"name": "changedFields", "type": _TEXTS},
    ],
}
_COMPOUNDS = {"address": "Address", "location": "Location"}


def event_name(object_name: str) -> str:
    """Return the name of an object's change event: `ContactChangeEvent`, `Widget__ChangeEvent`."""
    if object_name.endswith("__c"):
        return f"{object_name.removesuffix('c')}ChangeEvent"
    return f"{object_name}ChangeEvent"


@dataclass(frozen=True, slots=True)
class _Slot:
    """One field of the schema: a plain field, or a compound with its parts by their names within it."""

    name: str
    one: SField | None
    parts: tuple[tuple[str, SField], ...] = ()


@dataclass(frozen=True)
class EventSchema:
    """The events of one object, as the API user sees its fields."""

    view: SObject

    @cached_property
    def slots(self) -> tuple[_Slot, ...]:
        """The fields after the header."""
        made = []
        for one in self.view.fields:
            parts = [part for part in self.view.parts_of(one.name) if part.stored and part.name not in LEFT_OUT]
            if parts:
                made.append(_Slot(one.name, None, tuple((_part_name(one, part), part) for part in parts)))
            elif one.stored and one.compound in (None, one.name) and one.name not in LEFT_OUT and one.type != "base64":
                made.append(_Slot(one.name, one))
        return tuple(made)

    @cached_property
    def json(self) -> str:
        """The Avro schema."""
        known: set[str] = set()
        fields = [{"name": "ChangeEventHeader", "type": _HEADER}, *(self._declared(slot, known) for slot in self.slots)]
        name = event_name(self.view.name)
        return json.dumps({"type": "record", "name": name, "namespace": "com.sforce.eventbus", "fields": fields})

    @cached_property
    def id(self) -> str:
        """The schema's id: another one as soon as anything in it is another."""
        digest = hashlib.sha256(f"{self.view.name} {self.json}".encode()).digest()
        return base64.urlsafe_b64encode(digest)[:22].decode()

    def _declared(self, slot: _Slot, known: set[str]) -> dict[str, Any]:
        kind: list[Any] = ["null"]
        if slot.parts:
            name = self._record_name(slot)
            parts = [_nullable(inner, part) for inner, part in slot.parts]
            kind.append(name if name in known else {"type": "record", "name": name, "fields": parts})
            known.add(name)
        elif slot.one is not None:
            kind.append(_AVRO.get(slot.one.type, "string"))
            if slot.name == "Name" and self.view.name == "Account":  # a person's account would have a nested name
                names = [
                    {"name": each, "type": ["null", "string"], "default": None} for each in ("FirstName", "LastName")
                ]
                kind.append({"type": "record", "name": "Switchable_PersonName", "fields": names})
        return {"name": slot.name, "type": kind, "default": None}

    def _record_name(self, slot: _Slot) -> str:
        """Return the name of a nested record; a name is declared once, so one with other parts needs its own."""
        alike = [each for each in self.slots if each.parts and self._kind(each) == self._kind(slot)]
        return self._kind(slot) if _names(alike[0]) == _names(slot) else f"{self._kind(slot)}_{slot.name}"

    def _kind(self, slot: _Slot) -> str:
        one = self.view.field(slot.name)
        return _COMPOUNDS.get(one.type if one else "", "PersonName")

    def body(self, row: Row, names: frozenset[str] | None, show: Callable[[SField, Value], Value]) -> dict[str, Any]:
        """Return the fields' values: all, or those of `names` with null for the rest."""
        made: dict[str, Any] = {}
        for slot in self.slots:
            if slot.one is not None:
                given = names is None or slot.one.name in names
                made[slot.name] = _avro(slot.one, show(slot.one, row.get(slot.one.name))) if given else None
                continue
            inner = {
                name: _avro(part, show(part, row.get(part.name))) if names is None or part.name in names else None
                for name, part in slot.parts
            }
            touched = names is None or any(part.name in names for _, part in slot.parts)
            made[slot.name] = inner if touched and any(value is not None for value in inner.values()) else None
        return made

    def bitmap(self, names: frozenset[str]) -> list[str]:
        """Return the bitmap of fields: one element for plain ones, one for the parts of each compound field."""
        plain, nested = 0, []
        for place, slot in enumerate(self.slots, 1):
            if slot.one is not None:
                plain |= (slot.one.name in names) << place
                continue
            bits = sum((part.name in names) << bit for bit, (_, part) in enumerate(slot.parts))
            if bits:
                nested.append(f"{place}-{_hex(bits)}")
        return ([_hex(plain)] if plain else []) + nested

    @cached_property
    def carried(self) -> frozenset[str]:
        """The stored fields that events tell."""
        plain = {slot.one.name for slot in self.slots if slot.one is not None}
        return frozenset(plain | {part.name for slot in self.slots for _, part in slot.parts})


def _names(slot: _Slot) -> tuple[tuple[str, str], ...]:
    return tuple((name, _AVRO.get(part.type, "string")) for name, part in slot.parts)


def _nullable(name: str, one: SField) -> dict[str, Any]:
    return {"name": name, "type": ["null", _AVRO.get(one.type, "string")], "default": None}


def _part_name(compound: SField, part: SField) -> str:
    """Return a part's name within its compound: MailingCity is City, Place__Latitude__s is Latitude."""
    if part.name.endswith("__s"):
        return part.name.removesuffix("__s").rpartition("__")[2]
    return part.name.removeprefix(compound.name.removesuffix("Address")) if compound.type == "address" else part.name


def _hex(bits: int) -> str:
    return f"0x{bits:0{(bits.bit_length() + 7) // 8 * 2}X}"


def _avro(one: SField, value: Value) -> Any:
    if value is None:
        return None
    if one.type == "boolean":
        return bool(value)
    if one.type in NUMBER_TYPES:
        return float(str(value))
    if one.type in ("date", "time"):
        return parse_datetime(f"{value!s}T00:00:00Z" if one.type == "date" else f"1970-01-01T{value!s}")
    return value


def difference(old: str, new: str) -> str:
    """Return how a long text is told: a unified diff, and the SHA-256 of the result."""
    lines = difflib.unified_diff(old.splitlines(), new.splitlines(), lineterm="")
    return "\n".join(lines) + f"\n{hashlib.sha256(new.encode()).hexdigest()}"


def changed_fields(old: Mapping[str, Value], new: Mapping[str, Value]) -> frozenset[str]:
    """Return the names of the values that differ."""
    return frozenset(name for name, value in new.items() if value != old.get(name))
