"""Stored value ↔ cell: what a spreadsheet can hold of a value without bending it, and the way back.

A cell is empty (None), a boolean, a number or a text. Dates, datetimes (UTC) and times of day are numbers, as in every
spreadsheet: days since 1899-12-30, on 1900's calendar only from 1900-03-01 on.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_DOWN, ROUND_HALF_UP, Context, Decimal, InvalidOperation
from functools import lru_cache
from hashlib import blake2b
from math import isfinite
from typing import Final
from zlib import crc32

import msgspec

from salesforce_sync.errors import Misuse
from salesforce_sync.models.schema import FieldType
from salesforce_sync.models.values import Stored, encode, format_datetime, read_text, same

Cell = str | int | float | bool | None

TEXT_UNITS: Final = 32_767
"""UTF-16 units that a cell's text can have."""

EXACT_BELOW: Final = 10**15
"""Whole numbers below it have at most the 15 digits that a spreadsheet keeps."""

FIRST_DAY: Final = 61
"""1900-03-01. Spreadsheets disagree about the days before: Excel has a 29th of February 1900."""

DAY_ZERO: Final = date(1899, 12, 30)
DAY_MILLISECONDS: Final = 86_400_000
_LAST_DAY: Final = (date(9999, 12, 31) - DAY_ZERO).days

_KEPT: Final = Context(prec=15, rounding=ROUND_HALF_UP)
_CUT: Final = Context(prec=15, rounding=ROUND_DOWN)

_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_DATETIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", re.ASCII)
_TIME = re.compile(r"\d\d:\d\d:\d\d\.\d{3}Z", re.ASCII)


# ── out ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def to_cell(kind: FieldType, stored: Stored) -> Cell:
    """What the cell of a field of this type holds: a number, date or boolean where it gives back exactly what is
    stored, else a text. Null is an empty cell."""
    if stored is None or stored == "":
        return None
    match kind:
        case FieldType.BOOLEAN if stored in (0, 1):
            return bool(stored)
        case FieldType.INTEGER | FieldType.DECIMAL if not isinstance(stored, str):
            return number_cell(stored)
        case FieldType.DATE | FieldType.DATETIME | FieldType.TIME if isinstance(stored, str):
            serial = _SERIALS[kind](stored)
            return cut(stored) if serial is None else serial
    return cut(stored if isinstance(stored, str) else _digits(stored))


def number_cell(stored: int | float) -> int | float | str:
    """A number if 15 significant digits give it back, else its digits as text."""
    if isinstance(stored, int):
        return stored if -EXACT_BELOW < stored < EXACT_BELOW else str(stored)
    if stored == 0 or (1e-300 < abs(stored) < 1e300 and float(f"{stored:.15g}") == stored):
        return stored
    return _digits(stored)


def _digits(stored: int | float) -> str:
    return str(stored) if isinstance(stored, int) else f"{Decimal(repr(stored)):f}"


def day_serial(stored: str) -> int | None:
    """A stored date as a day's number; None where a spreadsheet has no such day, or the text is no date."""
    if not _DATE.fullmatch(stored):
        return None
    try:
        days = (date.fromisoformat(stored) - DAY_ZERO).days
    except ValueError:
        return None
    return days if days >= FIRST_DAY else None


def moment_serial(stored: str) -> float | None:
    """A stored datetime as days and a part of a day, to the millisecond; None where there is none."""
    if not _DATETIME.fullmatch(stored):
        return None
    day, milliseconds = day_serial(stored[:10]), _milliseconds(stored[11:])
    return None if day is None or milliseconds is None else (day * DAY_MILLISECONDS + milliseconds) / DAY_MILLISECONDS


def time_serial(stored: str) -> float | None:
    """A stored time of day as a part of a day."""
    milliseconds = _milliseconds(stored) if _TIME.fullmatch(stored) else None
    return None if milliseconds is None else milliseconds / DAY_MILLISECONDS


def _milliseconds(stored: str) -> int | None:
    hours, minutes, seconds = int(stored[:2]), int(stored[3:5]), int(stored[6:8])
    if hours > 23 or minutes > 59 or seconds > 59:
        return None
    return ((hours * 60 + minutes) * 60 + seconds) * 1000 + int(stored[9:12])


_SERIALS: Final[Mapping[FieldType, Callable[[str], int | float | None]]] = {
    FieldType.DATE: day_serial,
    FieldType.DATETIME: moment_serial,
    FieldType.TIME: time_serial,
}


def is_cut(stored: Stored) -> bool:
    """Whether the value is a text that no cell can hold whole."""
    return isinstance(stored, str) and len(stored) * 2 > TEXT_UNITS and _units(stored) > TEXT_UNITS


def cut(stored: str) -> str:
    """The text, or as much of it as a cell can hold, with a word about what is missing."""
    if not is_cut(stored):
        return stored
    marker = f"… [cut: the whole text has {len(stored):,} characters]"
    kept = stored.encode("utf-16-le", "surrogatepass")[: 2 * (TEXT_UNITS - len(marker))]
    return kept.decode("utf-16-le", "ignore") + marker


def _units(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


# ── back ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def from_cell(kind: FieldType, cell: Cell) -> Stored:
    """The stored value that a person means by this cell; `Misuse` says how it is to be written."""
    if cell is None or cell == "":
        return None
    if isinstance(cell, str):
        return _from_text(kind, cell)
    match kind:
        case FieldType.BOOLEAN:
            if cell not in (0, 1):
                raise Misuse(f"{shown(cell)} is neither true nor false.", hint="Write TRUE or FALSE.")
            return int(cell)
        case FieldType.INTEGER | FieldType.DECIMAL | FieldType.DATE | FieldType.DATETIME | FieldType.TIME:
            if isinstance(cell, bool):
                raise Misuse(f"{str(cell).upper()} is not {_MEANT[kind]}.")
            return _from_number(kind, cell)
    return str(cell).upper() if isinstance(cell, bool) else shown(cell)


_MEANT = {
    FieldType.INTEGER: "a whole number",
    FieldType.DECIMAL: "a number",
    FieldType.DATE: "a date",
    FieldType.DATETIME: "a datetime",
    FieldType.TIME: "a time",
}


def _from_text(kind: FieldType, text: str) -> Stored:
    if kind is FieldType.DATETIME and _NO_ZONE.fullmatch(text.strip()):
        text = f"{text.strip()}{'' if ':' in text else 'T00:00'}Z"  # the column's header says that its times are UTC
    if kind is FieldType.DATE and (found := _MIDNIGHT.fullmatch(text.strip())):
        text = found[1]
    value = encode(kind, read_text(kind, text))
    if isinstance(value, float) and not isfinite(value):
        raise Misuse(f"{text[:20]!r} is larger than a number can be.")
    return value


_MIDNIGHT = re.compile(r"(\d{4}-\d\d-\d\d)[ T]00:00(?::00(?:\.0+)?)?", re.ASCII)
"""A day as scripts write it that know no days but moments."""

_NO_ZONE = re.compile(r"\d{4}-\d\d-\d\d([ T]\d\d:\d\d(:\d\d(\.\d+)?)?)?", re.ASCII)


def _from_number(kind: FieldType, number: int | float) -> Stored:
    match kind:
        case FieldType.INTEGER:
            if number != int(number):
                raise Misuse(f"{shown(number)} is not a whole number.")
            return encode(kind, int(number))
        case FieldType.DECIMAL:
            return encode(kind, Decimal(shown(number)))
        case FieldType.DATE:
            if number != int(number):
                raise Misuse("This is a date with a time of day.", hint="Write the date alone.")
            return moment_of(number)[:10]
        case FieldType.DATETIME:
            return moment_of(number)
    milliseconds = round(number * DAY_MILLISECONDS) if 0 <= number < 1 else DAY_MILLISECONDS
    if milliseconds >= DAY_MILLISECONDS:
        raise Misuse(f"{shown(number)} is not a time of day.", hint="Write it as 14:30:00.")
    return f"{(datetime(1970, 1, 1) + timedelta(milliseconds=milliseconds)).isoformat(timespec='milliseconds')[11:]}Z"


def moment_of(serial: int | float) -> str:
    """A serial number's moment in the stored form of a datetime."""
    if not FIRST_DAY <= serial < _LAST_DAY + 1:
        raise Misuse(
            f"{shown(serial)} is no day that every spreadsheet agrees on (1900-03-01 to 9999-12-31).",
            hint="Write the date as text: 1899-12-31.",
        )
    milliseconds = round(serial * DAY_MILLISECONDS)
    return format_datetime(datetime(1899, 12, 30, tzinfo=UTC) + timedelta(milliseconds=milliseconds))


def shown(number: int | float) -> str:
    """A cell's number as its digits: spreadsheets keep 15, and what lies behind them is rounding."""
    if isinstance(number, int):
        return str(number)
    return f"{Decimal(f'{number:.15g}'):f}".removesuffix(".0")


def shows(kind: FieldType, stored: Stored, cell: Cell) -> bool:
    """Whether the cell, as it came back, still shows this value: then nobody has edited it.

    Programs that open and save a workbook may write another line end, or `1` for TRUE, or an escape as the text that it
    looks like, or a moment to a hundredth of a second and a text without its tabs (as .ods does), or make a number of
    the text that one of more than 15 digits is here, which leaves it 15; a text that was cut shows its beginning.
    """
    given = to_cell(kind, stored)
    if given == cell and isinstance(given, bool) == isinstance(cell, bool):
        return True
    if isinstance(given, str) and isinstance(cell, str) and _is_same_text(given, cell):
        return True
    if kind in (FieldType.DATETIME, FieldType.TIME) and _is_shortened(given, cell):
        return True
    if kind in (FieldType.INTEGER, FieldType.DECIMAL) and _is_rounded(given, cell):
        return True
    if kind in (FieldType.ID, FieldType.REFERENCE) and isinstance(cell, str):
        cell = cell.strip()  # blanks around an id come with what it was copied from
    try:
        return same(kind, from_cell(kind, cell), stored)
    except Misuse:
        return False


def _is_same_text(given: str, cell: str) -> bool:
    """Whether the cell has this text, or what .ods leaves of it, which has no tabs."""
    read = {_line_ends(cell), _line_ends(unescape(cell))}
    given = _line_ends(given)
    return given in read or given.replace("\t", "") in read


def _is_shortened(given: Cell, cell: Cell) -> bool:
    """Whether these are times, and one is the other without what is behind its hundredths of a second, or cut to the
    millisecond before it: a part of a day is a little less or more than a number can say."""
    if not isinstance(given, int | float) or isinstance(cell, bool) or not isinstance(cell, int | float):
        return False
    if abs(cell) > _LAST_DAY:
        return False  # as many milliseconds may be more than a number can be
    exact, left = round(given * DAY_MILLISECONDS), round(cell * DAY_MILLISECONDS)
    return exact - left == 1 or (left % 10 == 0 and 0 < exact - left <= 10)


def _is_rounded(given: Cell, cell: Cell) -> bool:
    """Whether the cell is a number, and has the first 15 digits of this text's, rounded or (as in Excel) cut."""
    if not isinstance(given, str) or isinstance(cell, bool) or not isinstance(cell, int | float):
        return False
    try:
        exact = Decimal(given)
    except InvalidOperation:
        return False
    left = Decimal(shown(float(cell)))
    return left in (_KEPT.create_decimal(exact), Decimal(shown(float(exact))), _CUT.create_decimal(exact))


def _line_ends(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


# ── OOXML's own escapes ──────────────────────────────────────────────────────────────────────────────────────────

UNSAFE: Final = re.compile("[\x00-\x08\x0b-\x1f\ud800-\udfff\ufffe\uffff]|_(?=x[0-9A-Fa-f]{4}_)")
"""What XML cannot hold (or, as `\\r`, does not keep), and what would be read back as an escape."""

_ESCAPE: Final = re.compile(r"_x([0-9A-Fa-f]{4})_")


def escape(text: str) -> str:
    """A text as a cell's `<t>` holds it, before XML's own escapes."""
    return UNSAFE.sub(lambda found: f"_x{ord(found[0]):04X}_", text)


def unescape(text: str) -> str:
    """The way back from `escape`."""
    return _ESCAPE.sub(lambda found: chr(int(found[1], 16)), text) if "_x" in text else text


# ── the row's hash ───────────────────────────────────────────────────────────────────────────────────────────────


def canonical(kind: FieldType, stored: Stored) -> Stored:
    """One form for values that are the same: '' is null, and a decimal written as 5 is 5.0."""
    if stored == "":
        return None
    if kind is FieldType.DECIMAL and isinstance(stored, int | float):
        return encode(kind, stored) if isinstance(stored, int) else stored + 0.0  # -0.0 is 0.0
    return stored


def row_hash(canonical_values: Sequence[Stored]) -> str:
    """64 bits of a hash over a row's values, each in its `canonical` form."""
    return blake2b(msgspec.json.encode(canonical_values), digest_size=8).hexdigest()


def row_mark(stamp: Stored, canonical_values: Sequence[Stored], names: Sequence[Cell] = ()) -> str:
    """What the hidden last cell of a row holds: `stamp|hash` of the row as it was exported.

    With names beside its lookups: `stamp~names|hash`, four digits for each name.
    """
    told = f"~{''.join(map(mark_of_name, names))}" if names else ""
    return f"{stamp or ''}{told}|{row_hash(canonical_values)}"


@lru_cache(maxsize=4096)
def mark_of_name(name: Cell) -> str:
    """Four hexadecimal digits that tell a name from nearly all others; 0000 of an empty cell."""
    return f"{crc32(_line_ends(str(name or '')).encode('utf-8', 'surrogatepass')) & 0xFFFF:04x}"


def read_row_mark(cell: Cell) -> tuple[str, str] | None:
    """The stamp and the hash; None if this is no such mark."""
    stamp, bar, digest = str(cell or "").rpartition("|")
    return (stamp.partition("~")[0], digest) if bar and re.fullmatch(r"[0-9a-f]{16}", digest) else None
