"""Date literals as half-open ranges of days, in the running user's time zone (SOQL guide, date formats)."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

_FIXED = frozenset({"YESTERDAY", "TODAY", "TOMORROW", "LAST_90_DAYS", "NEXT_90_DAYS"})
_UNITS = ("WEEK", "MONTH", "QUARTER", "YEAR", "FISCAL_QUARTER", "FISCAL_YEAR")
_PERIOD = re.compile(rf"(LAST|THIS|NEXT)_({'|'.join(_UNITS)})\Z")
_RUN = re.compile(rf"(LAST|NEXT)_N_(DAY|{'|'.join(_UNITS)})S\Z")
_AGO = re.compile(rf"N_(DAY|{'|'.join(_UNITS)})S_AGO\Z")
_FIRST = date(1700, 1, 1)
_LAST = date(4000, 12, 31)
_MONTHS = {"MONTH": 1, "QUARTER": 3, "YEAR": 12, "FISCAL_QUARTER": 3, "FISCAL_YEAR": 12}

Span = tuple[date, date]


def is_literal(word: str, counted: bool) -> bool:
    """Whether a word (in capitals) is a date literal, with (`counted`) or without `:n`."""
    if counted:
        return bool(_RUN.match(word) or _AGO.match(word))
    return word in _FIXED or bool(_PERIOD.match(word))


def span(word: str, n: int | None, today: date) -> Span:
    """The days of a literal as [first, after last); ends are clamped to 1700-01-01 and 4000-12-31."""
    one = timedelta(days=1)
    fixed = {"YESTERDAY": today - one, "TODAY": today, "TOMORROW": today + one}
    if word in fixed:
        return fixed[word], fixed[word] + one
    if word == "LAST_90_DAYS":
        return _run("LAST", "DAY", 90, today)
    if word == "NEXT_90_DAYS":
        return _run("NEXT", "DAY", 90, today)
    period = _PERIOD.match(word)
    if period:
        shift = {"LAST": -1, "THIS": 0, "NEXT": 1}[period[1]]
        return _period(period[2], shift, today)
    run = _RUN.match(word)
    if run:
        return _run(run[1], run[2], n or 0, today)
    ago = _AGO.match(word)
    if ago is None:
        raise ValueError(f"{word} is no date literal")
    return _period(ago[1], -(n or 0), today)


def _run(side: str, unit: str, n: int, today: date) -> Span:
    if side == "LAST":
        start = _start(unit, -n, today)
        # LAST_N_DAYS reaches up to and includes now; the longer runs end with the period before this one.
        return start, _start(unit, 1 if unit == "DAY" else 0, today)
    return _start(unit, 1, today), _start(unit, n + 1, today)


def _period(unit: str, shift: int, today: date) -> Span:
    return _start(unit, shift, today), _start(unit, shift + 1, today)


def _start(unit: str, shift: int, today: date) -> date:
    """The first day of the period `shift` periods after the one that holds today."""
    try:
        if unit == "DAY":
            return today + timedelta(days=shift)
        if unit == "WEEK":
            # The week of the en_US locale begins on Sunday.
            sunday = today - timedelta(days=(today.weekday() + 1) % 7)
            return sunday + timedelta(weeks=shift)
        size = _MONTHS[unit]
        months = today.year * 12 + (today.month - 1) // size * size + shift * size
        return date(months // 12, months % 12 + 1, 1)
    except (OverflowError, ValueError):
        return _FIRST if shift < 0 else _LAST


def midnight_ms(day: date, zone: ZoneInfo) -> int:
    """The first moment of a day in a time zone, in epoch milliseconds."""
    local = datetime.combine(day, time(), zone)
    return (local.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
