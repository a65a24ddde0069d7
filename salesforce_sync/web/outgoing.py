"""How answers go out: the head of one, and the first part of its body, in one piece."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final

LINGERS: Final = 2.0
"""Seconds for which what is left of an unread request is taken, and thrown away, before its connection is closed."""


class Gathering:
    """A connection's transport. What is written goes out with what is written behind it, else at the loop's next turn.

    uvicorn writes head and body one by one. Each is a call of the kernel, and wakes the reader: twice that for a small
    answer costs more CPU than all the rest of it. No more than one piece is held back.
    """

    def __init__(
        self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop, unread: Callable[[], bool]
    ) -> None:
        """`unread` says whether the request that is answered has not come to its end."""
        self._transport = transport
        self._loop = loop
        self._unread = unread
        self._held = b""
        self.lingers = False

    def write(self, data: bytes) -> None:
        """Hold it back for a moment; with what is held already it goes at once."""
        if not data:
            return  # nothing comes behind it, or something will
        if self._held:
            data, self._held = self._held + data, b""
            self._transport.write(data)
        else:
            self._held = data
            self._loop.call_soon(self._flush)

    def close(self) -> None:
        """Close the connection once all is out.

        Where a request is still coming, first the answer's end goes out and the rest is let come for a moment: a
        connection that is closed with unread bytes is reset, and whoever sends them never sees why (RFC 9112, 9.6).
        Close it once more to end that.
        """
        self._flush()
        closing = self.lingers or self._transport.is_closing()
        if not closing and self._unread() and self._transport.can_write_eof():
            self.lingers = True
            self._transport.write_eof()
            self._transport.resume_reading()
            self._loop.call_later(LINGERS, self._transport.close)
        else:
            self._transport.close()

    def _flush(self) -> None:
        held, self._held = self._held, b""
        if held:
            self._transport.write(held)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)
