"""Stored value ↔ Python value: the one place that knows both forms. docs/store.md has the table.

Stored forms are the same whether a value came by REST, Bulk or from a person:
texts and ids `str`; booleans 0/1; whole numbers `int`; dates `YYYY-MM-DD`; datetimes `YYYY-MM-DDTHH:MM:SS.mmmZ`;
times `HH:MM:SS.mmmZ`; decimals `float` where 15 significant digits hold them, else their digits as `str`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, time
from decimal import Context, Decimal, InvalidOperation
from typing import TypeVar

from salesforce_sync.errors import Misuse
from salesforce_sync.models.salesforce_id import lengthened
from salesforce_sync.models.schema import FieldType

EXACT_DIGITS = 15
"""Significant decimal digits that an IEEE 754 double always gives back."""

Stored = str | int | float | None
T = TypeVar("T")

_WIDE = Context(prec=400)


def store_decimal(value: Decimal) -> float | str:
    """A decimal's stored form: a float where nothing is lost, else every digit, without exponent, as text."""
    text = str(value)
    if not value.is_finite():
        return text
    if len(text) <= EXACT_DIGITS:  # so are its digits: most values end here, and this is on the way of every REST row
        return float(text)
    digits = value.normalize(_WIDE) if len(value.as_tuple().digits) > EXACT_DIGITS else value
    if len(digits.as_tuple().digits) <= EXACT_DIGITS:
        return float(digits)
    return f"{digits:f}"


def store_datetime(text: str) -> str:
    """A datetime text of any offset, in the stored form: UTC, milliseconds, `Z`.

    REST writes `+0000`, Bulk `Z` (section 5 of the API facts). A text that is no datetime is kept as it is.
    """
    try:
        moment = datetime.fromisoformat(text)
        return format_datetime(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
    except (ValueError, OverflowError):
        return text


def store_decimals(column: Iterable[Decimal | None]) -> list[float | str | None]:
    """`store_decimal` of each; without a call of it for nearly all of them."""
    return [
        None
        if value is None
        else float(text)
        if len(text := str(value)) <= EXACT_DIGITS and value.is_finite()
        else store_decimal(value)
        for value in column
    ]


def store_datetimes(column: Iterable[str | None]) -> list[str | None]:
    """`store_datetime` of each; without a call of it for what is in REST's own form."""
    return [
        None if text is None else text[:23] + "Z" if text[23:] == "+0000" else store_datetime(text) for text in column
    ]


def format_datetime(moment: datetime) -> str:
    """An aware datetime in the stored form."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds")[:23] + "Z"


def from_rest(kind: FieldType, value: object) -> Stored:
    """The stored form of a value as a decoded row of REST has it (`models.page.Rows`)."""
    match value:
        case None | "":
            return None
        case bool():
            return int(value)
        case Decimal():
            return store_decimal(value)
        case str() if kind is FieldType.DATETIME:
            return store_datetime(value)
        case str() | int() | float():
            return value
    raise TypeError(f"{value!r} is in no row of a page")


def parse_datetime(text: str) -> datetime:
    """The stored form as an aware datetime in UTC."""
    return datetime.fromisoformat(text)


def _said(value: object) -> str:
    """The value in an error: a decimal is what JSON's numbers with a point become, and says nothing to its sender."""
    return str(value) if isinstance(value, Decimal) else repr(value)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise Misuse(f"{_said(value)} is not a text.")
    if not value.isascii():
        _check_encodes(value)
    return value


def _check_encodes(text: str) -> None:
    """A text can hold halves of characters, which UTF-8 has no form for: Python puts bytes that are no UTF-8 so."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        half = text[error.start]
        if "\udc80" <= half <= "\udcff":
            hint = "Convert it first, such as by iconv -f WINDOWS-1252 -t UTF-8, or check the terminal's encoding."
            raise Misuse(f"{text!r} is not UTF-8 text: it has the byte {ord(half) - 0xDC00:02X}.", hint=hint) from error
        raise Misuse(f"{text!r} is not a text: {half!r} is half of a character.") from error


def _boolean(value: object) -> int:
    if isinstance(value, bool):
        return int(value)
    raise Misuse(f"{_said(value)} is neither True nor False.")


def _integer(value: object) -> int:
    # SQLite's integers have 64 bits.
    if isinstance(value, int) and not isinstance(value, bool) and -(2**63) <= value < 2**63:
        return value
    raise Misuse(f"{_said(value)} is not a whole number.")


def _decimal(value: object) -> float | str:
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        raise Misuse(f"{value!r} is not a number.")
    try:
        number = Decimal(repr(value) if isinstance(value, float) else value)
    except InvalidOperation as error:
        raise Misuse(f"{value!r} is not a number.") from error
    if not number.is_finite():
        raise Misuse(f"{value!r} is not a number.")
    return store_decimal(number)


def _date(value: object) -> str:
    if isinstance(value, date) and not isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, str):
        return _read(date.fromisoformat, value, "a date, YYYY-MM-DD").isoformat()
    raise Misuse(f"{_said(value)} is not a date.")


def _datetime(value: object) -> str:
    moment = (
        _read(datetime.fromisoformat, value, "a datetime, YYYY-MM-DDTHH:MM:SSZ") if isinstance(value, str) else value
    )
    if not isinstance(moment, datetime):
        raise Misuse(f"{_said(value)} is not a datetime.")
    if moment.tzinfo is None:
        hint = "Say which, such as 2026-01-31T14:30:00Z, or datetime.now(UTC)."
        raise Misuse(f"{value!r} has no time zone.", hint=hint)
    try:
        return format_datetime(moment)
    except OverflowError as error:
        raise Misuse(f"{value!r} is not a datetime that UTC can show.") from error


def _time(value: object) -> str:
    moment = _read(time.fromisoformat, value, "a time, HH:MM:SS") if isinstance(value, str) else value
    if not isinstance(moment, time):
        raise Misuse(f"{_said(value)} is not a time.")
    if moment.utcoffset():
        raise Misuse(f"{value!r} has a time zone.", hint="A time of day in Salesforce has none.")
    return f"{moment.replace(tzinfo=None).isoformat(timespec='milliseconds')}Z"


def _read(parse: Callable[[str], T], text: str, form: str) -> T:
    try:
        return parse(text)
    except ValueError as error:
        raise Misuse(f"{text!r} is not {form}.") from error


def _to_decimal(stored: object) -> Decimal:
    return Decimal(stored if isinstance(stored, str) else repr(stored))


def _to_time(stored: str) -> time:
    return time.fromisoformat(stored.removesuffix("Z"))


_ENCODERS: dict[FieldType, Callable[[object], Stored]] = {
    FieldType.BOOLEAN: _boolean,
    FieldType.INTEGER: _integer,
    FieldType.DECIMAL: _decimal,
    FieldType.DATE: _date,
    FieldType.DATETIME: _datetime,
    FieldType.TIME: _time,
}

_DECODERS: dict[FieldType, Callable[..., object]] = {
    FieldType.BOOLEAN: bool,
    FieldType.INTEGER: int,
    FieldType.DECIMAL: _to_decimal,
    FieldType.DATE: date.fromisoformat,
    FieldType.DATETIME: parse_datetime,
    FieldType.TIME: _to_time,
}


def encode(kind: FieldType, value: object) -> Stored:
    """The stored form of a Python value; `Misuse` if the field cannot hold it. None stays None, '' becomes None."""
    if value is None or value == "":
        return None
    return _ENCODERS.get(kind, _text)(value)


_YES = frozenset(("true", "yes", "1"))
_NO = frozenset(("false", "no", "0"))


def read_text(kind: FieldType, text: str) -> object:
    """The Python value that a person means by this text; '' is None. `Misuse` says how it is to be written."""
    if text == "":
        return None
    plain = text.strip()
    match kind:
        case FieldType.BOOLEAN:
            if plain.casefold() not in _YES | _NO:
                raise Misuse(f"{text!r} is neither true nor false.")
            return plain.casefold() in _YES
        case FieldType.INTEGER:
            # int() would take 1_000, and digits of any script.
            if not _WHOLE.fullmatch(plain):
                raise Misuse(f"{text!r} is not a whole number, such as 1200.")
            return _read(int, plain, "a whole number, such as 1200")
        case FieldType.DECIMAL:
            # Decimal() would take 1_000 and NaN: what a person meant by them is not clear.
            if not _NUMBER.fullmatch(plain):
                raise Misuse(f"{text!r} is not a number, such as 1234.5.")
            return Decimal(plain)
        case FieldType.DATE:
            return _read(date.fromisoformat, plain, "a date, such as 2026-01-31")
        case FieldType.DATETIME:
            if _HALF_CLOCK.match(plain[10:]) or _ZONE_OF_A_DAY.fullmatch(plain):
                raise Misuse(f"{text!r} is not a datetime, such as 2026-01-31T14:30:00Z.")
            moment = _read(datetime.fromisoformat, plain, "a datetime, such as 2026-01-31T14:30:00Z")
            if moment.tzinfo is None:
                plain += "T00:00" if _DAY.fullmatch(plain) else ""
                raise Misuse(f"{text!r} has no time zone.", hint=f"Write {plain}Z if it is UTC, or {plain}+02:00.")
            return moment
        case FieldType.TIME:
            if _HALF_CLOCK.match(plain):
                raise Misuse(f"{text!r} is not a time, such as 14:30:00.")
            return _read(time.fromisoformat, plain.removesuffix("Z"), "a time, such as 14:30:00")
    return text


_HALF_CLOCK = re.compile(r"[T ]?\d+(?:[.,]|$)", re.ASCII)
"""An hour with a point behind it, or with nothing: Python takes 14.30 for three tenths of a second past two."""

_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_ZONE_OF_A_DAY = re.compile(r"\d{4}-\d\d-\d\d[^\dTt ].*", re.ASCII | re.DOTALL)
"""Python takes the zone behind a day alone (`2026-01-31+02:00`) for two o'clock."""

_WHOLE = re.compile(r"[+-]?\d+", re.ASCII)
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)


def decoder(kind: FieldType) -> Callable[..., object] | None:
    """What turns a stored value (not None) into Python's; None where they are the same."""
    return _DECODERS.get(kind)


def decode(kind: FieldType, stored: object) -> object:
    """The Python value of a stored one."""
    convert = _DECODERS.get(kind)
    return stored if convert is None or stored is None else convert(stored)


UNREADABLE = (ArithmeticError, TypeError, ValueError, AttributeError)
"""What decoding raises for a value of another type."""


def readable(kind: FieldType, stored: object) -> bool:
    """Whether a value is one of this type of field: it may have been written when the field had another."""
    try:
        decode(kind, stored)
    except UNREADABLE:
        return False
    return True


def stored_form(kind: FieldType, stored: Stored) -> Stored:
    """A number that came as text, or an id of 15 characters, as `encode` stores it; anything else as it is."""
    if kind is FieldType.DECIMAL and isinstance(stored, str) and _NUMBER.fullmatch(stored):
        return store_decimal(Decimal(stored))
    return lengthened(stored) if kind is FieldType.REFERENCE else stored


def same(kind: FieldType, one: Stored, other: Stored) -> bool:
    """Whether two stored values are one value: 1.5 and '1.50', null and '', an id in 15 and in 18 characters.

    Texts are compared as they are: a blank at the end is a difference.
    """
    return _comparable(kind, one) == _comparable(kind, other)


def _comparable(kind: FieldType, stored: Stored) -> object:
    if stored is None or stored == "":
        return None
    try:
        return _COMPARABLE[kind](stored) if kind in _COMPARABLE else stored
    except (ArithmeticError, ValueError):  # what a person wrote with plain SQL need not fit its field
        return stored


def _canonical_number(stored: Stored) -> object:
    number = _to_decimal(stored)
    return number if number.is_finite() else stored


def _canonical_datetime(stored: Stored) -> object:
    return store_datetime(stored) if isinstance(stored, str) else stored


_COMPARABLE: dict[FieldType, Callable[[Stored], object]] = {
    FieldType.DECIMAL: _canonical_number,
    FieldType.INTEGER: _canonical_number,
    FieldType.DATETIME: _canonical_datetime,
    FieldType.ID: lengthened,
    FieldType.REFERENCE: lengthened,
}
