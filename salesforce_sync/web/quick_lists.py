"""The one route that is asked for all the time, lists of records, by the short way: past FastAPI's own layers.

They take a tenth of such a request. What is answered, and what is refused, is the same as by the long way: routing, the
parameters' description and all other methods stay with FastAPI.
"""

from __future__ import annotations

import re
from typing import Final

from fastapi import FastAPI, Request
from fastapi.concurrency import run_in_threadpool
from starlette.responses import Response

from salesforce_sync.errors import SyncError
from salesforce_sync.web.answers import failed
from salesforce_sync.web.asking import asked_by_viewer
from salesforce_sync.web.guard import Message, Receive, Send
from salesforce_sync.web.routes_records import records, wanted_of

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
            answer = await self._answer(Request({**scope, "app": self._app}, receive), name)
        except SyncError as error:
            answer = failed(error, name)
        await answer(scope, receive, send)

    async def _answer(self, request: Request, name: str) -> Response:
        asked, wanted = await asked_by_viewer(request), await wanted_of(request)
        return await run_in_threadpool(records, asked, name, wanted)
