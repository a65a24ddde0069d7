"""One cell of a row as JSON has it, read by its field: for rows that do not fit what their object describes."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any, NoReturn

import msgspec

from salesforce_sync.errors import SchemaChanged
from salesforce_sync.models.schema import Field, FieldType

SMALLEST, LARGEST = -(2**63), 2**63 - 1
"""What SQLite keeps as a whole number."""


def read_cell(raw: msgspec.Raw, field: Field, read: Callable[[Any], object]) -> object:
    """The cell in REST's form; `SchemaChanged` if its field cannot have such a value: it may be of another type now."""
    text = bytes(raw)
    if text == b"null":
        return None
    try:
        return read(text) or None if read is read_text else read(text)
    except (ValueError, ArithmeticError) as bad:
        shown = text[:60].decode("utf-8", "replace")
        raise SchemaChanged(
            f"{field.name} is described as {field.salesforce_type}, but a row has {shown}.",
            code="UNEXPECTED_VALUE",
            hint="The field may have got another type just now; sync again. If it stays so, hide it from this user.",
        ) from bad


def read_text(raw: bytes) -> str:
    """A string's text; of any other JSON value its own text, e.g. `7` or `{"a":1}`."""
    return msgspec.json.decode(raw, type=str) if raw.startswith(b'"') else raw.decode()


def read_bool(raw: bytes) -> bool:
    """true or false, quoted or not."""
    text = read_text(raw).lower()
    return text == "true" if text in ("true", "false") else _no(raw)


def read_int(raw: bytes) -> int | float:
    """A whole number, however it is written: `5`, `5.0` or `"5"`; a float beyond 64 bits, as SQLite has it."""
    number = read_decimal(raw)
    if number != number.to_integral_value():
        return _no(raw)
    return int(number) if SMALLEST <= number <= LARGEST else float(number)


def read_decimal(raw: bytes) -> Decimal:
    """A number with all its digits."""
    try:
        number = Decimal(read_text(raw))
    except InvalidOperation:
        return _no(raw)
    return number if number.is_finite() else _no(raw)


def _no(raw: bytes) -> NoReturn:
    raise ValueError(raw)


READERS: dict[FieldType, Callable[[Any], object]] = {
    FieldType.BOOLEAN: read_bool,
    FieldType.INTEGER: read_int,
    FieldType.DECIMAL: read_decimal,
}
