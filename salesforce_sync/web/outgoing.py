"""How answers go out: the head of one, and the first part of its body, in one piece."""

from __future__ import annotations

import asyncio
from typing import Any


class Gathering:
    """A connection's transport. What is written goes out with what is written behind it, else at the loop's next turn.

    uvicorn writes head and body one by one. Each is a call of the kernel, and wakes the reader: twice that for a small
    answer costs more CPU than all the rest of it. No more than one piece is held back.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._held = b""

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
        """Close the connection once all is out."""
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        held, self._held = self._held, b""
        if held:
            self._transport.write(held)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)
