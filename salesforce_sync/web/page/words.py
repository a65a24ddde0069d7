"""How values are said to a person: numbers, times, what a field holds. Pure."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

import msgspec

from salesforce_sync.models.schema import Field, FieldType

_STEPS: Final = ((60, 1, "s"), (3600, 60, "min"), (86_400, 3600, "h"))
_SHORT: Final = 80
_SMALLEST: Final = 1e-18
_LARGEST: Final = 1e18


def number(value: int | float | None) -> str:
    """1234567 → 1,234,567; an en dash where there is none."""
    return "–" if value is None else f"{value:,}"


def ago(moment: str | None, now: datetime) -> str:
    """How long a moment (ISO 8601) is behind, in one unit: `just now`, `3 min ago`, `2 days ago`.

    One that has not come yet is told as it is.
    """
    if not moment:
        return "never"
    seconds = (now - datetime.fromisoformat(moment)).total_seconds()
    if seconds <= -60:
        return f"{datetime.fromisoformat(moment).astimezone(UTC):%Y-%m-%d %H:%M} UTC, ahead of this clock"
    if seconds < 10:
        return "just now"
    for below, unit, name in _STEPS:
        if seconds < below:
            return f"{int(seconds // unit)} {name} ago"
    days = int(seconds // 86_400)
    return "1 day ago" if days == 1 else f"{days:,} days ago"


def said(moment: str | None) -> str:
    """A moment as a person reads it: 2026-01-31 14:30:00 UTC."""
    if not moment:
        return ""
    return datetime.fromisoformat(moment).astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def text(value: Any) -> str:
    """A field's value as a text; nothing where it has none."""
    if value is None:
        return ""
    if value is True or value is False:
        return "Yes" if value else "No"
    if isinstance(value, msgspec.Raw):
        return bytes(value).decode()
    return _written(value) if isinstance(value, float) else str(value)


def _written(value: float) -> str:
    """1e-06 → 0.000001, as a person writes what a field of Salesforce can hold."""
    return f"{Decimal(str(value)):f}" if _SMALLEST <= abs(value) < _LARGEST else str(value)


NUMBERS: Final = (FieldType.INTEGER, FieldType.DECIMAL)
_PLAIN_NUMBER: Final = re.compile(r"(-?\d+)(?:\.(\d+))?", re.ASCII)


def shown(value: Any, field: Field) -> str:
    """A field's value where it is read: 1234567.5 in a currency → 1,234,567.50; a moment to the minute, in UTC."""
    if field.type is FieldType.DATETIME and isinstance(value, str):
        return _to_the_minute(value)
    number = _PLAIN_NUMBER.fullmatch(text(value)) if field.type in NUMBERS else None
    if number is None:
        return text(value)
    fraction = (number[2] or "").rstrip("0")
    if field.salesforce_type == "currency":
        fraction = fraction.ljust(field.scale, "0")
    whole = f"{int(number[1]):,}" if int(number[1]) else number[1]  # int() would take the minus from -0.5
    unit = " %" if field.salesforce_type == "percent" else ""
    return f"{whole}.{fraction}{unit}" if fraction else f"{whole}{unit}"


def _to_the_minute(moment: str) -> str:
    try:
        return datetime.fromisoformat(moment).astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
    except ValueError:  # a text that plain SQL has written there
        return moment


def typed(value: Any) -> str:
    """A field's value as a person would type it."""
    return ("true" if value else "false") if isinstance(value, bool) else text(value)


def short(value: Any, most: int = _SHORT) -> str:
    """The same on one line, and not longer than that."""
    line = " ".join(text(value).split())
    return line if len(line) <= most else f"{line[: most - 1]}…"


def plural(count: int, one: str, many: str = "") -> str:
    """`1 record`, `1,234 records`."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"
