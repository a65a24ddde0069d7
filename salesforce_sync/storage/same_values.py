"""SQL that knows two forms of one value: what comes as text from a CSV file is the number, or the id, that is here.

Built-in functions of 2018 only, as the triggers' are; `models/values.py` and `models/salesforce_id.py` do the same.
"""

from __future__ import annotations

from typing import Final

from salesforce_sync.models.outbox import LOCAL_PREFIX
from salesforce_sync.models.values import EXACT_DIGITS

_SMALL: Final = f"BETWEEN -1e{EXACT_DIGITS} AND 1e{EXACT_DIGITS}"
_SUFFIXES: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"


def may_be_rewritten(name: str) -> str:
    """Whether a decimal may be in another form than the stored one: a text, or a whole number of many digits."""
    return f"{name} NOT {_SMALL}"  # a text is more than any number


def is_number(text: str) -> str:
    """Whether a text is written like 1234.5: digits, a sign before them, a point."""
    return (
        f"{text} GLOB '[-+.0-9]*' AND substr({text}, 2) NOT GLOB '*[^.0-9]*'"
        f" AND {text} GLOB '*[0-9]*' AND {text} NOT GLOB '*.*.*'"
    )


def decimal(value: str) -> str:
    """A decimal in its stored form: a number where a double gives all digits back, else every digit as text."""
    digits = f"length(trim(replace(ltrim({value}, '-+'), '.', ''), '0'))"
    ended = f"CASE WHEN instr({value}, '.') THEN rtrim(rtrim({value}, '0'), '.') ELSE {value} END"
    shown = f"SELECT ltrim({ended}, '-+0') AS shown"
    sign = f"CASE WHEN {value} GLOB '-*' THEN '-' ELSE '' END"
    zero = "CASE WHEN shown GLOB '.*' THEN '0' ELSE '' END"
    return (
        f"CASE WHEN {may_be_rewritten(value)} AND typeof({value}) IN ('text', 'integer') AND {is_number(value)} THEN"
        f" CASE WHEN {digits} <= {EXACT_DIGITS} THEN CAST({value} AS REAL)"
        f" ELSE (SELECT {sign} || {zero} || shown FROM ({shown})) END"
        f" ELSE {value} END"
    )


def same_number(one: str, other: str) -> str:
    """Whether one is a number, and the other a text that is that number, and a double holds its digits; or not true."""
    text = f"CASE typeof({one}) WHEN 'text' THEN {one} ELSE {other} END"
    return (
        f"typeof({one}) || typeof({other}) IN ('realtext', 'textreal', 'integertext', 'textinteger')"
        f" AND (SELECT length(text) <= {EXACT_DIGITS} AND {is_number('text')} FROM (SELECT {text} AS text))"
        f" AND CAST({one} AS REAL) = CAST({other} AS REAL)"
    )


def full_id(value: str) -> str:
    """An id of 15 characters in 18; anything else as it is."""
    bits = " + ".join(f"(substr({value}, place + {at}, 1) BETWEEN 'A' AND 'Z') * {2**at}" for at in range(5))
    suffix = f"group_concat(substr('{_SUFFIXES}', 1 + {bits}, 1), '')"
    places = "SELECT 1 AS place UNION ALL SELECT 6 UNION ALL SELECT 11"
    return (
        f"CASE WHEN length({value}) = 15 AND {value} NOT GLOB '*[^0-9A-Za-z]*'"
        f" THEN {value} || (SELECT {suffix} FROM ({places})) ELSE {value} END"
    )


def same_id(one: str, other: str) -> str:
    """Whether these are one id, in 15 characters and in 18; NULL or false for any other two."""
    return (
        f"length({one}) + length({other}) = 33 AND substr({one}, 1, 15) = substr({other}, 1, 15)"
        f" AND {one} NOT GLOB '{LOCAL_PREFIX}*'"
    )
