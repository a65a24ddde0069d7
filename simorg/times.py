"""Dates and times as Salesforce writes and reads them; inside, a datetime is milliseconds since 1970 in UTC."""

import re
from datetime import UTC, date, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FIRST_DAY = date(1700, 1, 1)
LAST_DAY = date(4000, 12, 31)
DAY_MS = 86_400_000
_DATETIME = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?(Z|[+-]\d\d:?\d\d)?)?\Z", re.IGNORECASE
)
_TIME = re.compile(r"(\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,3}))?)?Z?\Z", re.IGNORECASE)


def from_ms(ms: int) -> datetime:
    """Return the aware UTC datetime of an epoch in milliseconds; unlike `fromtimestamp` it also knows 1700 and 4000."""
    return EPOCH + timedelta(milliseconds=ms)


def to_ms(moment: datetime) -> int:
    """Return the epoch milliseconds of a datetime; a naive one is taken as UTC."""
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (aware - EPOCH) // timedelta(milliseconds=1)


def rest_time(ms: int) -> str:
    """Write a datetime as REST JSON does: `2024-01-15T10:30:00.000+0000`."""
    return f"{from_ms(ms):%Y-%m-%dT%H:%M:%S}.{ms % 1000:03d}+0000"


def http_date(ms: int) -> str:
    """Write a datetime as an HTTP date, in whole seconds."""
    moment = from_ms(ms)
    day = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")[moment.weekday()]
    month = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")[moment.month - 1]
    return f"{day}, {moment.day:02d} {month} {moment.year:04d} {moment:%H:%M:%S} GMT"


def parse_datetime(text: str) -> int | None:
    """Read an ISO datetime (a missing zone is UTC, a bare date is its midnight); None when it is not one or too far."""
    match = _DATETIME.match(text)
    if match is None:
        return None
    year, month, day, hour, minute, second, fraction, zone = match.groups()
    try:
        moment = datetime(
            int(year), int(month), int(day), int(hour or 0), int(minute or 0), int(second or 0), tzinfo=UTC
        )
    except ValueError:
        return None
    if not FIRST_DAY <= moment.date() <= LAST_DAY:
        return None
    return to_ms(moment) + int((fraction or "0")[:3].ljust(3, "0")) - _offset_ms(zone)


def _offset_ms(zone: str | None) -> int:
    if zone is None or zone in "Zz":
        return 0
    digits = zone[1:].replace(":", "")
    size = (int(digits[:2]) * 60 + int(digits[2:])) * 60_000
    return -size if zone[0] == "-" else size


def parse_date(text: str) -> str | None:
    """Read `yyyy-MM-dd` (a time after it is dropped, as Salesforce does) and give it back checked, or None."""
    match = _DATETIME.match(text)
    if match is None:
        return None
    try:
        day = date(int(match[1]), int(match[2]), int(match[3]))
    except ValueError:
        return None
    return day.isoformat() if FIRST_DAY <= day <= LAST_DAY else None


def parse_time(text: str) -> str | None:
    """Read a time of day and give it back as `HH:MM:SS.mmmZ`, or None."""
    match = _TIME.match(text)
    if match is None or int(match[1]) > 23 or int(match[2]) > 59 or int(match[3] or 0) > 59:
        return None
    return f"{match[1]}:{match[2]}:{match[3] or '00'}.{(match[4] or '0').ljust(3, '0')}Z"
