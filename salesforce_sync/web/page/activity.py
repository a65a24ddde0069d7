"""The screen of what happens: signals as they come, the last runs, and for admins the audit log."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from typing import Annotated, Any, Final

import msgspec
from fastapi import APIRouter, Header, Query, Request
from fastapi.concurrency import run_in_threadpool
from starlette.responses import Response, StreamingResponse

from salesforce_sync.access import Role
from salesforce_sync.access.audit import Entry
from salesforce_sync.signals import Progress, Told
from salesforce_sync.web import documents
from salesforce_sync.web.asking import Asked, still_may
from salesforce_sync.web.page.frame import Looking, PageRoute, show

router = APIRouter(prefix="/org/{connection}/activity", route_class=PageRoute, include_in_schema=False)

_RUNS: Final = """
SELECT object_name, state, finished, (julianday(finished) - julianday(started)) * 86400.0, rows,
    inserted + updated + deleted, code, message, hint
FROM _sync_run ORDER BY id DESC
"""
_MOST_RUNS: Final = 60
_MOST_ENTRIES: Final = 100
_MOST_SIGNALS: Final = 100
_MOST_LOOKED_AT: Final = 500
_LOOK_EVERY: Final = 2.0
"""Seconds between two looks for signals of other processes; those of this one come at once."""

_STILL_HERE: Final = 8
"""Looks without a signal after which the stream says that it is still there."""


@router.get("")
def activity(request: Request, asked: Looking, before: Annotated[int | None, Query(ge=1, lt=2**62)] = None) -> Response:
    """The screen."""
    return show(
        request,
        asked,
        "activity.html",
        "activity",
        signals=[_document(asked, each) for each in reversed(_last_signals(asked))],
        runs=[dict(zip(_RUN, row, strict=True)) for row in asked.replica.sync.query(_RUNS, _MOST_RUNS).rows],
        entries=_entries(asked, before),
        sessions=[documents.session(each) for each in asked.replica.sessions.all()[:10]],
    )


_RUN: Final = ("object_name", "state", "finished", "seconds", "rows", "changed", "code", "message", "hint")


def _last_signals(asked: Asked) -> Sequence[Told]:
    sync = asked.replica.sync
    found = sync.signals(max(0, sync.newest_signal() - _MOST_LOOKED_AT), _MOST_LOOKED_AT)
    return [each for each in found if _is_shown(each)][-_MOST_SIGNALS:]


def _is_shown(told: Told) -> bool:
    """Not how far a sync is: the bars show that, and of a long one it would push everything else off the list."""
    return not isinstance(told.signal, Progress)


def _document(asked: Asked, told: Told) -> dict[str, Any]:
    said = asked.replica.sync.signal_document(told)
    return {"number": told.number, "at": said["ts"], "line": said["msg"]}


def _entries(asked: Asked, before: int | None) -> tuple[Entry, ...]:
    """What was done, newest first: for admins only."""
    if not asked.caller.user.role.allows(Role.ADMIN):
        return ()
    return tuple(asked.house.access.audit.entries(most=_MOST_ENTRIES, before=before))


# ── signals as they come ─────────────────────────────────────────────────────────────────────────────────────────


@router.get("/events")
async def events(
    request: Request, asked: Looking, last: Annotated[str | None, Header(alias="Last-Event-ID")] = None, after: int = 0
) -> Response:
    """The signals behind a number, as server-sent events, for as long as somebody listens."""
    asked.house.check_streams(asked.caller.user)
    begin = int(last) if last is not None and last.isdecimal() and len(last) < 16 else after
    return StreamingResponse(_told(request, asked, begin), media_type="text/event-stream", headers=_UNBUFFERED)


_UNBUFFERED: Final = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


async def _told(request: Request, asked: Asked, after: int) -> AsyncIterator[bytes]:
    loop, woken, heard, quiet = asyncio.get_running_loop(), asyncio.Event(), asked.replica.heard, 0

    def wake() -> None:
        loop.call_soon_threadsafe(woken.set)

    with heard.listening(wake), asked.house.following(asked.caller.user):
        yield b"retry: 2000\n\n"
        while not heard.stopped:
            woken.clear()
            found = await run_in_threadpool(asked.replica.sync.signals, after, _MOST_SIGNALS)
            if found and not await still_may(request, asked):
                return
            for each in found:
                after = each.number
                if not _is_shown(each):
                    continue
                yield b"event: signal\nid: %d\ndata: %s\n\n" % (after, msgspec.json.encode(_document(asked, each)))
            quiet = 0 if found else quiet + 1
            if quiet % _STILL_HERE == _STILL_HERE - 1:
                yield b": still here\n\n"
            with suppress(TimeoutError):
                await asyncio.wait_for(woken.wait(), _LOOK_EVERY)
