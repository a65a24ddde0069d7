"""How requests come in: uvicorn's protocol, with bounds for a request's head, which it takes at any size and pace."""

from __future__ import annotations

import asyncio
from typing import Any, Final, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from salesforce_sync.web.outgoing import Gathering

MOST_HEAD_BYTES: Final = 64_000
HEAD_SECONDS: Final = 20.0
"""How long a request's head may be on its way, the first of a connection from its beginning on."""

MOST_CONNECTIONS: Final = 600
"""Connections at the same time: more than requests, so that there is always one that has nothing under way."""


def _refusal(status: bytes, code: bytes, details: bytes) -> bytes:
    body = b'{"success":false,"error":"%s","details":"%s"}' % (code, details)
    head = b"HTTP/1.1 %s\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: %d\r\n\r\n"
    return head % (status, len(body)) + body


_TOO_LARGE: Final = _refusal(
    b"431 Request Header Fields Too Large", b"HEADERS_TOO_LARGE", b"The headers of a request may have 64,000 bytes."
)
_UNREADABLE: Final = _refusal(b"400 Bad Request", b"BAD_REQUEST", b"This is no request of HTTP/1.1.")


class Incoming(HttpToolsProtocol):
    """Closes a connection whose next head is too long, or too long on its way, and where there are too many, the one
    that has waited longest for a head: else a few hundred that never send one would keep everybody else out, and one
    could fill the memory."""

    head_seconds: float = HEAD_SECONDS
    most_connections: int = MOST_CONNECTIONS

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._in_head = True
        self._refused = False
        self._turns = self._head_bytes = self._header_bytes = 0
        self._deadline: asyncio.TimerHandle | None = None
        self._idle_since = 0.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        self._outgoing = Gathering(transport, self.loop, lambda: not self._in_head)
        super().connection_made(cast(asyncio.Transport, self._outgoing))
        self._idle_since = self.loop.time()
        self._expect_head()
        if len(self.connections) > self.most_connections:
            self._make_room()

    def connection_lost(self, exc: Exception | None) -> None:
        self._head_is_there()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._outgoing.lingers:
            return  # of a request that was refused before all of it had come
        turns = self._turns
        if self._in_head and self._deadline is None:
            self._expect_head()
        super().data_received(data)
        if self._in_head and turns == self._turns:
            self._head_bytes += len(data)
            if self._head_bytes > MOST_HEAD_BYTES:
                self._refuse()

    def send_400_response(self, msg: str) -> None:
        # uvicorn's own is a plain text.
        self.transport.write(_UNREADABLE)
        self.transport.close()

    def on_message_begin(self) -> None:
        self._header_bytes = 0
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        self._header_bytes += len(name) + len(value) + 4  # with ": " and the end of the line
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        # One that came whole, in a single read.
        if self._header_bytes > MOST_HEAD_BYTES:
            self._refuse()
        if self._refused:
            return
        self._in_head, self._head_bytes, self._turns = False, 0, self._turns + 1
        self._head_is_there()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        if not self._refused:
            super().on_body(body)

    def on_message_complete(self) -> None:
        if self._refused:
            return
        self._in_head, self._turns = True, self._turns + 1
        super().on_message_complete()

    def on_response_complete(self) -> None:
        self._idle_since = self.loop.time()
        super().on_response_complete()

    def _make_room(self) -> None:
        there = [each for each in self.connections if isinstance(each, Incoming) and not each.transport.is_closing()]
        idle = sorted((each for each in there if each._is_idle()), key=lambda each: each._idle_since)
        for each in idle[: max(0, len(there) - self.most_connections)]:
            each.transport.abort()

    def _is_idle(self) -> bool:
        return self._in_head and (self.cycle is None or self.cycle.response_complete)

    def _refuse(self) -> None:
        self._refused = True
        if not self.transport.is_closing():
            self.transport.write(_TOO_LARGE)
            self.transport.close()

    def _expect_head(self) -> None:
        self._deadline = self.loop.call_later(self.head_seconds, self.transport.close)

    def _head_is_there(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
