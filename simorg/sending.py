"""Sends an answer over the socket, and breaks the connection where a fault says so."""

import socket
import struct
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from simorg.faults import Fault

TRANSPORT = "simorg.transport"
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER with no time: close sends RST instead of FIN


class Broken(Exception):
    """The connection was broken on purpose, or the client went away."""


class Protocol(HttpToolsProtocol):
    """uvicorn's protocol, which also shows its socket to the application, so that it can be broken."""

    def on_message_begin(self) -> None:
        """Begin a request."""
        super().on_message_begin()
        cast(dict[str, Any], self.scope)[TRANSPORT] = self.transport


class Wire:
    """The answering half of one exchange."""

    def __init__(
        self,
        scope: MutableMapping[str, Any],
        send: Callable[[MutableMapping[str, Any]], Awaitable[None]],
        faults: Sequence[Fault],
    ) -> None:
        self._transport = scope[TRANSPORT]
        self._send = send
        self._reset = any(fault.reset for fault in faults)
        self._left = min((fault.cut_after for fault in faults if fault.cut_after is not None), default=None)

    def cut(self) -> None:
        """Break the connection now: what was written still goes out, unless it is a reset."""
        if self._reset:
            connection = self._transport.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            self._transport.abort()
        else:
            self._transport.close()
        raise Broken

    async def start(self, status: int, headers: dict[str, str]) -> None:
        """Send status line and headers."""
        pairs = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
        await self._send({"type": "http.response.start", "status": status, "headers": pairs})

    async def body(self, block: bytes, *, more: bool) -> None:
        """Send a block of the body; when the fault's number of bytes is reached, break."""
        if self._left is not None and len(block) >= self._left:
            await self._send({"type": "http.response.body", "body": block[: self._left], "more_body": True})
            self.cut()
        if self._left is not None:
            self._left -= len(block)
            if not more:  # the answer is shorter than the fault: break before its end is told
                self.cut()
        await self._send({"type": "http.response.body", "body": block, "more_body": more})
