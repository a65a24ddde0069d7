"""Salesforce record ids: 15 case-sensitive base-62 characters, and the 18-character form with its checksum."""

import re
from functools import lru_cache
from typing import Any

BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
CHECK_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
INSTANCE = "5e0"  # the part after the prefix; one simulated org is one instance
_SHAPE = re.compile(r"[0-9A-Za-z]{15}(?:[0-9A-Za-z]{3})?\Z")


def check_value(five: str) -> int:
    """Return the checksum number (0 to 31) of five characters: bit i is set when character i is A to Z."""
    return sum(1 << position for position, char in enumerate(five) if "A" <= char <= "Z")


def checksum(id15: str) -> str:
    """Return the three checksum characters of a 15-character id."""
    return "".join(CHECK_ALPHABET[check_value(id15[start : start + 5])] for start in (0, 5, 10))


@lru_cache(10_000)  # the same few are asked for again and again
def to_18(id15: str) -> str:
    """Return the 18-character form of a 15-character id."""
    return id15 + checksum(id15)


def normalize(text: object) -> str | None:
    """Return the 18-character form of a 15- or 18-character id, or None when it is not an id.

    An 18-character id whose checksum does not fit (its letter case was changed) is not an id.
    """
    if not isinstance(text, str) or not _SHAPE.match(text):
        return None
    full = to_18(text[:15])
    return full if text in (full, full[:15]) else None


def base62(number: int, width: int) -> str:
    """Write a number in base 62 with leading zeros."""
    digits = []
    for _ in range(width):
        number, rest = divmod(number, 62)
        digits.append(BASE62[rest])
    return "".join(reversed(digits))


def make(prefix: str, serial: int) -> str:
    """Return the 18-character id of the `serial`-th record under a three-character key prefix."""
    return to_18(prefix + INSTANCE + base62(serial, 9))


class Series:
    """Makes the ids of many rows quickly: `series(prefix, serial)` equals `make(prefix, serial)`."""

    def __init__(self) -> None:
        self._low = [(base62(number, 2), check_value("000" + base62(number, 2))) for number in range(3844)]
        self._high: dict[tuple[str, int], tuple[str, str, int]] = {}

    def __call__(self, *arguments: Any) -> str:
        """Return the id of a key prefix and a serial number; SQL calls it with both."""
        prefix: str = arguments[0]
        serial: int = arguments[1]
        high, low = divmod(serial, 3844)
        known = self._high.get((prefix, high))
        if known is None:
            known = self._high[prefix, high] = self._begin(prefix, high)
        text, bits = self._low[low]
        return known[0] + text + known[1] + CHECK_ALPHABET[known[2] + bits]

    def _begin(self, prefix: str, high: int) -> tuple[str, str, int]:
        start = prefix + INSTANCE + base62(high, 7)
        return start, checksum(start[:10])[:2], check_value(start[10:])
