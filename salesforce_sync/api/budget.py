"""What the day's API calls may be spent on, and what a plan would cost. Pure.

Salesforce counts the calls of all applications in a rolling 24 hours (limits cheat sheet, API request allocations) and
tells the count on every answer (`Sforce-Limit-Info`).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from salesforce_sync.api.route import Probe, Route, bulk_calls, choose, rest_calls_left
from salesforce_sync.models.page import Priority

POLLS_A_CALL = 5
"""Objects that share one poll: a composite call takes five queries (REST guide, Composite)."""

LOOK_AGAIN = timedelta(hours=1)
"""How long the org's word that too much is used is taken as true. Which calls leave the window when, it never tells."""

REST_PAGE_ROWS = 2000
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
    cycles = -(-_DAY // interval)
    return cycles * -(-objects // POLLS_A_CALL)


def full_load(rows: int, page_rows: int = REST_PAGE_ROWS) -> int:
    """Calls that reading so many rows costs by the cheaper route, if the org's REST pages have `page_rows` of them.

    One call describes the object; the first REST page tells the size. A verify reads its ids for one call less.
    """
    probe = Probe(rows, min(rows, page_rows), rows <= page_rows)
    left = bulk_calls(rows) if choose(probe) is Route.BULK else rest_calls_left(probe)
    return 2 + left
