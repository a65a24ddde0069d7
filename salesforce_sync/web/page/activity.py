"""The screen of what happens: signals as they come, the last runs, and for admins the audit log."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Annotated, Any, Final

import msgspec
from fastapi import APIRouter, Header, Query, Request
from starlette.responses import Response, StreamingResponse

from salesforce_sync.access import Role
from salesforce_sync.access.audit import Entry
from salesforce_sync.web import documents
from salesforce_sync.web.asking import Asked
from salesforce_sync.web.heard import HeardSignal
from salesforce_sync.web.page.frame import Looking, PageRoute, show

router = APIRouter(prefix="/org/{connection}/activity", route_class=PageRoute, include_in_schema=False)

_RUNS: Final = """
SELECT object_name, state, finished, (julianday(finished) - julianday(started)) * 86400.0, rows,
    inserted + updated + deleted, code, message, hint
FROM _sync_run ORDER BY id DESC
"""
_MOST_RUNS: Final = 60
_MOST_ENTRIES: Final = 100
_STILL_HERE_SECONDS: Final = 15.0


@router.get("")
def activity(request: Request, asked: Looking, before: Annotated[int | None, Query(ge=1, lt=2**62)] = None) -> Response:
    """The screen."""
    return show(
        request,
        asked,
        "activity.html",
        "activity",
        signals=list(reversed(asked.replica.heard.after(0)))[:100],
        runs=[dict(zip(_RUN, row, strict=True)) for row in asked.replica.sync.query(_RUNS, _MOST_RUNS).rows],
        entries=_entries(asked, before),
        sessions=[documents.session(each) for each in asked.replica.sessions.all()[:10]],
    )


_RUN: Final = ("object_name", "state", "finished", "seconds", "rows", "changed", "code", "message", "hint")


def _entries(asked: Asked, before: int | None) -> tuple[Entry, ...]:
    """What was done, newest first: for admins only."""
    if not asked.caller.user.role.allows(Role.ADMIN):
        return ()
    return tuple(asked.house.access.audit.entries(most=_MOST_ENTRIES, before=before))


# ── signals as they come ─────────────────────────────────────────────────────────────────────────────────────────


@router.get("/events")
async def events(
    asked: Looking, last: Annotated[str | None, Header(alias="Last-Event-ID")] = None, after: int = 0
) -> Response:
    """The signals behind a number, as server-sent events, for as long as somebody listens."""
    begin = int(last) if last is not None and last.isdecimal() and len(last) < 16 else after
    return StreamingResponse(_told(asked, begin), media_type="text/event-stream", headers=_UNBUFFERED)


_UNBUFFERED: Final = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


async def _told(asked: Asked, after: int) -> AsyncIterator[bytes]:
    loop, woken, heard = asyncio.get_running_loop(), asyncio.Event(), asked.replica.heard

    def wake() -> None:
        loop.call_soon_threadsafe(woken.set)

    with heard.listening(wake):
        yield b"retry: 2000\n\n"
        while not heard.stopped:
            woken.clear()
            for each in heard.after(after):
                after = each.number
                yield _written(each)
            try:
                await asyncio.wait_for(woken.wait(), _STILL_HERE_SECONDS)
            except TimeoutError:
                yield b": still here\n\n"


def _written(heard: HeardSignal) -> bytes:
    body: dict[str, Any] = {"at": _stamp(heard.at), "line": heard.signal.line()}
    return b"event: signal\nid: %d\ndata: %s\n\n" % (heard.number, msgspec.json.encode(body))


def _stamp(moment: datetime) -> str:
    return documents.stamp(moment) or ""
