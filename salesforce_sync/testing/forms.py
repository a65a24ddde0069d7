"""A value's forms: Python's, the two on the wire (REST JSON and Bulk CSV), and the stored one. Pure."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal, InvalidOperation
from pathlib import Path

from salesforce_sync.errors import Incomplete, StoreTrouble
from salesforce_sync.models import values
from salesforce_sync.models.salesforce_id import lengthened
from salesforce_sync.models.schema import Field, FieldType
from salesforce_sync.models.values import Stored, store_datetime, store_decimal

LONGEST_FIELD = 1 << 24
"""Characters; Salesforce's longest text has 131,072."""


def to_rest(value: object) -> object:
    """A Python value as a decoded row of a REST page has it."""
    match value:
        case datetime():
            utc = value.astimezone(UTC)
            return f"{utc:%Y-%m-%dT%H:%M:%S}.{utc.microsecond // 1000:03d}+0000"
        case date():
            return value.isoformat()
        case time():
            return f"{value.isoformat(timespec='milliseconds')}Z"
        case float():
            return Decimal(repr(value))
    return value


def to_csv(value: object) -> str:
    """A Python value as Bulk API 2.0 writes it."""
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case datetime():
            return str(to_rest(value)).replace("+0000", "Z")
    return str(to_rest(value))


def write_csv(path: Path, fields: Iterable[Field], rows: Iterable[Sequence[object]]) -> None:
    """Write Python values as a Bulk API 2.0 result page."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, quoting=csv.QUOTE_ALL, lineterminator="\n")
        writer.writerow([field.name for field in fields])
        writer.writerows([to_csv(value) for value in row] for row in rows)


def read_csv(path: Path, fields: Sequence[Field], places: Sequence[int] = ()) -> Iterator[tuple[Stored, ...]]:
    """The rows of a Bulk API 2.0 result page in the stored form; `places` as in `CsvFile`."""
    csv.field_size_limit(LONGEST_FIELD)
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.reader(file, strict=True)
            next(reader, None)
            for row in reader:
                ordered = [row[at] for at in places] if places else row
                yield tuple(_from_csv(field, text) for field, text in zip(fields, ordered, strict=True))
    except (csv.Error, ValueError, IndexError) as error:
        raise Incomplete(f"A page cannot be read to its end: {error}.") from error
    except OSError as error:
        raise StoreTrouble(f"A page cannot be read: {error}.") from error


def from_rest(fields: Sequence[Field], row: Sequence[object]) -> tuple[Stored, ...]:
    """A row of a REST page in the stored form."""
    return tuple(values.from_rest(field.type, value) for field, value in zip(fields, row, strict=True))


def _from_csv(field: Field, text: str) -> Stored:
    if text == "":
        return None
    match field.type:
        case FieldType.BOOLEAN:
            return {"true": 1, "false": 0}.get(text, text)
        case FieldType.INTEGER:
            return int(Decimal(text))
        case FieldType.DECIMAL:
            return _decimal(text)
        case FieldType.DATETIME:
            return store_datetime(text)
        case FieldType.ID | FieldType.REFERENCE:
            return lengthened(text)
    return text


def _decimal(text: str) -> Stored:
    try:
        return store_decimal(Decimal(text))
    except InvalidOperation:
        return text
