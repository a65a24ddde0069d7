"""What was looked up just now: good as long as nothing in the database that it is from has changed."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Any, Final, TypeVar

import apsw
from fastapi.concurrency import run_in_threadpool

MOST: Final = 1_000
MOST_BYTES: Final = 4_000_000
T = TypeVar("T")


class Changes:
    """Tells whether anything in a database file has changed, by whatever process.

    Asked on a connection of its own, in microseconds, from one thread at a time: it only reads, so nobody who writes
    keeps it waiting.
    """

    def __init__(self, path: Path) -> None:
        self._db = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
        self._cursor = self._db.cursor()

    def mark(self) -> int:
        """A number that is another one once somebody has committed something."""
        return int(self._cursor.execute("PRAGMA data_version").get)

    def close(self) -> None:
        """Close the connection."""
        self._db.close()


class Known:
    """Answers that were looked up in another thread, for the thread of the event loop alone."""

    def __init__(self, path: Path) -> None:
        self._changes = Changes(path)
        self._mark: int | None = None
        self._answers: dict[Hashable, Any] = {}

    async def get(self, question: Hashable, look_up: Callable[..., T], *arguments: Any) -> T:
        """The answer to this question; what `look_up` raises is raised, and not kept."""
        mark = self._changes.mark()
        if mark != self._mark or len(self._answers) >= MOST:
            self._mark, self._answers = mark, {}
        if question in self._answers:
            known: T = self._answers[question]
            return known
        answers = self._answers
        answer = await run_in_threadpool(look_up, *arguments)
        answers[question] = answer
        return answer

    def close(self) -> None:
        """Close the connection."""
        self._changes.close()


class Counted:
    """How many records the objects of a replica have, as long as nothing in it has changed.

    For the thread of the event loop alone. Only of objects whose last page came quickly: not from a cold disk, and not
    from behind a million of deleted records. What is known here can be read without keeping others waiting.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._changes: Changes | None = None
        self._mark: int | None = None
        self._totals: dict[str, int] = {}

    def total(self, name: str) -> tuple[int, int | None]:
        """What to give `note` after reading, and how many records there are; None where that is not known."""
        if self._changes is None:
            self._changes = Changes(self._path)
        mark = self._changes.mark()
        if mark != self._mark or len(self._totals) >= MOST:
            self._mark, self._totals = mark, {}
        return mark, self._totals.get(name)

    def note(self, name: str, mark: int, total: int, *, quick: bool) -> None:
        """Keep what was counted after `mark` was asked for, if a page of it came quickly."""
        if not quick:
            self._totals.pop(name, None)
        elif mark == self._mark:
            self._totals[name] = total

    def close(self) -> None:
        """Close the connection."""
        if self._changes is not None:
            self._changes.close()


class Sent:
    """Pages of lists as they were sent: sent again, byte by byte, as long as nothing in the replica has changed.

    Programs that look whether there is news ask for the same page again and again. For the thread of the event loop
    alone; `mark` is what `Counted.total` gave before the page was read.
    """

    def __init__(self) -> None:
        self._mark: int | None = None
        self._bodies: dict[Hashable, bytes] = {}
        self._bytes = 0

    def body(self, mark: int, question: Hashable) -> bytes | None:
        """The page that answered this question."""
        if mark != self._mark:
            self._forget(mark)
        return self._bodies.get(question)

    def note(self, mark: int, question: Hashable, body: bytes) -> None:
        """Keep a page, if nothing has changed since `mark`; the pages that are kept have `MOST_BYTES` together."""
        if mark != self._mark or question in self._bodies or len(body) > MOST_BYTES // 4:
            return
        if self._bytes + len(body) > MOST_BYTES:
            self._forget(mark)
        self._bodies[question] = body
        self._bytes += len(body)

    def _forget(self, mark: int) -> None:
        self._mark, self._bodies, self._bytes = mark, {}, 0
