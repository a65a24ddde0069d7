"""What the day's API calls may be spent on, and what a plan would cost. Pure.

Salesforce counts the calls of all applications in a rolling 24 hours (limits cheat sheet, API request allocations) and
tells the count on every answer (`Sforce-Limit-Info`).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from msgspec.structs import replace

from salesforce_sync.api.route import REST_PAGE_ROWS, Probe, Route, bulk_calls, choose, rest_calls_left
from salesforce_sync.models.page import Priority
from salesforce_sync.models.usage import Forecast, Rhythm, Work

POLLS_A_CALL = 5
"""Objects that share one poll: a composite call takes five queries (REST guide, Composite)."""

LOOK_AGAIN = timedelta(hours=1)
"""How long the org's word that too much is used is taken as true. Which calls leave the window when, it never tells."""

_DAY = timedelta(days=1)
_SHARES = {Priority.PUSH: 100, Priority.PULL: 95, Priority.VERIFY: 80, Priority.REFRESH: 70}
"""Percent of the ceiling at which each kind of work stops. What pulls leave is the reserve of pushes."""

_WORDS = {
    Priority.PUSH: "all of them",
    Priority.PULL: "the rest is kept for changes on their way to the org",
    Priority.VERIFY: "the rest is kept for pulls and pushes",
    Priority.REFRESH: "the rest is kept for pulls, pushes and proofs",
}


def ceiling(of_person: int | None, of_org: int | None) -> int | None:
    """Where we stop: the smaller of the two limits; None while neither is known."""
    return min((limit for limit in (of_person, of_org) if limit is not None), default=None)


def allowance(ceiling: int, priority: Priority) -> int:
    """Up to how many used calls this kind of work may go on. The reserve of pushes is rounded down."""
    return ceiling - ceiling * (100 - _SHARES[priority]) // 100


def may_call(used: int | None, ceiling: int | None, priority: Priority) -> bool:
    """Whether one more call may be sent; yes where the org has not told yet."""
    return used is None or ceiling is None or used < allowance(ceiling, priority)


def look_again(told: datetime) -> datetime:
    """When the org is asked again, after it told at `told` that too much is used."""
    return told + LOOK_AGAIN


def spent(used: int, ceiling: int, priority: Priority) -> str:
    """Why a call was not sent, in words."""
    stop = allowance(ceiling, priority)
    kept = _WORDS[priority]
    return f"{used:,} of {ceiling:,} API calls of the last 24 hours are used; this work stops at {stop:,} ({kept})."


def at(moment: datetime) -> str:
    """A hint when to try again."""
    return f"Try again at {moment.astimezone(UTC):%H:%M} UTC; calls become free 24 hours after they were made."


def quiet_day(objects: int, interval: timedelta) -> int:
    """Calls a day that so many objects cost while nothing changes in them."""
    return _times(interval) * -(-objects // POLLS_A_CALL)


def forecast(works: Sequence[Work]) -> Forecast:
    """What the next run costs if little has changed: what is shared, and what each object needs beside that."""
    polls = -(-sum(each.polled for each in works) // POLLS_A_CALL)
    listings = -(-sum(each.proof_is_due for each in works) // POLLS_A_CALL)
    return Forecast(polls + listings, tuple((each.object_name, _own_calls(each)) for each in works))


def _own_calls(work: Work) -> int | None:
    if work.rows is None:
        return None
    reading = full_load(work.rows) - 1  # it is described already
    again = (reading + 1) * work.reads_all  # nothing else would show that its fields have changed
    return again + reading * work.refresh_is_due + (reading - 1 if work.proof_is_due else 0)


def day(works: Sequence[Work], rhythm: Rhythm) -> int:
    """Calls a day while little changes, by what happens by itself; objects that are not loaded yet count as empty."""
    loaded = [
        replace(each, rows=each.rows or 0, polled=not each.reads_all, refresh_is_due=False, proof_is_due=False)
        for each in works
    ]
    calls = sum(times * forecast(some).calls for some, times in _rounds(loaded, rhythm).items())
    for every, due in (
        (rhythm.verify_every, [replace(each, polled=False, reads_all=False, proof_is_due=True) for each in loaded]),
        (
            rhythm.refresh_every,
            [replace(each, polled=False, reads_all=False, refresh_is_due=True) for each in loaded if each.refreshes],
        ),
    ):
        if every is not None:
            calls += _times(every) * forecast(due).calls
    return calls


def _rounds(works: Sequence[Work], rhythm: Rhythm) -> Counter[tuple[Work, ...]]:
    """Which objects are synced together, how often in a day: those that are due at one time share calls."""
    together: defaultdict[timedelta, list[Work]] = defaultdict(list)
    for work in works:
        interval = rhythm.intervals.get(work.object_name, rhythm.interval)
        for turn in range(_times(interval)):
            together[turn * interval].append(work)
    return Counter(map(tuple, together.values()))


def _times(every: timedelta) -> int:
    return -(-_DAY // every)


def left(used: int, ceiling: int) -> int:
    """How many calls pulls may still make."""
    return max(0, allowance(ceiling, Priority.PULL) - used)


def full_load(rows: int, page_rows: int = REST_PAGE_ROWS) -> int:
    """Calls that reading so many rows costs by the cheaper route, if the org's REST pages have `page_rows` of them.

    One call describes the object; the first REST page tells the size. A verify reads its ids for one call less.
    """
    probe = Probe(rows, min(rows, page_rows), rows <= page_rows)
    left = bulk_calls(rows) if choose(probe) is Route.BULK else rest_calls_left(probe)
    return 2 + left
