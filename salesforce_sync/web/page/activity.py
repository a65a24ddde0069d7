"""The screen of what happens: signals as they come, the last runs, and for admins the audit log."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Annotated, Any, Final

import msgspec
from fastapi import APIRouter, Header, Query, Request
from fastapi.concurrency import run_in_threadpool
from msgspec import Struct
from starlette.responses import Response, StreamingResponse

from salesforce_sync.access import Role
from salesforce_sync.access.audit import Deed, Entry
from salesforce_sync.signals import Progress, Told, stamp
from salesforce_sync.web import documents
from salesforce_sync.web.asking import Asked, still_may
from salesforce_sync.web.page.frame import Looking, PageRoute, show
from salesforce_sync.web.streams import RETRY, STILL_THERE

router = APIRouter(prefix="/org/{connection}/activity", route_class=PageRoute, include_in_schema=False)

_RUNS: Final = """
SELECT object_name, state, finished, (julianday(finished) - julianday(started)) * 86400.0, rows,
    inserted + updated + deleted, code, message, hint
FROM _sync_run ORDER BY id DESC
"""
_MOST_RUNS: Final = 60
_MOST_ENTRIES: Final = 100
_MOST_SIGNALS: Final = 200
_STEPS: Final = (Progress.name,)
_LOOK_EVERY: Final = 2.0
"""Seconds between two looks for signals of other processes; those of this one come at once."""

_STILL_HERE: Final = 8
"""Looks without a signal after which the stream says that it is still there."""


@router.get("")
def activity(request: Request, asked: Looking, before: Annotated[int | None, Query(ge=1, lt=2**62)] = None) -> Response:
    """The screen."""
    entries, newer = _entries(asked, before)
    return show(
        request,
        asked,
        "activity.html",
        "activity",
        signals=folded([_document(asked, each) for each in reversed(_last_signals(asked))]),
        runs=[dict(zip(_RUN, row, strict=True)) for row in asked.replica.sync.query(_RUNS, _MOST_RUNS).rows],
        deeds=deeds(entries, newer),
        older=entries[-1].number if entries and entries[-1].number > 1 else None,
        sessions=[documents.session(each, asked.words) for each in asked.replica.sessions.all()[:10]],
    )


_RUN: Final = ("object_name", "state", "finished", "seconds", "rows", "changed", "code", "message", "hint")


def _last_signals(asked: Asked) -> Sequence[Told]:
    sync = asked.replica.sync
    return sync.signals(max(0, sync.newest_signal() - _MOST_SIGNALS), _MOST_SIGNALS)


def _document(asked: Asked, told: Told) -> dict[str, Any]:
    names = asked.replica.sync.config.signals
    line = told.signal.full_line(names.target, names.source)
    return {"number": told.number, "at": stamp(told.at), "line": line, "step": told.signal.name in _STEPS}


def folded(lines: Iterable[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """Lines, newest first, as they are shown: steps of progress behind the newest of them, everything else alone."""
    shown: list[list[dict[str, Any]]] = []
    for line in lines:
        if line["step"] and shown and shown[-1][0]["step"]:
            shown[-1].append(line)
        else:
            shown.append([line])
    return shown


class Done(Struct, frozen=True):
    """Something that somebody did, in one line: its beginning and its end stand in the log one behind the other."""

    number: int
    at: datetime
    deed: Deed
    outcome: str
    details: tuple[str, ...]


def _entries(asked: Asked, before: int | None) -> tuple[Sequence[Entry], Sequence[Entry]]:
    """A page of the log, newest first, and the page before it: for admins only."""
    if not asked.caller.user.role.allows(Role.ADMIN):
        return (), ()
    audit = asked.house.access.audit
    newer = () if before is None else audit.entries(most=_MOST_ENTRIES, before=before + _MOST_ENTRIES)
    return audit.entries(most=_MOST_ENTRIES, before=before), newer


def deeds(entries: Sequence[Entry], newer: Sequence[Entry] = ()) -> tuple[Done, ...]:
    """These entries, a beginning and its end as one. What `newer` entries have ended is told there."""
    beginnings = {each.number: each for each in entries}
    ended = {each.begun for each in (*entries, *newer)}
    return tuple(_done(each, beginnings.get(each.begun or 0)) for each in entries if each.number not in ended)


def _done(entry: Entry, beginning: Entry | None) -> Done:
    said = (beginning.deed.detail if beginning else "", entry.deed.detail)
    return Done(entry.number, entry.at, entry.deed, entry.outcome, tuple(dict.fromkeys(each for each in said if each)))


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
        yield RETRY
        while not heard.stopped:
            woken.clear()
            found = await run_in_threadpool(asked.replica.sync.signals, after, _MOST_SIGNALS)
            quiet = 0 if found else quiet + 1
            is_time = quiet % _STILL_HERE == _STILL_HERE - 1
            if (found or is_time) and not await still_may(request, asked):
                return
            for each in found:
                after = each.number
                yield b"event: signal\nid: %d\ndata: %s\n\n" % (after, msgspec.json.encode(_document(asked, each)))
            if is_time:
                yield STILL_THERE
            with suppress(TimeoutError):
                await asyncio.wait_for(woken.wait(), _LOOK_EVERY)
