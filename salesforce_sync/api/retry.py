"""Whether a failed request is sent again, and when. Pure.

What passes by itself: 406 without a body, 408, 420, 429, 5xx, ConcurrentPerOrgLongTxn, UNABLE_TO_LOCK_ROW, a result
that one of the org's servers does not have yet (JOB_NOT_COMPLETE) and a broken connection.
"""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum

from salesforce_sync.api.responses import NOT_READY, Refusal, is_concurrency_limit, is_scope_problem

TRIES = 5
LONGEST_PAUSE = 30.0
LONGEST_RETRY_AFTER = 120.0
LONGEST_EFFORT = 300.0
"""Seconds after which a request is not sent again: a server that hangs is told of, and not waited for five times."""


class Fate(StrEnum):
    """What comes after a refusal."""

    AGAIN = "again"
    RENEW = "renew"
    STOP = "stop"


def fate(refusal: Refusal) -> Fate:
    """Send again, renew the session first, or give up."""
    if refusal.status == 401:
        return Fate.STOP if is_scope_problem(refusal) else Fate.RENEW
    if refusal.code == "REQUEST_LIMIT_EXCEEDED":
        # A used-up day is not asked again: each try would be refused, and some orgs count it.
        return Fate.AGAIN if is_concurrency_limit(refusal) else Fate.STOP
    if refusal.code in ("UNABLE_TO_LOCK_ROW", NOT_READY):
        return Fate.AGAIN
    if refusal.status == 406:
        return Fate.AGAIN if refusal.empty else Fate.STOP
    return Fate.AGAIN if refusal.status in (408, 420, 429) or refusal.status >= 500 else Fate.STOP


def undone(refusal: Refusal) -> bool:
    """Whether the org has surely not done what was asked, so that even a write may be sent again.

    Only what is turned away at the door: a 5xx, or a 408, may come after the work.
    """
    return refusal.status in (420, 429) or is_concurrency_limit(refusal)


def pause(tried: int, retry_after: float | None, spread: float) -> float | None:
    """Seconds to wait after so many tries; None to give up.

    `spread` (0 to 1, random) keeps many clients from coming back in step. A `Retry-After` is honoured, unless it is so
    long that a person should hear of it instead.
    """
    if tried >= TRIES:
        return None
    if retry_after is not None:
        return retry_after if retry_after <= LONGEST_RETRY_AFTER else None
    return float(min(LONGEST_PAUSE, 0.5 * 2 ** (tried - 1)) * (0.5 + spread))


def read_retry_after(text: str | None, now: datetime) -> float | None:
    """The header `Retry-After` in seconds from `now`; None where there is none or it cannot be read."""
    if not text:
        return None
    if text.strip().isdecimal():
        return float(text)
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return max(0.0, (at - now).total_seconds())
