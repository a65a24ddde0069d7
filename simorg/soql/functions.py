"""The functions of Python that compiled SOQL calls inside SQLite."""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import apsw

from simorg import folding, times
from simorg.decimals import EXACT, canonical


def register(connection: apsw.Connection) -> None:
    """Give a connection the `sf_…` functions; doing it twice is harmless."""
    folding.register(connection)
    connection.create_scalar_function("sf_decimal", _compare, 2, deterministic=True)
    connection.create_scalar_function("sf_local", _local, 2, deterministic=True)
    connection.create_scalar_function("sf_format", _format, 3, deterministic=True)
    for name, kind in (("sf_sum", _Sum), ("sf_avg", _Average), ("sf_min", _Least), ("sf_max", _Greatest)):
        connection.create_aggregate_function(name, kind.factory, 1)


@lru_cache(maxsize=64)
def zone_of(name: str | None) -> ZoneInfo:
    """The time zone of a user, or RuntimeError where this machine does not know it."""
    try:
        return ZoneInfo(name or "UTC")
    except (ZoneInfoNotFoundError, ValueError, OSError) as problem:
        raise RuntimeError(f"no data for the time zone {name}: install the package tzdata") from problem


def _compare(*values: Any) -> int | None:
    """-1, 0 or 1 for two decimals written as text; SQLite's own numbers stop at 15 digits."""
    left, right = values
    if left is None or right is None:
        return None
    try:
        one, two = Decimal(str(left)), Decimal(str(right))
    except InvalidOperation:
        return None
    return (one > two) - (one < two)


def _local(*values: Any) -> int | None:
    """Move a UTC moment so that its UTC fields read as the local time of a zone."""
    ms, zone = values
    if not isinstance(ms, int):
        return None
    moment = times.from_ms(ms).astimezone(zone_of(str(zone)))
    offset = moment.utcoffset()
    return ms + (round(offset.total_seconds() * 1000) if offset else 0)


def _format(*values: Any) -> str | None:
    """FORMAT() in the en_US locale."""
    value, kind, scale = values
    if value is None:
        return None
    if kind == "datetime" and isinstance(value, int):
        moment = times.from_ms(value)
        clock = f"{moment.hour % 12 or 12}:{moment.minute:02d} {'AM' if moment.hour < 12 else 'PM'}"
        return f"{moment.month}/{moment.day}/{moment.year}, {clock}"
    if kind == "date":
        year, month, day = str(value).split("-")
        return f"{int(month)}/{int(day)}/{int(year)}"
    if kind in ("currency", "double", "percent", "int"):
        text = f"{Decimal(str(value)):,.{scale}f}"
        return {"currency": f"${text}", "percent": f"{text}%"}.get(str(kind), text)
    return str(value)


class _Numbers:
    """Collects what an aggregate function sees."""

    def __init__(self) -> None:
        self.count = 0
        self.total = Decimal(0)
        self.least: Decimal | None = None
        self.greatest: Decimal | None = None

    def step(self, *values: Any) -> None:
        (value,) = values
        if value is None:
            return
        number = Decimal(str(value))
        self.count += 1
        self.total = EXACT.add(self.total, number)
        if self.least is None or number < self.least:
            self.least = number
        if self.greatest is None or number > self.greatest:
            self.greatest = number

    def result(self) -> Decimal | None:
        return self.total if self.count else None

    def final(self) -> str | None:
        found = self.result()
        return None if found is None else canonical(found)

    @classmethod
    def factory(cls) -> tuple[_Numbers, Callable[..., None], Callable[[Any], str | None]]:
        return cls(), cls.step, cls.final


class _Sum(_Numbers):
    pass


class _Average(_Numbers):
    def result(self) -> Decimal | None:
        if not self.count:
            return None
        mean = float(self.total / self.count)
        return Decimal(repr(mean)) if math.isfinite(mean) else None


class _Least(_Numbers):
    def result(self) -> Decimal | None:
        return self.least


class _Greatest(_Numbers):
    def result(self) -> Decimal | None:
        return self.greatest
