"""Turns a value that a client sent into the stored value of a field, or refuses it with Salesforce's code and text."""

import base64
import binascii
import re
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from simorg import decimals, ids
from simorg.database import Value
from simorg.results import Refused
from simorg.schema import NUMBER_TYPES, SField
from simorg.times import parse_date, parse_datetime, parse_time, to_ms

BLANKS = " \t\r\n\f\v"
_EMAIL = re.compile(r"[^\s@<>(),;:\"\[\]\\]+@[^\s@<>(),;:\"\[\]\\.]+(\.[^\s@<>(),;:\"\[\]\\.]+)+\Z")
_TRUE, _FALSE = frozenset({"true", "1", "yes"}), frozenset({"false", "0", "no"})


def convert(one: SField, value: Any, *, trim: bool = True) -> Value:
    """Return the stored form: blanks trimmed, '' as None, extra decimals rounded, datetimes in whole seconds.

    Without `trim` blanks around a text stay, as in Bulk (docs: values of CSV rows are not trimmed).
    """
    if trim and isinstance(value, str) and one.type != "base64":
        value = value.strip(BLANKS)
    if value is None or value == "":
        _check_empty(one)
        return None
    return _CONVERTERS.get(one.type, _text)(one, value)


def _check_empty(one: SField) -> None:
    if one.type == "boolean":
        raise wrong_type(one, "null")


def wrong_type(one: SField, value: Any) -> Refused:
    """Return the refusal of a value of another type."""
    return Refused("INVALID_TYPE_ON_FIELD_IN_RECORD", f"{one.label}: value not of required type: {value}", one.name)


def _text(one: SField, value: Any) -> str:
    if not isinstance(value, str):
        raise wrong_type(one, value)
    if len(value) > one.length > 0:
        text = f"{one.label}: data value too large: {value} (max length={one.length})"
        raise Refused("STRING_TOO_LONG", text, one.name)
    return value


def _email(one: SField, value: Any) -> str:
    text = _text(one, value)
    if not _EMAIL.match(text):
        raise Refused("INVALID_EMAIL_ADDRESS", f"{one.label}: invalid email address: {text}", one.name)
    return text


def _picklist(one: SField, value: Any) -> str:
    return _choice(one, _text(one, value))


def _choice(one: SField, text: str) -> str:
    """Match a picklist value, whatever its letter case, to the way it is declared."""
    folded = text.casefold()
    for known in one.picklist:
        if known.active and known.value.casefold() == folded:
            return known.value
    if one.restricted_picklist:
        message = f"{one.label}: bad value for restricted picklist field: {text}"
        raise Refused("INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", message, one.name)
    return text


def _multipicklist(one: SField, value: Any) -> str | None:
    chosen = {_choice(one, part.strip(BLANKS)) for part in _text(one, value).split(";") if part.strip(BLANKS)}
    order = {known.value: position for position, known in enumerate(one.picklist)}
    return ";".join(sorted(chosen, key=lambda text: (order.get(text, len(order)), text))) or None


def _boolean(one: SField, value: Any) -> int:
    if isinstance(value, bool):
        return int(value)
    word = str(value).lower()
    if word in _TRUE or word in _FALSE:
        return int(word in _TRUE)
    raise wrong_type(one, value)


def _number(one: SField, value: Any) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, (int, float, Decimal, str)):
        raise wrong_type(one, value)
    number = value if isinstance(value, Decimal) else decimals.read(str(value))
    if number is None or not number.is_finite():
        raise wrong_type(one, value)
    return number


def _out_of_range(one: SField, value: Any) -> Refused:
    message = f"{one.label}: value outside of valid range on numeric field: {value}"
    return Refused("NUMBER_OUTSIDE_VALID_RANGE", message, one.name)


def _decimal(one: SField, value: Any) -> str:
    number = _number(one, value)
    if abs(number.adjusted()) > 40:  # an exponent that no field can hold; rounding it would be slow
        if number.adjusted() > 0:
            raise _out_of_range(one, value)
        number = Decimal(0)
    number = decimals.rounded(number, one.scale)
    if number and number.adjusted() >= one.precision - one.scale:
        raise _out_of_range(one, value)
    return decimals.canonical(number)


def _int(one: SField, value: Any) -> int:
    number = _number(one, value)
    if abs(number.adjusted()) > 40:
        raise _out_of_range(one, value)
    whole = int(decimals.rounded(number, 0))
    if abs(whole) >= 10**one.digits:
        raise _out_of_range(one, value)
    return whole


def _date(one: SField, value: Any) -> str:
    text = value.isoformat() if isinstance(value, date) else value
    day = parse_date(text[:10] if isinstance(value, datetime) else text) if isinstance(text, str) else None
    if day is None:
        raise wrong_type(one, value)
    return day


def _datetime(one: SField, value: Any) -> int:
    if isinstance(value, datetime):
        return to_ms(value) // 1000 * 1000
    ms = parse_datetime(value) if isinstance(value, str) else None
    if ms is None:
        raise wrong_type(one, value)
    return ms // 1000 * 1000


def _time(one: SField, value: Any) -> str:
    text = parse_time(value) if isinstance(value, str) else None
    if text is None:
        raise wrong_type(one, value)
    return text


def _id(one: SField, value: Any) -> str:
    full = ids.normalize(value)
    if full is None:
        raise Refused("MALFORMED_ID", f"{one.label}: id value of incorrect type: {value}", one.name)
    return full


def _base64(one: SField, value: Any) -> bytes:
    if isinstance(value, bytes):
        return value
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, TypeError, ValueError) as problem:
        raise wrong_type(one, "not base64") from problem


_CONVERTERS: dict[str, Callable[[SField, Any], Value]] = {
    "email": _email,
    "picklist": _picklist,
    "multipicklist": _multipicklist,
    "boolean": _boolean,
    "int": _int,
    "date": _date,
    "datetime": _datetime,
    "time": _time,
    "id": _id,
    "reference": _id,
    "base64": _base64,
} | dict.fromkeys(NUMBER_TYPES, _decimal)
