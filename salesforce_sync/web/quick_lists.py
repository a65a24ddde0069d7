"""The one route that is asked for all the time, lists of records, by the short way: past FastAPI's own layers.

What is answered, and what is refused, is the same as by the long way: routing, the parameters' description and all
other methods stay with FastAPI. A page whose reading takes microseconds is read in the event loop's own thread: to hand
it to another one and back costs as much CPU again.
"""

from __future__ import annotations

import re
from resource import RUSAGE_THREAD, getrusage
from typing import Final

from fastapi import FastAPI, Request
from fastapi.concurrency import run_in_threadpool
from msgspec import Struct

from salesforce_sync.errors import SyncError
from salesforce_sync.web.answers import encoded, failed, send_json
from salesforce_sync.web.asking import Asked, asked_by_viewer, words_for
from salesforce_sync.web.guard import Message, Receive, Send
from salesforce_sync.web.lists import Wanted, page_of, wanted_of
from salesforce_sync.web.replicas import object_name

QUICK_SECONDS: Final = 0.01
"""Of CPU; and nothing is read from the disk. Wall time would be that of whatever else the machine does."""

_LIST: Final = re.compile(r"/api/objects/([^/]+)/records")


class QuickLists:
    """The application, with lists of records answered before it. Implements ASGI."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        listed = _LIST.fullmatch(scope["path"]) if scope["type"] == "http" and scope["method"] == "GET" else None
        if listed is None:
            await self._app(scope, receive, send)
            return
        name = listed[1]
        try:
            body = await self._body(Request({**scope, "app": self._app}, receive), name)
        except SyncError as error:
            await failed(error, name, words_for(Request(scope)))(scope, receive, send)
        else:
            await send_json(send, body)

    async def _body(self, request: Request, name: str) -> bytes:
        asked, wanted = await asked_by_viewer(request), await wanted_of(request)
        name = object_name(name)
        counted, sent = asked.replica.counted, asked.replica.sent
        mark, total = counted.total(name)
        question = name, request.scope["query_string"]
        body = sent.body(mark, question)
        if body is not None:
            return body
        if total is not None and wanted.short:
            read = _read(asked, name, wanted, total)
        else:
            read = await run_in_threadpool(_read, asked, name, wanted)
        if not wanted.narrowed:
            counted.note(name, mark, read.total, quick=read.quick)
        sent.note(mark, question, read.body)
        return read.body


class _Read(Struct, frozen=True):
    """A page as JSON, and how many records there are; whether reading it would have kept nobody waiting."""

    body: bytes
    total: int
    quick: bool


def _read(asked: Asked, name: str, wanted: Wanted, total: int | None = None) -> _Read:
    before = getrusage(RUSAGE_THREAD)
    page = page_of(asked, name, wanted, total)
    body, after = encoded(page), getrusage(RUSAGE_THREAD)
    quick = after.ru_inblock == before.ru_inblock and after.ru_utime - before.ru_utime < QUICK_SECONDS
    return _Read(body, page.total_size, quick)
