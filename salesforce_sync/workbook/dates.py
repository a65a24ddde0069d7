"""Dates that were typed as texts, in the order of somebody's own country: read where they have one reading. Pure."""

from __future__ import annotations

import re
from datetime import date

from salesforce_sync.errors import Misuse

_TIME = r"(?P<rest>[ T]+[0-9].*)?"
_YEAR_LAST = re.compile(rf"(\d{{1,2}})([./-])\s?(\d{{1,2}})\2\s?(\d{{4}}|\d{{2}}){_TIME}", re.ASCII)
_YEAR_FIRST = re.compile(rf"(\d{{4}})([./-])(\d{{1,2}})\2(\d{{1,2}}){_TIME}", re.ASCII)
_DAY_FIRST = re.compile(
    rf"([0-9]{{1,2}})(?:st|nd|rd|th|\.)?[ -]?([^\W\d_]{{3,9}})\.?[ ,-] ?([0-9]{{4}}|[0-9]{{2}}){_TIME}", re.IGNORECASE
)
_MONTH_FIRST = re.compile(
    rf"([^\W\d_]{{3,9}})\.? ([0-9]{{1,2}})(?:st|nd|rd|th)?,? ([0-9]{{4}}|[0-9]{{2}}){_TIME}", re.IGNORECASE
)
_WRITE = "Write the date as 2026-01-31."

_MONTHS = (
    "january jan januar jänner",
    "february feb februar feber",
    "march mar märz maerz mrz mär",
    "april apr",
    "may mai",
    "june jun juni",
    "july jul juli",
    "august aug",
    "september sep sept",
    "october oct oktober okt",
    "november nov",
    "december dec dezember dez",
)
_MONTH_OF = {name: str(number) for number, names in enumerate(_MONTHS, 1) for name in names.split()}
"""Months by their English and German names, and how these are shortened."""


def read_date(text: str) -> str:
    """The text with its date as 2026-01-31 where it has one in another form (`13.04.2026`, `4/13/2026`, `2026/4/13`,
    `Apr 3, 2026`, `3. März 2026`); any other text as it is. `Misuse` for a date that can be read two ways."""
    plain = text.strip()
    if found := _YEAR_FIRST.fullmatch(plain):
        readings = _days((found[1], found[3], found[4]))
    elif found := _YEAR_LAST.fullmatch(plain):
        _check_year(text, found[4])
        readings = _days((found[4], found[3], found[1]), (found[4], found[1], found[3]))
    elif (found := _DAY_FIRST.fullmatch(plain)) and (month := _MONTH_OF.get(found[2].casefold())):
        _check_year(text, found[3])
        readings = _days((found[3], month, found[1]))
    elif (found := _MONTH_FIRST.fullmatch(plain)) and (month := _MONTH_OF.get(found[1].casefold())):
        _check_year(text, found[3])
        readings = _days((found[3], month, found[2]))
    else:
        return text
    if not readings:
        raise Misuse(f"{text!r} is no day of the calendar.", hint=_WRITE)
    if len(readings) > 1:
        raise Misuse(f"{text!r} can be read two ways: {' or '.join(sorted(readings))}.", hint=_WRITE)
    return f"{readings.pop()}{(found['rest'] or '').rstrip()}"


def _check_year(text: str, year: str) -> None:
    if len(year) == 2:
        raise Misuse(f"{text!r} has a year of two digits: it can be read several ways.", hint=_WRITE)


def _days(*readings: tuple[str, str, str]) -> set[str]:
    """Those of them, as year, month and day, that the calendar has."""
    found = set()
    for year, month, day in readings:
        try:
            found.add(date(int(year), int(month), int(day)).isoformat())
        except ValueError:
            continue
    return found
