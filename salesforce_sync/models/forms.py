"""Texts that are one value in two forms: what an org may make of a text when it saves it. Pure.

Salesforce trims blanks by itself; that phone numbers get brackets and a country, or addresses on the web a scheme, is
the work of an org's own automation and of its pages.
"""

from __future__ import annotations

import re
from typing import Final

from salesforce_sync.models.schema import Field

_NO_DIGITS: Final = re.compile(r"\D", re.ASCII)
_EXTENSION: Final = re.compile(r"\s*(?:x|ext\.?|#)\s*(?=\d+\s*$)", re.IGNORECASE)
_SCHEME: Final = re.compile(r"https?://", re.IGNORECASE)
_NATIONAL: Final = 6
"""Digits without their country that are a number of their own."""

_COUNTRY: Final = 3
"""Digits that a country's code has at the most (ITU-T E.164)."""


def same_text(field: Field, one: str, other: str) -> bool:
    """Whether the field means the same by both."""
    one, other = one.strip(), other.strip()
    match field.salesforce_type:
        case "picklist" | "email":
            return one.casefold() == other.casefold()
        case "multipicklist":
            return _chosen(one) == _chosen(other)
        case "phone":
            return one == other or _same_phone(one, other)
        case "url":
            return _without_scheme(one) == _without_scheme(other)
    return one == other


def _chosen(text: str) -> frozenset[str]:
    """The values that a multi-select picklist has; it has each once, and no order of its own."""
    return frozenset(each.strip().casefold() for each in text.split(";")) - {""}


def _same_phone(one: str, other: str) -> bool:
    if _is_worded(one) or _is_worded(other):
        return False
    first, second = (_NO_DIGITS.sub("", each).lstrip("0") for each in (one, other))
    short, long = sorted((first, second), key=len)
    if len(short) < _NATIONAL:
        return bool(short) and short == long
    return long.endswith(short) and len(long) - len(short) <= _COUNTRY


def _is_worded(text: str) -> bool:
    """Whether letters are a part of it, other than before an extension: 1-800-FLOWERS."""
    return any(each.isalpha() for each in _EXTENSION.sub("", text))


def _without_scheme(text: str) -> str:
    bare = _SCHEME.sub("", text, count=1).removesuffix("/")
    host, slash, path = bare.partition("/")
    return f"{host.casefold()}{slash}{path}"
