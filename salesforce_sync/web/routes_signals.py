"""Signals: those that have happened, as a list and as they come; and those that others send."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from typing import Annotated, Final

import msgspec
from fastapi import APIRouter, Header, Query, Request
from fastapi.concurrency import run_in_threadpool
from starlette.responses import Response, StreamingResponse

from salesforce_sync.app import SFSync
from salesforce_sync.signals import SyncRequested, Told
from salesforce_sync.sinks.inbound import NotUnderstood
from salesforce_sync.web import bodies
from salesforce_sync.web.answers import answered
from salesforce_sync.web.asking import Asked, Editing, Viewing, still_may
from salesforce_sync.web.describing import gives
from salesforce_sync.web.failures import Refused
from salesforce_sync.web.streams import RETRY, STILL_THERE
from salesforce_sync.web.waiting import Route, in_waiting_thread

router = APIRouter(prefix="/api/signals", tags=["signals"], route_class=Route)

LOOK_SECONDS: Final = 0.5
STILL_HERE: Final = 30
"""Looks in vain after which a stream says that it is still there."""

AT_ONCE: Final = 500
After = Annotated[int, Query(ge=0, lt=2**63, description="Those behind this number")]


@router.post("", **gives(bodies.SignalTaken, takes=bodies.SignalIn, status=202))
async def take(request: Request, asked: Editing) -> Response:
    """Take a signal, as JSON or as a line: `🔄 OS → FND : sync, object=Contact` forces a sync, of all without a name.

    The daemon does it, if one runs, and else this server (`sessionId`). What is not understood is answered with 400,
    UNKNOWN_SIGNAL and why.
    """
    return answered(await in_waiting_thread(partial(_taken, asked, await request.body())), 202)


def _taken(asked: Asked, body: bytes) -> bodies.SignalTaken:
    sync = asked.replica.sync
    wish = sync.understand(body)
    if isinstance(wish, NotUnderstood):
        raise Refused(f"The signal was not understood: {wish.why}.", code="UNKNOWN_SIGNAL", hint=_for_example(sync))
    if sync.daemon_runs:
        with asked.house.doing(asked.deed("sync", ",".join(wish.objects), "by signal")):
            reply = sync.receive(body)
        return bodies.SignalTaken(accepted=reply.accepted, signal=reply.signal, msg=reply.msg, number=reply.number)
    from salesforce_sync.web.routes_sync import begun

    session = begun(asked, wish.objects or sync.config.sync.objects)
    names, told = sync.config.signals, f"session={session.session_id}"
    line = f"{SyncRequested.mark} {names.source} → {names.target} : {SyncRequested.name}, {told}"
    return bodies.SignalTaken(accepted=True, signal=SyncRequested.name, msg=line, session_id=session.session_id)


def _for_example(sync: SFSync) -> str:
    names = sync.config.signals
    line = f"🔄 {names.target} → {names.source} : sync, object=Contact"
    return f'Send {{"signal": "sync", "objects": ["Contact"]}}, or the line {line}.'


@router.get("", **gives(bodies.SignalList))
def told(asked: Viewing, after: After = 0, limit: Annotated[int, Query(ge=1, le=1000)] = 100) -> Response:
    """Signals behind a number, oldest first."""
    sync = asked.replica.sync
    found = [_body(asked, each) for each in sync.signals(after, limit)]
    return answered(bodies.SignalList(signals=found, newest=sync.newest_signal()))


def _body(asked: Asked, told: Told) -> bodies.SignalBody:
    document = asked.replica.sync.signal_document(told)
    names = {"from_": document.pop("from")}
    return bodies.SignalBody(number=told.number, **names, **document)


@router.get("/stream", **gives(media="text/event-stream"))
async def stream(
    request: Request,
    asked: Viewing,
    after: Annotated[int | None, Query(ge=0, lt=2**63, description="Those behind this number")] = None,
    last: Annotated[str | None, Header(alias="Last-Event-ID", description="The same")] = None,
) -> Response:
    """Signals as server-sent events, named as the signal; without a number, those that happen from now on."""
    resumed = int(last) if last is not None and last.isdecimal() and len(last) < 19 else after
    asked.house.check_streams(asked.caller.user)
    newest = asked.replica.sync.newest_signal()
    # A number that was never told is of a replica that was made anew since: all of this one's are new to the listener.
    start = newest if resumed is None else resumed if resumed <= newest else 0
    return StreamingResponse(
        _events(request, asked, start),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


async def _events(request: Request, asked: Asked, after: int) -> AsyncIterator[bytes]:
    with asked.house.following(asked.caller.user):
        yield RETRY
        async for piece in _told(request, asked, after):
            yield piece


async def _told(request: Request, asked: Asked, after: int) -> AsyncIterator[bytes]:
    looks = 0
    while not asked.replica.sync.stopping:
        found = await run_in_threadpool(asked.replica.sync.signals, after, AT_ONCE)
        looks = 0 if found else looks + 1
        is_time = looks > 0 and looks % STILL_HERE == 0
        if (found or is_time) and not await still_may(request, asked):
            return
        for each in found:
            after = each.number
            body = msgspec.json.encode(asked.replica.sync.signal_document(each))
            yield b"event: %s\nid: %d\ndata: %s\n\n" % (each.signal.name.encode(), each.number, body)
        if is_time:
            yield STILL_THERE
        if not found:
            await asyncio.sleep(LOOK_SECONDS)
