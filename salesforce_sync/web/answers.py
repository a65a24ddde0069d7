"""Answers as bytes: msgspec encodes them, FastAPI only hands them on."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import BinaryIO, Final

import msgspec
from starlette.responses import FileResponse, Response
from starlette.types import Receive, Scope, Send

from salesforce_sync.errors import SyncError
from salesforce_sync.web.bodies import Body
from salesforce_sync.web.failures import failure_of, status_of, wait_of
from salesforce_sync.web.ways import Words, for_programs

JSON: Final = "application/json"
_encoder: Final = msgspec.json.Encoder()
_UNREAD: Final = (408, 413, 414, 421)
"""Statuses of requests that were not read to their end: what is left must not be taken for another request."""


def answered(body: Body, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """An answer."""
    return Response(encoded(body), status, headers, JSON)


def encoded(body: Body) -> bytes:
    """The body as JSON."""
    return _encoder.encode(body)


class OpenFile(FileResponse):
    """A file that is open already, sent as it was opened, whatever has taken its place since. It is closed then."""

    def __init__(self, file: BinaryIO, *, media_type: str, filename: str) -> None:
        number = file.fileno()
        super().__init__(f"/dev/fd/{number}", media_type=media_type, filename=filename, stat_result=os.fstat(number))
        self._file = file

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with it, or with the part that is asked for."""
        with self._file:
            await super().__call__(scope, receive, send)


async def send_json(send: Send, body: bytes) -> None:
    """Answer with this JSON: what `Response` would send, without making one."""
    head = [(b"content-length", b"%d" % len(body)), (b"content-type", JSON.encode())]
    await send({"type": "http.response.start", "status": 200, "headers": head})
    await send({"type": "http.response.body", "body": body})


def failed(error: SyncError, object_name: str | None = None, words: Words = for_programs) -> Response:
    """The answer that tells of an error, in words for who asks."""
    status, wait, headers = status_of(error), wait_of(error), {}
    if wait is not None:
        headers["Retry-After"] = str(wait)
    if error.code == "NOT_AUTHENTICATED":
        headers["WWW-Authenticate"] = 'Bearer realm="salesforce-sync"'
    if status in _UNREAD:
        headers["Connection"] = "close"
    return Response(msgspec.json.encode(failure_of(error, object_name, words)), status, headers, JSON)
