"""The threads of what may take long: syncs; pushes, verifies and logins; workbooks."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


class Runs:
    """A few threads, and how many of them are at work."""

    def __init__(self, threads: int) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="run")
        self._changed = threading.Condition()
        self._working = 0

    def submit(self, work: Callable[[], T]) -> Future[T]:
        """Do this when a thread is free."""
        return self._pool.submit(self._do, work)

    def _do(self, work: Callable[[], T]) -> T:
        self._count(1)
        try:
            return work()
        finally:
            self._count(-1)

    def _count(self, more: int) -> None:
        with self._changed:
            self._working += more
            self._changed.notify_all()

    def stop(self) -> None:
        """Begin nothing more; what waits for a thread is dropped."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def idle(self, seconds: float) -> bool:
        """Whether nothing goes on any more, after so many seconds at most."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._working, seconds)
