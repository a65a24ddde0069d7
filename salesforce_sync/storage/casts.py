"""What a connection brings into the stored form by Python: odd values of a page, ids of 15 characters, decimals."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import apsw

from salesforce_sync.models.salesforce_id import lengthened
from salesforce_sync.models.values import store_datetime, store_decimal


def give_casts(connection: apsw.Connection) -> None:
    """The functions by which odd values of a page are brought into the stored form."""
    connection.create_scalar_function("_sync_decimal", _decimal_text, 1, deterministic=True)
    connection.create_scalar_function("_sync_datetime", _datetime_text, 1, deterministic=True)


def give_conversions(connection: apsw.Connection) -> None:
    """Let it lengthen ids, and take decimals as they are."""
    connection.create_scalar_function("_sync_full_id", _full_id, 1, deterministic=True)
    connection.convert_binding = _bind_decimal


def _full_id(*values: Any) -> Any:
    return lengthened(*values)


def _decimal_text(*values: Any) -> float | str:
    (text,) = values
    try:
        return store_decimal(Decimal(text))
    except ArithmeticError:
        return str(text)


def _datetime_text(*values: Any) -> str:
    (text,) = values
    return store_datetime(text)


def _bind_decimal(_cursor: apsw.Cursor, _number: int, value: Any) -> float | str:
    if isinstance(value, Decimal):
        return store_decimal(value)
    raise TypeError(f"SQLite cannot hold {value!r}")
