"""Avro's binary form, read for change events: most of their fields are null, and a run of nulls is skipped at once.

A library reads each of an event's hundreds of nulls by itself, which is most of the time that an event takes. Logical
types are not looked at: times are the numbers that they are written as. Avro 1.11, "Binary Encoding".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from struct import Struct
from typing import Any

Read = Callable[[bytes, int], tuple[Any, int]]
"""A value at a place of the bytes, and the place behind it."""

_ZEROS = re.compile(rb"\0*")
_DOUBLE, _FLOAT = Struct("<d"), Struct("<f")
_PLAIN = ("null", "boolean", "int", "long", "float", "double", "bytes", "string")


class RecordReader:
    """Reads records of one schema, as its JSON says it; `ValueError` or `LookupError` if it is none."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        named: dict[str, Read] = {}
        self._fields = [(str(each["name"]), _reader(each["type"], named)) for each in schema["fields"]]
        self._runs = _runs([each["type"] for each in schema["fields"]])

    def read(self, data: bytes) -> dict[str, Any]:
        """The fields that are not null; `ValueError`, `LookupError` or `EOFError` if the bytes are no such record."""
        record: dict[str, Any] = {}
        at = number = 0
        fields, runs = self._fields, self._runs
        while number < len(fields):
            if runs[number] and data[at] == 0:
                zeros = _ZEROS.match(data, at)
                skipped = min(runs[number], zeros.end() - at if zeros else 0)
                number, at = number + skipped, at + skipped
                continue
            name, read = fields[number]
            value, at = read(data, at)
            if value is not None:
                record[name] = value
            number += 1
        if at != len(data):
            raise ValueError(f"{len(data) - at} bytes are left")
        return record


def _runs(kinds: Sequence[Any]) -> list[int]:
    """For each field, how many from it on are null when their byte is 0."""
    runs = [0] * (len(kinds) + 1)
    for number in range(len(kinds) - 1, -1, -1):
        kind = kinds[number]
        first = isinstance(kind, list) and bool(kind) and kind[0] in ("null", {"type": "null"})
        runs[number] = runs[number + 1] + 1 if first else 0
    return runs


# ── what reads a value ───────────────────────────────────────────────────────────────────────────────────────────


def _reader(kind: Any, named: dict[str, Read]) -> Read:
    """`named` are the types that were declared before, by their whole and their last name."""
    if isinstance(kind, list):
        return _union([_reader(each, named) for each in kind])
    if isinstance(kind, str):
        return _BASIC[kind] if kind in _BASIC else named[kind] if kind in named else named[kind.rpartition(".")[2]]
    inner = kind["type"]
    match inner:
        case "array":
            return _array(_reader(kind["items"], named))
        case "map":
            return _map(_reader(kind["values"], named))
        case "enum":
            made = _enum([str(each) for each in kind["symbols"]])
        case "fixed":
            made = _fixed(int(kind["size"]))
        case "record":
            return _record(kind, named)
        case _:
            return _reader(inner, named)
    _declare(kind, made, named)
    return made


def _declare(kind: Mapping[str, Any], read: Read, named: dict[str, Read]) -> None:
    name = str(kind["name"])
    named[name] = named[name.rpartition(".")[2]] = read


def _long(data: bytes, at: int) -> tuple[int, int]:
    byte = data[at]
    at += 1
    if byte < 0x80:
        return (byte >> 1) ^ -(byte & 1), at
    number, shift = byte & 0x7F, 7
    while byte >= 0x80:
        byte = data[at]
        at += 1
        number |= (byte & 0x7F) << shift
        shift += 7
    if shift > 70:
        raise ValueError("a number has more than 64 bits")
    return (number >> 1) ^ -(number & 1), at


def _end(data: bytes, at: int, size: int) -> int:
    if size < 0 or at + size > len(data):
        raise EOFError(f"{size} bytes from {at} on, of {len(data)}")
    return at + size


def _bytes(data: bytes, at: int) -> tuple[bytes, int]:
    size, at = _long(data, at)
    end = _end(data, at, size)
    return data[at:end], end


def _string(data: bytes, at: int) -> tuple[str, int]:
    size = data[at]
    if size < 0x80 and not size & 1:  # most are short: a call less for each
        at, size = at + 1, size >> 1
    else:
        size, at = _long(data, at)
    end = at + size
    if size < 0 or end > len(data):
        raise EOFError(f"{size} bytes from {at} on, of {len(data)}")
    return data[at:end].decode(), end


def _boolean(data: bytes, at: int) -> tuple[bool, int]:
    return (False, True)[data[at]], at + 1


def _double(data: bytes, at: int) -> tuple[float, int]:
    end = _end(data, at, 8)
    return _DOUBLE.unpack_from(data, at)[0], end


def _float(data: bytes, at: int) -> tuple[float, int]:
    end = _end(data, at, 4)
    return _FLOAT.unpack_from(data, at)[0], end


_READS: tuple[Read, ...] = (lambda data, at: (None, at), _boolean, _long, _long, _float, _double, _bytes, _string)
_BASIC: dict[str, Read] = dict(zip(_PLAIN, _READS, strict=True))


def _union(branches: Sequence[Read]) -> Read:
    def read(data: bytes, at: int) -> tuple[Any, int]:
        branch, at = _long(data, at)
        if branch < 0:
            raise LookupError(f"branch {branch}")
        return branches[branch](data, at)

    return read


def _enum(symbols: Sequence[str]) -> Read:
    def read(data: bytes, at: int) -> tuple[str, int]:
        number, at = _long(data, at)
        if number < 0:
            raise LookupError(f"symbol {number}")
        return symbols[number], at

    return read


def _fixed(size: int) -> Read:
    def read(data: bytes, at: int) -> tuple[bytes, int]:
        end = _end(data, at, size)
        return data[at:end], end

    return read


def _count(data: bytes, at: int) -> tuple[int, int]:
    """How many values a block has; a negative number is followed by the block's size in bytes."""
    count, at = _long(data, at)
    if count < 0:
        _, at = _long(data, at)
    if abs(count) > len(data):
        raise ValueError(f"{count} values in {len(data)} bytes")
    return abs(count), at


def _array(item: Read) -> Read:
    def read(data: bytes, at: int) -> tuple[list[Any], int]:
        values: list[Any] = []
        if data[at] == 0:
            return values, at + 1
        count, at = _count(data, at)
        while count:
            for _ in range(count):
                value, at = item(data, at)
                values.append(value)
            count, at = _count(data, at)
        return values, at

    return read


def _map(item: Read) -> Read:
    pairs = _array(lambda data, at: _pair(item, data, at))

    def read(data: bytes, at: int) -> tuple[dict[str, Any], int]:
        found, at = pairs(data, at)
        return dict(found), at

    return read


def _pair(item: Read, data: bytes, at: int) -> tuple[tuple[str, Any], int]:
    key, at = _string(data, at)
    value, at = item(data, at)
    return (key, value), at


def _record(kind: Mapping[str, Any], named: dict[str, Read]) -> Read:
    fields: list[tuple[str, Read]] = []

    def read(data: bytes, at: int) -> tuple[dict[str, Any], int]:
        record: dict[str, Any] = {}
        for name, inner in fields:
            record[name], at = inner(data, at)
        return record, at

    _declare(kind, read, named)  # before its fields, which may be of it
    fields += [(str(each["name"]), _reader(each["type"], named)) for each in kind["fields"]]
    return read
