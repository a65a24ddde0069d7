"""Which threads answer: whoever only reads is kept waiting by nothing that waits for a lock.

An edit waits where somebody else is writing to the database, for up to half a minute. In the threads that read, a
few of those would keep everybody out, of every connection.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, Final, TypeVar

from anyio import CapacityLimiter, to_thread
from anyio.lowlevel import RunVar
from fastapi.routing import APIRoute

T = TypeVar("T")

WAITING: Final = 16
"""Requests that change something, worked on at the same time, besides those that only read."""

_CHANGING: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_limiter: Final[RunVar[CapacityLimiter]] = RunVar("waiting")


async def in_waiting_thread(work: Callable[[], T]) -> T:
    """What this comes to, done in a thread in which others may wait, but nobody who only reads."""
    try:
        limiter = _limiter.get()
    except LookupError:
        limiter = CapacityLimiter(WAITING)
        _limiter.set(limiter)
    return await to_thread.run_sync(work, limiter=limiter)


class Route(APIRoute):
    """A route; what it changes, it changes in the threads that may wait."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **given: Any) -> None:
        if _CHANGING & set(given.get("methods") or ()) and not inspect.iscoroutinefunction(endpoint):
            endpoint = _waits(endpoint)
        super().__init__(path, endpoint, **given)


def _waits(endpoint: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(endpoint)
    async def patient(*positional: Any, **named: Any) -> Any:
        return await in_waiting_thread(functools.partial(endpoint, *positional, **named))

    return patient
