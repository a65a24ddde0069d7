"""The screen of API calls: used, left, what is to be expected, and where the wall is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from fastapi import APIRouter, Request
from msgspec import Struct
from starlette.responses import Response

from salesforce_sync.app import Budget
from salesforce_sync.web import documents
from salesforce_sync.web.heard import Sample
from salesforce_sync.web.page.frame import Looking, PageRoute, show

router = APIRouter(prefix="/org/{connection}/budget", route_class=PageRoute, include_in_schema=False)


class Curve(Struct, frozen=True):
    """Calls over time, in seconds since 1970: what was used, what is to be expected, and where we stop."""

    times: tuple[float, ...]
    used: tuple[int | None, ...]
    expected: tuple[float | None, ...]
    wall: int

    def document(self) -> dict[str, Any]:
        """As the chart takes it."""
        return {"times": self.times, "used": self.used, "expected": self.expected, "wall": self.wall}


def curve(budget: Budget, samples: list[Sample], now: datetime) -> Curve:
    """The calls of the last day, and of the next: with the usual syncs, and never past the wall.

    The org counts a rolling day: in 24 hours all of today's calls have gone out of it, and `day` calls have come.
    """
    if budget.used is None:
        return Curve((), (), (), budget.ceiling)
    past = {each.at.timestamp(): each.used for each in samples if each.at < now} | {now.timestamp(): budget.used}
    ahead = {
        (now + timedelta(hours=hour)).timestamp(): _expected(budget, budget.used, hour) for hour in range(2, 25, 2)
    }
    return Curve(
        (*past, *ahead),
        (*past.values(), *(None for _ in ahead)),
        (*(None for _ in range(len(past) - 1)), float(budget.used), *ahead.values()),
        budget.ceiling,
    )


def _expected(budget: Budget, used: int, hour: int) -> float:
    """Calls used in so many hours: today's go out of the day evenly, and the usual ones come."""
    return min(float(budget.ceiling), used + (budget.day - used) * hour / 24)


def _kept_for_edits(budget: Budget) -> int:
    """Calls up to the wall that no sync takes."""
    return 0 if budget.used is None or budget.left is None else max(0, budget.ceiling - budget.used - budget.left)


@router.get("")
def budget(request: Request, asked: Looking) -> Response:
    """The screen. No API call."""
    asked.replica.heard.sample()
    found = asked.replica.sync.budget()
    return show(
        request,
        asked,
        "budget.html",
        "budget",
        budget=documents.budget(found),
        kept=_kept_for_edits(found),
        curve=curve(found, asked.replica.heard.samples(), datetime.now(UTC)).document(),
    )
