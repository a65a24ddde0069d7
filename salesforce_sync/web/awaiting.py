"""What somebody waits for. Pushes and verifies: the answer comes when they end, or when nothing is heard for long.

Whoever was not told of its end, and asks for the same once more, gets the answer of the one that goes on, or has ended
just now. Later the same request is a new one: there may be new edits to send.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import Any, Final, Generic, TypeVar

from salesforce_sync.web.failures import Refused

T = TypeVar("T")

LOOK_SECONDS: Final = 1.0
ASK_AGAIN_SECONDS: Final = 10.0
"""When to ask again for what goes on."""
FRESH_SECONDS: Final = 3 * ASK_AGAIN_SECONDS
"""How long the end of what nobody was told of is an answer."""


class StillAtWork(Refused):
    """Nothing is heard of what somebody waits for; it goes on."""

    status = 503

    def __init__(self, kind: str, seconds: float) -> None:
        """`kind`: `push` or `verify`."""
        super().__init__(
            f"Nothing was heard of the {kind} for {seconds:.0f} s; it goes on.",
            code=f"{kind.upper()}_UNDER_WAY",
            hint="The org may be busy, or ask to wait. The same request, once more, waits for the same answer.",
            wait=ASK_AGAIN_SECONDS,
        )


class _Untold:
    """What nobody was told the end of."""

    def __init__(self, which: Hashable, future: Future[Any]) -> None:
        self.which, self.future = which, future
        self._ended_at = float("inf")
        future.add_done_callback(self._note_end)

    def _note_end(self, future: Future[Any]) -> None:
        self._ended_at = time.monotonic()

    def answers(self, which: Hashable) -> bool:
        """Whether its end is an answer to this."""
        return self.which == which and time.monotonic() - self._ended_at < FRESH_SECONDS


class Awaited:
    """What nobody was told the end of, the last of each kind. For the thread of the event loop."""

    def __init__(self, heard: Callable[[], object]) -> None:
        """`heard` gives something that changes whenever the org has answered."""
        self._heard = heard
        self._untold: dict[str, _Untold] = {}

    async def answer(self, kind: str, which: Hashable, begin: Callable[[], Future[T]], quiet_seconds: float) -> T:
        """The end of what `begin` begins, or of the same of which nobody was told; else `StillAtWork`.

        Two are the same where `kind` and `which` are.
        """
        before = self._untold.pop(kind, None)
        future: Future[T] = before.future if before is not None and before.answers(which) else begin()
        done = asyncio.wrap_future(future)
        done.add_done_callback(_looked_at)
        if await self._is_done(done, quiet_seconds):
            return await done
        self._untold[kind] = _Untold(which, future)
        raise StillAtWork(kind, quiet_seconds)

    async def _is_done(self, done: asyncio.Future[T], quiet_seconds: float) -> bool:
        heard, heard_at = self._heard(), time.monotonic()
        while not done.done():
            await asyncio.wait({done}, timeout=min(LOOK_SECONDS, quiet_seconds))
            if self._heard() != heard:
                heard, heard_at = self._heard(), time.monotonic()
            elif not done.done() and time.monotonic() - heard_at >= quiet_seconds:
                return False
        return True


class Together(Generic[T]):
    """Whoever asks while an answer is on its way gets that one. For the thread of the event loop."""

    def __init__(self) -> None:
        self._on_its_way: Future[T] | None = None

    async def answer(self, begin: Callable[[], Future[T]]) -> T:
        """The answer that is on its way, or the one that `begin` begins; its error, if it comes to that."""
        if self._on_its_way is None or self._on_its_way.done():
            self._on_its_way = begin()
        done = asyncio.wrap_future(self._on_its_way)
        done.add_done_callback(_looked_at)
        return await asyncio.shield(done)  # whoever goes away takes it from nobody else


def _looked_at(done: asyncio.Future[Any]) -> None:
    """Its error, if it has one, is not news to the event loop, which would log one that nobody has looked at."""
    if not done.cancelled():
        done.exception()
