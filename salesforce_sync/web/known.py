"""Who and what was looked up just now: good as long as nothing in the access database has changed."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Any, Final, TypeVar

import apsw
from fastapi.concurrency import run_in_threadpool

MOST: Final = 1_000
T = TypeVar("T")


class Known:
    """Answers that were looked up in another thread, for the thread of the event loop alone.

    Whether they still hold is asked on a connection of its own, in microseconds: it only reads, so nobody who writes
    keeps it waiting.
    """

    def __init__(self, path: Path) -> None:
        self._db = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
        self._version: Any = None
        self._answers: dict[Hashable, Any] = {}

    async def get(self, question: Hashable, look_up: Callable[..., T], *arguments: Any) -> T:
        """The answer to this question; what `look_up` raises is raised, and not kept."""
        version = self._db.pragma("data_version")
        if version != self._version or len(self._answers) >= MOST:
            self._version, self._answers = version, {}
        if question in self._answers:
            known: T = self._answers[question]
            return known
        answers = self._answers
        answer = await run_in_threadpool(look_up, *arguments)
        answers[question] = answer
        return answer

    def close(self) -> None:
        """Close the connection."""
        self._db.close()
