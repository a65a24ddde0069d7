"""Salesforce ids: 15 characters with case, and the 18-character form whose last three guard the case.

Source: the id section of the API facts (checksum of upper-case letters, five by five).
"""

from __future__ import annotations

import re
from string import ascii_letters, ascii_uppercase, digits
from typing import TypeVar

from salesforce_sync.errors import Misuse

T = TypeVar("T")

_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
_UPPER = {ord(each): "1" if each in ascii_uppercase else "0" for each in ascii_letters + digits}
_FORM = re.compile(r"[0-9A-Za-z]{15}(?:[0-9A-Za-z]{3})?")


def from_org(record_id: str) -> str:
    """An id that came from an org, in 18 characters: the org's own word, so that its last three are not doubted.

    `Misuse` for what is neither 15 nor 18 letters and digits.
    """
    return record_id if len(record_id) == 18 and _FORM.fullmatch(record_id) else to_18(record_id)


def lengthened(value: T) -> T | str:
    """An id of 15 characters in 18, so that a record has one name however an org tells it; anything else as it is."""
    return to_18(value) if isinstance(value, str) and len(value) == 15 and _FORM.fullmatch(value) else value


def is_formed(text: str) -> bool:
    """Whether this has the form of an id: 15 or 18 letters and digits."""
    return _FORM.fullmatch(text) is not None


def is_guarded(record_id: str) -> bool:
    """Whether the last three of these 18 characters guard the case of the others. Not every simulated org's do."""
    return record_id[15:] == _checksum(record_id[:15])


def to_18(record_id: str) -> str:
    """The 18-character form of an id that somebody typed; `Misuse` for other forms and for a wrong checksum."""
    if not _FORM.fullmatch(record_id):
        raise Misuse(f"{record_id!r} is not a Salesforce id.", hint="An id has 15 or 18 letters and digits.")
    full = record_id[:15] + _checksum(record_id[:15])
    if len(record_id) == 18 and full != record_id:
        raise Misuse(f"{record_id!r} is not a Salesforce id: its letter case was changed.", hint="Copy it again.")
    return full


def _checksum(id_15: str) -> str:
    # As binary digits, the first character last: every row of a push comes here several times.
    bits = id_15[::-1].translate(_UPPER)
    return _ALPHABET[int(bits[10:], 2)] + _ALPHABET[int(bits[5:10], 2)] + _ALPHABET[int(bits[:5], 2)]
