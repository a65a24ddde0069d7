"""Syncing: sessions, single objects, and the events that tell how far they are."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Annotated, Final

import msgspec
from fastapi import APIRouter, Depends, Header, Request
from fastapi.concurrency import run_in_threadpool
from starlette.responses import Response, StreamingResponse

from salesforce_sync.models.change import agreement
from salesforce_sync.models.run import Problem
from salesforce_sync.web import bodies, documents
from salesforce_sync.web.answers import answered, failed
from salesforce_sync.web.asking import Asked, Editing, Viewing, sent, still_may
from salesforce_sync.web.describing import REMOTE, gives
from salesforce_sync.web.failures import SessionNotFound, StillSyncing, Throttled, error_of
from salesforce_sync.web.lists import ALL, page_of
from salesforce_sync.web.progress import Event, SessionState, Status
from salesforce_sync.web.replicas import losses, object_name
from salesforce_sync.web.routes_records import ObjectName
from salesforce_sync.web.session import Session, Task
from salesforce_sync.web.streams import RETRY, STILL_THERE
from salesforce_sync.web.waiting import Route, in_waiting_thread
from salesforce_sync.web.ways import Words

router = APIRouter(prefix="/api/sync", tags=["sync"], route_class=Route)

MOST_RUNNING: Final = 50
"""Sessions of one connection that go on at the same time."""

ASK_AGAIN_SECONDS: Final = 10.0
"""When to ask again for a sync that goes on."""

STILL_HERE_SECONDS: Final = 15.0
"""A stream that has nothing to tell says that much, so that nobody between takes it for dead."""


# ── sessions ─────────────────────────────────────────────────────────────────────────────────────────────────────


@router.post("", **gives(bodies.SessionBegun, takes=bodies.SyncRequest))
def begin(
    asked: Editing,
    wanted: Annotated[bodies.SyncRequest, Depends(sent(bodies.SyncRequest, optional=True, else_all=True))],
) -> Response:
    """Begin to sync these objects, or the configured ones; the answer comes at once.

    An object that is under way already is joined. One that the org does not have is told of in the session; the others
    go on. When all are done, the workbook is made current, and the session ends.
    """
    names = tuple(map(object_name, wanted.objects or asked.replica.sync.config.sync.objects))
    session = begun(asked, names, losses(wanted.accept_loss, names))
    return answered(bodies.SessionBegun(session_id=session.session_id), headers=_places(asked, session))


def _spelt(asked: Asked, name: str) -> str:
    return asked.replica.names.spelt(object_name(name))


def begun(asked: Asked, names: tuple[str, ...], accepted: frozenset[str] = frozenset()) -> Session:
    """Begin a session that ends with a current workbook, unless there are too many.

    Those of the objects that are `accepted` may lose any number of rows.
    """
    _check_pace(asked)
    spelt = tuple({name.casefold(): _spelt(asked, name) for name in names}.values())
    deed = asked.deed("sync", ",".join(spelt), agreement(accepted))
    return asked.house.begin_with_workbook(asked.replica, spelt, deed, accepted)


def _check_pace(asked: Asked) -> None:
    asked.house.throttle(asked.house.by_syncs, asked.replica.id, "syncs of this connection")
    going_on = sum(each.state is SessionState.RUNNING for each in asked.replica.sessions.all())
    if going_on >= MOST_RUNNING:
        raise Throttled(f"{going_on} sync sessions go on already.", hint="Wait for one to end.", wait=5)


def _urls(asked: Asked, session: Session) -> tuple[str, str]:
    base = f"/api/sync/{session.session_id}"
    return asked.replica.address(base), asked.replica.address(f"{base}/events")


def _places(asked: Asked, session: Session) -> dict[str, str]:
    """Where to look how far it is, in headers: the body is as it was promised, key by key."""
    status_url, events_url = _urls(asked, session)
    return {"Location": status_url, "Link": f'<{events_url}>; rel="events"'}


@router.get("", **gives(bodies.SessionList))
def sessions(asked: Viewing) -> Response:
    """The sessions that this server knows, newest first."""
    return answered(
        bodies.SessionList(sessions=[documents.session(each, asked.words) for each in asked.replica.sessions.all()])
    )


@router.get("/{sessionId}", **gives(bodies.SessionBody))
def session(asked: Viewing, sessionId: str) -> Response:
    """How far a session is, object by object."""
    return answered(documents.session(_session(asked, sessionId), asked.words))


@router.post("/{sessionId}/cancel", **gives(bodies.SessionBody))
def cancel(asked: Editing, sessionId: str) -> Response:
    """End a session. What is complete is kept; an object that another session wants too goes on."""
    found = _session(asked, sessionId)
    with asked.house.doing(asked.deed("cancel", sessionId)):
        asked.replica.sessions.cancel(found)
    return answered(documents.session(found, asked.words))


def _session(asked: Asked, session_id: str) -> Session:
    found = asked.replica.sessions.find(session_id)
    if found is None:
        raise SessionNotFound("There is no such sync session.", hint="POST /api/sync begins one.")
    return found


# ── one object ───────────────────────────────────────────────────────────────────────────────────────────────────


@router.post(
    "/{objectApiName}",
    **gives(bodies.ObjectSynced, takes=bodies.ObjectSyncRequest, fails=REMOTE, more={202: bodies.ObjectBegun}),
)
async def sync_object(
    asked: Editing,
    objectApiName: ObjectName,
    wanted: Annotated[bodies.ObjectSyncRequest, Depends(sent(bodies.ObjectSyncRequest, optional=True))],
    prefer: Annotated[str | None, Header(description="`respond-async`: do not wait for the sync")] = None,
) -> Response:
    """Sync one object, and answer when it is synced, with its first 100 records.

    With a `sessionId`, what that session brings of it is waited for, and not brought again. With `Prefer:
    respond-async` the answer is 202 at once, and `statusUrl` tells how far it is. `nextRecordsUrl` goes on in the
    local replica. Where nothing is heard for 150 seconds, as while the org asks to wait again and again, the answer
    is 503 with `Retry-After`: the sync goes on, and the next request joins it.
    """
    task, session = await in_waiting_thread(lambda: _joined(asked, objectApiName, wanted))
    if prefer is not None and "respond-async" in prefer.casefold():
        return _answer_at_once(asked, session, task.progress.object_name)
    if not await _is_done(task, asked.house.settings.quiet_seconds):
        return _answer_meanwhile(asked, session, task.progress.object_name)
    return await run_in_threadpool(_answer_of, asked, task)


async def _is_done(task: Task, quiet_seconds: float) -> bool:
    """Wait until the object is done; False where nothing was heard of it for so many seconds."""
    done, asked_at = asyncio.wrap_future(task.done), time.monotonic()
    while not done.done():
        left = max(task.moved, asked_at) + quiet_seconds - time.monotonic()
        if left <= 0:
            return False
        await asyncio.wait({done}, timeout=left)
    return True


def _joined(asked: Asked, name: str, wanted: bodies.ObjectSyncRequest) -> tuple[Task, Session]:
    """The object on its way, and the session that tells of it: another than was named, if that one has ended."""
    name = _spelt(asked, name)
    accepted = losses(wanted.accept_loss, (name,))
    within = None if wanted.session_id is None else _session(asked, wanted.session_id)
    if within is not None and not accepted:
        task = asked.replica.sessions.join(within, name)
        if task is not None:
            return task, within
    _check_pace(asked)
    if within is not None and within.open:
        task = _added(asked, within, name, accepted)
        if task is not None:
            return task, within
    session = asked.house.begin(asked.replica, (name,), asked.deed("sync", name, agreement(accepted)), accepted)
    return session.tasks[name.casefold()], session


def _added(asked: Asked, session: Session, name: str, accepted: frozenset[str]) -> Task | None:
    """The object, synced within this session, whose beginning did not tell the audit log of it."""
    told = f"in {session.session_id} {agreement(accepted)}".rstrip()
    with asked.house.doing(asked.deed("sync", name, told)) as ending:
        task = asked.replica.sessions.add(session, name, accepted)
        ending.outcome, ending.detail = ("joined" if task else "ended"), told
    return task


def _answer_at_once(asked: Asked, session: Session, name: str) -> Response:
    status_url, events_url = _urls(asked, session)
    begun = bodies.ObjectBegun(
        session_id=session.session_id,
        object_api_name=name,
        message="Sync initiated",
        status_url=status_url,
        events_url=events_url,
    )
    return answered(begun, 202, {**_places(asked, session), "Preference-Applied": "respond-async"})


def _answer_meanwhile(asked: Asked, session: Session, name: str) -> Response:
    """What is told whoever would wait too long."""
    session.unanswered(name)
    seconds, (status_url, _) = asked.house.settings.quiet_seconds, _urls(asked, session)
    quiet = StillSyncing(
        f"Nothing was heard of the sync of {name} for {seconds:.0f} s; it goes on.",
        hint=f"The org may be busy, or ask to wait. Ask again, or see how far it is: GET {status_url}.",
        wait=ASK_AGAIN_SECONDS,
    )
    answer = failed(quiet, name, asked.words)
    answer.headers.update(_places(asked, session))
    return answer


def _answer_of(asked: Asked, task: Task) -> Response:
    done = task.progress
    if done.status is not Status.SYNCED:
        return failed(error_of(done.problem or Problem("INTERNAL_ERROR", "")), done.object_name, asked.words)
    page = page_of(asked, done.object_name, ALL)
    synced = bodies.ObjectSynced(
        object_api_name=page.object_api_name,
        record_count=page.total_size,
        records=page.records,
        has_more=page.has_more,
        total_size=page.total_size,
        done=True,
        next_records_url=page.next_records_url,
        synced_at=documents.stamp(done.synced_at) or "",
    )
    return answered(synced)


# ── events ───────────────────────────────────────────────────────────────────────────────────────────────────────


_EVENTS: Final = gives(media="text/event-stream")
_EVENTS["responses"][204] = {"description": "It has ended, and nothing was missed"}


@router.get("/{sessionId}/events", **_EVENTS)
async def events(
    request: Request,
    asked: Viewing,
    sessionId: str,
    last: Annotated[str | None, Header(alias="Last-Event-ID", description="Go on behind this event")] = None,
) -> Response:
    """How far the session is, as server-sent events, until it ends.

    `progress` events have an object's `status` (`pending` → `syncing` → `synced` or `error`), counts, percent, rows a
    second and API calls; the last event is `session`. A listener that comes back with `Last-Event-ID` gets what it has
    missed; after the end that is nothing (204), and an EventSource stays away.
    """
    found = _session(asked, sessionId)
    after = int(last) if last is not None and last.isdecimal() and len(last) < 16 else 0
    asked.house.check_streams(asked.caller.user)
    missed, over = found.events_after(after)
    if over and not missed:
        return Response(status_code=204)
    return StreamingResponse(_told(request, asked, found, after), media_type="text/event-stream", headers=_UNBUFFERED)


_UNBUFFERED: Final = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


async def _told(request: Request, asked: Asked, session: Session, after: int) -> AsyncIterator[bytes]:
    loop, woken = asyncio.get_running_loop(), asyncio.Event()

    def wake() -> None:
        loop.call_soon_threadsafe(woken.set)

    with session.listening(wake), asked.house.following(asked.caller.user):
        yield RETRY
        while True:
            woken.clear()
            told, over = session.events_after(after)
            if not await still_may(request, asked):
                return
            for event in told:
                after = event.number
                yield _written(event, session, asked.words)
            if over:
                return
            try:
                await asyncio.wait_for(woken.wait(), STILL_HERE_SECONDS)
            except TimeoutError:
                yield STILL_THERE


def _written(event: Event, session: Session, words: Words) -> bytes:
    if event.progress is None:
        name, body = b"session", msgspec.json.encode(documents.session(session, words))
    else:
        name, body = b"progress", msgspec.json.encode(documents.progress(event.progress, words))
    return b"event: %s\nid: %d\ndata: %s\n\n" % (name, event.number, body)
