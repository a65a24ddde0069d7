"""Random field values as people and integrations write them, the nasty ones first."""

from __future__ import annotations

import random
from itertools import count
from typing import Any

from simorg.schema import NUMBER_TYPES, SField

NASTY = (
    "null",
    "NULL",
    "#N/A",
    "00123",
    "1e5",
    "true",
    '"',
    '""quoted"", with a comma',
    "two\nlines",
    "cr\r\nlf",
    "tab\there",
    "=1+1",
    "-",
    "'; DROP TABLE Contact; --",
    "\u05e9\u05dc\u05d5\u05dd \u202eabc",
    "\U0001f469\u200d\U0001f680 emoji",
    "\\N",
    "\\",
    "NaN",
    "2024-01-15T10:30:00.000+0000",
    "\ufeffbom",
    "  spaced  ",
    "a" * 300,
)
_SERIAL = count(1)


def value_for(one: SField, rng: random.Random) -> Any:
    """A value that the field takes, None now and then. References are for the caller."""
    if one.unique:
        return unique_value(one)
    if one.nillable and rng.random() < 0.2:
        return None
    if one.type in NUMBER_TYPES:
        return _number(one, rng)
    match one.type:
        case "boolean":
            return rng.random() < 0.5
        case "int":
            return rng.randrange(10 ** min(one.digits, 9))
        case "date":
            return rng.choice(("1700-01-01", "4000-12-31", "2024-02-29", "1970-01-01"))
        case "datetime":
            return rng.choice(("1700-01-01T00:00:00Z", "4000-12-31T23:59:59Z", "2024-03-31T01:30:00Z"))
        case "time":
            return rng.choice(("00:00:00.000Z", "23:59:59.999Z", "12:00:00.001Z"))
        case "email":
            return f"p{rng.randrange(10_000)}@example.com"
        case "picklist":
            return rng.choice([each.value for each in one.picklist if each.active] or [None])
        case "multipicklist":
            known = [each.value for each in one.picklist if each.active]
            return ";".join(rng.sample(known, rng.randint(1, len(known)))) if known else None
        case _:
            return _text(one, rng)


def unique_value(one: SField) -> Any:
    """A value that no other row has."""
    number = next(_SERIAL)
    return number if one.type in NUMBER_TYPES else f"key-{number:06}"


def _text(one: SField, rng: random.Random) -> str:
    text = rng.choice(NASTY) if rng.random() < 0.4 else f"{rng.choice('ABCDEFGH')}{rng.randrange(10_000)}"
    return text[: one.length] if one.length else text


def _number(one: SField, rng: random.Random) -> str:
    """As text, so that every digit arrives."""
    whole = max(1, one.precision - one.scale)
    digits = rng.choice((1, whole, rng.randint(1, whole)))
    number = str(rng.randrange(10**digits))
    if one.scale and rng.random() < 0.7:
        number += "." + "".join(rng.choice("0123456789") for _ in range(one.scale))
    return rng.choice(("", "-")) + number
