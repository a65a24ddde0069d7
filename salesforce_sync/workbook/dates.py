"""Dates that were typed as texts, in the order of somebody's own country: read where they have one reading. Pure."""

from __future__ import annotations

import re
from datetime import date

from salesforce_sync.errors import Misuse

_TIME = r"(?P<rest>[ T]+\d.*)?"
_YEAR_LAST = re.compile(rf"(\d{{1,2}})([./-])\s?(\d{{1,2}})\2\s?(\d{{4}}|\d{{2}}){_TIME}", re.ASCII)
_YEAR_FIRST = re.compile(rf"(\d{{4}})([./-])(\d{{1,2}})\2(\d{{1,2}}){_TIME}", re.ASCII)
_WRITE = "Write the date as 2026-01-31."


def read_date(text: str) -> str:
    """The text with its date as 2026-01-31 where it has one in another form (`13.04.2026`, `4/13/2026`, `2026/4/13`);
    any other text as it is. `Misuse` for a date that can be read two ways."""
    plain = text.strip()
    if found := _YEAR_FIRST.fullmatch(plain):
        readings = _days((found[1], found[3], found[4]))
    elif found := _YEAR_LAST.fullmatch(plain):
        if len(found[4]) == 2:
            raise Misuse(f"{text!r} has a year of two digits: it can be read several ways.", hint=_WRITE)
        readings = _days((found[4], found[3], found[1]), (found[4], found[1], found[3]))
    else:
        return text
    if not readings:
        raise Misuse(f"{text!r} is no day of the calendar.", hint=_WRITE)
    if len(readings) > 1:
        raise Misuse(f"{text!r} can be read two ways: {' or '.join(sorted(readings))}.", hint=_WRITE)
    return f"{readings.pop()}{(found['rest'] or '').rstrip()}"


def _days(*readings: tuple[str, str, str]) -> set[str]:
    """Those of them, as year, month and day, that the calendar has."""
    found = set()
    for year, month, day in readings:
        try:
            found.add(date(int(year), int(month), int(day)).isoformat())
        except ValueError:
            continue
    return found
