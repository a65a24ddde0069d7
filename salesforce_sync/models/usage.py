"""What the org says of its API calls, and what a plan would cost of them, as data."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from msgspec import Struct, field


class DayUsage(Struct, frozen=True):
    """API calls of the last 24 hours, everybody's together: `used` of `limit`, as the org said at `at` (our time)."""

    used: int
    limit: int
    at: datetime


class Work(Struct, frozen=True):
    """What the next run does with one object of so many rows; `rows` is None before its first load.

    `polled`: what changed is asked together with other objects. `reads_all`: every run reads every row.
    """

    object_name: str
    rows: int | None
    polled: bool = False
    reads_all: bool = False
    refreshes: bool = False
    refresh_is_due: bool = False
    proof_is_due: bool = False


class Rhythm(Struct, frozen=True):
    """How often what happens by itself. None: never. `intervals` are those of single objects, by name."""

    interval: timedelta
    verify_every: timedelta | None
    refresh_every: timedelta | None
    intervals: Mapping[str, timedelta] = field(default_factory=dict)


MANY_UNKNOWN = 6
"""Objects that are described together, five a call, where so many are not known yet. An org answers the parts of a call
one after the other: with fewer objects, workers that ask side by side are sooner ready, for nearly as few calls."""


def least_of_loads(objects: int) -> int:
    """The calls that first loads of so many objects take at least: each is described, and asked for a page."""
    return objects + (objects if objects < MANY_UNKNOWN else -(-objects // 5))


class Forecast(Struct, frozen=True):
    """API calls that a run will cost while little has changed.

    `shared` are calls that several objects have in common; `objects` says what each needs beside them, None where
    that is not known before the object's first load has begun.
    """

    shared: int
    objects: tuple[tuple[str, int | None], ...]

    @property
    def calls(self) -> int:
        """As many as are known: of a first load that it describes the object and asks for a page."""
        known = sum(calls for _, calls in self.objects if calls is not None)
        return self.shared + known + least_of_loads(len(self.unknown))

    @property
    def unknown(self) -> tuple[str, ...]:
        """The objects of which it is not known."""
        return tuple(name for name, calls in self.objects if calls is None)
