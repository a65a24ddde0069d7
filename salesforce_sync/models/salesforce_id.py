"""Salesforce ids: 15 characters with case, and the 18-character form whose last three guard the case.

Source: the id section of the API facts (checksum of upper-case letters, five by five).
"""

from __future__ import annotations

import re

from salesforce_sync.errors import Misuse

_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
_FORM = re.compile(r"[0-9A-Za-z]{15}(?:[0-9A-Za-z]{3})?")


def to_18(record_id: str) -> str:
    """The 18-character form of an id of 15 or 18 characters; `Misuse` for anything else or a wrong checksum."""
    if not _FORM.fullmatch(record_id):
        raise Misuse(f"{record_id!r} is not a Salesforce id.", hint="An id has 15 or 18 letters and digits.")
    full = record_id[:15] + _checksum(record_id[:15])
    if len(record_id) == 18 and full != record_id:
        raise Misuse(f"{record_id!r} is not a Salesforce id: its letter case was changed.", hint="Copy it again.")
    return full


def _checksum(id_15: str) -> str:
    fives = (id_15[start : start + 5] for start in (0, 5, 10))
    return "".join(_ALPHABET[sum(1 << bit for bit, char in enumerate(five) if char.isupper())] for five in fives)
